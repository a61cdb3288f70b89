//! PUBLISH: decoded and encoded for every message, so without allocating.

use crate::error::{DecodeError, Fault};
use crate::publish_properties::{PublishProperties, require_alias};
use crate::reader::Reader;
use crate::topic::{TopicError, TopicName};
use crate::{PacketId, ProtocolVersion, QoS, writer};

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Whether it may have been sent before; never set on QoS 0.
    pub dup: bool,
    /// How surely it is to arrive.
    pub qos: QoS,
    /// From a client: keep it. From a server: it was kept.
    pub retain: bool,
    /// Where to. [`TopicName::is_empty`] when a topic alias alone says it.
    pub topic: TopicName<'a>,
    /// There if and only if the QoS is above 0.
    pub packet_id: Option<PacketId>,
    /// Always empty before MQTT 5.
    pub properties: PublishProperties<'a>,
    /// The application's bytes.
    pub payload: &'a [u8],
}

/// Everything of a PUBLISH before its payload, as [`encode_publish`] takes it.
#[derive(Debug, Clone, Copy)]
pub struct PublishHeader<'a> {
    /// Whether it may have been sent before; not written on QoS 0.
    pub dup: bool,
    /// Above 0 it needs a packet identifier.
    pub qos: QoS,
    /// The retain flag.
    pub retain: bool,
    /// A topic name, or empty with a topic alias among the properties.
    pub topic: &'a str,
    /// Written if and only if the QoS is above 0; 1 when there is none then.
    pub packet_id: Option<PacketId>,
    /// Encoded, without the length before them; not written before MQTT 5.
    pub properties: &'a [u8],
}

impl<'a> Publish<'a> {
    pub(crate) fn decode(
        flags: u8,
        body: &'a [u8],
        version: ProtocolVersion,
    ) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("PUBLISH", body);
        let retain = flags & 0b0001 != 0;
        let qos = QoS::try_from((flags >> 1) & 0b11)
            .map_err(|_| reader.error("flags", Fault::InvalidQoS))?;
        let marked = flags & 0b1000 != 0;
        let dup = marked && qos != QoS::AtMostOnce;
        // MQTT 3.1 gives the flag no meaning on QoS 0, and does not forbid it.
        if marked && !dup && version != ProtocolVersion::V31 {
            return Err(reader.error("DUP flag", Fault::DupOnQoS0));
        }
        let topic = read_topic(&mut reader)?;
        let packet_id = match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => Some(reader.packet_id()?),
        };
        let properties = if version.is_v5() {
            PublishProperties::read(&mut reader)?
        } else {
            PublishProperties::default()
        };
        if topic.is_empty() {
            require_alias(properties, &reader)?;
        }
        Ok(Self {
            dup,
            qos,
            retain,
            topic,
            packet_id,
            properties,
            payload: reader.rest(),
        })
    }

    /// Appends the packet to `out`.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        let header = PublishHeader {
            dup: self.dup,
            qos: self.qos,
            retain: self.retain,
            topic: self.topic.as_str(),
            packet_id: self.packet_id,
            properties: self.properties.raw(),
        };
        encode_publish(out, version, &header, self.payload);
    }
}

/// A checked name, or the empty one that needs an alias.
fn read_topic<'a>(reader: &mut Reader<'a>) -> Result<TopicName<'a>, DecodeError> {
    const FIELD: &str = "topic name";
    let text = reader.utf8(FIELD)?;
    TopicName::new(text).or_else(|error| match error {
        TopicError::Empty => Ok(TopicName::EMPTY),
        TopicError::Nul => Err(reader.error(FIELD, Fault::NulCharacter)),
        _ => Err(reader.error(FIELD, Fault::InvalidTopicName)),
    })
}

/// Bytes of a PUBLISH behind its fixed header.
fn remaining_len(version: ProtocolVersion, header: &PublishHeader<'_>, payload: usize) -> usize {
    let topic = 2 + writer::fitting(header.topic).len();
    let packet_id = if header.qos == QoS::AtMostOnce { 0 } else { 2 };
    let properties = if version.is_v5() {
        let length = header.properties.len();
        writer::variable_byte_integer_len(length).saturating_add(length)
    } else {
        0
    };
    (topic + packet_id)
        .saturating_add(properties)
        .saturating_add(payload)
}

/// Bytes that [`encode_publish`] writes, to be held against the receiver's
/// Maximum Packet Size and against [`crate::MAX_PACKET_BYTES`].
#[must_use]
pub fn publish_len(
    version: ProtocolVersion,
    header: &PublishHeader<'_>,
    payload_bytes: usize,
) -> usize {
    let remaining = remaining_len(version, header, payload_bytes);
    remaining.saturating_add(1 + writer::variable_byte_integer_len(remaining))
}

/// Appends a PUBLISH to `out` and returns where in `out` its packet identifier
/// is (two bytes, big-endian), so that one encoding can serve many receivers;
/// `None` for QoS 0. Allocates only when `out` has to grow.
///
/// A packet over [`crate::MAX_PACKET_BYTES`] cannot be expressed, and is not
/// written; see [`publish_len`].
pub fn encode_publish(
    out: &mut Vec<u8>,
    version: ProtocolVersion,
    header: &PublishHeader<'_>,
    payload: &[u8],
) -> Option<usize> {
    let bytes = publish_len(version, header, payload.len());
    if bytes > crate::MAX_PACKET_BYTES {
        return None;
    }
    out.reserve(bytes);
    let packet_id_at = encode_publish_head(out, version, header, payload.len());
    out.extend_from_slice(payload);
    packet_id_at
}

/// Appends everything of a PUBLISH but its payload, whose bytes the caller
/// sends behind it, uncopied. Otherwise as [`encode_publish`].
pub fn encode_publish_head(
    out: &mut Vec<u8>,
    version: ProtocolVersion,
    header: &PublishHeader<'_>,
    payload_bytes: usize,
) -> Option<usize> {
    let remaining = remaining_len(version, header, payload_bytes);
    if remaining > writer::MAX_VARIABLE_BYTE_INTEGER {
        return None;
    }
    let dup = header.dup && header.qos != QoS::AtMostOnce;
    let flags = u8::from(dup) << 3 | header.qos.as_u8() << 1 | u8::from(header.retain);
    out.push(0x30 | flags);
    writer::variable_byte_integer(out, remaining);
    writer::string(out, header.topic);
    let packet_id_at = match header.qos {
        QoS::AtMostOnce => None,
        QoS::AtLeastOnce | QoS::ExactlyOnce => {
            let at = out.len();
            writer::u16(out, header.packet_id.unwrap_or(PacketId::FIRST).get());
            Some(at)
        }
    };
    if version.is_v5() {
        writer::variable_byte_integer(out, header.properties.len());
        out.extend_from_slice(header.properties);
    }
    packet_id_at
}
