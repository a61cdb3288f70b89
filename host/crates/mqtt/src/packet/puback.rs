//! PUBACK.

use crate::error::DecodeError;
use crate::property::{self, Explanation};
use crate::reader::Reader;
use crate::{PacketId, ProtocolVersion, ReasonCode, writer};

const REASONS: &[ReasonCode] = &[
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

/// The answer to a QoS 1 PUBLISH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PubAck {
    /// That of the PUBLISH.
    pub packet_id: PacketId,
    /// Always a success in MQTT 3.1.1, which cannot refuse.
    pub reason: ReasonCode,
    /// For a person.
    pub reason_string: Option<String>,
    /// Names and values, in order.
    pub user_properties: Vec<(String, String)>,
}

impl PubAck {
    /// The message is taken over.
    #[must_use]
    pub fn success(packet_id: PacketId) -> Self {
        Self {
            packet_id,
            reason: ReasonCode::Success,
            reason_string: None,
            user_properties: Vec::new(),
        }
    }

    pub(crate) fn decode(body: &[u8], version: ProtocolVersion) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("PUBACK", body);
        let mut puback = Self::success(reader.packet_id()?);
        // Both the reason and the properties may be left out at the end.
        if version == ProtocolVersion::V5 && !reader.is_empty() {
            puback.reason = property::reason_code(&mut reader, REASONS)?;
            if !reader.is_empty() {
                let explanation = Explanation::read(&mut reader)?;
                puback.reason_string = explanation.reason_string;
                puback.user_properties = explanation.user_properties;
            }
        }
        reader.finish()?;
        Ok(puback)
    }

    /// Appends the packet to `out`, in the shortest form that says it all.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        let [high, low] = self.packet_id.get().to_be_bytes();
        let explained = self.reason_string.is_some() || !self.user_properties.is_empty();
        let brief = self.reason == ReasonCode::Success && !explained;
        if version == ProtocolVersion::V311 || brief {
            out.extend_from_slice(&[0x40, 2, high, low]);
        } else if !explained {
            out.extend_from_slice(&[0x40, 3, high, low, self.reason.as_u8()]);
        } else {
            writer::packet(out, 0x40, |out| {
                out.extend_from_slice(&[high, low, self.reason.as_u8()]);
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
}
