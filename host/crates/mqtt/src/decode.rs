//! Finds packets in what a connection has read so far.

use crate::error::{DecodeError, Fault};
use crate::packet::Packet;
use crate::packet::ack::{Ack, AckKind};
use crate::packet::auth::Auth;
use crate::packet::connack::ConnAck;
use crate::packet::connect::Connect;
use crate::packet::disconnect::Disconnect;
use crate::packet::publish::Publish;
use crate::packet::subscribe::{SubAck, Subscribe};
use crate::packet::unsubscribe::{UnsubAck, Unsubscribe};
use crate::reader::{Reader, VariableByteInteger, variable_byte_integer};
use crate::version::ProtocolVersion;

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;
const UNSUBSCRIBE: u8 = 10;
const PUBREL: u8 = 6;
const AUTH: u8 = 15;

/// The names of the packet types, by number.
const NAMES: [&str; 16] = [
    "type 0",
    "CONNECT",
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
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// Decodes the packet at the beginning of `bytes`, and says how many bytes it
/// took. `None`: more bytes are needed. A CONNECT is decoded in its own
/// version, whatever `version` says.
///
/// `max_packet_bytes` is the limit on the whole packet, fixed header included.
/// It is held against the announced length before the packet is there.
///
/// # Errors
/// The packet breaks a rule of `version`; the connection is to be closed with
/// [`DecodeError::reason`].
pub fn decode(
    bytes: &[u8],
    version: ProtocolVersion,
    max_packet_bytes: usize,
) -> Result<Option<(Packet<'_>, usize)>, DecodeError> {
    let Some(&first_byte) = bytes.first() else {
        return Ok(None);
    };
    check_first_byte(first_byte, version)?;
    let Some(frame) = Frame::find(bytes, version, max_packet_bytes)? else {
        return Ok(None);
    };
    Ok(Some((frame.packet(version)?, frame.packet_bytes)))
}

/// Decodes the first packet of a connection, which has to be a CONNECT and
/// says itself which version it is. Otherwise as [`decode`].
///
/// # Errors
/// As [`decode`]; [`DecodeError::answer_in`] says whether a CONNACK can tell
/// the client.
pub fn decode_connect(
    bytes: &[u8],
    max_packet_bytes: usize,
) -> Result<Option<(Connect, usize)>, DecodeError> {
    let Some(&first_byte) = bytes.first() else {
        return Ok(None);
    };
    if first_byte >> 4 != CONNECT {
        let name = type_name(first_byte);
        return Err(DecodeError::new(name, "packet type", Fault::NotConnect));
    }
    check_first_byte(first_byte, ProtocolVersion::V5)?;
    match Frame::find(bytes, ProtocolVersion::V5, max_packet_bytes)? {
        Some(frame) => Ok(Some((frame.connect()?, frame.packet_bytes))),
        None => Ok(None),
    }
}

fn type_name(first_byte: u8) -> &'static str {
    NAMES
        .get(usize::from(first_byte >> 4))
        .copied()
        .unwrap_or_default()
}

/// Checks packet type and flags, for which no more than a byte is needed.
#[inline]
fn check_first_byte(first_byte: u8, version: ProtocolVersion) -> Result<(), DecodeError> {
    let packet_type = first_byte >> 4;
    let flags = first_byte & 0x0F;
    let expected = match packet_type {
        PUBLISH => return Ok(()),
        PUBREL | SUBSCRIBE | UNSUBSCRIBE => 0b0010,
        _ => 0b0000,
    };
    if flags == expected && packet_type != 0 && (packet_type != AUTH || version.is_v5()) {
        Ok(())
    } else {
        check_unusual_first_byte(first_byte, version)
    }
}

/// Says what is wrong with a first byte, or that it is right in MQTT 3.1 alone.
#[cold]
fn check_unusual_first_byte(first_byte: u8, version: ProtocolVersion) -> Result<(), DecodeError> {
    let packet_type = first_byte >> 4;
    let name = type_name(first_byte);
    if packet_type == 0 || (packet_type == AUTH && !version.is_v5()) {
        let fault = Fault::ReservedPacketType(packet_type);
        return Err(DecodeError::new(name, "packet type", fault));
    }
    // These have a QoS of 1 in MQTT 3.1, and DUP when they are sent again.
    let sent_again = matches!(packet_type, PUBREL | SUBSCRIBE | UNSUBSCRIBE)
        && version == ProtocolVersion::V31
        && first_byte & 0x0F == 0b1010;
    if sent_again {
        Ok(())
    } else {
        Err(DecodeError::new(name, "flags", Fault::ReservedBits))
    }
}

