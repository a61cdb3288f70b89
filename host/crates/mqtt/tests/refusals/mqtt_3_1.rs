//! What MQTT 3.1 does otherwise: what it does not use is not looked at, and
//! what it cannot say is said otherwise.

use super::connect::{connect, greeted};
use super::{V31, packet, taken};
use hookwire_mqtt::{
    Ack, AckKind, ConnAck, Packet, PacketId, QoS, ReasonCode, SubAck, SubscribeFilter,
};

#[test]
fn what_a_connect_does_not_use_is_ignored() {
    // The reserved bit, and QoS 3 and retain of a will that is not there.
    let read = greeted(&connect(V31, 0x3B, b"", b"\0\x01c"));
    assert_eq!(read.version, V31);
    assert!(read.clean_start && read.will.is_none());
}

#[test]
fn a_connect_may_end_before_what_its_flags_announce() {
    let neither = greeted(&connect(V31, 0xC2, b"", b"\0\x01c"));
    assert_eq!((neither.username, neither.password), (None, None));
    let alone = greeted(&connect(V31, 0xC2, b"", b"\0\x01c\0\x01u"));
    assert_eq!(
        (alone.username.as_deref(), alone.password),
        (Some("u"), None)
    );
    let both = greeted(&connect(V31, 0xC2, b"", b"\0\x01c\0\x01u\0\x01p"));
    assert_eq!(both.password.as_deref(), Some(&b"p"[..]));
}

#[test]
fn long_and_empty_client_identifiers_are_left_to_the_server() {
    let id = [&b"\0\x18"[..], &[b'x'; 24]].concat();
    assert_eq!(greeted(&connect(V31, 2, b"", &id)).client_id.len(), 24);
    assert_eq!(greeted(&connect(V31, 2, b"", b"\0\0")).client_id, "");
}

#[test]
fn bits_beside_a_qos_are_ignored() {
    for first_byte in [0x82, 0x8A] {
        let bytes = packet(first_byte, b"\0\x01\0\x01a\xFD");
        let Packet::Subscribe(subscribe) = taken(V31, &bytes) else {
            panic!("not a SUBSCRIBE");
        };
        let expected = SubscribeFilter::new("a", QoS::AtLeastOnce);
        assert_eq!(subscribe.filters, [expected]);
    }
}

#[test]
fn the_first_byte_of_a_connack_is_ignored() {
    let expected = Packet::ConnAck(ConnAck::refusal(ReasonCode::NotAuthorized));
    assert_eq!(taken(V31, &packet(0x20, b"\xFF\x05")), expected);
    let expected = Packet::ConnAck(ConnAck::default());
    assert_eq!(taken(V31, &packet(0x20, b"\x01\0")), expected);
}

#[test]
fn what_cannot_be_said_is_said_otherwise() {
    let check = |packet: Packet<'_>, expected: &[u8]| {
        let mut out = Vec::new();
        packet.encode(V31, &mut out);
        assert_eq!(out, expected);
    };
    let suback = SubAck {
        packet_id: PacketId::FIRST,
        reasons: vec![ReasonCode::GrantedQoS2, ReasonCode::NotAuthorized],
        reason_string: None,
        user_properties: Vec::new(),
    };
    check(Packet::SubAck(suback), b"\x90\x04\0\x01\x02\x00");
    let connack = ConnAck {
        session_present: true,
        ..ConnAck::default()
    };
    check(Packet::ConnAck(connack), b"\x20\x02\0\0");
    check(Packet::Auth(Box::default()), b"");
    let mut out = Vec::new();
    let not_found = ReasonCode::PacketIdentifierNotFound;
    Ack::with_reason(PacketId::FIRST, not_found).encode(AckKind::PubRel, V31, &mut out);
    assert_eq!(out, b"\x62\x02\0\x01");
}
