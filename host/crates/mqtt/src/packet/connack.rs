//! CONNACK.

use crate::error::{DecodeError, Fault};
use crate::property::{self, Properties, Property};
use crate::reader::Reader;
use crate::{ProtocolVersion, QoS, ReasonCode, writer};

const REASONS: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::UnspecifiedError,
    ReasonCode::MalformedPacket,
    ReasonCode::ProtocolError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::UnsupportedProtocolVersion,
    ReasonCode::ClientIdentifierNotValid,
    ReasonCode::BadUserNameOrPassword,
    ReasonCode::NotAuthorized,
    ReasonCode::ServerUnavailable,
    ReasonCode::ServerBusy,
    ReasonCode::Banned,
    ReasonCode::BadAuthenticationMethod,
    ReasonCode::TopicNameInvalid,
    ReasonCode::PacketTooLarge,
    ReasonCode::QuotaExceeded,
    ReasonCode::PayloadFormatInvalid,
    ReasonCode::RetainNotSupported,
    ReasonCode::QoSNotSupported,
    ReasonCode::UseAnotherServer,
    ReasonCode::ServerMoved,
    ReasonCode::ConnectionRateExceeded,
];

/// The answer to CONNECT.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnAck {
    /// The server has a session of this client; never beside a refusal, and
    /// never in MQTT 3.1, which cannot say it.
    pub session_present: bool,
    /// Whether the client is accepted. Before MQTT 5 it is told as
    /// [`ReasonCode::connack_return_code_311`].
    pub reason: ReasonCode,
    /// What the server grants; nothing of it is written before MQTT 5.
    pub properties: ConnAckProperties,
}

/// What the server grants. What is `None` has the default of the standard,
/// section 3.2.2.3.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnAckProperties {
    /// How long the session stays, instead of what was asked; in seconds.
    pub session_expiry_interval_s: Option<u32>,
    /// QoS 1 and 2 publishes that the client may have open at once; not 0.
    pub receive_maximum: Option<u16>,
    /// The highest QoS the client may publish with: 0 or 1. Exactly once has
    /// no encoding, because it is the default.
    pub maximum_qos: Option<QoS>,
    /// Whether retained messages are kept.
    pub retain_available: Option<bool>,
    /// The largest packet the server takes, in bytes; not 0.
    pub maximum_packet_bytes: Option<u32>,
    /// The identifier of a client that sent an empty one.
    pub assigned_client_id: Option<String>,
    /// The highest topic alias the client may use.
    pub topic_alias_maximum: Option<u16>,
    /// For a person.
    pub reason_string: Option<String>,
    /// Whether filters may hold wildcards.
    pub wildcard_subscription_available: Option<bool>,
    /// Whether SUBSCRIBE may carry a subscription identifier.
    pub subscription_identifiers_available: Option<bool>,
    /// Whether `$share` filters are granted.
    pub shared_subscription_available: Option<bool>,
    /// The keep-alive interval to use instead of what was asked; in seconds.
    pub server_keep_alive_s: Option<u16>,
    /// What response topics are to begin with.
    pub response_information: Option<String>,
    /// Where else to connect to.
    pub server_reference: Option<String>,
    /// That of CONNECT.
    pub authentication_method: Option<String>,
    /// What the method defines.
    pub authentication_data: Option<Vec<u8>>,
    /// Names and values, in order.
    pub user_properties: Vec<(String, String)>,
}

impl ConnAck {
    /// Whether the packet may say this reason, section 3.2.2.2.
    #[must_use]
    pub fn allows(reason: ReasonCode) -> bool {
        REASONS.contains(&reason)
    }

    /// A refusal that says `reason` and nothing more.
    #[must_use]
    pub fn refusal(reason: ReasonCode) -> Self {
        Self {
            reason,
            ..Self::default()
        }
    }

    pub(crate) fn decode(body: &[u8], version: ProtocolVersion) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("CONNACK", body);
        let flags = reader.u8("acknowledge flags")?;
        // A byte that MQTT 3.1 does not use.
        let flags = if version == ProtocolVersion::V31 {
            0
        } else {
            flags
        };
        if flags & !1 != 0 {
            return Err(reader.error("acknowledge flags", Fault::ReservedBits));
        }
        let session_present = flags == 1;
        let reason = if version.is_v5() {
            property::reason_code(&mut reader, REASONS)?
        } else {
            return_code_311(&mut reader)?
        };
        if session_present && reason.is_error() {
            return Err(reader.error("session present", Fault::SessionPresentOnRefusal));
        }
        let properties = if version.is_v5() {
            ConnAckProperties::read(&mut reader)?
        } else {
            ConnAckProperties::default()
        };
        reader.finish()?;
        Ok(Self {
            session_present,
            reason,
            properties,
        })
    }

    /// Appends the packet to `out`. A refusal never says that there is a session.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        let says_present = version != ProtocolVersion::V31;
        let flags = u8::from(says_present && self.session_present && !self.reason.is_error());
        match version {
            ProtocolVersion::V31 | ProtocolVersion::V311 => {
                out.extend_from_slice(&[0x20, 2, flags, self.reason.connack_return_code_311()]);
            }
            ProtocolVersion::V5 => writer::packet(out, 0x20, |out| {
                out.extend_from_slice(&[flags, self.reason.as_u8()]);
                writer::length_prefixed(out, |out| self.properties.write(out));
            }),
        }
    }
}

