//! SUBSCRIBE and SUBACK.

use crate::error::{DecodeError, Fault};
use crate::filter::is_shared;
use crate::property::{self, Explanation, Properties, Property};
use crate::reader::Reader;
use crate::{PacketId, ProtocolVersion, QoS, ReasonCode, writer};

/// A client wants messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Repeated by the SUBACK.
    pub packet_id: PacketId,
    /// Goes with every message delivered for these filters; 1 to 268,435,455.
    pub subscription_identifier: Option<u32>,
    /// Names and values, in order.
    pub user_properties: Vec<(String, String)>,
    /// What to subscribe to; never empty [MQTT-3.8.3-2].
    pub filters: Vec<SubscribeFilter>,
}

/// One entry of a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeFilter {
    /// UTF-8 without U+0000, but not yet a topic filter: a wrong one is
    /// answered in the SUBACK, and does not end the connection.
    pub filter: String,
    /// The highest QoS to deliver with.
    pub qos: QoS,
    /// Not what this client publishes itself. MQTT 5.
    pub no_local: bool,
    /// Keep the retain flag as published. MQTT 5.
    pub retain_as_published: bool,
    /// Which retained messages to send now. MQTT 5.
    pub retain_handling: RetainHandling,
}

/// Which retained messages a subscription wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum RetainHandling {
    /// Those that match, each time it subscribes.
    #[default]
    SendAtSubscribe = 0,
    /// Those that match, if the subscription is new.
    SendIfNew = 1,
    /// None.
    DoNotSend = 2,
}

impl Subscribe {
    pub(crate) fn decode(body: &[u8], version: ProtocolVersion) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("SUBSCRIBE", body);
        let mut subscribe = Self {
            packet_id: reader.packet_id()?,
            subscription_identifier: None,
            user_properties: Vec::new(),
            filters: Vec::new(),
        };
        if version.is_v5() {
            subscribe.read_properties(&mut reader)?;
        }
        while !reader.is_empty() {
            subscribe
                .filters
                .push(SubscribeFilter::read(&mut reader, version)?);
        }
        if subscribe.filters.is_empty() {
            return Err(reader.error("topic filters", Fault::EmptyList));
        }
        Ok(subscribe)
    }

    fn read_properties(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let mut properties = Properties::read(reader)?;
        while let Some(property) = properties.next()? {
            match property {
                Property::SubscriptionIdentifier(identifier) => {
                    if self.subscription_identifier.replace(identifier).is_some() {
                        let name = "subscription identifier";
                        return Err(properties.error(name, Fault::DuplicateProperty));
                    }
                }
                Property::User(name, value) => {
                    self.user_properties.push(property::owned(name, value));
                }
                other => return Err(properties.not_allowed(other)),
            }
        }
        Ok(())
    }

    /// Appends the packet to `out`.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        writer::packet(out, 0x82, |out| {
            writer::u16(out, self.packet_id.get());
            if version.is_v5() {
                writer::length_prefixed(out, |out| {
                    if let Some(identifier) = self.subscription_identifier {
                        Property::SubscriptionIdentifier(identifier).write(out);
                    }
                    property::write_user_properties(out, &self.user_properties);
                });
            }
            for filter in &self.filters {
                writer::string(out, &filter.filter);
                out.push(filter.options(version));
            }
        });
    }
}

impl SubscribeFilter {
    /// A filter with `qos` and every option as before MQTT 5.
    #[must_use]
    pub fn new(filter: impl Into<String>, qos: QoS) -> Self {
        Self {
            filter: filter.into(),
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::SendAtSubscribe,
        }
    }

