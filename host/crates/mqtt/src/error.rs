//! What a packet can get wrong, and how that is answered.

use crate::reason::ReasonCode;
use crate::version::ProtocolVersion;

/// A packet that cannot be taken. The connection cannot go on after it: where
/// the next packet begins is not known, or must not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{packet}, {field}: {fault}")]
pub struct DecodeError {
    /// The packet, by the standard's name.
    pub packet: &'static str,
    /// The field of it.
    pub field: &'static str,
    /// What is wrong with the field.
    pub fault: Fault,
    /// For a CONNECT: the version in which a CONNACK with
    /// [`DecodeError::reason`] is understood. `None`: close without an answer,
    /// because the version is not known or has no code for it. Always `None`
    /// for other packets.
    pub answer_in: Option<ProtocolVersion>,
}

/// One way in which a field is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The first packet of a connection has to be a CONNECT [MQTT-3.1.0-1].
    #[error("the first packet is not a CONNECT")]
    NotConnect,
    /// A packet type that the version reserves.
    #[error("type {0} is reserved")]
    ReservedPacketType(u8),
    /// Bits that have to be a fixed value are not.
    #[error("reserved bits are set wrongly")]
    ReservedBits,
    /// A variable byte integer of more than four bytes, or in MQTT 5 one that
    /// is longer than it has to be [MQTT-1.5.5-1].
    #[error("not a valid variable byte integer")]
    VariableByteInteger,
    /// The packet is larger than the limit, both in bytes.
    #[error("{packet_bytes} bytes, more than the {max_packet_bytes} allowed")]
    PacketTooLarge {
        /// Of the whole packet, fixed header included.
        packet_bytes: usize,
        /// The limit.
        max_packet_bytes: usize,
    },
    /// The packet ends within the field.
    #[error("the packet ends too early")]
    Truncated,
    /// Bytes are left behind the last field.
    #[error("bytes are left at the end of the packet")]
    TrailingBytes,
    /// Not UTF-8 [MQTT-1.5.4-1].
    #[error("not valid UTF-8")]
    InvalidUtf8,
    /// U+0000 in a string [MQTT-1.5.4-2].
    #[error("holds the character U+0000")]
    NulCharacter,
    /// Not a topic name.
    #[error("not a valid topic name")]
    InvalidTopicName,
    /// An empty topic name, and no topic alias in its place.
    #[error("empty, and there is no topic alias")]
    EmptyTopic,
    /// A topic alias of 0.
    #[error("0 is not a topic alias")]
    ZeroTopicAlias,
    /// A packet identifier of 0.
    #[error("0 is not a packet identifier")]
    ZeroPacketId,
    /// A QoS of 3.
    #[error("3 is not a QoS")]
    InvalidQoS,
    /// The DUP flag on QoS 0 [MQTT-3.3.1-2].
    #[error("set on a QoS 0 message")]
    DupOnQoS0,
    /// The protocol name is neither `MQTT` nor `MQIsdp`.
    #[error("not a protocol name of MQTT")]
    UnsupportedProtocolName,
    /// A protocol level that is not spoken here, or not under this name.
    #[error("protocol level {0} is not supported")]
    UnsupportedProtocolVersion(u8),
    /// A password without a user name, before MQTT 5 [MQTT-3.1.2-22].
    #[error("there is a password and no user name")]
    PasswordWithoutUserName,
    /// Authentication data without an authentication method.
    #[error("there is authentication data and no method")]
    AuthenticationDataWithoutMethod,
    /// An AUTH that names no authentication method, and is not the short form.
    #[error("there is no authentication method")]
    NoAuthenticationMethod,
    /// No property has this identifier.
    #[error("no property has the identifier {0}")]
    UnknownProperty(u32),
    /// A property of another packet.
    #[error("not allowed in this packet")]
    PropertyNotAllowed,
    /// A property that may be there once is there again.
    #[error("there more than once")]
    DuplicateProperty,
    /// A value outside of what the standard allows.
    #[error("{0} is not an allowed value")]
    InvalidValue(u32),
    /// A reason code that is unknown, or not one of this packet's.
    #[error("0x{0:02X} is not a reason code of this packet")]
    InvalidReasonCode(u8),
    /// A list that needs at least one entry.
    #[error("the list is empty")]
    EmptyList,
    /// Session Present beside a refusal [MQTT-3.2.2-6].
    #[error("set on a refused connection")]
    SessionPresentOnRefusal,
    /// No Local on a shared subscription [MQTT-3.8.3-4].
    #[error("set on a shared subscription")]
    NoLocalOnShared,
}

impl DecodeError {
    pub(crate) fn new(packet: &'static str, field: &'static str, fault: Fault) -> Self {
        Self {
            packet,
            field,
            fault,
            answer_in: None,
        }
    }

    /// The reason code to close the connection with, where the version has them.
    #[must_use]
    pub fn reason(&self) -> ReasonCode {
        self.fault.description().1
    }

    /// A short name for counting, the same for ever.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.fault.description().0
    }
}

impl Fault {
    fn description(self) -> (&'static str, ReasonCode) {
        use ReasonCode as R;
        match self {
            Self::NotConnect => ("not connect", R::ProtocolError),
            Self::ReservedPacketType(_) => ("reserved packet type", R::MalformedPacket),
            Self::ReservedBits => ("reserved bits", R::MalformedPacket),
            Self::VariableByteInteger => ("variable byte integer", R::MalformedPacket),
            Self::PacketTooLarge { .. } => ("packet too large", R::PacketTooLarge),
            Self::Truncated => ("truncated", R::MalformedPacket),
            Self::TrailingBytes => ("trailing bytes", R::MalformedPacket),
            Self::InvalidUtf8 => ("invalid utf-8", R::MalformedPacket),
            Self::NulCharacter => ("nul character", R::MalformedPacket),
            Self::InvalidTopicName => ("invalid topic name", R::TopicNameInvalid),
            Self::EmptyTopic => ("empty topic", R::ProtocolError),
            Self::ZeroTopicAlias => ("zero topic alias", R::TopicAliasInvalid),
            Self::ZeroPacketId => ("zero packet id", R::ProtocolError),
            Self::InvalidQoS => ("invalid qos", R::MalformedPacket),
            Self::DupOnQoS0 => ("dup on qos 0", R::MalformedPacket),
            Self::UnsupportedProtocolName => {
                ("unsupported protocol name", R::UnsupportedProtocolVersion)
            }
            Self::UnsupportedProtocolVersion(_) => (
                "unsupported protocol version",
                R::UnsupportedProtocolVersion,
            ),
            Self::PasswordWithoutUserName => ("password without user name", R::MalformedPacket),
            Self::AuthenticationDataWithoutMethod => {
                ("authentication data without method", R::ProtocolError)
            }
            Self::NoAuthenticationMethod => ("no authentication method", R::ProtocolError),
            Self::UnknownProperty(_) => ("unknown property", R::MalformedPacket),
            Self::PropertyNotAllowed => ("property not allowed", R::MalformedPacket),
            Self::DuplicateProperty => ("duplicate property", R::ProtocolError),
            Self::InvalidValue(_) => ("invalid value", R::ProtocolError),
            Self::InvalidReasonCode(_) => ("invalid reason code", R::MalformedPacket),
            Self::EmptyList => ("empty list", R::ProtocolError),
            Self::SessionPresentOnRefusal => ("session present on refusal", R::ProtocolError),
            Self::NoLocalOnShared => ("no local on shared", R::ProtocolError),
        }
    }
}