fn return_code_311(reader: &mut Reader<'_>) -> Result<ReasonCode, DecodeError> {
    const FIELD: &str = "return code";
    let code = reader.u8(FIELD)?;
    ReasonCode::from_connack_return_code_311(code)
        .ok_or_else(|| reader.error(FIELD, Fault::InvalidReasonCode(code)))
}

impl ConnAckProperties {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut read = Self::default();
        let mut properties = Properties::read(reader)?;
        while let Some(property) = properties.next()? {
            if !read.take(property) {
                return Err(properties.not_allowed(property));
            }
        }
        if read.authentication_data.is_some() && read.authentication_method.is_none() {
            let fault = Fault::AuthenticationDataWithoutMethod;
            return Err(reader.error("authentication data", fault));
        }
        Ok(read)
    }

    /// Whether the property is one of CONNACK's.
    fn take(&mut self, property: Property<'_>) -> bool {
        match property {
            Property::SessionExpiryInterval(seconds) => {
                self.session_expiry_interval_s = Some(seconds);
            }
            Property::ReceiveMaximum(maximum) => self.receive_maximum = Some(maximum),
            Property::MaximumQoS(at_least_once) => {
                self.maximum_qos = Some(if at_least_once {
                    QoS::AtLeastOnce
                } else {
                    QoS::AtMostOnce
                });
            }
            Property::RetainAvailable(is) => self.retain_available = Some(is),
            Property::MaximumPacketSize(bytes) => self.maximum_packet_bytes = Some(bytes),
            Property::AssignedClientIdentifier(text) => {
                self.assigned_client_id = Some(text.to_owned());
            }
            Property::TopicAliasMaximum(maximum) => self.topic_alias_maximum = Some(maximum),
            Property::ReasonString(text) => self.reason_string = Some(text.to_owned()),
            Property::WildcardSubscriptionAvailable(is) => {
                self.wildcard_subscription_available = Some(is);
            }
            Property::SubscriptionIdentifierAvailable(is) => {
                self.subscription_identifiers_available = Some(is);
            }
            Property::SharedSubscriptionAvailable(is) => {
                self.shared_subscription_available = Some(is);
            }
            Property::ServerKeepAlive(seconds) => self.server_keep_alive_s = Some(seconds),
            Property::ResponseInformation(text) => {
                self.response_information = Some(text.to_owned());
            }
            Property::ServerReference(text) => self.server_reference = Some(text.to_owned()),
            Property::AuthenticationMethod(text) => {
                self.authentication_method = Some(text.to_owned());
            }
            Property::AuthenticationData(bytes) => {
                self.authentication_data = Some(bytes.to_owned());
            }
            Property::User(name, value) => {
                self.user_properties.push(property::owned(name, value));
            }
            _ => return false,
        }
        true
    }

    fn write(&self, out: &mut Vec<u8>) {
        // Exactly once has no encoding: leaving the property out says it.
        let maximum_qos = self.maximum_qos.filter(|qos| *qos != QoS::ExactlyOnce);
        let single = [
            self.session_expiry_interval_s
                .map(Property::SessionExpiryInterval),
            self.receive_maximum.map(Property::ReceiveMaximum),
            maximum_qos.map(|qos| Property::MaximumQoS(qos == QoS::AtLeastOnce)),
            self.retain_available.map(Property::RetainAvailable),
            self.maximum_packet_bytes.map(Property::MaximumPacketSize),
            self.assigned_client_id
                .as_deref()
                .map(Property::AssignedClientIdentifier),
            self.topic_alias_maximum.map(Property::TopicAliasMaximum),
            self.wildcard_subscription_available
                .map(Property::WildcardSubscriptionAvailable),
            self.subscription_identifiers_available
                .map(Property::SubscriptionIdentifierAvailable),
            self.shared_subscription_available
                .map(Property::SharedSubscriptionAvailable),
            self.server_keep_alive_s.map(Property::ServerKeepAlive),
            self.response_information
                .as_deref()
                .map(Property::ResponseInformation),
            self.server_reference
                .as_deref()
                .map(Property::ServerReference),
            self.authentication_method
                .as_deref()
                .map(Property::AuthenticationMethod),
            self.authentication_data
                .as_deref()
                .map(Property::AuthenticationData),
        ];
        for property in single.into_iter().flatten() {
            property.write(out);
        }
        property::write_explanation(out, self.reason_string.as_deref(), &self.user_properties);
    }
}
