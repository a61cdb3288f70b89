//! Reason codes: how a packet says what became of another one.

use std::fmt;

/// Not a reason code of MQTT 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("0x{0:02X} is not a reason code of MQTT 5")]
pub struct UnknownReasonCode(pub u8);

macro_rules! reason_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// A reason code, MQTT 5 table 2-6. Codes from 0x80 say that something failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(u8)]
        pub enum ReasonCode {
            $($(#[$doc])* $name = $code,)*
        }

        impl ReasonCode {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The standard's name for it, in lower case.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        impl TryFrom<u8> for ReasonCode {
            type Error = UnknownReasonCode;

            fn try_from(code: u8) -> Result<Self, UnknownReasonCode> {
                match code {
                    $($code => Ok(Self::$name),)*
                    other => Err(UnknownReasonCode(other)),
                }
            }
        }
    };
}

reason_codes! {
    /// Success; in DISCONNECT a normal disconnection, in SUBACK granted QoS 0.
    #[default]
    Success = 0x00, "success";
    /// The subscription is granted with QoS 1.
    GrantedQoS1 = 0x01, "granted QoS 1";
    /// The subscription is granted with QoS 2.
    GrantedQoS2 = 0x02, "granted QoS 2";
    /// The client goes and wants its will published.
    DisconnectWithWill = 0x04, "disconnect with will message";
    /// Accepted, and nobody subscribes to it.
    NoMatchingSubscribers = 0x10, "no matching subscribers";
    /// There was no such subscription.
    NoSubscriptionExisted = 0x11, "no subscription existed";
    /// Authentication goes on.
    ContinueAuthentication = 0x18, "continue authentication";
    /// Authentication begins anew.
    ReAuthenticate = 0x19, "re-authenticate";
    /// Something else.
    UnspecifiedError = 0x80, "unspecified error";
    /// The packet cannot be read.
    MalformedPacket = 0x81, "malformed packet";
    /// The packet is not allowed to be so, or to come now.
    ProtocolError = 0x82, "protocol error";
    /// Valid, but not accepted here.
    ImplementationSpecificError = 0x83, "implementation specific error";
    /// The version is not spoken here.
    UnsupportedProtocolVersion = 0x84, "unsupported protocol version";
    /// The client identifier is not allowed.
    ClientIdentifierNotValid = 0x85, "client identifier not valid";
    /// User name or password are not accepted.
    BadUserNameOrPassword = 0x86, "bad user name or password";
    /// Not allowed.
    NotAuthorized = 0x87, "not authorized";
    /// The server is not available.
    ServerUnavailable = 0x88, "server unavailable";
    /// The server is busy.
    ServerBusy = 0x89, "server busy";
    /// The client is banned.
    Banned = 0x8A, "banned";
    /// The server goes down.
    ServerShuttingDown = 0x8B, "server shutting down";
    /// The authentication method is not supported, or not the one in use.
    BadAuthenticationMethod = 0x8C, "bad authentication method";
    /// Silence for one and a half keep-alive intervals.
    KeepAliveTimeout = 0x8D, "keep alive timeout";
    /// Another connection uses the client identifier.
    SessionTakenOver = 0x8E, "session taken over";
    /// The filter is well formed and not accepted, or not well formed.
    TopicFilterInvalid = 0x8F, "topic filter invalid";
    /// The topic name is well formed and not accepted, or not well formed.
    TopicNameInvalid = 0x90, "topic name invalid";
    /// The packet identifier is in use.
    PacketIdentifierInUse = 0x91, "packet identifier in use";
    /// The packet identifier is not known.
    PacketIdentifierNotFound = 0x92, "packet identifier not found";
    /// More publishes at once than Receive Maximum.
    ReceiveMaximumExceeded = 0x93, "receive maximum exceeded";
    /// The topic alias is 0, too large, or was never set.
    TopicAliasInvalid = 0x94, "topic alias invalid";
    /// The packet is over Maximum Packet Size.
    PacketTooLarge = 0x95, "packet too large";
    /// Too many messages.
    MessageRateTooHigh = 0x96, "message rate too high";
    /// A quota is used up.
    QuotaExceeded = 0x97, "quota exceeded";
    /// An administrator closed the connection.
    AdministrativeAction = 0x98, "administrative action";
    /// The payload is not what its format indicator says.
    PayloadFormatInvalid = 0x99, "payload format invalid";
    /// Retained messages are not supported.
    RetainNotSupported = 0x9A, "retain not supported";
    /// The QoS is above Maximum QoS.
    QoSNotSupported = 0x9B, "QoS not supported";
    /// Use another server for now.
    UseAnotherServer = 0x9C, "use another server";
    /// Use another server from now on.
    ServerMoved = 0x9D, "server moved";
    /// Shared subscriptions are not supported.
    SharedSubscriptionsNotSupported = 0x9E, "shared subscriptions not supported";
    /// Too many connections a second.
    ConnectionRateExceeded = 0x9F, "connection rate exceeded";
    /// The connection has lasted as long as it may.
    MaximumConnectTime = 0xA0, "maximum connect time";
    /// Subscription identifiers are not supported.
    SubscriptionIdentifiersNotSupported = 0xA1, "subscription identifiers not supported";
    /// Wildcard subscriptions are not supported.
    WildcardSubscriptionsNotSupported = 0xA2, "wildcard subscriptions not supported";
}

