//! DISCONNECT.

use crate::error::DecodeError;
use crate::property::{self, Properties, Property};
use crate::reader::Reader;
use crate::{ProtocolVersion, ReasonCode, writer};

const REASONS: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::DisconnectWithWill,
    ReasonCode::UnspecifiedError,
    ReasonCode::MalformedPacket,
    ReasonCode::ProtocolError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::NotAuthorized,
    ReasonCode::ServerBusy,
    ReasonCode::ServerShuttingDown,
    ReasonCode::BadAuthenticationMethod,
    ReasonCode::KeepAliveTimeout,
    ReasonCode::SessionTakenOver,
    ReasonCode::TopicFilterInvalid,
    ReasonCode::TopicNameInvalid,
    ReasonCode::ReceiveMaximumExceeded,
    ReasonCode::TopicAliasInvalid,
    ReasonCode::PacketTooLarge,
    ReasonCode::MessageRateTooHigh,
    ReasonCode::QuotaExceeded,
    ReasonCode::AdministrativeAction,
    ReasonCode::PayloadFormatInvalid,
    ReasonCode::RetainNotSupported,
    ReasonCode::QoSNotSupported,
    ReasonCode::UseAnotherServer,
    ReasonCode::ServerMoved,
    ReasonCode::SharedSubscriptionsNotSupported,
    ReasonCode::ConnectionRateExceeded,
    ReasonCode::MaximumConnectTime,
    ReasonCode::SubscriptionIdentifiersNotSupported,
    ReasonCode::WildcardSubscriptionsNotSupported,
];

/// The connection ends on purpose. Before MQTT 5 only a client sends it, and
/// it says nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disconnect {
    /// Why; success is a normal disconnection.
    pub reason: ReasonCode,
    /// A client's last word on how long its session stays; in seconds.
    pub session_expiry_interval_s: Option<u32>,
    /// For a person.
    pub reason_string: Option<String>,
    /// Where else to connect to.
    pub server_reference: Option<String>,
    /// Names and values, in order.
    pub user_properties: Vec<(String, String)>,
}

impl Disconnect {
    /// Whether the packet may say this reason, section 3.14.2.1.
    #[must_use]
    pub fn allows(reason: ReasonCode) -> bool {
        REASONS.contains(&reason)
    }

    /// A DISCONNECT that says `reason` and nothing more.
    #[must_use]
    pub fn with_reason(reason: ReasonCode) -> Self {
        Self {
            reason,
            ..Self::default()
        }
    }

    pub(crate) fn decode(body: &[u8], version: ProtocolVersion) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("DISCONNECT", body);
        let mut disconnect = Self::default();
        // Both the reason and the properties may be left out at the end.
        if version.is_v5() && !reader.is_empty() {
            disconnect.reason = property::reason_code(&mut reader, REASONS)?;
            if !reader.is_empty() {
                disconnect.read_properties(&mut reader)?;
            }
        }
        reader.finish()?;
        Ok(disconnect)
    }

    fn read_properties(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let mut properties = Properties::read(reader)?;
        while let Some(property) = properties.next()? {
            match property {
                Property::SessionExpiryInterval(seconds) => {
                    self.session_expiry_interval_s = Some(seconds);
                }
                Property::ReasonString(text) => self.reason_string = Some(text.to_owned()),
                Property::ServerReference(text) => self.server_reference = Some(text.to_owned()),
                Property::User(name, value) => {
                    self.user_properties.push(property::owned(name, value));
                }
                other => return Err(properties.not_allowed(other)),
            }
        }
        Ok(())
    }

    /// Appends the packet to `out`, in the shortest form that says it all.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        let bare = self.session_expiry_interval_s.is_none()
            && self.reason_string.is_none()
            && self.server_reference.is_none()
            && self.user_properties.is_empty();
        if !version.is_v5() || (bare && self.reason == ReasonCode::Success) {
            out.extend_from_slice(&[0xE0, 0]);
        } else if bare {
            out.extend_from_slice(&[0xE0, 1, self.reason.as_u8()]);
        } else {
            writer::packet(out, 0xE0, |out| {
                out.push(self.reason.as_u8());
                writer::length_prefixed(out, |out| self.write_properties(out));
            });
        }
    }

    fn write_properties(&self, out: &mut Vec<u8>) {
        if let Some(seconds) = self.session_expiry_interval_s {
            Property::SessionExpiryInterval(seconds).write(out);
        }
        if let Some(text) = &self.server_reference {
            Property::ServerReference(text).write(out);
        }
        property::write_explanation(out, self.reason_string.as_deref(), &self.user_properties);
    }
}
