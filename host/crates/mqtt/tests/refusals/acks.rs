//! PUBACK, PUBREC, PUBREL and PUBCOMP.

use super::{ALL, BEFORE_5, V5, V31, check_right, check_wrong, packet, taken};
use hookwire_mqtt::{Ack, AckKind, Packet, PacketId, ProtocolVersion, ReasonCode};

const KINDS: [(u8, AckKind); 4] = [
    (0x40, AckKind::PubAck),
    (0x50, AckKind::PubRec),
    (0x62, AckKind::PubRel),
    (0x70, AckKind::PubComp),
];

fn of_kind(kind: AckKind, ack: Ack) -> Packet<'static> {
    match kind {
        AckKind::PubAck => Packet::PubAck(ack),
        AckKind::PubRec => Packet::PubRec(ack),
        AckKind::PubRel => Packet::PubRel(ack),
        AckKind::PubComp => Packet::PubComp(ack),
    }
}

#[test]
fn bodies() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, ProtocolError};
    let v5: &[ProtocolVersion] = &[V5];
    for (first_byte, _) in KINDS {
        check_wrong(
            first_byte,
            &[
                (ALL, b"", "truncated", MalformedPacket),
                (ALL, b"\0", "truncated", MalformedPacket),
                (ALL, b"\0\0", "zero packet id", ProtocolError),
                (BEFORE_5, b"\0\x01\0", "trailing bytes", MalformedPacket),
                (v5, b"\0\x01\0\x01", "truncated", MalformedPacket),
                (
                    v5,
                    b"\0\x01\0\x80\0",
                    "variable byte integer",
                    MalformedPacket,
                ),
                (v5, b"\0\x01\0\0x", "trailing bytes", MalformedPacket),
                (
                    v5,
                    b"\0\x01\0\x03\x1F\0\0x",
                    "trailing bytes",
                    MalformedPacket,
                ),
                (v5, b"\0\x01\0\x03\x1F\0\x01x", "truncated", MalformedPacket),
            ],
        );
        check_right(
            first_byte,
            &[
                (ALL, b"\xFF\xFF"),
                (v5, b"\0\x01\0\x08\x1F\0\0\x26\0\0\0\0"),
            ],
        );
    }
}

#[test]
fn short_forms() {
    for (first_byte, kind) in KINDS {
        let success = of_kind(kind, Ack::success(PacketId::FIRST));
        for body in [&b"\0\x01"[..], b"\0\x01\0", b"\0\x01\0\0"] {
            assert_eq!(taken(V5, &packet(first_byte, body)), success);
        }
        let reason = match kind {
            AckKind::PubAck | AckKind::PubRec => ReasonCode::QuotaExceeded,
            AckKind::PubRel | AckKind::PubComp => ReasonCode::PacketIdentifierNotFound,
        };
        let ack = Ack::with_reason(PacketId::FIRST, reason);
        for tail in [&b""[..], b"\0"] {
            let body = [&[0, 1, reason.as_u8()], tail].concat();
            let bytes = packet(first_byte, &body);
            assert_eq!(taken(V5, &bytes), of_kind(kind, ack.clone()));
        }
    }
}

#[test]
fn the_shortest_form_is_written() {
    let explained = Ack {
        reason_string: Some("so".to_owned()),
        ..Ack::success(PacketId::FIRST)
    };
    for (first_byte, kind) in KINDS {
        let check = |version, ack: &Ack, expected: &[u8]| {
            let mut out = Vec::new();
            ack.encode(kind, version, &mut out);
            assert_eq!(out, packet(first_byte, expected));
        };
        let not_found = ReasonCode::PacketIdentifierNotFound;
        let failed = Ack::with_reason(PacketId::FIRST, not_found);
        check(V5, &Ack::success(PacketId::FIRST), b"\0\x01");
        check(V5, &failed, b"\0\x01\x92");
        check(V5, &explained, b"\0\x01\0\x05\x1F\0\x02so");
        // Before MQTT 5 none of the four says more than the identifier.
        for &version in BEFORE_5 {
            check(version, &failed, b"\0\x01");
            check(version, &explained, b"\0\x01");
        }
    }
}

#[test]
fn a_pubrel_of_mqtt_3_1_may_be_sent_again() {
    let expected = Packet::PubRel(Ack::success(PacketId::FIRST));
    for first_byte in [0x62, 0x6A] {
        assert_eq!(taken(V31, &packet(first_byte, b"\0\x01")), expected);
    }
}
