//! CONNECT, and what of it no version does otherwise.

use super::{V5, V31, V311, packet};
use hookwire_mqtt::{Connect, Fault, ProtocolVersion, ReasonCode, decode, decode_connect};

/// A CONNECT with this name, level and these flags, and `rest` behind keep-alive.
fn bytes(name: &str, level: u8, flags: u8, rest: &[u8]) -> Vec<u8> {
    let mut body = vec![0, u8::try_from(name.len()).expect("short")];
    body.extend(name.as_bytes());
    body.extend([level, flags, 0, 60]);
    body.extend(rest);
    packet(0x10, &body)
}

/// The same in one of the versions; MQTT 5 with properties.
pub(super) fn connect(
    version: ProtocolVersion,
    flags: u8,
    properties: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let mut rest = Vec::new();
    if version == V5 {
        rest.push(u8::try_from(properties.len()).expect("short"));
        rest.extend(properties);
    }
    rest.extend(payload);
    bytes(version.protocol_name(), version.level(), flags, &rest)
}

#[track_caller]
pub(super) fn greeted(bytes: &[u8]) -> Connect {
    match decode_connect(bytes, 1000) {
        Ok(Some((connect, taken))) => {
            assert_eq!(taken, bytes.len());
            connect
        }
        other => panic!("{bytes:X?}: {other:?}"),
    }
}

#[track_caller]
pub(super) fn check(
    bytes: &[u8],
    kind: &str,
    reason: ReasonCode,
    answer_in: Option<ProtocolVersion>,
) {
    let Err(error) = decode_connect(bytes, 1000) else {
        panic!("{bytes:X?}");
    };
    assert_eq!(
        (error.kind(), error.reason(), error.answer_in),
        (kind, reason, answer_in),
        "{bytes:X?}: {error}"
    );
    assert_eq!(decode(bytes, V5, 1000), Err(error), "as a later packet");
}

/// The same wrong CONNECT in some versions. MQTT 5 is told, the others have no
/// return code for it.
#[track_caller]
fn check_in(
    versions: &[ProtocolVersion],
    (flags, properties, payload): (u8, &[u8], &[u8]),
    kind: &str,
    reason: ReasonCode,
) {
    for &version in versions {
        let answer_in = Some(version).filter(|version| version.is_v5());
        let bytes = connect(version, flags, properties, payload);
        check(&bytes, kind, reason, answer_in);
    }
}

const ALL: &[ProtocolVersion] = &[V31, V311, V5];

#[test]
fn names_and_levels() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, UnsupportedProtocolVersion};
    let kind = "unsupported protocol version";
    // Older ones know the return codes of 3.1.1, newer ones those of 5. Levels
    // from 0x80 are those of bridges.
    for (name, level, answer_in) in [
        ("MQTT", 0, V311),
        ("MQTT", 3, V311),
        ("MQIsdp", 4, V311),
        ("MQIsdp", 5, V311),
        ("MQTT", 6, V5),
        ("MQIsdp", 6, V311),
        ("MQTT", 0x7F, V5),
        ("MQTT", 0x84, V311),
        ("MQIsdp", 0x83, V311),
        ("MQTT", 0xFF, V311),
    ] {
        let bytes = bytes(name, level, 2, b"\0\x01c");
        check(&bytes, kind, UnsupportedProtocolVersion, Some(answer_in));
    }
    let kind = "unsupported protocol name";
    for name in ["", "HTTP", "mqtt", "MQTTT", "MQIsdpx"] {
        let bytes = bytes(name, 4, 2, b"\0\x01c");
        check(&bytes, kind, UnsupportedProtocolVersion, None);
    }
    for body in [&b""[..], b"\0", b"\0\x04MQT", b"\0\x04MQTT"] {
        check(&packet(0x10, body), "truncated", MalformedPacket, None);
    }
    for (name, level, version) in [("MQIsdp", 3, V31), ("MQTT", 4, V311)] {
        let bytes = bytes(name, level, 2, b"\0\x01c");
        assert_eq!(greeted(&bytes).version, version);
    }
    assert_eq!(greeted(&bytes("MQTT", 5, 2, b"\0\0\x01c")).version, V5);
}

#[test]
fn flags() {
    use hookwire_mqtt::ReasonCode::MalformedPacket;
    let id = b"\0\x01c";
    let with_will = b"\0\x01c\0\x01t\0\0";
    for reserved in [0x01, 0x03] {
        check_in(
            &[V311, V5],
            (reserved, b"", id),
            "reserved bits",
            MalformedPacket,
        );
    }
    // Without a will, its QoS and its retain flag.
    for alone in [0x08, 0x10, 0x20, 0x28] {
        check_in(
            &[V311, V5],
            (alone, b"", id),
            "reserved bits",
            MalformedPacket,
        );
    }
    check_in(ALL, (0x1C, b"", with_will), "invalid qos", MalformedPacket);
    check_in(
        &[V31, V311],
        (0x42, b"", b"\0\x01c\0\x01p"),
        "password without user name",
        MalformedPacket,
    );
    let connect = greeted(&connect(V5, 0x42, b"", b"\0\x01c\0\x01p"));
    assert_eq!(connect.password.as_deref(), Some(&b"p"[..]));
    assert_eq!(connect.username, None);
}

