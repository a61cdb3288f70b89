//! UNSUBSCRIBE and UNSUBACK.

use crate::error::{DecodeError, Fault};
use crate::property::{self, Explanation, Properties, Property};
use crate::reader::Reader;
use crate::{PacketId, ProtocolVersion, ReasonCode, writer};

/// A client wants no more messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Repeated by the UNSUBACK.
    pub packet_id: PacketId,
    /// Compared with those subscribed to, character by character; never empty
    /// [MQTT-3.10.3-2]. UTF-8 without U+0000, otherwise not checked.
    pub filters: Vec<String>,
    /// Names and values, in order.
    pub user_properties: Vec<(String, String)>,
}

impl Unsubscribe {
    pub(crate) fn decode(body: &[u8], version: ProtocolVersion) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("UNSUBSCRIBE", body);
        let mut unsubscribe = Self {
            packet_id: reader.packet_id()?,
            filters: Vec::new(),
            user_properties: Vec::new(),
        };
        if version.is_v5() {
            let mut properties = Properties::read(&mut reader)?;
            while let Some(property) = properties.next()? {
                match property {
                    Property::User(name, value) => unsubscribe
                        .user_properties
                        .push(property::owned(name, value)),
                    other => return Err(properties.not_allowed(other)),
                }
            }
        }
        while !reader.is_empty() {
            unsubscribe
                .filters
                .push(reader.string("topic filter")?.to_owned());
        }
        if unsubscribe.filters.is_empty() {
            return Err(reader.error("topic filters", Fault::EmptyList));
        }
        Ok(unsubscribe)
    }

    /// Appends the packet to `out`.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        writer::packet(out, 0xA2, |out| {
            writer::u16(out, self.packet_id.get());
            if version.is_v5() {
                writer::length_prefixed(out, |out| {
                    property::write_user_properties(out, &self.user_properties);
                });
            }
            for filter in &self.filters {
                writer::string(out, filter);
            }
        });
    }
}

const REASONS: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::NoSubscriptionExisted,
    ReasonCode::UnspecifiedError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::NotAuthorized,
    ReasonCode::TopicFilterInvalid,
    ReasonCode::PacketIdentifierInUse,
];

/// The answer to UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsubAck {
    /// That of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// One for each filter, in order; before MQTT 5 there are none.
    pub reasons: Vec<ReasonCode>,
    /// For a person.
    pub reason_string: Option<String>,
    /// Names and values, in order.
    pub user_properties: Vec<(String, String)>,
}

impl UnsubAck {
    pub(crate) fn decode(body: &[u8], version: ProtocolVersion) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("UNSUBACK", body);
        let packet_id = reader.packet_id()?;
        let (explanation, reasons) = if version.is_v5() {
            (
                Explanation::read(&mut reader)?,
                property::reason_codes(&mut reader, REASONS)?,
            )
        } else {
            reader.finish()?;
            (Explanation::default(), Vec::new())
        };
        Ok(Self {
            packet_id,
            reasons,
            reason_string: explanation.reason_string,
            user_properties: explanation.user_properties,
        })
    }

    /// Appends the packet to `out`.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        writer::packet(out, 0xB0, |out| {
            writer::u16(out, self.packet_id.get());
            if version.is_v5() {
                writer::length_prefixed(out, |out| {
                    property::write_explanation(
                        out,
                        self.reason_string.as_deref(),
                        &self.user_properties,
                    );
                });
                out.extend(self.reasons.iter().map(|reason| reason.as_u8()));
            }
        });
    }
}
