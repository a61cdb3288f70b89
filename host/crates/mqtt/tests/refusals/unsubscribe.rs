//! UNSUBSCRIBE and UNSUBACK.

use super::{ALL, BEFORE_5, V5, V31, check_right, check_wrong};
use hookwire_mqtt::ProtocolVersion;

#[test]
fn unsubscribes() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, ProtocolError};
    let v5: &[ProtocolVersion] = &[V5];
    check_wrong(
        0xA2,
        &[
            (ALL, b"", "truncated", MalformedPacket),
            (ALL, b"\0\0\0\x01a", "zero packet id", ProtocolError),
            (BEFORE_5, b"\0\x01", "empty list", ProtocolError),
            (v5, b"\0\x01", "truncated", MalformedPacket),
            (v5, b"\0\x01\0", "empty list", ProtocolError),
            (BEFORE_5, b"\0\x01\0", "truncated", MalformedPacket),
            (BEFORE_5, b"\0\x01\0\x02a", "truncated", MalformedPacket),
            (BEFORE_5, b"\0\x01\0\x01a\0", "truncated", MalformedPacket),
            (
                BEFORE_5,
                b"\0\x01\0\x01\0",
                "nul character",
                MalformedPacket,
            ),
            (v5, b"\0\x01\0\0\x01\xFF", "invalid utf-8", MalformedPacket),
            (
                v5,
                b"\0\x01\x02\x0B\x01\0\x01a",
                "property not allowed",
                MalformedPacket,
            ),
        ],
    );
    check_right(
        0xA2,
        &[
            (BEFORE_5, b"\0\x01\0\x01a\0\x01b"),
            (v5, b"\0\x01\0\0\x01a\0\x01b"),
            // What was never subscribed to can be unsubscribed from.
            (BEFORE_5, b"\0\x01\0\0\0\x02#a"),
        ],
    );
    check_right(0xAA, &[(&[V31], b"\0\x01\0\x01a")]);
}

#[test]
fn unsubacks() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, ProtocolError};
    let v5: &[ProtocolVersion] = &[V5];
    check_wrong(
        0xB0,
        &[
            (ALL, b"", "truncated", MalformedPacket),
            (ALL, b"\0\0", "zero packet id", ProtocolError),
            (BEFORE_5, b"\0\x01\0", "trailing bytes", MalformedPacket),
            (v5, b"\0\x01", "truncated", MalformedPacket),
            (v5, b"\0\x01\0", "empty list", ProtocolError),
            (
                v5,
                b"\0\x01\0\0\x01",
                "invalid reason code",
                MalformedPacket,
            ),
        ],
    );
    check_right(0xB0, &[(BEFORE_5, b"\0\x01"), (v5, b"\0\x01\0\0\x11\x8F")]);
}