/// One packet, cut out of the bytes read.
struct Frame<'a> {
    first_byte: u8,
    /// The remaining length takes more bytes than it has to.
    overlong: bool,
    body: &'a [u8],
    packet_bytes: usize,
}

impl<'a> Frame<'a> {
    #[inline]
    fn find(
        bytes: &'a [u8],
        version: ProtocolVersion,
        max_packet_bytes: usize,
    ) -> Result<Option<Self>, DecodeError> {
        let Some((&first_byte, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let error = |fault| DecodeError::new(type_name(first_byte), "remaining length", fault);
        let (value, width, overlong) = match variable_byte_integer(rest) {
            VariableByteInteger::Complete { value, width } => (value, width, false),
            // A CONNECT says in its body whether it may be so.
            VariableByteInteger::Overlong { value, width }
                if !version.is_v5() || first_byte >> 4 == CONNECT =>
            {
                (value, width, true)
            }
            VariableByteInteger::Partial => return Ok(None),
            VariableByteInteger::Overlong { .. } | VariableByteInteger::Invalid => {
                return Err(error(Fault::VariableByteInteger));
            }
        };
        let packet_bytes = 1 + width + value as usize;
        if packet_bytes > max_packet_bytes {
            return Err(error(Fault::PacketTooLarge {
                packet_bytes,
                max_packet_bytes,
            }));
        }
        Ok(bytes.get(1 + width..packet_bytes).map(|body| Self {
            first_byte,
            overlong,
            body,
            packet_bytes,
        }))
    }

    fn connect(&self) -> Result<Connect, DecodeError> {
        let connect = Connect::decode(self.body)?;
        if self.overlong && connect.version.is_v5() {
            let name = type_name(self.first_byte);
            return Err(DecodeError {
                answer_in: Some(connect.version),
                ..DecodeError::new(name, "remaining length", Fault::VariableByteInteger)
            });
        }
        Ok(connect)
    }

    fn packet(&self, version: ProtocolVersion) -> Result<Packet<'a>, DecodeError> {
        let body = self.body;
        let name = type_name(self.first_byte);
        Ok(match self.first_byte >> 4 {
            CONNECT => Packet::Connect(Box::new(self.connect()?)),
            2 => Packet::ConnAck(ConnAck::decode(body, version)?),
            PUBLISH => Packet::Publish(Publish::decode(self.first_byte & 0x0F, body, version)?),
            4 => Packet::PubAck(Ack::decode(AckKind::PubAck, body, version)?),
            5 => Packet::PubRec(Ack::decode(AckKind::PubRec, body, version)?),
            PUBREL => Packet::PubRel(Ack::decode(AckKind::PubRel, body, version)?),
            7 => Packet::PubComp(Ack::decode(AckKind::PubComp, body, version)?),
            SUBSCRIBE => Packet::Subscribe(Subscribe::decode(body, version)?),
            9 => Packet::SubAck(SubAck::decode(body, version)?),
            UNSUBSCRIBE => Packet::Unsubscribe(Unsubscribe::decode(body, version)?),
            11 => Packet::UnsubAck(UnsubAck::decode(body, version)?),
            12 => bare(name, body, Packet::PingReq)?,
            13 => bare(name, body, Packet::PingResp)?,
            14 => Packet::Disconnect(Disconnect::decode(body, version)?),
            AUTH => Packet::Auth(Box::new(Auth::decode(body)?)),
            reserved => {
                let fault = Fault::ReservedPacketType(reserved);
                return Err(DecodeError::new(name, "packet type", fault));
            }
        })
    }
}

/// A packet without a body.
fn bare<'a>(
    name: &'static str,
    body: &[u8],
    packet: Packet<'a>,
) -> Result<Packet<'a>, DecodeError> {
    Reader::new(name, body).finish()?;
    Ok(packet)
}
