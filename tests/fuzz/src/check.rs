//! The promises of the codec, as checks that panic:
//!
//! * any bytes are decoded without a panic;
//! * a packet takes as many bytes as its header says, and what stands behind it
//!   does not matter;
//! * a part of it is not a packet, and an error is the same however much is there;
//! * encoded again it takes no more bytes, and is decoded alike;
//! * its fields hold what their docs say ([`facts`]).

mod facts;

use std::fmt::Debug;

use hookwire_mqtt::{
    Connect, DecodeError, Fault, MAX_PACKET_BYTES, Packet, ProtocolVersion, decode, decode_connect,
};

/// Who reads the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

impl Direction {
    /// Whether packets of this kind go this way. A receiver closes at others.
    fn has(self, packet: &Packet<'_>, version: ProtocolVersion) -> bool {
        match packet {
            Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq => self == Self::ToServer,
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                self == Self::ToClient
            }
            Packet::Disconnect(_) => self == Self::ToServer || version.is_v5(),
            Packet::Publish(_)
            | Packet::PubAck(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::PubComp(_)
            | Packet::Auth(_) => true,
        }
    }
}

/// Checks every packet of `data` up to the first that ends the connection.
pub(crate) fn stream(data: &[u8], version: ProtocolVersion, direction: Direction) {
    let mut unread = data;
    let read = |bytes, limit| decode(bytes, version, limit);
    while let Some((packet, taken)) = one(unread, read) {
        if !direction.has(&packet, version) {
            return;
        }
        // A CONNECT is written in its own version.
        let version = match &packet {
            Packet::Connect(connect) => connect.version,
            _ => version,
        };
        again(&packet, version, taken);
        facts::hold(&packet, version);
        unread = unread.get(taken..).expect("checked by `one`");
    }
}

/// Checks the first packet of a connection.
pub(crate) fn greeting(data: &[u8]) {
    let Some((connect, taken)) = one(data, decode_connect) else {
        return;
    };
    let mut encoded = Vec::new();
    connect.encode(&mut encoded);
    assert!(encoded.len() <= taken, "longer than it was");
    let found: Result<Option<(Connect, usize)>, DecodeError> =
        decode_connect(&encoded, MAX_PACKET_BYTES);
    assert_eq!(found, Ok(Some((connect.clone(), encoded.len()))));
    // As a packet of a connection it is the same, whatever that one's version.
    for version in [
        ProtocolVersion::V31,
        ProtocolVersion::V311,
        ProtocolVersion::V5,
    ] {
        let found = decode(&encoded, version, MAX_PACKET_BYTES);
        let expected = Packet::Connect(Box::new(connect.clone()));
        assert_eq!(found, Ok(Some((expected, encoded.len()))));
    }
    let version = connect.version;
    facts::hold(&Packet::Connect(Box::new(connect)), version);
}

/// Decodes the packet at the beginning of `bytes`, and checks what its decoder
/// says of more bytes, of fewer, and of limits.
fn one<'a, T, F>(bytes: &'a [u8], read: F) -> Option<(T, usize)>
where
    T: PartialEq + Debug + 'a,
    F: Fn(&'a [u8], usize) -> Result<Option<(T, usize)>, DecodeError>,
{
    let announced = announced(bytes);
    match read(bytes, MAX_PACKET_BYTES) {
        Ok(None) => {
            assert!(
                announced.is_none_or(|length| length > bytes.len()),
                "it is whole"
            );
            None
        }
        Ok(Some((packet, taken))) => {
            assert_eq!(Some(taken), announced);
            let whole = bytes.get(..taken).expect("no more than there is");
            assert_eq!(read(whole, taken), Ok(Some((packet, taken))));
            for part in parts(whole) {
                assert_eq!(
                    read(part, MAX_PACKET_BYTES),
                    Ok(None),
                    "{} bytes",
                    part.len()
                );
            }
            let error = read(bytes, taken - 1).expect_err("over the limit");
            let fault = Fault::PacketTooLarge {
                packet_bytes: taken,
                max_packet_bytes: taken - 1,
            };
            assert_eq!(error.fault, fault);
            read(bytes, MAX_PACKET_BYTES).ok().flatten()
        }
        Err(error) => {
            for part in parts(bytes) {
                let judged = read(part, MAX_PACKET_BYTES);
                assert!(
                    judged == Ok(None) || judged == Err(error),
                    "{judged:?}, then {error:?}"
                );
            }
            assert!(error.reason().is_error());
            assert!(!error.kind().is_empty() && !error.to_string().is_empty());
            assert!(error.answer_in.is_none() || error.packet == "CONNECT");
            None
        }
    }
}

/// Bytes of the packet that begins here, by its fixed header. `None` as long as
/// that is not whole, or when it is none.
fn announced(bytes: &[u8]) -> Option<usize> {
    let mut length = 0;
    for (index, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length += usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(2 + index + length);
        }
    }
    None
}

/// `whole` without its end, cut everywhere; in a long one near both ends.
fn parts(whole: &[u8]) -> impl Iterator<Item = &[u8]> {
    const NEAR: usize = 300;
    let far = NEAR..whole.len().saturating_sub(NEAR);
    (0..whole.len())
        .filter(move |end| !far.contains(end))
        .filter_map(|end| whole.get(..end))
}

/// Encodes and decodes the packet once more.
fn again(packet: &Packet<'_>, version: ProtocolVersion, taken: usize) {
    let mut encoded = vec![0xA5];
    packet.encode(version, &mut encoded);
    let bytes = encoded.get(1..).expect("there is one");
    assert!(
        bytes.len() <= taken,
        "{} bytes instead of {taken}",
        bytes.len()
    );
    let found = decode(bytes, version, MAX_PACKET_BYTES);
    assert_eq!(found, Ok(Some((packet.clone(), bytes.len()))));
}
