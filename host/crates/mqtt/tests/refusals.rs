//! Wrong packets, byte by byte, and what is said about each.

use ProtocolVersion::{V5, V31, V311};
use hookwire_mqtt::{
    Ack, AckKind, ConnAck, DecodeError, Fault, Packet, PacketId, ProtocolVersion, QoS, ReasonCode,
    SubAck, SubscribeFilter, decode, decode_connect,
};

#[track_caller]
fn check(version: ProtocolVersion, bytes: &[u8], kind: &str, reason: ReasonCode) {
    let error = refused(version, bytes);
    assert_eq!((error.kind(), error.reason()), (kind, reason), "{error}");
}

#[track_caller]
fn refused(version: ProtocolVersion, bytes: &[u8]) -> DecodeError {
    decode(bytes, version, 1000).expect_err("wrong")
}

/// A packet of `first_byte` whose length fits.
fn packet(first_byte: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first_byte, u8::try_from(body.len()).expect("short")];
    bytes.extend(body);
    bytes
}

/// A CONNECT with this level and these flags, and `rest` behind keep-alive.
fn connect(level: u8, flags: u8, rest: &[u8]) -> Vec<u8> {
    let mut body = b"\0\x04MQTT".to_vec();
    body.extend([level, flags, 0, 60]);
    body.extend(rest);
    packet(0x10, &body)
}

#[test]
fn fixed_headers_are_refused_as_soon_as_they_are_wrong() {
    use ReasonCode::{MalformedPacket, PacketTooLarge};
    // One byte is enough to see a wrong type or wrong flags.
    check(V5, &[0x00], "reserved packet type", MalformedPacket);
    check(V311, &[0xF0], "reserved packet type", MalformedPacket);
    check(V31, &[0xF0], "reserved packet type", MalformedPacket);
    for wrong in [0x51, 0x60, 0x6A, 0x71, 0x8A, 0xAA] {
        check(V311, &[wrong], "reserved bits", MalformedPacket);
        check(V5, &[wrong], "reserved bits", MalformedPacket);
    }
    for wrong in [0x51, 0x60, 0x63, 0x68, 0x71, 0x80, 0xA8] {
        check(V31, &[wrong], "reserved bits", MalformedPacket);
    }
    check(V5, &[0xF2], "reserved bits", MalformedPacket);
    check(V311, &[0x60], "reserved bits", MalformedPacket);
    check(V311, &[0x80], "reserved bits", MalformedPacket);
    check(V5, &[0xC1], "reserved bits", MalformedPacket);
    // A length over the limit is seen before the bytes are there; 998 bytes
    // behind three of header are one too many.
    check(V5, &[0x30, 0xE6, 0x07], "packet too large", PacketTooLarge);
    assert_eq!(decode(&[0x30, 0xE5, 0x07], V5, 1000), Ok(None));
    // Four bytes are the longest length, and none is longer than needed.
    let overlong = "variable byte integer";
    check(
        V5,
        &[0x30, 0xFF, 0xFF, 0xFF, 0xFF],
        overlong,
        MalformedPacket,
    );
    check(V5, &[0xC0, 0x80, 0x00], overlong, MalformedPacket);
    assert_eq!(decode(&[0x30, 0xFF, 0xFF, 0xFF], V5, 1000), Ok(None));
}

