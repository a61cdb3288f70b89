//! The properties of MQTT 5, section 2.2.2.2: one type that reads and writes
//! them all. Which of them a packet allows is that packet's business.

use crate::error::{DecodeError, Fault};
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::writer;

/// One property and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Property<'a> {
    PayloadFormatIndicator(bool),
    MessageExpiryInterval(u32),
    ContentType(&'a str),
    ResponseTopic(&'a str),
    CorrelationData(&'a [u8]),
    SubscriptionIdentifier(u32),
    SessionExpiryInterval(u32),
    AssignedClientIdentifier(&'a str),
    ServerKeepAlive(u16),
    AuthenticationMethod(&'a str),
    AuthenticationData(&'a [u8]),
    RequestProblemInformation(bool),
    WillDelayInterval(u32),
    RequestResponseInformation(bool),
    ResponseInformation(&'a str),
    ServerReference(&'a str),
    ReasonString(&'a str),
    ReceiveMaximum(u16),
    TopicAliasMaximum(u16),
    TopicAlias(u16),
    MaximumQoS(bool),
    RetainAvailable(bool),
    User(&'a str, &'a str),
    MaximumPacketSize(u32),
    WildcardSubscriptionAvailable(bool),
    SubscriptionIdentifierAvailable(bool),
    SharedSubscriptionAvailable(bool),
}

impl<'a> Property<'a> {
    /// Reads one property and checks its value as far as the packet it is in
    /// does not matter.
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let id = reader.variable_byte_integer("property identifier")?;
        let property = match id {
            0x01 => Self::PayloadFormatIndicator(flag(reader, "payload format indicator")?),
            0x02 => Self::MessageExpiryInterval(reader.u32("message expiry interval")?),
            0x03 => Self::ContentType(reader.string("content type")?),
            0x08 => Self::ResponseTopic(response_topic(reader)?),
            0x09 => Self::CorrelationData(reader.binary("correlation data")?),
            0x0B => Self::SubscriptionIdentifier(subscription_identifier(reader)?),
            0x11 => Self::SessionExpiryInterval(reader.u32("session expiry interval")?),
            0x12 => Self::AssignedClientIdentifier(reader.string("assigned client identifier")?),
            0x13 => Self::ServerKeepAlive(reader.u16("server keep alive")?),
            0x15 => Self::AuthenticationMethod(reader.string("authentication method")?),
            0x16 => Self::AuthenticationData(reader.binary("authentication data")?),
            0x17 => Self::RequestProblemInformation(flag(reader, "request problem information")?),
            0x18 => Self::WillDelayInterval(reader.u32("will delay interval")?),
            0x19 => Self::RequestResponseInformation(flag(reader, "request response information")?),
            0x1A => Self::ResponseInformation(reader.string("response information")?),
            0x1C => Self::ServerReference(reader.string("server reference")?),
            0x1F => Self::ReasonString(reader.string("reason string")?),
            0x21 => Self::ReceiveMaximum(receive_maximum(reader)?),
            0x22 => Self::TopicAliasMaximum(reader.u16("topic alias maximum")?),
            0x23 => Self::TopicAlias(topic_alias(reader)?),
            0x24 => Self::MaximumQoS(flag(reader, "maximum QoS")?),
            0x25 => Self::RetainAvailable(flag(reader, "retain available")?),
            0x26 => Self::User(
                reader.string("user property name")?,
                reader.string("user property value")?,
            ),
            0x27 => Self::MaximumPacketSize(maximum_packet_size(reader)?),
            0x28 => Self::WildcardSubscriptionAvailable(flag(
                reader,
                "wildcard subscription available",
            )?),
            0x29 => Self::SubscriptionIdentifierAvailable(flag(
                reader,
                "subscription identifiers available",
            )?),
            0x2A => {
                Self::SharedSubscriptionAvailable(flag(reader, "shared subscription available")?)
            }
            other => {
                return Err(reader.error("property identifier", Fault::UnknownProperty(other)));
            }
        };
        Ok(property)
    }

    /// Its identifier, and its name in the standard.
    fn description(self) -> (u8, &'static str) {
        match self {
            Self::PayloadFormatIndicator(_) => (0x01, "payload format indicator"),
            Self::MessageExpiryInterval(_) => (0x02, "message expiry interval"),
            Self::ContentType(_) => (0x03, "content type"),
            Self::ResponseTopic(_) => (0x08, "response topic"),
            Self::CorrelationData(_) => (0x09, "correlation data"),
            Self::SubscriptionIdentifier(_) => (0x0B, "subscription identifier"),
            Self::SessionExpiryInterval(_) => (0x11, "session expiry interval"),
            Self::AssignedClientIdentifier(_) => (0x12, "assigned client identifier"),
            Self::ServerKeepAlive(_) => (0x13, "server keep alive"),
            Self::AuthenticationMethod(_) => (0x15, "authentication method"),
            Self::AuthenticationData(_) => (0x16, "authentication data"),
            Self::RequestProblemInformation(_) => (0x17, "request problem information"),
            Self::WillDelayInterval(_) => (0x18, "will delay interval"),
            Self::RequestResponseInformation(_) => (0x19, "request response information"),
            Self::ResponseInformation(_) => (0x1A, "response information"),
            Self::ServerReference(_) => (0x1C, "server reference"),
            Self::ReasonString(_) => (0x1F, "reason string"),
            Self::ReceiveMaximum(_) => (0x21, "receive maximum"),
            Self::TopicAliasMaximum(_) => (0x22, "topic alias maximum"),
            Self::TopicAlias(_) => (0x23, "topic alias"),
            Self::MaximumQoS(_) => (0x24, "maximum QoS"),
            Self::RetainAvailable(_) => (0x25, "retain available"),
            Self::User(..) => (0x26, "user property"),
            Self::MaximumPacketSize(_) => (0x27, "maximum packet size"),
            Self::WildcardSubscriptionAvailable(_) => (0x28, "wildcard subscription available"),
            Self::SubscriptionIdentifierAvailable(_) => {
                (0x29, "subscription identifiers available")
            }
            Self::SharedSubscriptionAvailable(_) => (0x2A, "shared subscription available"),
        }
    }

    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.push(self.description().0);
        match self {
            Self::PayloadFormatIndicator(flag)
            | Self::RequestProblemInformation(flag)
            | Self::RequestResponseInformation(flag)
            | Self::MaximumQoS(flag)
            | Self::RetainAvailable(flag)
            | Self::WildcardSubscriptionAvailable(flag)
            | Self::SubscriptionIdentifierAvailable(flag)
            | Self::SharedSubscriptionAvailable(flag) => out.push(flag.into()),
            Self::ServerKeepAlive(number)
            | Self::ReceiveMaximum(number)
            | Self::TopicAliasMaximum(number)
            | Self::TopicAlias(number) => writer::u16(out, number),
            Self::MessageExpiryInterval(number)
            | Self::SessionExpiryInterval(number)
            | Self::WillDelayInterval(number)
            | Self::MaximumPacketSize(number) => writer::u32(out, number),
            Self::SubscriptionIdentifier(number) => {
                writer::variable_byte_integer(out, number as usize);
            }
            Self::ContentType(text)
            | Self::ResponseTopic(text)
            | Self::AssignedClientIdentifier(text)
            | Self::AuthenticationMethod(text)
            | Self::ResponseInformation(text)
            | Self::ServerReference(text)
            | Self::ReasonString(text) => writer::string(out, text),
            Self::CorrelationData(bytes) | Self::AuthenticationData(bytes) => {
                writer::binary(out, bytes);
            }
            Self::User(name, value) => {
                writer::string(out, name);
                writer::string(out, value);
            }
        }
    }
}

fn flag(reader: &mut Reader<'_>, field: &'static str) -> Result<bool, DecodeError> {
    match reader.u8(field)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(reader.error(field, Fault::InvalidValue(other.into()))),
    }
}

fn response_topic<'a>(reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let topic = reader.string("response topic")?;
    match crate::TopicName::new(topic) {
        Ok(_) => Ok(topic),
        Err(_) => Err(reader.error("response topic", Fault::InvalidTopicName)),
    }
}

fn subscription_identifier(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    match reader.variable_byte_integer("subscription identifier")? {
        0 => Err(reader.error("subscription identifier", Fault::InvalidValue(0))),
        identifier => Ok(identifier),
    }
}

fn receive_maximum(reader: &mut Reader<'_>) -> Result<u16, DecodeError> {
    match reader.u16("receive maximum")? {
        0 => Err(reader.error("receive maximum", Fault::InvalidValue(0))),
        maximum => Ok(maximum),
    }
}

fn topic_alias(reader: &mut Reader<'_>) -> Result<u16, DecodeError> {
    match reader.u16("topic alias")? {
        0 => Err(reader.error("topic alias", Fault::ZeroTopicAlias)),
        alias => Ok(alias),
    }
}

fn maximum_packet_size(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    match reader.u32("maximum packet size")? {
        0 => Err(reader.error("maximum packet size", Fault::InvalidValue(0))),
        bytes => Ok(bytes),
    }
}

/// Walks over the properties of one packet, and sees to it that each is there
/// once. User properties may repeat; subscription identifiers may as well, and
/// a SUBSCRIBE counts them itself.
pub(crate) struct Properties<'a> {
    reader: Reader<'a>,
    seen: u64,
}

impl<'a> Properties<'a> {
    /// Reads the length that stands before the properties.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let length = reader.variable_byte_integer("property length")?;
        let bytes = reader.bytes(length as usize, "properties")?;
        Ok(Self::over(reader.within(bytes)))
    }

    /// Walks over bytes without a length before them.
    pub(crate) fn over(reader: Reader<'a>) -> Self {
        Self { reader, seen: 0 }
    }

    /// The bytes not walked over yet.
    pub(crate) fn unread(&self) -> &'a [u8] {
        self.reader.peek()
    }

    pub(crate) fn next(&mut self) -> Result<Option<Property<'a>>, DecodeError> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let property = Property::read(&mut self.reader)?;
        let (id, name) = property.description();
        let repeats = matches!(
            property,
            Property::User(..) | Property::SubscriptionIdentifier(_)
        );
        // Identifiers end at 0x2A, so that each has a bit.
        let bit = 1_u64 << (id & 0x3F);
        if !repeats && self.seen & bit != 0 {
            return Err(self.reader.error(name, Fault::DuplicateProperty));
        }
        self.seen |= bit;
        Ok(Some(property))
    }

    pub(crate) fn not_allowed(&self, property: Property<'_>) -> DecodeError {
        let name = property.description().1;
        self.reader.error(name, Fault::PropertyNotAllowed)
    }

    pub(crate) fn error(&self, field: &'static str, fault: Fault) -> DecodeError {
        self.reader.error(field, fault)
    }
}

