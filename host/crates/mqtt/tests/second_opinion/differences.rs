//! What `mqttbytes` is known to read wrongly, or not at all, though it is right.
//! Each has an example that fails when it is no longer so.

use super::{Judged, judge};
use ProtocolVersion::{V5, V31, V311};
use bytes::BytesMut;
use hookwire_mqtt::{
    Connect, MAX_PACKET_BYTES, Packet, ProtocolVersion, ReasonCode, TopicFilter, TopicName, decode,
};

/// Whether `mqttbytes` is known to read `packet`, a right one, otherwise.
pub(crate) fn known(packet: &Packet<'_>, version: ProtocolVersion) -> bool {
    if version.is_v5() {
        known_in_5(packet)
    } else {
        known_in_311(packet)
    }
}

fn known_in_311(packet: &Packet<'_>) -> bool {
    match packet {
        // The decoder of MQTT 3.1.1 takes a CONNECT of MQTT 5, and its
        // properties for a client identifier.
        Packet::Connect(connect) => connect.version != V311 || has_binary_password(connect),
        _ => false,
    }
}

fn known_in_5(packet: &Packet<'_>) -> bool {
    match packet {
        // The decoder of MQTT 5 takes a CONNECT of MQTT 3.1.1, and its will for
        // one with properties.
        Packet::Connect(connect) => connect.version != V5 || has_binary_password(connect),
        // Each identifier is counted a byte too long, so that properties behind
        // the second one are taken for payload.
        Packet::Publish(publish) => publish.properties.subscription_identifiers().count() > 1,
        // Neither the form without a reason nor that without properties is read,
        // and one reason is not known.
        Packet::Disconnect(disconnect) => {
            let bare = disconnect.session_expiry_interval_s.is_none()
                && disconnect.reason_string.is_none()
                && disconnect.server_reference.is_none()
                && disconnect.user_properties.is_empty();
            bare || disconnect.reason == ReasonCode::BadAuthenticationMethod
        }
        Packet::Auth(_) => true,
        _ => false,
    }
}

/// Passwords are read as text.
fn has_binary_password(connect: &Connect) -> bool {
    let password = connect.password.as_deref().unwrap_or_default();
    std::str::from_utf8(password).is_err()
}

#[test]
fn right_packets_that_it_does_not_take() {
    let rows: [(_, &[u8]); 6] = [
        // A password that is not text.
        (
            V311,
            b"\x10\x13\0\x04MQTT\x04\xC2\0\0\0\x01c\0\x01u\0\x01\xFF",
        ),
        (V5, b"\x10\x11\0\x04MQTT\x05\x42\0\0\0\0\x01c\0\x01\xFF"),
        // The short forms of DISCONNECT.
        (V5, b"\xE0\0"),
        (V5, b"\xE0\x01\x04"),
        (V5, b"\xE0\x05\x8C\x03\x1F\0\0"),
        (V5, b"\xF0\0"),
    ];
    for (version, bytes) in rows {
        assert_eq!(judge(bytes, version), Judged::OnlyOurs, "{bytes:X?}");
    }
    let mqisdp = b"\x10\x0F\0\x06MQIsdp\x03\x02\0\0\0\x01c";
    assert!(decode(mqisdp, V31, MAX_PACKET_BYTES).is_ok_and(|found| found.is_some()));
    let theirs = mqttbytes::v4::read(&mut BytesMut::from(&mqisdp[..]), MAX_PACKET_BYTES);
    assert_eq!(theirs, Err(mqttbytes::Error::InvalidProtocol));
}

#[test]
fn wrong_packets_that_it_takes() {
    let rows: [(_, &[u8]); 16] = [
        // Flags: PUBREL with 0, QoS 0 with DUP, a PINGREQ with anything.
        (V311, b"\x60\x02\0\x01"),
        (V311, b"\x38\x03\0\x01a"),
        (V311, b"\xC7\0"),
        // Packet identifiers of 0.
        (V311, b"\x40\x02\0\0"),
        (V5, b"\x82\x07\0\0\0\0\x01a\0"),
        // Bytes behind the last field, and empty lists.
        (V311, b"\x40\x03\0\x01x"),
        (V311, b"\xC0\x01x"),
        (V311, b"\x82\x02\0\x01"),
        (V311, b"\xA2\x02\0\x01"),
        // U+0000, wildcards in a topic name, no topic and no alias.
        (V311, b"\x30\x03\0\x01\0"),
        (V311, b"\x30\x03\0\x01#"),
        (V5, b"\x30\x03\0\0\0"),
        // Reserved bits: CONNECT's, and beside a QoS.
        (V311, b"\x10\x0D\0\x04MQTT\x04\x03\0\0\0\x01c"),
        (V311, b"\x82\x06\0\x01\0\x01a\x04"),
        // Properties: one twice, and one that reaches into the payload.
        (V5, b"\x30\x08\0\x01a\x04\x01\0\x01\0"),
        (V5, b"\x30\x09\0\x01a\x03\x03\0\x02xy"),
    ];
    for (version, bytes) in rows {
        assert_eq!(judge(bytes, version), Judged::OnlyTheirs, "{bytes:X?}");
    }
}

#[test]
fn right_packets_that_it_reads_wrongly() {
    // The third subscription identifier is taken for payload.
    let publish = b"\x30\x0B\0\x01a\x06\x0B\x01\x0B\x02\x0B\x03p";
    assert_eq!(judge(publish, V5), Judged::KnownDifference);
    let read = mqttbytes::v5::read(&mut BytesMut::from(&publish[..]), MAX_PACKET_BYTES);
    let Ok(mqttbytes::v5::Packet::Publish(read)) = read else {
        panic!("not a PUBLISH: {read:?}");
    };
    assert_eq!(read.payload, &b"\x0B\x03p"[..]);

    // Each decoder takes a CONNECT of the other version: its properties for a
    // client identifier, or the beginning of a will for properties.
    let of_5 = b"\x10\x10\0\x04MQTT\x05\x02\0\0\0\0\x03abc";
    assert_eq!(judge(of_5, V311), Judged::KnownDifference);
    let payload = [0; 0x240];
    let body = [
        &b"\0\x04MQTT\x04\x06\0\0\0\x01c\0\x01t\x02\x40"[..],
        &payload,
    ]
    .concat();
    let mut of_311 = vec![
        0x10,
        0x80 | (body.len() & 0x7F) as u8,
        (body.len() >> 7) as u8,
    ];
    of_311.extend(body);
    assert_eq!(judge(&of_311, V5), Judged::KnownDifference);
}

#[test]
fn its_topics_are_not_the_standards() {
    let filter = |text| TopicFilter::new(text).expect("a filter");
    let name = |text| TopicName::new(text).expect("a topic name");
    assert!(filter("$SYS/#").matches(name("$SYS/x")));
    assert!(!mqttbytes::matches("$SYS/x", "$SYS/#"));
    assert!(TopicFilter::new("a+/b").is_err());
    assert!(mqttbytes::valid_filter("a+/b"));
    assert!(TopicName::new("").is_err());
    assert!(mqttbytes::valid_topic(""));
    assert!(filter("#").matches(name("é/x")));
    assert!(std::panic::catch_unwind(|| mqttbytes::matches("é/x", "#")).is_err());
}