#[test]
fn publishes_are_refused() {
    use ReasonCode::{MalformedPacket, ProtocolError, TopicAliasInvalid, TopicNameInvalid};
    let p = packet;
    check(
        V311,
        &p(0x36, b"\0\x01a\0\x01"),
        "invalid qos",
        MalformedPacket,
    );
    check(V311, &p(0x38, b"\0\x01a"), "dup on qos 0", MalformedPacket);
    check(V311, &p(0x30, b"\0\x02a"), "truncated", MalformedPacket);
    check(
        V311,
        &p(0x30, b"\0\x02\xC3\x28"),
        "invalid utf-8",
        MalformedPacket,
    );
    // A surrogate is not UTF-8 either [MQTT-1.5.4-1].
    check(
        V5,
        &p(0x30, b"\0\x03\xED\xA0\x80\0"),
        "invalid utf-8",
        MalformedPacket,
    );
    check(
        V311,
        &p(0x30, b"\0\x01\0"),
        "nul character",
        MalformedPacket,
    );
    check(
        V311,
        &p(0x30, b"\0\x03a/#"),
        "invalid topic name",
        TopicNameInvalid,
    );
    check(V311, &p(0x30, b"\0\0x"), "empty topic", ProtocolError);
    check(V5, &p(0x30, b"\0\0\0x"), "empty topic", ProtocolError);
    check(
        V311,
        &p(0x32, b"\0\x01a\0\0"),
        "zero packet id",
        ProtocolError,
    );
    check(V311, &p(0x32, b"\0\x01a\0"), "truncated", MalformedPacket);
    // Properties: alias 0, twice the same, another packet's, unknown, bad values.
    check(
        V5,
        &p(0x30, b"\0\x01a\x03\x23\0\0"),
        "zero topic alias",
        TopicAliasInvalid,
    );
    let twice = b"\0\x01a\x06\x23\0\x01\x23\0\x02";
    check(V5, &p(0x30, twice), "duplicate property", ProtocolError);
    check(
        V5,
        &p(0x30, b"\0\x01a\x03\x21\0\x01"),
        "property not allowed",
        MalformedPacket,
    );
    check(
        V5,
        &p(0x30, b"\0\x01a\x02\x04\0"),
        "unknown property",
        MalformedPacket,
    );
    check(
        V5,
        &p(0x30, b"\0\x01a\x03\x81\0\0"),
        "variable byte integer",
        MalformedPacket,
    );
    check(
        V5,
        &p(0x30, b"\0\x01a\x02\x01\x02"),
        "invalid value",
        ProtocolError,
    );
    check(
        V5,
        &p(0x30, b"\0\x01a\x02\x0B\0"),
        "invalid value",
        ProtocolError,
    );
    check(
        V5,
        &p(0x30, b"\0\x01a\x04\x08\0\x01+"),
        "invalid topic name",
        TopicNameInvalid,
    );
    check(
        V5,
        &p(0x30, b"\0\x01a\x09\x01\0"),
        "truncated",
        MalformedPacket,
    );
    // A string that reaches over the end of the properties into the payload.
    check(
        V5,
        &p(0x30, b"\0\x01a\x03\x03\0\x04text"),
        "truncated",
        MalformedPacket,
    );
}

#[test]
fn an_alias_stands_for_the_topic() {
    let bytes = packet(0x30, b"\0\0\x03\x23\0\x07payload");
    let Ok(Some((Packet::Publish(publish), 15))) = decode(&bytes, V5, 1000) else {
        panic!("not a PUBLISH");
    };
    assert!(publish.topic.is_empty());
    assert_eq!(publish.properties.topic_alias(), Some(7));
    assert_eq!(publish.properties.forwardable().as_ref(), b"");
    assert_eq!(publish.payload, b"payload");
}