    fn read(reader: &mut Reader<'_>, version: ProtocolVersion) -> Result<Self, DecodeError> {
        const FIELD: &str = "subscription options";
        let filter = reader.string("topic filter")?;
        let options = reader.u8(FIELD)?;
        let reserved = match version {
            // Six bits that MQTT 3.1 does not use.
            ProtocolVersion::V31 => 0,
            ProtocolVersion::V311 => 0b1111_1100,
            ProtocolVersion::V5 => 0b1100_0000,
        };
        if options & reserved != 0 {
            return Err(reader.error(FIELD, Fault::ReservedBits));
        }
        let options = match version {
            ProtocolVersion::V31 => options & 0b11,
            ProtocolVersion::V311 | ProtocolVersion::V5 => options,
        };
        // A protocol error here, other than in PUBLISH (MQTT 5, 3.8.3.1).
        let qos = QoS::try_from(options & 0b11)
            .map_err(|_| reader.error(FIELD, Fault::InvalidValue(3)))?;
        let retain_handling = match (options >> 4) & 0b11 {
            0 => RetainHandling::SendAtSubscribe,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            other => return Err(reader.error("retain handling", Fault::InvalidValue(other.into()))),
        };
        let no_local = options & 0b100 != 0;
        if no_local && is_shared(filter) {
            return Err(reader.error("no local", Fault::NoLocalOnShared));
        }
        Ok(Self {
            filter: filter.to_owned(),
            qos,
            no_local,
            retain_as_published: options & 0b1000 != 0,
            retain_handling,
        })
    }

    fn options(&self, version: ProtocolVersion) -> u8 {
        let qos = self.qos.as_u8();
        if !version.is_v5() {
            return qos;
        }
        (self.retain_handling as u8) << 4
            | u8::from(self.retain_as_published) << 3
            | u8::from(self.no_local) << 2
            | qos
    }
}

const REASONS: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::GrantedQoS1,
    ReasonCode::GrantedQoS2,
    ReasonCode::UnspecifiedError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::NotAuthorized,
    ReasonCode::TopicFilterInvalid,
    ReasonCode::PacketIdentifierInUse,
    ReasonCode::QuotaExceeded,
    ReasonCode::SharedSubscriptionsNotSupported,
    ReasonCode::SubscriptionIdentifiersNotSupported,
    ReasonCode::WildcardSubscriptionsNotSupported,
];

const REASONS_311: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::GrantedQoS1,
    ReasonCode::GrantedQoS2,
    ReasonCode::UnspecifiedError,
];

/// MQTT 3.1 has no code for a failure.
const REASONS_31: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::GrantedQoS1,
    ReasonCode::GrantedQoS2,
];

/// The answer to SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAck {
    /// That of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// One for each filter, in order; never empty. MQTT 3.1.1 is told every
    /// failure as 0x80. MQTT 3.1 cannot be told a failure, and wants a positive
    /// answer in its place: it is told that QoS 0 is granted.
    pub reasons: Vec<ReasonCode>,
    /// For a person.
    pub reason_string: Option<String>,
    /// Names and values, in order.
    pub user_properties: Vec<(String, String)>,
}

impl SubAck {
    pub(crate) fn decode(body: &[u8], version: ProtocolVersion) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("SUBACK", body);
        let packet_id = reader.packet_id()?;
        let (explanation, allowed) = match version {
            ProtocolVersion::V31 => (Explanation::default(), REASONS_31),
            ProtocolVersion::V311 => (Explanation::default(), REASONS_311),
            ProtocolVersion::V5 => (Explanation::read(&mut reader)?, REASONS),
        };
        let reasons = property::reason_codes(&mut reader, allowed)?;
        Ok(Self {
            packet_id,
            reasons,
            reason_string: explanation.reason_string,
            user_properties: explanation.user_properties,
        })
    }

    /// Appends the packet to `out`.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        writer::packet(out, 0x90, |out| {
            writer::u16(out, self.packet_id.get());
            match version {
                ProtocolVersion::V31 => self.write_codes(ReasonCode::Success, out),
                ProtocolVersion::V311 => self.write_codes(ReasonCode::UnspecifiedError, out),
                ProtocolVersion::V5 => {
                    writer::length_prefixed(out, |out| {
                        property::write_explanation(
                            out,
                            self.reason_string.as_deref(),
                            &self.user_properties,
                        );
                    });
                    out.extend(self.reasons.iter().map(|reason| reason.as_u8()));
                }
            }
        });
    }

    /// Writes the codes of a version in which every failure is `failure`.
    fn write_codes(&self, failure: ReasonCode, out: &mut Vec<u8>) {
        out.extend(self.reasons.iter().map(|reason| match reason {
            reason if reason.is_error() => failure.as_u8(),
            reason => reason.as_u8(),
        }));
    }
}