#[test]
fn payloads() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, TopicNameInvalid};
    for (flags, payload, kind) in [
        (2, &b""[..], "truncated"),
        (2, b"\0", "truncated"),
        (2, b"\0\x02c", "truncated"),
        (2, b"\0\x01cx", "trailing bytes"),
        (2, b"\0\x01c\0\x01u", "trailing bytes"),
        (2, b"\0\x01\0", "nul character"),
        (2, b"\0\x02\xC0\x80", "invalid utf-8"),
        (0x82, b"\0\x01c\0", "truncated"),
        (0x82, b"\0\x01c\0\x01\0", "nul character"),
        (0x82, b"\0\x01c\0\x01\xFF", "invalid utf-8"),
        (0xC2, b"\0\x01c\0\x01u\0", "truncated"),
        (0xC2, b"\0\x01c\0\x01u\0\x01px", "trailing bytes"),
    ] {
        check_in(ALL, (flags, b"", payload), kind, MalformedPacket);
    }
    // Only MQTT 3.1 lets a packet end before what the flags announce.
    for flags in [0x82, 0xC2] {
        check_in(
            &[V311, V5],
            (flags, b"", b"\0\x01c"),
            "truncated",
            MalformedPacket,
        );
    }
    check_in(
        &[V311, V5],
        (0xC2, b"", b"\0\x01c\0\x01u"),
        "truncated",
        MalformedPacket,
    );
    for topic in [&b"\0\x01#"[..], b"\0\x02a+", b"\0\0"] {
        for version in [V31, V311, V5] {
            let properties: &[u8] = if version == V5 { &[0] } else { &[] };
            let payload = [&b"\0\x01c"[..], properties, topic, b"\0\0"].concat();
            let bytes = connect(version, 6, b"", &payload);
            let answer_in = Some(version).filter(|version| version.is_v5());
            check(&bytes, "invalid topic name", TopicNameInvalid, answer_in);
        }
    }
}

#[test]
fn what_is_sent_arrives() {
    // Everything at once, an empty identifier, bytes that are no text.
    let payload = b"\0\0\0\x01t\0\x02\xFF\0\0\x01u\0\x01\xFF";
    for version in [V31, V311] {
        let connect = greeted(&connect(version, 0xEC, b"", payload));
        assert_eq!(connect.client_id, "");
        assert_eq!(connect.keep_alive_s, 60);
        assert!(!connect.clean_start);
        assert_eq!(connect.session_expiry_interval_s, u32::MAX);
        let will = connect.will.expect("a will");
        assert_eq!(
            (will.topic.as_str(), will.payload.as_slice()),
            ("t", &b"\xFF\0"[..])
        );
        assert_eq!((will.qos.as_u8(), will.retain), (1, true));
        assert_eq!(connect.username.as_deref(), Some("u"));
        assert_eq!(connect.password.as_deref(), Some(&b"\xFF"[..]));
    }
}

#[test]
fn properties() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, ProtocolError, TopicNameInvalid};
    let method_missing = "authentication data without method";
    for (properties, kind, reason) in [
        (&b"\x21\0\0"[..], "invalid value", ProtocolError),
        (b"\x27\0\0\0\0", "invalid value", ProtocolError),
        (b"\x17\x02", "invalid value", ProtocolError),
        (b"\x19\x02", "invalid value", ProtocolError),
        (b"\x16\0\0", method_missing, ProtocolError),
        (b"\x15\0\x01", "truncated", MalformedPacket),
        (b"\x18\0\0\0\x01", "property not allowed", MalformedPacket),
    ] {
        check_in(&[V5], (2, properties, b"\0\x01c"), kind, reason);
    }
    for properties in [
        &b""[..],
        b"\x21\0\x01",
        b"\x27\0\0\0\x01",
        b"\x17\0\x19\x01",
        b"\x17\x01\x19\0",
        b"\x11\xFF\xFF\xFF\xFF\x22\0\0",
        b"\x16\0\0\x15\0\0",
    ] {
        greeted(&connect(V5, 2, properties, b"\0\x01c"));
    }
    // Those of a will.
    for (properties, kind, reason) in [
        (
            &b"\x03\x23\0\x01"[..],
            "property not allowed",
            MalformedPacket,
        ),
        (b"\x02\x0B\x01", "property not allowed", MalformedPacket),
        (b"\x05\x11\0\0\0\0", "property not allowed", MalformedPacket),
        (b"\x02\x01\x02", "invalid value", ProtocolError),
        (b"\x04\x01\0\x01\0", "duplicate property", ProtocolError),
        (b"\x04\x08\0\x01#", "invalid topic name", TopicNameInvalid),
        (b"\x7F\x01\0", "truncated", MalformedPacket),
    ] {
        let payload = [b"\0\x01c", properties, b"\0\x01t\0\0"].concat();
        check_in(&[V5], (6, b"", &payload), kind, reason);
    }
    let payload = b"\0\x01c\x08\x18\0\0\0\x05\x03\0\0\0\x01t\0\0";
    let will = greeted(&connect(V5, 6, b"", payload)).will.expect("a will");
    assert_eq!(will.delay_interval_s, 5);
    assert_eq!(will.properties, b"\x03\0\0");
}

#[test]
fn a_later_connect_is_read_in_its_own_version() {
    let bytes = connect(V5, 2, b"", b"\0\x01c");
    for version in [V31, V311, V5] {
        let later = decode(&bytes, version, 1000).expect("valid");
        let Some((hookwire_mqtt::Packet::Connect(connect), _)) = later else {
            panic!("not a CONNECT");
        };
        assert_eq!(*connect, greeted(&bytes));
    }
    let error = decode_connect(&packet(0x20, b"\0\0"), 1000).expect_err("a CONNACK");
    assert_eq!(error.fault, Fault::NotConnect);
}

#[test]
fn a_password_alone_is_written_in_mqtt_5_alone() {
    for version in [V31, V311, V5] {
        let alone = Connect {
            password: Some(b"p".to_vec()),
            ..Connect::new(version, "c")
        };
        let mut out = Vec::new();
        alone.encode(&mut out);
        assert_eq!(greeted(&out).password.is_some(), version.is_v5());
    }
}
