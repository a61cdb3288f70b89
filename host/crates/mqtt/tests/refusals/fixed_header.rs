//! The first byte and the remaining length, which come before all else.

use super::{ALL, V5, V31, V311, packet, refused, taken};
use hookwire_mqtt::{Fault, Packet, ReasonCode, decode, decode_connect};

#[test]
fn every_first_byte_is_judged_by_itself() {
    for &version in ALL {
        for first_byte in 0..=u8::MAX {
            let flags = first_byte & 0x0F;
            let expected = match first_byte >> 4 {
                0 => Some("reserved packet type"),
                15 if version != V5 => Some("reserved packet type"),
                // All flags of a PUBLISH mean something.
                3 => None,
                // Sent again in MQTT 3.1.
                6 | 8 | 10 if version == V31 && flags == 0b1010 => None,
                6 | 8 | 10 if flags == 0b0010 => None,
                6 | 8 | 10 => Some("reserved bits"),
                _ if flags == 0 => None,
                _ => Some("reserved bits"),
            };
            let error = decode(&[first_byte], version, 1000).err();
            let said = error.map(|error| error.kind());
            assert_eq!(said, expected, "MQTT {version} 0x{first_byte:02X}");
            if let Some(error) = error {
                assert_eq!(error.reason(), ReasonCode::MalformedPacket);
            }
        }
    }
}

#[test]
fn nothing_but_a_connect_is_first() {
    for first_byte in 0..=u8::MAX {
        let expected = match first_byte {
            0x10 => None,
            0x11..=0x1F => Some("reserved bits"),
            _ => Some("not connect"),
        };
        let error = decode_connect(&[first_byte], 1000).err();
        assert_eq!(error.map(|error| error.kind()), expected);
        // Nobody knows which version the answer would have to be in.
        assert_eq!(error.and_then(|error| error.answer_in), None);
    }
    let error = decode_connect(b"GET / HTTP/1.1\r\n", 1000).expect_err("HTTP");
    assert_eq!(error.reason(), ReasonCode::ProtocolError);
}

#[test]
fn a_length_over_the_limit_is_seen_before_the_bytes_are_there() {
    for &version in ALL {
        // 998 bytes behind three of header are one too many.
        let error = refused(version, &[0x30, 0xE6, 0x07]);
        let expected = Fault::PacketTooLarge {
            packet_bytes: 1001,
            max_packet_bytes: 1000,
        };
        assert_eq!(error.fault, expected);
        assert_eq!(error.reason(), ReasonCode::PacketTooLarge);
        assert_eq!(decode(&[0x30, 0xE5, 0x07], version, 1000), Ok(None));
    }
    let error = decode_connect(&[0x10, 0xE6, 0x07], 1000).expect_err("too large");
    assert_eq!(error.kind(), "packet too large");
    assert_eq!(decode_connect(&[0x10, 0xE5, 0x07], 1000), Ok(None));
    // Two bytes are enough for the smallest packets, and one is not.
    assert_eq!(decode(&[0xC0, 0], V5, 2), Ok(Some((Packet::PingReq, 2))));
    assert!(decode(&[0xC0, 0], V5, 1).is_err());
}

#[test]
fn a_length_has_four_bytes_at_most() {
    for &version in ALL {
        let error = refused(version, &[0x30, 0xFF, 0xFF, 0xFF, 0xFF]);
        assert_eq!(error.kind(), "variable byte integer");
        assert_eq!(decode(&[0x30, 0xFF, 0xFF, 0xFF], version, 1000), Ok(None));
    }
}

#[test]
fn a_length_is_as_short_as_it_can_be_in_mqtt_5() {
    let overlong: [&[u8]; 3] = [
        &[0x82, 0x00],
        &[0x82, 0x80, 0x00],
        &[0x82, 0x80, 0x80, 0x00],
    ];
    for length in overlong {
        let mut bytes = vec![0x40];
        bytes.extend(length);
        bytes.extend([0, 7]);
        for older in [V31, V311] {
            let expected = taken(older, &[0x40, 2, 0, 7]);
            assert_eq!(taken(older, &bytes), expected);
        }
        let error = refused(V5, &bytes);
        assert_eq!(error.kind(), "variable byte integer");
        assert_eq!(error.reason(), ReasonCode::MalformedPacket);
    }
}

#[test]
fn the_length_of_a_connect_is_judged_by_its_own_version() {
    let connect = |level: u8, properties: &[u8]| {
        let mut body = b"\0\x04MQTT".to_vec();
        body.extend([level, 2, 0, 60]);
        body.extend(properties);
        body.extend(b"\0\x01c");
        let mut bytes = packet(0x10, &body);
        bytes.splice(1..2, [0x80 | bytes[1], 0]);
        bytes
    };
    let v311 = connect(4, b"");
    assert!(decode_connect(&v311, 1000).is_ok_and(|found| found.is_some()));
    let v5 = connect(5, b"\0");
    let error = decode_connect(&v5, 1000).expect_err("overlong");
    assert_eq!(error.kind(), "variable byte integer");
    assert_eq!(error.answer_in, Some(V5));
    assert_eq!(decode_connect(&v5[..v5.len() - 1], 1000), Ok(None));
}

#[test]
fn pings_have_no_body() {
    for &version in ALL {
        for first_byte in [0xC0, 0xD0] {
            taken(version, &packet(first_byte, b""));
            let error = refused(version, &packet(first_byte, b"x"));
            assert_eq!(error.kind(), "trailing bytes");
            assert_eq!(error.reason(), ReasonCode::MalformedPacket);
        }
    }
}

#[test]
fn errors_say_what_and_where() {
    let error = refused(V5, &packet(0x30, b"\0\x01a\x03\x21\0\x01"));
    assert_eq!(
        error.to_string(),
        "PUBLISH, receive maximum: not allowed in this packet"
    );
    let error = refused(V5, &[0x30, 0xE6, 0x07]);
    assert_eq!(
        error.to_string(),
        "PUBLISH, remaining length: 1001 bytes, more than the 1000 allowed"
    );
    let error = decode_connect(&[0xC0], 1000).expect_err("a PINGREQ");
    assert_eq!(
        error.to_string(),
        "PINGREQ, packet type: the first packet is not a CONNECT"
    );
}