#[test]
fn other_packets_are_refused() {
    use ReasonCode::{MalformedPacket, ProtocolError};
    let p = packet;
    check(V311, &p(0x82, b"\0\x01"), "empty list", ProtocolError);
    check(V5, &p(0x82, b"\0\x01\0"), "empty list", ProtocolError);
    check(
        V311,
        &p(0x82, b"\0\0\0\x01a\0"),
        "zero packet id",
        ProtocolError,
    );
    check(
        V311,
        &p(0x82, b"\0\x01\0\x01a"),
        "truncated",
        MalformedPacket,
    );
    check(
        V311,
        &p(0x82, b"\0\x01\0\x01a\x03"),
        "invalid value",
        ProtocolError,
    );
    check(
        V311,
        &p(0x82, b"\0\x01\0\x01a\x04"),
        "reserved bits",
        MalformedPacket,
    );
    check(
        V5,
        &p(0x82, b"\0\x01\0\0\x01a\x40"),
        "reserved bits",
        MalformedPacket,
    );
    check(
        V5,
        &p(0x82, b"\0\x01\0\0\x01a\x30"),
        "invalid value",
        ProtocolError,
    );
    let no_local = b"\0\x01\0\0\x0A$share/g/a\x04";
    check(V5, &p(0x82, no_local), "no local on shared", ProtocolError);
    let no_local = b"\0\x01\0\0\x08$queue/a\x04";
    check(V5, &p(0x82, no_local), "no local on shared", ProtocolError);
    let two_identifiers = b"\0\x01\x04\x0B\x01\x0B\x02\0\x01a\0";
    check(
        V5,
        &p(0x82, two_identifiers),
        "duplicate property",
        ProtocolError,
    );
    check(V311, &p(0xA2, b"\0\x01"), "empty list", ProtocolError);
    check(
        V311,
        &p(0x40, b"\0\x01\0"),
        "trailing bytes",
        MalformedPacket,
    );
    check(
        V5,
        &p(0x40, b"\0\x01\x04"),
        "invalid reason code",
        MalformedPacket,
    );
    check(
        V5,
        &p(0x40, b"\0\x01\x7F"),
        "invalid reason code",
        MalformedPacket,
    );
    check(
        V5,
        &p(0x40, b"\0\x01\0\0x"),
        "trailing bytes",
        MalformedPacket,
    );
    // PUBREL and PUBCOMP have two codes, PUBREC those of PUBACK.
    for first_byte in [0x62, 0x70] {
        check(
            V5,
            &p(first_byte, b"\0\x01\x10"),
            "invalid reason code",
            MalformedPacket,
        );
    }
    check(
        V5,
        &p(0x50, b"\0\x01\x92"),
        "invalid reason code",
        MalformedPacket,
    );
    check(V5, &p(0xF0, b"\0"), "truncated", MalformedPacket);
    check(
        V5,
        &p(0xF0, b"\x04\0"),
        "invalid reason code",
        MalformedPacket,
    );
    check(
        V5,
        &p(0xF0, b"\x18\0"),
        "no authentication method",
        ProtocolError,
    );
    check(
        V5,
        &p(0xF0, b"\x18\x04\x16\0\x01d"),
        "authentication data without method",
        ProtocolError,
    );
    check(V311, &p(0xE0, b"\0"), "trailing bytes", MalformedPacket);
    check(
        V5,
        &p(0xE0, b"\x8A"),
        "invalid reason code",
        MalformedPacket,
    );
    check(V5, &p(0xC0, b"x"), "trailing bytes", MalformedPacket);
    check(V311, &p(0x20, b"\x02\0"), "reserved bits", MalformedPacket);
    check(
        V311,
        &p(0x20, b"\x01\x05"),
        "session present on refusal",
        ProtocolError,
    );
    check(
        V311,
        &p(0x20, b"\0\x06"),
        "invalid reason code",
        MalformedPacket,
    );
    check(
        V311,
        &p(0x90, b"\0\x01\x87"),
        "invalid reason code",
        MalformedPacket,
    );
    check(V5, &p(0xB0, b"\0\x01\0"), "empty list", ProtocolError);
}

