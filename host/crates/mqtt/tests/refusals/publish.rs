//! PUBLISH.

use super::{ALL, BEFORE_5, FROM_311, V5, V31, check_right, check_wrong, packet, taken};
use hookwire_mqtt::{
    MAX_PACKET_BYTES, Packet, ProtocolVersion, Publish, PublishHeader, QoS, encode_publish,
    encode_publish_head, publish_len,
};

fn publish(version: ProtocolVersion, bytes: &[u8]) -> Publish<'_> {
    match taken(version, bytes) {
        Packet::Publish(publish) => publish,
        other => panic!("not a PUBLISH: {other:?}"),
    }
}

#[test]
fn flags() {
    use hookwire_mqtt::ReasonCode::MalformedPacket;
    for first_byte in [0x36, 0x37, 0x3E, 0x3F] {
        check_wrong(
            first_byte,
            &[(ALL, b"\0\x01a\0\x01\0", "invalid qos", MalformedPacket)],
        );
    }
    for first_byte in [0x38, 0x39] {
        check_wrong(
            first_byte,
            &[(FROM_311, b"\0\x01a\0", "dup on qos 0", MalformedPacket)],
        );
        let bytes = packet(first_byte, b"\0\x01a");
        assert!(!publish(V31, &bytes).dup);
    }
    for &version in ALL {
        for (first_byte, dup, qos, retain) in [
            (0x30, false, QoS::AtMostOnce, false),
            (0x31, false, QoS::AtMostOnce, true),
            (0x32, false, QoS::AtLeastOnce, false),
            (0x3B, true, QoS::AtLeastOnce, true),
            (0x34, false, QoS::ExactlyOnce, false),
            (0x3C, true, QoS::ExactlyOnce, false),
        ] {
            // The identifier, or the beginning of the payload; no properties.
            let bytes = packet(first_byte, b"\0\x01a\0\x07\0");
            let read = publish(version, &bytes);
            assert_eq!((read.dup, read.qos, read.retain), (dup, qos, retain));
            let packet_id = (qos > QoS::AtMostOnce).then_some(7);
            assert_eq!(read.packet_id.map(hookwire_mqtt::PacketId::get), packet_id);
        }
    }
}

#[test]
fn topic_names() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, ProtocolError, TopicNameInvalid};
    check_wrong(
        0x30,
        &[
            (ALL, b"", "truncated", MalformedPacket),
            (ALL, b"\0", "truncated", MalformedPacket),
            (ALL, b"\0\x02a", "truncated", MalformedPacket),
            (ALL, b"\0\x02\xC3\x28\0", "invalid utf-8", MalformedPacket),
            (ALL, b"\0\x01\0\0", "nul character", MalformedPacket),
            (ALL, b"\0\x03a/#\0", "invalid topic name", TopicNameInvalid),
            (ALL, b"\0\x03+/a\0", "invalid topic name", TopicNameInvalid),
            (ALL, b"\0\x02a+\0", "invalid topic name", TopicNameInvalid),
            (BEFORE_5, b"\0\0x", "empty topic", ProtocolError),
            (&[V5], b"\0\0\0x", "empty topic", ProtocolError),
            // Other properties stand for no topic.
            (&[V5], b"\0\0\x02\x01\0x", "empty topic", ProtocolError),
        ],
    );
    check_right(
        0x30,
        &[
            (ALL, b"\0\x01/\0"),
            (ALL, b"\0\x02$S\0"),
            (ALL, b"\0\x01 \0"),
        ],
    );
}

#[test]
fn an_alias_stands_for_the_topic() {
    let bytes = packet(0x30, b"\0\0\x03\x23\0\x07payload");
    let publish = publish(V5, &bytes);
    assert!(publish.topic.is_empty());
    assert_eq!(publish.properties.topic_alias(), Some(7));
    assert_eq!(publish.properties.forwardable().as_ref(), b"");
    assert_eq!(publish.payload, b"payload");
}

#[test]
fn packet_identifiers() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, ProtocolError};
    for first_byte in [0x32, 0x34] {
        check_wrong(
            first_byte,
            &[
                (ALL, b"\0\x01a", "truncated", MalformedPacket),
                (ALL, b"\0\x01a\0", "truncated", MalformedPacket),
                (ALL, b"\0\x01a\0\0\0", "zero packet id", ProtocolError),
            ],
        );
        check_right(first_byte, &[(ALL, b"\0\x01a\xFF\xFF\0")]);
    }
}