impl ReasonCode {
    /// The code on the wire.
    #[must_use]
    pub fn as_u8(self) -> u8 {
        self as u8
    }

    /// Whether something failed: 0x80 and above.
    #[must_use]
    pub fn is_error(self) -> bool {
        self.as_u8() >= 0x80
    }

    /// The CONNACK return code of MQTT 3.1.1 and 3.1 that says it best, 0 to 5. What
    /// has no code of its own is 3 (server unavailable) when trying again can
    /// help, 5 (not authorized) when it cannot.
    #[must_use]
    pub fn connack_return_code_311(self) -> u8 {
        match self {
            _ if !self.is_error() => 0,
            Self::UnsupportedProtocolVersion => 1,
            Self::ClientIdentifierNotValid => 2,
            Self::BadUserNameOrPassword | Self::BadAuthenticationMethod => 4,
            Self::NotAuthorized
            | Self::Banned
            | Self::MalformedPacket
            | Self::ProtocolError
            | Self::TopicNameInvalid
            | Self::PacketTooLarge
            | Self::PayloadFormatInvalid
            | Self::RetainNotSupported
            | Self::QoSNotSupported => 5,
            _ => 3,
        }
    }

    pub(crate) fn from_connack_return_code_311(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Success),
            1 => Some(Self::UnsupportedProtocolVersion),
            2 => Some(Self::ClientIdentifierNotValid),
            3 => Some(Self::ServerUnavailable),
            4 => Some(Self::BadUserNameOrPassword),
            5 => Some(Self::NotAuthorized),
            _ => None,
        }
    }

    /// The SUBACK code that grants `qos`.
    #[must_use]
    pub fn granted(qos: crate::QoS) -> Self {
        match qos {
            crate::QoS::AtMostOnce => Self::Success,
            crate::QoS::AtLeastOnce => Self::GrantedQoS1,
            crate::QoS::ExactlyOnce => Self::GrantedQoS2,
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02X})", self.name(), self.as_u8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_table() {
        for &reason in ReasonCode::ALL {
            assert_eq!(ReasonCode::try_from(reason.as_u8()), Ok(reason));
        }
        assert_eq!(ReasonCode::ALL.len(), 43);
        assert_eq!(ReasonCode::try_from(0x03), Err(UnknownReasonCode(0x03)));
        assert_eq!(ReasonCode::try_from(0xA3), Err(UnknownReasonCode(0xA3)));
        assert!(!ReasonCode::ReAuthenticate.is_error());
        assert!(ReasonCode::UnspecifiedError.is_error());
    }

    #[test]
    fn every_refusal_has_a_return_code_of_3_1_1() {
        for &reason in ReasonCode::ALL {
            let code = reason.connack_return_code_311();
            assert_eq!(code != 0, reason.is_error(), "{reason}");
            assert!(code <= 5, "{reason}");
        }
        for code in 0..=5 {
            let reason = ReasonCode::from_connack_return_code_311(code);
            assert_eq!(reason.map(ReasonCode::connack_return_code_311), Some(code));
        }
    }
}