#[test]
fn what_mqtt_3_1_does_not_use_is_ignored() {
    let connect = |flags: u8, rest: &[u8]| {
        let mut body = b"\0\x06MQIsdp\x03".to_vec();
        body.extend([flags, 0, 60]);
        body.extend(rest);
        let bytes = packet(0x10, &body);
        let (connect, _) = decode_connect(&bytes, 1000).expect("valid").expect("whole");
        assert_eq!(connect.version, V31);
        connect
    };
    // The reserved bit, and QoS 3 and retain of a will that is not there.
    assert!(connect(0x3B, b"\0\x01c").will.is_none());
    // User name and password that the flags announce, and that are not there.
    assert_eq!(connect(0xC2, b"\0\x01c").username, None);
    let alone = connect(0xC2, b"\0\x01c\0\x01u");
    assert_eq!(
        (alone.username.as_deref(), alone.password),
        (Some("u"), None)
    );

    let dup = packet(0x38, b"\0\x01a");
    let Ok(Some((Packet::Publish(publish), _))) = decode(&dup, V31, 1000) else {
        panic!("not a PUBLISH");
    };
    assert!(!publish.dup);
    let subscribe = packet(0x8A, b"\0\x01\0\x01a\xFD");
    let Ok(Some((Packet::Subscribe(subscribe), _))) = decode(&subscribe, V31, 1000) else {
        panic!("not a SUBSCRIBE");
    };
    assert_eq!(
        subscribe.filters,
        [SubscribeFilter::new("a", QoS::AtLeastOnce)]
    );
    for first_byte in [0x62, 0x6A] {
        let pubrel = packet(first_byte, b"\0\x07");
        let expected = Packet::PubRel(Ack::success(PacketId::new(7).expect("not 0")));
        assert_eq!(decode(&pubrel, V31, 1000), Ok(Some((expected, 4))));
    }
    let connack = packet(0x20, b"\xFF\x05");
    let expected = Packet::ConnAck(ConnAck::refusal(ReasonCode::NotAuthorized));
    assert_eq!(decode(&connack, V31, 1000), Ok(Some((expected, 4))));
}

#[test]
fn what_mqtt_3_1_cannot_say_is_said_otherwise() {
    let mut out = Vec::new();
    let packet_id = PacketId::FIRST;
    let suback = SubAck {
        packet_id,
        reasons: vec![ReasonCode::GrantedQoS2, ReasonCode::NotAuthorized],
        reason_string: None,
        user_properties: Vec::new(),
    };
    suback.encode(V31, &mut out);
    assert_eq!(out, b"\x90\x04\0\x01\x02\x00");
    out.clear();
    let connack = ConnAck {
        session_present: true,
        ..ConnAck::default()
    };
    connack.encode(V31, &mut out);
    assert_eq!(out, b"\x20\x02\0\0");
    out.clear();
    Packet::Auth(Box::default()).encode(V31, &mut out);
    Ack::with_reason(packet_id, ReasonCode::PacketIdentifierNotFound).encode(
        AckKind::PubRel,
        V31,
        &mut out,
    );
    assert_eq!(out, b"\x62\x02\0\x01");
    check(
        V31,
        &packet(0x90, b"\0\x01\x80"),
        "invalid reason code",
        ReasonCode::MalformedPacket,
    );
}

#[test]
fn short_forms_of_mqtt_5_are_taken() {
    for first_byte in [0x40, 0x50, 0x62, 0x70] {
        for body in [&b"\0\x01"[..], b"\0\x01\0", b"\0\x01\0\0"] {
            let bytes = packet(first_byte, body);
            let success = Ack::success(PacketId::FIRST);
            let expected = match first_byte {
                0x40 => Packet::PubAck(success),
                0x50 => Packet::PubRec(success),
                0x62 => Packet::PubRel(success),
                _ => Packet::PubComp(success),
            };
            assert_eq!(decode(&bytes, V5, 1000), Ok(Some((expected, bytes.len()))));
        }
    }
    for body in [&b""[..], b"\0\0"] {
        let bytes = packet(0xF0, body);
        let expected = Packet::Auth(Box::default());
        assert_eq!(decode(&bytes, V5, 1000), Ok(Some((expected, bytes.len()))));
    }
    for body in [&b""[..], b"\0", b"\0\0"] {
        let bytes = packet(0xE0, body);
        let Ok(Some((Packet::Disconnect(disconnect), _))) = decode(&bytes, V5, 1000) else {
            panic!("not a DISCONNECT: {body:?}");
        };
        assert_eq!(disconnect.reason, ReasonCode::Success);
    }
}

