//! SUBSCRIBE and SUBACK.

use super::{ALL, BEFORE_5, V5, V31, V311, check_right, check_wrong};
use hookwire_mqtt::ProtocolVersion;

const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;

#[test]
fn lists() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, ProtocolError};
    let v5: &[ProtocolVersion] = &[V5];
    check_wrong(
        SUBSCRIBE,
        &[
            (ALL, b"", "truncated", MalformedPacket),
            (ALL, b"\0", "truncated", MalformedPacket),
            (ALL, b"\0\0\0\x01a\0", "zero packet id", ProtocolError),
            (v5, b"\0\x01", "truncated", MalformedPacket),
            (BEFORE_5, b"\0\x01", "empty list", ProtocolError),
            (v5, b"\0\x01\0", "empty list", ProtocolError),
            (BEFORE_5, b"\0\x01\0", "truncated", MalformedPacket),
            (BEFORE_5, b"\0\x01\0\x02a", "truncated", MalformedPacket),
            (BEFORE_5, b"\0\x01\0\x01a", "truncated", MalformedPacket),
            (v5, b"\0\x01\0\0\x01a", "truncated", MalformedPacket),
            // A filter that is there, and half of another one.
            (BEFORE_5, b"\0\x01\0\x01a\0\0", "truncated", MalformedPacket),
            (
                BEFORE_5,
                b"\0\x01\0\x01\0\0",
                "nul character",
                MalformedPacket,
            ),
            (
                BEFORE_5,
                b"\0\x01\0\x01\xFF\0",
                "invalid utf-8",
                MalformedPacket,
            ),
        ],
    );
    check_right(
        SUBSCRIBE,
        &[
            (BEFORE_5, b"\0\x01\0\x01a\0\0\x01#\x02"),
            (v5, b"\0\x01\0\0\x01a\0\0\x01#\x02"),
            // Not filters: that is for the SUBACK to say.
            (BEFORE_5, b"\0\x01\0\x02#a\0\0\0\0"),
            (v5, b"\0\x01\0\0\x02#a\0\0\0\0"),
        ],
    );
}

#[test]
fn options() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, ProtocolError};
    for options in 0..=u8::MAX {
        let qos = options & 0b11;
        let right: Vec<ProtocolVersion> = [
            (V31, qos < 3),
            (V311, options < 3),
            (V5, qos < 3 && options & 0x30 != 0x30 && options & 0xC0 == 0),
        ]
        .into_iter()
        .filter_map(|(version, right)| right.then_some(version))
        .collect();
        for version in [V31, V311, V5] {
            let mut body = b"\0\x01".to_vec();
            if version == V5 {
                body.push(0);
            }
            body.extend(b"\0\x01a");
            body.push(options);
            let versions = [version];
            let reserved = match version {
                V31 => 0,
                V311 => 0xFC,
                V5 => 0xC0,
            };
            if right.contains(&version) {
                check_right(SUBSCRIBE, &[(&versions, &body)]);
            } else if options & reserved != 0 {
                check_wrong(
                    SUBSCRIBE,
                    &[(&versions, &body, "reserved bits", MalformedPacket)],
                );
            } else {
                check_wrong(
                    SUBSCRIBE,
                    &[(&versions, &body, "invalid value", ProtocolError)],
                );
            }
        }
    }
}

#[test]
fn no_local_is_not_for_shared_subscriptions() {
    use hookwire_mqtt::ReasonCode::ProtocolError;
    let v5: &[ProtocolVersion] = &[V5];
    let shared = "no local on shared";
    check_wrong(
        SUBSCRIBE,
        &[
            (v5, b"\0\x01\0\0\x0A$share/g/a\x04", shared, ProtocolError),
            (v5, b"\0\x01\0\0\x08$queue/a\x05", shared, ProtocolError),
            // Even if the filter is not one.
            (v5, b"\0\x01\0\0\x07$share/\x04", shared, ProtocolError),
        ],
    );
    check_right(
        SUBSCRIBE,
        &[
            (v5, b"\0\x01\0\0\x06$share\x04"),
            (v5, b"\0\x01\0\0\x08$sharp/a\x04"),
            (v5, b"\0\x01\0\0\x0A$share/g/a\x2A"),
        ],
    );
}

#[test]
fn subscription_identifiers() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, ProtocolError};
    let v5: &[ProtocolVersion] = &[V5];
    let two = b"\0\x01\x04\x0B\x01\x0B\x01\0\x01a\0";
    check_wrong(
        SUBSCRIBE,
        &[
            (
                v5,
                b"\0\x01\x02\x0B\0\0\x01a\0",
                "invalid value",
                ProtocolError,
            ),
            (v5, two, "duplicate property", ProtocolError),
            (
                v5,
                b"\0\x01\x06\x0B\x80\x80\x80\x80\x01\0\x01a\0",
                "variable byte integer",
                MalformedPacket,
            ),
        ],
    );
    check_right(
        SUBSCRIBE,
        &[
            (v5, b"\0\x01\x02\x0B\x01\0\x01a\0"),
            (v5, b"\0\x01\x05\x0B\xFF\xFF\xFF\x7F\0\x01a\0"),
        ],
    );
}

#[test]
fn subacks() {
    use hookwire_mqtt::ReasonCode::{MalformedPacket, ProtocolError};
    let v5: &[ProtocolVersion] = &[V5];
    let v311: &[ProtocolVersion] = &[V311];
    let v31: &[ProtocolVersion] = &[V31];
    check_wrong(
        SUBACK,
        &[
            (ALL, b"", "truncated", MalformedPacket),
            (ALL, b"\0\0\0\0", "zero packet id", ProtocolError),
            (BEFORE_5, b"\0\x01", "empty list", ProtocolError),
            (v5, b"\0\x01\0", "empty list", ProtocolError),
            (v5, b"\0\x01", "truncated", MalformedPacket),
            (
                BEFORE_5,
                b"\0\x01\x03",
                "invalid reason code",
                MalformedPacket,
            ),
            (
                BEFORE_5,
                b"\0\x01\x87",
                "invalid reason code",
                MalformedPacket,
            ),
            (v31, b"\0\x01\x80", "invalid reason code", MalformedPacket),
            (v5, b"\0\x01\0\x03", "invalid reason code", MalformedPacket),
            (
                v5,
                b"\0\x01\0\0\x11",
                "invalid reason code",
                MalformedPacket,
            ),
        ],
    );
    check_right(
        SUBACK,
        &[
            (BEFORE_5, b"\0\x01\0\x01\x02"),
            (v311, b"\0\x01\x80\0"),
            (v5, b"\0\x01\0\0\x01\x02\x87"),
            (v5, b"\0\x01\x03\x1F\0\0\x80"),
        ],
    );
}
