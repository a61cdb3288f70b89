//! Strategies that make any packet a version can express.

mod properties;

use hookwire_mqtt::{
    Ack, AckKind, Auth, ConnAck, ConnAckProperties, Connect, Disconnect, PacketId, ProtocolVersion,
    QoS, ReasonCode, RetainHandling, SubAck, Subscribe, SubscribeFilter, UnsubAck, Unsubscribe,
    Will,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use properties::{publish_properties, travelling_properties};

/// A packet that owns everything, to be encoded.
#[derive(Debug, Clone)]
pub(crate) enum Owned {
    Connect(Box<Connect>),
    ConnAck(Box<ConnAck>),
    Publish(OwnedPublish),
    Ack(AckKind, Ack),
    Subscribe(Subscribe),
    SubAck(SubAck),
    Unsubscribe(Unsubscribe),
    UnsubAck(UnsubAck),
    PingReq,
    PingResp,
    Disconnect(Disconnect),
    Auth(Box<Auth>),
}

#[derive(Debug, Clone)]
pub(crate) struct OwnedPublish {
    pub(crate) dup: bool,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) topic: String,
    pub(crate) packet_id: Option<PacketId>,
    pub(crate) properties: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn version() -> impl Strategy<Value = ProtocolVersion> {
    select(vec![
        ProtocolVersion::V31,
        ProtocolVersion::V311,
        ProtocolVersion::V5,
    ])
}

pub(crate) fn packet(version: ProtocolVersion) -> BoxedStrategy<Owned> {
    let auth = auth().prop_map(|packet| Owned::Auth(Box::new(packet)));
    prop_oneof![
        only_v5(version, auth, Owned::PingReq),
        connect(version).prop_map(|packet| Owned::Connect(Box::new(packet))),
        connack(version).prop_map(|packet| Owned::ConnAck(Box::new(packet))),
        publish(version).prop_map(Owned::Publish),
        ack(version).prop_map(|(kind, packet)| Owned::Ack(kind, packet)),
        subscribe(version).prop_map(Owned::Subscribe),
        suback(version).prop_map(Owned::SubAck),
        unsubscribe(version).prop_map(Owned::Unsubscribe),
        unsuback(version).prop_map(Owned::UnsubAck),
        Just(Owned::PingReq),
        Just(Owned::PingResp),
        disconnect(version).prop_map(Owned::Disconnect),
    ]
    .boxed()
}

/// `strategy` in MQTT 5, `absent` in the others.
fn only_v5<T: Clone + std::fmt::Debug + 'static>(
    version: ProtocolVersion,
    strategy: impl Strategy<Value = T> + 'static,
    absent: T,
) -> BoxedStrategy<T> {
    if version.is_v5() {
        strategy.boxed()
    } else {
        Just(absent).boxed()
    }
}

fn text() -> impl Strategy<Value = String> {
    "[^\\x00]{0,12}"
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..12)
}

fn topic() -> impl Strategy<Value = String> {
    "[^\\x00+#]{1,12}"
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_filter_map("not 0", PacketId::new)
}

