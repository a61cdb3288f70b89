//! What begins and ends a connection: CONNECT, CONNACK, DISCONNECT and AUTH.

use hookwire_mqtt::{
    Auth, ConnAck, ConnAckProperties, Connect, Disconnect, ProtocolVersion, QoS, ReasonCode, Will,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::properties::travelling_properties;
use super::{bytes, explained, only_v5, qos, reason_of, text, topic, user_properties};

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

pub(super) fn connect(version: ProtocolVersion) -> impl Strategy<Value = Connect> {
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

pub(super) fn connack(version: ProtocolVersion) -> impl Strategy<Value = ConnAck> {
    let reasons = if version.is_v5() {
        vec![
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90,
            0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ]
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

pub(super) fn disconnect(version: ProtocolVersion) -> impl Strategy<Value = Disconnect> {
    let reason = reason_of(vec![
        0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93,
        0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
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

pub(super) fn auth() -> impl Strategy<Value = Auth> {
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
