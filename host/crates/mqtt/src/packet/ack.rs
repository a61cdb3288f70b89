//! PUBACK, PUBREC, PUBREL and PUBCOMP: what follows a PUBLISH above QoS 0.
//! They are of one shape, and decoded and encoded for every such message: one
//! without properties allocates nothing.

use crate::error::DecodeError;
use crate::property::{self, Explanation};
use crate::reader::Reader;
use crate::{PacketId, ProtocolVersion, ReasonCode, writer};

/// What a receiver says to a PUBLISH, MQTT 5 sections 3.4.2.1 and 3.5.2.1.
const RECEIVED: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::NoMatchingSubscribers,
    ReasonCode::UnspecifiedError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::NotAuthorized,
    ReasonCode::TopicNameInvalid,
    ReasonCode::PacketIdentifierInUse,
    ReasonCode::QuotaExceeded,
    ReasonCode::PayloadFormatInvalid,
];

/// What follows a PUBREC, MQTT 5 sections 3.6.2.1 and 3.7.2.1.
const RELEASED: &[ReasonCode] = &[ReasonCode::Success, ReasonCode::PacketIdentifierNotFound];

/// Which of the four an [`Ack`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AckKind {
    /// The answer to a QoS 1 PUBLISH.
    PubAck,
    /// The first answer to a QoS 2 PUBLISH.
    PubRec,
    /// The answer to PUBREC.
    PubRel,
    /// The answer to PUBREL; a QoS 2 PUBLISH is over.
    PubComp,
}

impl AckKind {
    fn name(self) -> &'static str {
        match self {
            Self::PubAck => "PUBACK",
            Self::PubRec => "PUBREC",
            Self::PubRel => "PUBREL",
            Self::PubComp => "PUBCOMP",
        }
    }

    #[inline]
    fn first_byte(self) -> u8 {
        match self {
            Self::PubAck => 0x40,
            Self::PubRec => 0x50,
            Self::PubRel => 0x62,
            Self::PubComp => 0x70,
        }
    }

    fn reasons(self) -> &'static [ReasonCode] {
        match self {
            Self::PubAck | Self::PubRec => RECEIVED,
            Self::PubRel | Self::PubComp => RELEASED,
        }
    }
}

/// A PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// That of the PUBLISH.
    pub packet_id: PacketId,
    /// Always a success before MQTT 5, where none of the four can refuse.
    pub reason: ReasonCode,
    /// For a person.
    pub reason_string: Option<String>,
    /// Names and values, in order.
    pub user_properties: Vec<(String, String)>,
}

impl Ack {
    /// All is well.
    #[must_use]
    pub fn success(packet_id: PacketId) -> Self {
        Self::with_reason(packet_id, ReasonCode::Success)
    }

    /// One that says `reason` and nothing more.
    #[must_use]
    pub fn with_reason(packet_id: PacketId, reason: ReasonCode) -> Self {
        Self {
            packet_id,
            reason,
            reason_string: None,
            user_properties: Vec::new(),
        }
    }

    pub(crate) fn decode(
        kind: AckKind,
        body: &[u8],
        version: ProtocolVersion,
    ) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(kind.name(), body);
        let mut ack = Self::success(reader.packet_id()?);
        // Both the reason and the properties may be left out at the end.
        if version.is_v5() && !reader.is_empty() {
            ack.reason = property::reason_code(&mut reader, kind.reasons())?;
            if !reader.is_empty() {
                let explanation = Explanation::read(&mut reader)?;
                ack.reason_string = explanation.reason_string;
                ack.user_properties = explanation.user_properties;
            }
        }
        reader.finish()?;
        Ok(ack)
    }

    /// Appends the packet to `out`, in the shortest form that says it all. That
    /// `kind` allows the reason is the caller's to see to.
    #[inline]
    pub fn encode(&self, kind: AckKind, version: ProtocolVersion, out: &mut Vec<u8>) {
        let first_byte = kind.first_byte();
        let [high, low] = self.packet_id.get().to_be_bytes();
        let explained = self.reason_string.is_some() || !self.user_properties.is_empty();
        let brief = self.reason == ReasonCode::Success && !explained;
        if !version.is_v5() || brief {
            out.extend_from_slice(&[first_byte, 2, high, low]);
        } else if !explained {
            out.extend_from_slice(&[first_byte, 3, high, low, self.reason.as_u8()]);
        } else {
            self.encode_explained(first_byte, out);
        }
    }

    fn encode_explained(&self, first_byte: u8, out: &mut Vec<u8>) {
        writer::packet(out, first_byte, |out| {
            writer::u16(out, self.packet_id.get());
            out.push(self.reason.as_u8());
            writer::length_prefixed(out, |out| {
                property::write_explanation(
                    out,
                    self.reason_string.as_deref(),
                    &self.user_properties,
                );
            });
        });
    }
}