#[test]
fn wrong_properties() {
    use hookwire_mqtt::ReasonCode::{
        MalformedPacket, ProtocolError, TopicAliasInvalid, TopicNameInvalid,
    };
    let v5: &[ProtocolVersion] = &[V5];
    let overlong = "variable byte integer";
    check_wrong(
        0x30,
        &[
            (v5, b"\0\x01a", "truncated", MalformedPacket),
            (v5, b"\0\x01a\x80", "truncated", MalformedPacket),
            (v5, b"\0\x01a\x09\x01\0", "truncated", MalformedPacket),
            (v5, b"\0\x01a\x80\0", overlong, MalformedPacket),
            (v5, b"\0\x01a\xFF\xFF\xFF\xFF", overlong, MalformedPacket),
            // An identifier that is longer than it has to be, and unknown ones.
            (v5, b"\0\x01a\x03\x81\0\0", overlong, MalformedPacket),
            (v5, b"\0\x01a\x02\0\0", "unknown property", MalformedPacket),
            (
                v5,
                b"\0\x01a\x02\x04\0",
                "unknown property",
                MalformedPacket,
            ),
            (
                v5,
                b"\0\x01a\x03\xA6\x01\0",
                "unknown property",
                MalformedPacket,
            ),
            // A string that reaches over the end of the properties.
            (
                v5,
                b"\0\x01a\x03\x03\0\x04text",
                "truncated",
                MalformedPacket,
            ),
            (
                v5,
                b"\0\x01a\x03\x23\0\0",
                "zero topic alias",
                TopicAliasInvalid,
            ),
            (v5, b"\0\x01a\x02\x01\x02", "invalid value", ProtocolError),
            (v5, b"\0\x01a\x02\x0B\0", "invalid value", ProtocolError),
            (v5, b"\0\x01a\x03\x0B\x81\0", overlong, MalformedPacket),
            (
                v5,
                b"\0\x01a\x05\x0B\xFF\xFF\xFF\xFF",
                overlong,
                MalformedPacket,
            ),
            (
                v5,
                b"\0\x01a\x04\x08\0\x01+",
                "invalid topic name",
                TopicNameInvalid,
            ),
            (
                v5,
                b"\0\x01a\x04\x08\0\x01#",
                "invalid topic name",
                TopicNameInvalid,
            ),
            (
                v5,
                b"\0\x01a\x03\x08\0\0",
                "invalid topic name",
                TopicNameInvalid,
            ),
        ],
    );
}

#[test]
fn right_properties() {
    let v5: &[ProtocolVersion] = &[V5];
    check_right(
        0x30,
        &[
            (v5, b"\0\x01a\0"),
            (v5, b"\0\x01a\x02\x01\x01"),
            (v5, b"\0\x01a\x03\x23\xFF\xFF"),
            // Empty texts, a topic with a level that is empty, an expired message.
            (v5, b"\0\x01a\x0C\x03\0\0\x08\0\x01/\x26\0\0\0\0"),
            (v5, b"\0\x01a\x05\x02\0\0\0\0"),
            // The largest subscription identifier, and more than one.
            (v5, b"\0\x01a\x07\x0B\xFF\xFF\xFF\x7F\x0B\x01"),
        ],
    );
}

#[test]
fn the_payload_is_what_is_left() {
    for &version in ALL {
        let properties: &[u8] = if version == V5 { &[0] } else { &[] };
        for payload in [&b""[..], b"\0", b"\xFF\xC3\x28"] {
            let bytes = packet(0x30, &[b"\0\x01a", properties, payload].concat());
            assert_eq!(publish(version, &bytes).payload, payload);
        }
    }
}

#[test]
fn what_cannot_be_said_is_not_written() {
    let header = PublishHeader {
        dup: true,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "a",
        packet_id: None,
        properties: b"",
    };
    for &version in ALL {
        // There is no DUP on QoS 0.
        let mut out = Vec::new();
        encode_publish(&mut out, version, &header, b"");
        assert_eq!(out[0], 0x30);

        let before = publish_len(version, &header, MAX_PACKET_BYTES) - MAX_PACKET_BYTES;
        let largest = MAX_PACKET_BYTES - before;
        out.clear();
        encode_publish_head(&mut out, version, &header, largest);
        assert_eq!(out[..5], [0x30, 0xFF, 0xFF, 0xFF, 0x7F]);
        assert_eq!(out.len() + largest, MAX_PACKET_BYTES);
        out.clear();
        encode_publish_head(&mut out, version, &header, largest + 1);
        assert_eq!(out, b"");
    }
}