/// The two properties that every answer may carry, read or written together.
#[derive(Debug, Default)]
pub(crate) struct Explanation {
    pub(crate) reason_string: Option<String>,
    pub(crate) user_properties: Vec<(String, String)>,
}

impl Explanation {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut explanation = Self::default();
        let mut properties = Properties::read(reader)?;
        while let Some(property) = properties.next()? {
            match property {
                Property::ReasonString(text) => explanation.reason_string = Some(text.to_owned()),
                Property::User(name, value) => {
                    explanation.user_properties.push(owned(name, value));
                }
                other => return Err(properties.not_allowed(other)),
            }
        }
        Ok(explanation)
    }
}

pub(crate) fn owned(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

pub(crate) fn write_explanation(
    out: &mut Vec<u8>,
    reason_string: Option<&str>,
    user_properties: &[(String, String)],
) {
    if let Some(text) = reason_string {
        Property::ReasonString(text).write(out);
    }
    write_user_properties(out, user_properties);
}

pub(crate) fn write_user_properties(out: &mut Vec<u8>, user_properties: &[(String, String)]) {
    for (name, value) in user_properties {
        Property::User(name, value).write(out);
    }
}

/// Reads a reason code and checks that it is one of `allowed`.
pub(crate) fn reason_code(
    reader: &mut Reader<'_>,
    allowed: &[ReasonCode],
) -> Result<ReasonCode, DecodeError> {
    let code = reader.u8("reason code")?;
    ReasonCode::try_from(code)
        .ok()
        .filter(|reason| allowed.contains(reason))
        .ok_or_else(|| reader.error("reason code", Fault::InvalidReasonCode(code)))
}

/// Reads reason codes to the end of the packet; there has to be one.
pub(crate) fn reason_codes(
    reader: &mut Reader<'_>,
    allowed: &[ReasonCode],
) -> Result<Vec<ReasonCode>, DecodeError> {
    let mut reasons = Vec::new();
    while !reader.is_empty() {
        reasons.push(reason_code(reader, allowed)?);
    }
    if reasons.is_empty() {
        return Err(reader.error("reason codes", Fault::EmptyList));
    }
    Ok(reasons)
}
