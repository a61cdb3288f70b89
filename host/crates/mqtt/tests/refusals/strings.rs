//! What a UTF-8 encoded string may hold, in every version: what Unicode allows
//! but U+0000. Control characters and non-characters are allowed, if advised
//! against.

use super::{ALL, V5, check_right, check_wrong};
use hookwire_mqtt::ReasonCode::MalformedPacket;

/// An UNSUBSCRIBE of this one filter, which is a string like any other.
fn body(v5: bool, text: &[u8]) -> Vec<u8> {
    let mut body = b"\0\x01".to_vec();
    if v5 {
        body.push(0);
    }
    body.push(0);
    body.push(u8::try_from(text.len()).expect("short"));
    body.extend(text);
    body
}

#[test]
fn ill_formed_strings_are_refused() {
    let wrong: [(&[u8], &str); 11] = [
        // Half a character, and a byte that begins none.
        (b"\xC3", "invalid utf-8"),
        (b"a\x80", "invalid utf-8"),
        (b"\xC3\x28", "invalid utf-8"),
        // Longer than needed, as Java writes U+0000.
        (b"\xC0\x80", "invalid utf-8"),
        (b"\xE0\x80\xAF", "invalid utf-8"),
        // Surrogates, single and in a pair [MQTT-1.5.4-1].
        (b"\xED\xA0\x80", "invalid utf-8"),
        (b"\xED\xBF\xBF", "invalid utf-8"),
        (b"\xED\xA0\x80\xED\xB0\x80", "invalid utf-8"),
        // Behind the last character there is.
        (b"\xF4\x90\x80\x80", "invalid utf-8"),
        (b"\0", "nul character"),
        (b"a\0b", "nul character"),
    ];
    for (text, kind) in wrong {
        for &version in ALL {
            let body = body(version == V5, text);
            check_wrong(0xA2, &[(&[version], &body, kind, MalformedPacket)]);
        }
    }
}

#[test]
fn all_other_characters_are_taken() {
    let texts = [
        "",
        "\u{1}",
        "\u{1F}",
        "\u{7F}",
        "\u{9F}",
        "\u{FDD0}",
        "\u{FFFE}",
        "\u{FFFF}",
        "\u{10FFFF}",
        "\u{D7FF}\u{E000}",
    ];
    for text in texts {
        for &version in ALL {
            let body = body(version == V5, text.as_bytes());
            check_right(0xA2, &[(&[version], &body)]);
        }
    }
}

#[test]
fn a_byte_order_mark_is_a_character_like_others() {
    for &version in ALL {
        let mut bytes = vec![0xA2, 0];
        bytes.extend(body(version == V5, "\u{FEFF}a".as_bytes()));
        bytes[1] = u8::try_from(bytes.len() - 2).expect("short");
        let hookwire_mqtt::Packet::Unsubscribe(read) = super::taken(version, &bytes) else {
            panic!("not an UNSUBSCRIBE");
        };
        // [MQTT-1.5.4-3]
        assert_eq!(read.filters, ["\u{FEFF}a"]);
    }
}

#[test]
fn both_parts_of_a_user_property_are_strings() {
    let v5 = &[V5];
    let truncated = b"\0\x04\x26\0\x01a";
    check_wrong(
        0xE0,
        &[
            (
                v5,
                b"\0\x06\x26\0\x01\0\0\0",
                "nul character",
                MalformedPacket,
            ),
            (
                v5,
                b"\0\x06\x26\0\0\0\x01\0",
                "nul character",
                MalformedPacket,
            ),
            (
                v5,
                b"\0\x06\x26\0\0\0\x01\xFF",
                "invalid utf-8",
                MalformedPacket,
            ),
            (v5, truncated, "truncated", MalformedPacket),
        ],
    );
}
