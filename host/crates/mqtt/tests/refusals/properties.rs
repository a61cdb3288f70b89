//! Which packet may carry which property, MQTT 5 table 2-4, and how often.

use super::connect::connect;
use super::{V5, packet};
use hookwire_mqtt::{DecodeError, Fault, ReasonCode, decode};

/// Where properties stand, in the order of the columns of [`TABLE`].
const PLACES: [&str; 15] = [
    "CONNECT",
    "will",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "DISCONNECT",
    "AUTH",
    "AUTH of success",
];

/// A valid property, and the places that allow it.
const TABLE: [(&[u8], &[&str]); 27] = [
    (b"\x01\x01", &["will", "PUBLISH"]),
    (b"\x02\0\0\0\x01", &["will", "PUBLISH"]),
    (b"\x03\0\x01t", &["will", "PUBLISH"]),
    (b"\x08\0\x01t", &["will", "PUBLISH"]),
    (b"\x09\0\x01d", &["will", "PUBLISH"]),
    (b"\x0B\x01", &["PUBLISH", "SUBSCRIBE"]),
    (b"\x11\0\0\0\x01", &["CONNECT", "CONNACK", "DISCONNECT"]),
    (b"\x12\0\x01c", &["CONNACK"]),
    (b"\x13\0\x01", &["CONNACK"]),
    (
        b"\x15\0\x01m",
        &["CONNECT", "CONNACK", "AUTH", "AUTH of success"],
    ),
    (
        b"\x16\0\x01d",
        &["CONNECT", "CONNACK", "AUTH", "AUTH of success"],
    ),
    (b"\x17\x01", &["CONNECT"]),
    (b"\x18\0\0\0\x01", &["will"]),
    (b"\x19\x01", &["CONNECT"]),
    (b"\x1A\0\x01i", &["CONNACK"]),
    (b"\x1C\0\x01s", &["CONNACK", "DISCONNECT"]),
    (
        b"\x1F\0\x01r",
        &[
            "CONNACK",
            "PUBACK",
            "PUBREC",
            "PUBREL",
            "PUBCOMP",
            "SUBACK",
            "UNSUBACK",
            "DISCONNECT",
            "AUTH",
            "AUTH of success",
        ],
    ),
    (b"\x21\0\x01", &["CONNECT", "CONNACK"]),
    (b"\x22\0\x01", &["CONNECT", "CONNACK"]),
    (b"\x23\0\x01", &["PUBLISH"]),
    (b"\x24\x01", &["CONNACK"]),
    (b"\x25\x01", &["CONNACK"]),
    (b"\x26\0\x01n\0\x01v", &PLACES),
    (b"\x27\0\0\0\x01", &["CONNECT", "CONNACK"]),
    (b"\x28\x01", &["CONNACK"]),
    (b"\x29\x01", &["CONNACK"]),
    (b"\x2A\x01", &["CONNACK"]),
];

const METHOD: &[u8] = b"\x15\0\x01m";

/// A packet that is right but for `properties`.
fn with_properties(place: &str, properties: &[u8]) -> Vec<u8> {
    // Data needs a method, and AUTH needs one always.
    let needs_method = properties.starts_with(b"\x16") || place.starts_with("AUTH");
    let mut all = Vec::new();
    if needs_method && !properties.starts_with(b"\x15") {
        all.extend(METHOD);
    }
    all.extend(properties);
    let length = [u8::try_from(all.len()).expect("short")];
    let (first_byte, before, after): (u8, &[u8], &[u8]) = match place {
        "CONNECT" => return connect(V5, 2, &all, b"\0\x01c"),
        "will" => {
            let payload = [&b"\0\x01c"[..], &length, &all, b"\0\x01t\0\0"].concat();
            return connect(V5, 6, b"", &payload);
        }
        "CONNACK" => (0x20, b"\0\0", b""),
        "PUBLISH" => (0x30, b"\0\x01t", b""),
        "PUBACK" => (0x40, b"\0\x01\0", b""),
        "PUBREC" => (0x50, b"\0\x01\0", b""),
        "PUBREL" => (0x62, b"\0\x01\0", b""),
        "PUBCOMP" => (0x70, b"\0\x01\0", b""),
        "SUBSCRIBE" => (0x82, b"\0\x01", b"\0\x01t\0"),
        "SUBACK" => (0x90, b"\0\x01", b"\0"),
        "UNSUBSCRIBE" => (0xA2, b"\0\x01", b"\0\x01t"),
        "UNSUBACK" => (0xB0, b"\0\x01", b"\0"),
        "DISCONNECT" => (0xE0, b"\0", b""),
        "AUTH" => (0xF0, b"\x18", b""),
        "AUTH of success" => (0xF0, b"\0", b""),
        other => panic!("no place: {other}"),
    };
    packet(first_byte, &[before, &length, &all, after].concat())
}

fn judge(bytes: &[u8]) -> Result<(), DecodeError> {
    decode(bytes, V5, 1000).map(|found| assert!(found.is_some(), "{bytes:X?}"))
}

#[test]
fn each_packet_has_its_own() {
    for (property, places) in TABLE {
        for place in PLACES {
            let judged = judge(&with_properties(place, property));
            let id = property[0];
            if places.contains(&place) {
                assert_eq!(judged, Ok(()), "0x{id:02X} in {place}");
            } else {
                let error = judged.expect_err(place);
                assert_eq!(
                    error.kind(),
                    "property not allowed",
                    "0x{id:02X} in {place}"
                );
            }
        }
    }
}

#[test]
fn none_is_there_twice_but_user_properties_and_identifiers_of_a_publish() {
    for (property, places) in TABLE {
        for &place in places {
            let id = property[0];
            let judged = judge(&with_properties(place, &[property, property].concat()));
            if id == 0x26 || (id == 0x0B && place == "PUBLISH") {
                assert_eq!(judged, Ok(()), "0x{id:02X} in {place}");
            } else {
                let error = judged.expect_err(place);
                assert_eq!(error.kind(), "duplicate property", "0x{id:02X} in {place}");
                assert_eq!(error.reason(), ReasonCode::ProtocolError);
            }
        }
    }
}

#[test]
fn no_other_identifiers_are_known() {
    for id in 0..=0x7F_u8 {
        let known = TABLE.iter().any(|(property, _)| property[0] == id);
        let judged = judge(&with_properties("DISCONNECT", &[id, 0, 0, 0, 0, 0, 0]));
        let unknown = judged.is_err_and(|error| error.fault == Fault::UnknownProperty(id.into()));
        assert_eq!(unknown, !known, "0x{id:02X}");
    }
}

#[test]
fn properties_end_where_their_length_says() {
    for place in PLACES {
        let whole = with_properties(place, b"\x26\0\x01n\0\x01v");
        assert_eq!(judge(&whole), Ok(()));
        // One that lacks its last byte takes it from nowhere.
        let cut = with_properties(place, b"\x26\0\x01n\0\x01");
        let error = judge(&cut).expect_err(place);
        assert_eq!(error.kind(), "truncated", "{place}");
    }
}
