//! DISCONNECT and AUTH.

use super::{ALL, BEFORE_5, V5, check_right, check_wrong, packet, taken};
use hookwire_mqtt::{Auth, Disconnect, Packet, ProtocolVersion, ReasonCode};

#[test]
fn disconnects() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, ProtocolError};
    let v5: &[ProtocolVersion] = &[V5];
    let twice = b"\0\x06\x1F\0\0\x1F\0\0";
    check_wrong(
        0xE0,
        &[
            (BEFORE_5, b"\0", "trailing bytes", MalformedPacket),
            (v5, b"\0\0x", "trailing bytes", MalformedPacket),
            (v5, b"\0\x05", "truncated", MalformedPacket),
            (v5, b"\x01", "invalid reason code", MalformedPacket),
            (v5, b"\x8A", "invalid reason code", MalformedPacket),
            (v5, b"\xFF", "invalid reason code", MalformedPacket),
            (v5, twice, "duplicate property", ProtocolError),
        ],
    );
    check_right(
        0xE0,
        &[
            (ALL, b""),
            (v5, b"\x04"),
            (v5, b"\x04\x05\x11\0\0\0\0"),
            (v5, b"\x9D\x06\x1C\0\0\x1F\0\0"),
        ],
    );
}

#[test]
fn a_disconnect_may_leave_out_what_it_does_not_say() {
    let normal = Packet::Disconnect(Disconnect::default());
    for body in [&b""[..], b"\0", b"\0\0"] {
        assert_eq!(taken(V5, &packet(0xE0, body)), normal);
    }
    let check = |disconnect: &Disconnect, version, expected: &[u8]| {
        let mut out = Vec::new();
        disconnect.encode(version, &mut out);
        assert_eq!(out, packet(0xE0, expected));
    };
    let with_will = Disconnect::with_reason(ReasonCode::DisconnectWithWill);
    let expiring = Disconnect {
        session_expiry_interval_s: Some(0),
        ..Disconnect::default()
    };
    check(&Disconnect::default(), V5, b"");
    check(&with_will, V5, b"\x04");
    check(&expiring, V5, b"\0\x05\x11\0\0\0\0");
    for &version in BEFORE_5 {
        check(&with_will, version, b"");
    }
}

#[test]
fn auths() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, ProtocolError};
    let v5: &[ProtocolVersion] = &[V5];
    let no_method = "no authentication method";
    let data_alone = "authentication data without method";
    check_wrong(
        0xF0,
        &[
            // The reason is not left alone: the properties go with it.
            (v5, b"\0", "truncated", MalformedPacket),
            (v5, b"\x18", "truncated", MalformedPacket),
            (v5, b"\x04\0", "invalid reason code", MalformedPacket),
            (v5, b"\x18\0", no_method, ProtocolError),
            (v5, b"\x19\x03\x1F\0\0", no_method, ProtocolError),
            (v5, b"\0\x05\x26\0\0\0\0", no_method, ProtocolError),
            (v5, b"\x18\x04\x16\0\x01d", data_alone, ProtocolError),
            (v5, b"\0\x03\x16\0\0", data_alone, ProtocolError),
            (v5, b"\x18\x03\x15\0\0x", "trailing bytes", MalformedPacket),
        ],
    );
    check_right(
        0xF0,
        &[
            (v5, b"\x18\x03\x15\0\0"),
            (v5, b"\x19\x07\x16\0\x01d\x15\0\0"),
            (v5, b"\0\x06\x15\0\0\x1F\0\0"),
        ],
    );
}

#[test]
fn an_auth_without_a_body_is_a_success() {
    let success = Packet::Auth(Box::default());
    for body in [&b""[..], b"\0\0"] {
        assert_eq!(taken(V5, &packet(0xF0, body)), success);
    }
    let check = |auth: &Auth, expected: &[u8]| {
        let mut out = Vec::new();
        auth.encode(V5, &mut out);
        assert_eq!(out, packet(0xF0, expected));
    };
    check(&Auth::default(), b"");
    let challenge = Auth {
        reason: ReasonCode::ContinueAuthentication,
        method: Some("m".to_owned()),
        data: Some(b"d".to_vec()),
        ..Auth::default()
    };
    check(&challenge, b"\x18\x08\x15\0\x01m\x16\0\x01d");
}
