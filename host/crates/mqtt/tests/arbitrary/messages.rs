//! What happens on a connection: PUBLISH and its acknowledgements, SUBSCRIBE,
//! UNSUBSCRIBE and theirs.

use hookwire_mqtt::{
    Ack, Packet, ProtocolVersion, QoS, ReasonCode, RetainHandling, SubAck, Subscribe,
    SubscribeFilter, UnsubAck, Unsubscribe,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::properties::publish_properties;
use super::{
    OwnedPublish, bytes, explained, only_v5, packet_id, qos, reason_of, text, topic,
    user_properties,
};

pub(crate) fn publish(version: ProtocolVersion) -> impl Strategy<Value = OwnedPublish> {
    (
        any::<[bool; 2]>(),
        qos(),
        topic(),
        packet_id(),
        only_v5(version, publish_properties(), Vec::new()),
        bytes(),
    )
        .prop_map(
            |(flags, qos, topic, id, properties, payload)| OwnedPublish {
                dup: flags[0] && qos > QoS::AtMostOnce,
                qos,
                retain: flags[1],
                topic,
                packet_id: Some(id).filter(|_| qos > QoS::AtMostOnce),
                properties,
                payload,
            },
        )
}

pub(super) fn ack(version: ProtocolVersion) -> impl Strategy<Value = Packet<'static>> {
    let received = vec![0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    let released = vec![0x00, 0x92];
    prop_oneof![
        ack_of(version, received.clone()).prop_map(Packet::PubAck),
        ack_of(version, received).prop_map(Packet::PubRec),
        ack_of(version, released.clone()).prop_map(Packet::PubRel),
        ack_of(version, released).prop_map(Packet::PubComp),
    ]
}

fn ack_of(version: ProtocolVersion, reasons: Vec<u8>) -> impl Strategy<Value = Ack> {
    let fields = (
        packet_id(),
        only_v5(version, reason_of(reasons), ReasonCode::Success),
        explained(version),
        user_properties(version),
    );
    fields.prop_map(|(packet_id, reason, reason_string, user_properties)| Ack {
        packet_id,
        reason,
        reason_string,
        user_properties,
    })
}

fn subscribe_filter(version: ProtocolVersion) -> impl Strategy<Value = SubscribeFilter> {
    let handling = select(vec![
        RetainHandling::SendAtSubscribe,
        RetainHandling::SendIfNew,
        RetainHandling::DoNotSend,
    ]);
    (
        text(),
        qos(),
        only_v5(version, any::<[bool; 2]>(), [false; 2]),
        only_v5(version, handling, RetainHandling::SendAtSubscribe),
    )
        .prop_map(|(filter, qos, options, retain_handling)| SubscribeFilter {
            no_local: options[0] && !filter.starts_with('$'),
            retain_as_published: options[1],
            retain_handling,
            ..SubscribeFilter::new(filter, qos)
        })
}

pub(super) fn subscribe(version: ProtocolVersion) -> impl Strategy<Value = Subscribe> {
    (
        packet_id(),
        only_v5(version, option::of(1..=268_435_455_u32), None),
        user_properties(version),
        vec(subscribe_filter(version), 1..4),
    )
        .prop_map(
            |(packet_id, identifier, user_properties, filters)| Subscribe {
                packet_id,
                subscription_identifier: identifier,
                user_properties,
                filters,
            },
        )
}

pub(super) fn suback(version: ProtocolVersion) -> impl Strategy<Value = SubAck> {
    let codes = match version {
        ProtocolVersion::V31 => vec![0, 1, 2],
        ProtocolVersion::V311 => vec![0, 1, 2, 0x80],
        ProtocolVersion::V5 => vec![
            0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2,
        ],
    };
    (
        packet_id(),
        vec(reason_of(codes), 1..4),
        explained(version),
        user_properties(version),
    )
        .prop_map(
            |(packet_id, reasons, reason_string, user_properties)| SubAck {
                packet_id,
                reasons,
                reason_string,
                user_properties,
            },
        )
}

pub(super) fn unsubscribe(version: ProtocolVersion) -> impl Strategy<Value = Unsubscribe> {
    (packet_id(), vec(text(), 1..4), user_properties(version)).prop_map(
        |(packet_id, filters, user_properties)| Unsubscribe {
            packet_id,
            filters,
            user_properties,
        },
    )
}

pub(super) fn unsuback(version: ProtocolVersion) -> impl Strategy<Value = UnsubAck> {
    let reasons = vec(reason_of(vec![0, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]), 1..4);
    (
        packet_id(),
        only_v5(version, reasons, Vec::new()),
        explained(version),
        user_properties(version),
    )
        .prop_map(
            |(packet_id, reasons, reason_string, user_properties)| UnsubAck {
                packet_id,
                reasons,
                reason_string,
                user_properties,
            },
        )
}
