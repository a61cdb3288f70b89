//! Which packet may carry which reason code, MQTT 5 table 2-6.

use super::{V5, packet};
use hookwire_mqtt::{ReasonCode, decode};

/// The packets, as the bytes before and behind the code.
const PACKETS: [(&str, u8, &[u8], &[u8]); 9] = [
    ("CONNACK", 0x20, b"\0", b"\0"),
    ("PUBACK", 0x40, b"\0\x01", b""),
    ("PUBREC", 0x50, b"\0\x01", b""),
    ("PUBREL", 0x62, b"\0\x01", b""),
    ("PUBCOMP", 0x70, b"\0\x01", b""),
    ("SUBACK", 0x90, b"\0\x01\0", b""),
    ("UNSUBACK", 0xB0, b"\0\x01\0", b""),
    ("DISCONNECT", 0xE0, b"", b""),
    ("AUTH", 0xF0, b"", b"\x04\x15\0\x01m"),
];

/// The packets that may carry `code`.
fn carriers(code: u8) -> &'static [&'static str] {
    match code {
        0x00 => &[
            "CONNACK",
            "PUBACK",
            "PUBREC",
            "PUBREL",
            "PUBCOMP",
            "SUBACK",
            "UNSUBACK",
            "DISCONNECT",
            "AUTH",
        ],
        0x01 | 0x02 => &["SUBACK"],
        0x10 => &["PUBACK", "PUBREC"],
        0x11 => &["UNSUBACK"],
        0x18 | 0x19 => &["AUTH"],
        0x80 | 0x83 | 0x87 => &[
            "CONNACK",
            "PUBACK",
            "PUBREC",
            "SUBACK",
            "UNSUBACK",
            "DISCONNECT",
        ],
        0x84..=0x86 | 0x88 | 0x8A => &["CONNACK"],
        0x81 | 0x82 | 0x89 | 0x8C | 0x95 | 0x9A..=0x9D | 0x9F => &["CONNACK", "DISCONNECT"],
        0x04 | 0x8B | 0x8D | 0x8E | 0x93 | 0x94 | 0x96 | 0x98 | 0xA0 => &["DISCONNECT"],
        0x8F => &["SUBACK", "UNSUBACK", "DISCONNECT"],
        0x90 | 0x99 => &["CONNACK", "PUBACK", "PUBREC", "DISCONNECT"],
        0x91 => &["PUBACK", "PUBREC", "SUBACK", "UNSUBACK"],
        0x92 => &["PUBREL", "PUBCOMP"],
        0x97 => &["CONNACK", "PUBACK", "PUBREC", "SUBACK", "DISCONNECT"],
        0x9E | 0xA1 | 0xA2 => &["SUBACK", "DISCONNECT"],
        _ => &[],
    }
}

#[test]
fn each_packet_has_its_own() {
    for (name, first_byte, before, after) in PACKETS {
        for code in 0..=u8::MAX {
            let bytes = packet(first_byte, &[before, &[code], after].concat());
            let judged = decode(&bytes, V5, 1000);
            if carriers(code).contains(&name) {
                assert!(
                    judged.is_ok_and(|found| found.is_some()),
                    "{name} 0x{code:02X}"
                );
            } else {
                let error = judged.expect_err(name);
                assert_eq!(error.kind(), "invalid reason code", "{name} 0x{code:02X}");
                assert_eq!(error.reason(), ReasonCode::MalformedPacket);
            }
        }
    }
}

#[test]
fn every_code_has_a_packet() {
    for code in 0..=u8::MAX {
        let known = ReasonCode::try_from(code).is_ok();
        assert_eq!(known, !carriers(code).is_empty(), "0x{code:02X}");
    }
}