#[track_caller]
fn check_connect(bytes: &[u8], kind: &str, answer_in: Option<ProtocolVersion>) {
    let error = decode_connect(bytes, 1000).expect_err("wrong");
    assert_eq!(
        (error.kind(), error.answer_in),
        (kind, answer_in),
        "{error}"
    );
    let later = decode(bytes, V5, 1000).expect_err("wrong as a later packet as well");
    if error.fault != Fault::NotConnect {
        assert_eq!(later, error);
    }
}

#[test]
fn connects_are_refused_in_a_version_the_client_understands() {
    let id = b"\0\x01c";
    // Versions: older ones know the return codes of 3.1.1, newer ones those of 5.
    let unsupported = "unsupported protocol version";
    check_connect(&connect(3, 2, id), unsupported, Some(V311));
    check_connect(&connect(6, 2, id), unsupported, Some(V5));
    check_connect(&connect(0x84, 2, id), unsupported, Some(V311));
    let mqisdp = packet(0x10, b"\0\x06MQIsdp\x04\x02\0\x3C\0\x01c");
    check_connect(&mqisdp, unsupported, Some(V311));
    let http = packet(0x10, b"\0\x04HTTP\x04\x02\0\0\0\0");
    check_connect(&http, "unsupported protocol name", None);
    // Flags.
    check_connect(&connect(4, 3, id), "reserved bits", None);
    check_connect(&connect(5, 3, b"\0\0\x01c"), "reserved bits", Some(V5));
    check_connect(&connect(4, 0x1C, id), "invalid qos", None);
    check_connect(&connect(4, 0x08, id), "reserved bits", None);
    check_connect(&connect(4, 0x20, id), "reserved bits", None);
    check_connect(
        &connect(4, 0x42, b"\0\x01c\0\x01p"),
        "password without user name",
        None,
    );
    // Fields.
    check_connect(&connect(4, 2, b"\0\x01cx"), "trailing bytes", None);
    check_connect(&connect(4, 2, b"\0\x02c"), "truncated", None);
    check_connect(&connect(4, 2, b"\0\x01\0"), "nul character", None);
    let wildcard_will = b"\0\x01c\0\x01#\0\0";
    check_connect(&connect(4, 6, wildcard_will), "invalid topic name", None);
    // Properties.
    check_connect(
        &connect(5, 2, b"\x03\x21\0\0\0\0"),
        "invalid value",
        Some(V5),
    );
    check_connect(
        &connect(5, 2, b"\x05\x27\0\0\0\0\0\0"),
        "invalid value",
        Some(V5),
    );
    check_connect(
        &connect(5, 2, b"\x02\x17\x02\0\0"),
        "invalid value",
        Some(V5),
    );
    let data_alone = b"\x03\x16\0\0\0\0";
    let kind = "authentication data without method";
    check_connect(&connect(5, 2, data_alone), kind, Some(V5));
    let alias_in_will = b"\0\0\x01c\x03\x23\0\x01\0\x01t\0\0";
    check_connect(
        &connect(5, 6, alias_in_will),
        "property not allowed",
        Some(V5),
    );
}

#[test]
fn the_first_packet_has_to_be_a_connect() {
    let error = decode_connect(&[0xC0], 1000).expect_err("a PINGREQ");
    assert_eq!(
        (error.kind(), error.reason()),
        ("not connect", ReasonCode::ProtocolError)
    );
    assert_eq!(
        error.to_string(),
        "PINGREQ, packet type: the first packet is not a CONNECT"
    );
    let error = decode_connect(b"GET / HTTP/1.1\r\n", 1000).expect_err("HTTP");
    assert_eq!(error.kind(), "not connect");
}

#[test]
fn errors_say_what_and_where() {
    let error = refused(V5, &packet(0x30, b"\0\x01a\x03\x21\0\x01"));
    assert_eq!(
        error.to_string(),
        "PUBLISH, receive maximum: not allowed in this packet"
    );
    let error = refused(V5, &[0x30, 0xE6, 0x07]);
    assert_eq!(
        error.to_string(),
        "PUBLISH, remaining length: 1001 bytes, more than the 1000 allowed"
    );
}
