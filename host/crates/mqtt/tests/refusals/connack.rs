//! CONNACK.

use super::{ALL, BEFORE_5, V5, V311, check_right, check_wrong, packet, taken};
use hookwire_mqtt::{ConnAck, Packet, ProtocolVersion, QoS};

#[test]
fn flags_and_return_codes() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, ProtocolError};
    let v5: &[ProtocolVersion] = &[V5];
    let v311: &[ProtocolVersion] = &[V311];
    let refused = "session present on refusal";
    check_wrong(
        0x20,
        &[
            (ALL, b"", "truncated", MalformedPacket),
            (ALL, b"\0", "truncated", MalformedPacket),
            (v311, b"\x02\0", "reserved bits", MalformedPacket),
            (v311, b"\x80\0", "reserved bits", MalformedPacket),
            (v5, b"\x02\0\0", "reserved bits", MalformedPacket),
            (v311, b"\x01\x05", refused, ProtocolError),
            (v5, b"\x01\x87\0", refused, ProtocolError),
            (BEFORE_5, b"\0\x06", "invalid reason code", MalformedPacket),
            (BEFORE_5, b"\0\x84", "invalid reason code", MalformedPacket),
            (v5, b"\0\x05\0", "invalid reason code", MalformedPacket),
            (BEFORE_5, b"\0\0\0", "trailing bytes", MalformedPacket),
            (v5, b"\0\0", "truncated", MalformedPacket),
            (v5, b"\0\0\0x", "trailing bytes", MalformedPacket),
        ],
    );
    check_right(0x20, &[(v311, b"\x01\0"), (v5, b"\x01\0\0")]);
    for code in 0..=5 {
        check_right(0x20, &[(BEFORE_5, &[0, code])]);
    }
}

#[test]
fn properties() {
    use hookwire_mqtt::ReasonCode::ProtocolError;
    let v5: &[ProtocolVersion] = &[V5];
    let method_missing = "authentication data without method";
    check_wrong(
        0x20,
        &[
            (v5, b"\0\0\x03\x21\0\0", "invalid value", ProtocolError),
            (v5, b"\0\0\x05\x27\0\0\0\0", "invalid value", ProtocolError),
            (v5, b"\0\0\x02\x24\x02", "invalid value", ProtocolError),
            (v5, b"\0\0\x02\x25\x02", "invalid value", ProtocolError),
            (v5, b"\0\0\x02\x28\x02", "invalid value", ProtocolError),
            (v5, b"\0\0\x02\x29\xFF", "invalid value", ProtocolError),
            (v5, b"\0\0\x02\x2A\x02", "invalid value", ProtocolError),
            (v5, b"\0\0\x03\x16\0\0", method_missing, ProtocolError),
        ],
    );
    check_right(
        0x20,
        &[
            (v5, b"\0\0\x02\x24\0"),
            (v5, b"\0\0\x03\x13\0\0"),
            (v5, b"\0\0\x03\x22\0\0"),
            (v5, b"\0\0\x06\x15\0\0\x16\0\0"),
        ],
    );
}

#[test]
fn the_highest_qos_has_no_encoding() {
    let mut connack = ConnAck::default();
    connack.properties.maximum_qos = Some(QoS::ExactlyOnce);
    let mut out = Vec::new();
    connack.encode(V5, &mut out);
    assert_eq!(out, packet(0x20, b"\0\0\0"));
    assert_eq!(taken(V5, &out), Packet::ConnAck(ConnAck::default()));
}