fn qos() -> impl Strategy<Value = QoS> {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn user_properties(version: ProtocolVersion) -> BoxedStrategy<Vec<(String, String)>> {
    only_v5(version, vec((text(), text()), 0..3), Vec::new())
}

fn explained(version: ProtocolVersion) -> BoxedStrategy<Option<String>> {
    only_v5(version, option::of(text()), None)
}

fn will(version: ProtocolVersion) -> impl Strategy<Value = Will> {
    (
        topic(),
        bytes(),
        qos(),
        any::<bool>(),
        only_v5(version, any::<u32>(), 0),
        only_v5(version, travelling_properties(), Vec::new()),
    )
        .prop_map(
            |(topic, payload, qos, retain, delay_interval_s, properties)| Will {
                topic,
                payload,
                qos,
                retain,
                delay_interval_s,
                properties,
            },
        )
}

fn connect(version: ProtocolVersion) -> impl Strategy<Value = Connect> {
    let identity = (
        any::<bool>(),
        any::<u16>(),
        text(),
        option::of(text()),
        option::of(bytes()),
        option::of(will(version)),
    );
    let limits = (
        any::<u32>(),
        1..=u16::MAX,
        option::of(1..=u32::MAX),
        any::<u16>(),
        any::<[bool; 2]>(),
        user_properties(version),
        option::of((text(), option::of(bytes()))),
    );
    (identity, limits).prop_map(move |(identity, limits)| {
        let (clean_start, keep_alive_s, client_id, username, password, will) = identity;
        let (expiry, receive_maximum, maximum_packet_bytes, aliases, asks, users, method) = limits;
        let v5 = version.is_v5();
        let (method, data) = match method {
            Some((method, data)) if v5 => (Some(method), data),
            _ => (None, None),
        };
        Connect {
            clean_start,
            keep_alive_s,
            password: password.filter(|_| v5 || username.is_some()),
            username,
            will,
            session_expiry_interval_s: match clean_start {
                _ if v5 => expiry,
                true => 0,
                false => u32::MAX,
            },
            receive_maximum: if v5 { receive_maximum } else { u16::MAX },
            maximum_packet_bytes: maximum_packet_bytes.filter(|_| v5),
            topic_alias_maximum: if v5 { aliases } else { 0 },
            request_response_information: v5 && asks[0],
            request_problem_information: !v5 || asks[1],
            user_properties: users,
            authentication_method: method,
            authentication_data: data,
            ..Connect::new(version, client_id)
        }
    })
}

fn connack_properties() -> impl Strategy<Value = ConnAckProperties> {
    let numbers = (
        option::of(any::<u32>()),
        option::of(1..=u16::MAX),
        option::of(select(vec![QoS::AtMostOnce, QoS::AtLeastOnce])),
        option::of(1..=u32::MAX),
        option::of(any::<u16>()),
        option::of(any::<u16>()),
    );
    let switches = any::<[Option<bool>; 4]>();
    let texts = (
        option::of(text()),
        option::of(text()),
        option::of(text()),
        option::of(text()),
        option::of((text(), option::of(bytes()))),
        vec((text(), text()), 0..3),
    );
    (numbers, switches, texts).prop_map(|(numbers, switches, texts)| ConnAckProperties {
        session_expiry_interval_s: numbers.0,
        receive_maximum: numbers.1,
        maximum_qos: numbers.2,
        retain_available: switches[0],
        maximum_packet_bytes: numbers.3,
        assigned_client_id: texts.0,
        topic_alias_maximum: numbers.4,
        reason_string: texts.1,
        wildcard_subscription_available: switches[1],
        subscription_identifiers_available: switches[2],
        shared_subscription_available: switches[3],
        server_keep_alive_s: numbers.5,
        response_information: texts.2,
        server_reference: texts.3,
        authentication_method: texts.4.as_ref().map(|(method, _)| method.clone()),
        authentication_data: texts.4.and_then(|(_, data)| data),
        user_properties: texts.5,
    })
}

fn connack(version: ProtocolVersion) -> impl Strategy<Value = ConnAck> {
    let reasons = if version.is_v5() {
        vec![0x00, 0x80, 0x84, 0x8A, 0x8C, 0x95, 0x97, 0x9B, 0x9F]
    } else {
        // Those with a return code of their own come back as they were.
        vec![0x00, 0x84, 0x85, 0x86, 0x87, 0x88]
    };
    (
        any::<bool>(),
        reason_of(reasons),
        only_v5(version, connack_properties(), ConnAckProperties::default()),
    )
        .prop_map(move |(present, reason, properties)| ConnAck {
            session_present: present && !reason.is_error() && version != ProtocolVersion::V31,
            reason,
            properties,
        })
}

fn reason_of(codes: Vec<u8>) -> impl Strategy<Value = ReasonCode> {
    select(codes).prop_map(|code| ReasonCode::try_from(code).expect("a known code"))
}

fn publish(version: ProtocolVersion) -> impl Strategy<Value = OwnedPublish> {
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

fn ack(version: ProtocolVersion) -> impl Strategy<Value = (AckKind, Ack)> {
    let received = vec![0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    let released = vec![0x00, 0x92];
    let kind = select(vec![
        (AckKind::PubAck, received.clone()),
        (AckKind::PubRec, received),
        (AckKind::PubRel, released.clone()),
        (AckKind::PubComp, released),
    ]);
    kind.prop_flat_map(move |(kind, reasons)| {
        let fields = (
            packet_id(),
            only_v5(version, reason_of(reasons), ReasonCode::Success),
            explained(version),
            user_properties(version),
        );
        fields.prop_map(move |(packet_id, reason, reason_string, user_properties)| {
            let ack = Ack {
                packet_id,
                reason,
                reason_string,
                user_properties,
            };
            (kind, ack)
        })
    })
}

fn auth() -> impl Strategy<Value = Auth> {
    let said = (
        reason_of(vec![0x00, 0x18, 0x19]),
        text(),
        option::of(bytes()),
        option::of(text()),
        vec((text(), text()), 0..3),
    );
    let said = said.prop_map(
        |(reason, method, data, reason_string, user_properties)| Auth {
            reason,
            method: Some(method),
            data,
            reason_string,
            user_properties,
        },
    );
    prop_oneof![Just(Auth::default()), said]
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

fn subscribe(version: ProtocolVersion) -> impl Strategy<Value = Subscribe> {
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

fn suback(version: ProtocolVersion) -> impl Strategy<Value = SubAck> {
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

fn unsubscribe(version: ProtocolVersion) -> impl Strategy<Value = Unsubscribe> {
    (packet_id(), vec(text(), 1..4), user_properties(version)).prop_map(
        |(packet_id, filters, user_properties)| Unsubscribe {
            packet_id,
            filters,
            user_properties,
        },
    )
}

fn unsuback(version: ProtocolVersion) -> impl Strategy<Value = UnsubAck> {
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

fn disconnect(version: ProtocolVersion) -> impl Strategy<Value = Disconnect> {
    let reason = reason_of(vec![
        0x00, 0x04, 0x81, 0x82, 0x8B, 0x8D, 0x8E, 0x95, 0x9C, 0xA2,
    ]);
    (
        only_v5(version, reason, ReasonCode::Success),
        only_v5(version, option::of(any::<u32>()), None),
        explained(version),
        explained(version),
        user_properties(version),
    )
        .prop_map(
            |(reason, session_expiry_interval_s, reason_string, reference, users)| Disconnect {
                reason,
                session_expiry_interval_s,
                reason_string,
                server_reference: reference,
                user_properties: users,
            },
        )
}
