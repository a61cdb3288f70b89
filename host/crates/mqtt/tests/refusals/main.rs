//! Wrong packets, byte by byte, and what is said about each; beside them the
//! right ones that are nearest to them. A file for each packet.

mod acks;
mod connack;
mod connect;
mod disconnect_and_auth;
mod fixed_header;
mod mqtt_3_1;
mod properties;
mod publish;
mod reason_codes;
mod strings;
mod subscribe;
mod unsubscribe;

use ProtocolVersion::{V5, V31, V311};
use hookwire_mqtt::{DecodeError, Packet, ProtocolVersion, ReasonCode, decode};

const ALL: &[ProtocolVersion] = &[V31, V311, V5];
const BEFORE_5: &[ProtocolVersion] = &[V31, V311];
const FROM_311: &[ProtocolVersion] = &[V311, V5];

/// Versions, the bytes behind the fixed header that are wrong in them, the
/// error's kind and reason.
type Wrong<'a> = (&'a [ProtocolVersion], &'a [u8], &'a str, ReasonCode);

/// Versions, and the bytes behind the fixed header that are right in them.
type Right<'a> = (&'a [ProtocolVersion], &'a [u8]);

#[track_caller]
fn check_wrong(first_byte: u8, rows: &[Wrong<'_>]) {
    for &(versions, body, kind, reason) in rows {
        for &version in versions {
            let bytes = packet(first_byte, body);
            let error = refused(version, &bytes);
            assert_eq!(
                (error.kind(), error.reason()),
                (kind, reason),
                "MQTT {version} {bytes:X?}: {error}"
            );
        }
    }
}

#[track_caller]
fn check_right(first_byte: u8, rows: &[Right<'_>]) {
    for &(versions, body) in rows {
        for &version in versions {
            taken(version, &packet(first_byte, body));
        }
    }
}

/// The packet that `bytes` are, all of them.
#[track_caller]
fn taken(version: ProtocolVersion, bytes: &[u8]) -> Packet<'_> {
    match decode(bytes, version, 1000) {
        Ok(Some((packet, taken))) => {
            assert_eq!(taken, bytes.len());
            packet
        }
        other => panic!("MQTT {version} {bytes:X?}: {other:?}"),
    }
}

#[track_caller]
fn refused(version: ProtocolVersion, bytes: &[u8]) -> DecodeError {
    match decode(bytes, version, 1000) {
        Err(error) => error,
        other => panic!("MQTT {version} {bytes:X?}: {other:?}"),
    }
}

/// A packet of `first_byte` whose length fits.
fn packet(first_byte: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first_byte, u8::try_from(body.len()).expect("short")];
    assert!(body.len() < 0x80, "one byte of length");
    bytes.extend(body);
    bytes
}
