//! CONNECT.

use crate::error::{DecodeError, Fault};
use crate::property::{self, Properties, Property};
use crate::publish_properties;
use crate::reader::Reader;
use crate::{ProtocolVersion, QoS, TopicName, writer};

const USER_NAME: u8 = 0b1000_0000;
const PASSWORD: u8 = 0b0100_0000;
const WILL_RETAIN: u8 = 0b0010_0000;
const WILL: u8 = 0b0000_0100;
const CLEAN_START: u8 = 0b0000_0010;
const RESERVED: u8 = 0b0000_0001;

/// A client introduces itself. What only MQTT 5 can say has its default in a
/// CONNECT of an older one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// The version it is written in, and that the connection speaks.
    pub version: ProtocolVersion,
    /// Begin without an old session; Clean Session before MQTT 5.
    pub clean_start: bool,
    /// Longest silence of the client, in seconds; 0 for any.
    pub keep_alive_s: u16,
    /// May be empty: then the server assigns one, or refuses it: in MQTT 3.1.1
    /// without a clean session [MQTT-3.1.3-8], in MQTT 3.1 always. MQTT 3.1
    /// wants 23 characters at most, which is not held against anyone here.
    pub client_id: String,
    /// Who it is.
    pub username: Option<String>,
    /// Any bytes. Before MQTT 5 never without a user name, and not written then.
    pub password: Option<Vec<u8>>,
    /// Published when the client goes without DISCONNECT.
    pub will: Option<Will>,
    /// How long the session outlives the connection, in seconds; `u32::MAX`
    /// for ever. Before MQTT 5: 0 with a clean session, else `u32::MAX`.
    pub session_expiry_interval_s: u32,
    /// QoS 1 and 2 publishes it takes at once; never 0.
    pub receive_maximum: u16,
    /// The largest packet it takes, in bytes; never 0.
    pub maximum_packet_bytes: Option<u32>,
    /// The highest topic alias it takes; 0 for none.
    pub topic_alias_maximum: u16,
    /// It asks for response information.
    pub request_response_information: bool,
    /// It takes reason strings and user properties with any packet.
    pub request_problem_information: bool,
    /// Names and values, in order.
    pub user_properties: Vec<(String, String)>,
    /// The name of extended authentication it asks for.
    pub authentication_method: Option<String>,
    /// What the method defines; never without a method.
    pub authentication_data: Option<Vec<u8>>,
}

/// The message that a client leaves behind for the case that it is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// A valid topic name.
    pub topic: String,
    /// The application's bytes.
    pub payload: Vec<u8>,
    /// QoS to publish it with.
    pub qos: QoS,
    /// Whether to keep it.
    pub retain: bool,
    /// How long after the connection it is published, in seconds.
    pub delay_interval_s: u32,
    /// Encoded properties of the message, checked as for
    /// [`crate::PublishProperties::from_validated`].
    pub properties: Vec<u8>,
}

impl Connect {
    /// A CONNECT with a clean start and the standard's defaults.
    #[must_use]
    pub fn new(version: ProtocolVersion, client_id: impl Into<String>) -> Self {
        Self {
            version,
            clean_start: true,
            keep_alive_s: 0,
            client_id: client_id.into(),
            username: None,
            password: None,
            will: None,
            session_expiry_interval_s: 0,
            receive_maximum: u16::MAX,
            maximum_packet_bytes: None,
            topic_alias_maximum: 0,
            request_response_information: false,
            request_problem_information: true,
            user_properties: Vec::new(),
            authentication_method: None,
            authentication_data: None,
        }
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("CONNECT", body);
        let version = read_version(&mut reader)?;
        Self::read(&mut reader, version).map_err(|error| DecodeError {
            // Before MQTT 5 there is no return code for a packet that is wrong
            // [MQTT-3.1.4-1]: the connection just closes.
            answer_in: version.is_v5().then_some(version),
            ..error
        })
    }

    fn read(reader: &mut Reader<'_>, version: ProtocolVersion) -> Result<Self, DecodeError> {
        let flags = reader.u8("connect flags")?;
        check_flags(flags, version, reader)?;
        let mut connect = Self::new(version, "");
        connect.clean_start = flags & CLEAN_START != 0;
        connect.keep_alive_s = reader.u16("keep alive")?;
        if version.is_v5() {
            connect.read_properties(reader)?;
        } else if !connect.clean_start {
            connect.session_expiry_interval_s = u32::MAX;
        }
        reader
            .string("client identifier")?
            .clone_into(&mut connect.client_id);
        if flags & WILL != 0 {
            connect.will = Some(Will::read(flags, reader, version)?);
        }
        // MQTT 3.1 lets the packet end where the flags announce more, as packets
        // of its forerunner do: its length counts for more than these flags.
        let has_more = |reader: &Reader<'_>| version != ProtocolVersion::V31 || !reader.is_empty();
        if flags & USER_NAME != 0 && has_more(reader) {
            connect.username = Some(reader.string("user name")?.to_owned());
        }
        if flags & PASSWORD != 0 && has_more(reader) {
            connect.password = Some(reader.binary("password")?.to_owned());
        }
        reader.finish()?;
        Ok(connect)
    }

    fn read_properties(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let mut properties = Properties::read(reader)?;
        while let Some(property) = properties.next()? {
            match property {
                Property::SessionExpiryInterval(seconds) => {
                    self.session_expiry_interval_s = seconds;
                }
                Property::ReceiveMaximum(maximum) => self.receive_maximum = maximum,
                Property::MaximumPacketSize(bytes) => self.maximum_packet_bytes = Some(bytes),
                Property::TopicAliasMaximum(maximum) => self.topic_alias_maximum = maximum,
                Property::RequestResponseInformation(wanted) => {
                    self.request_response_information = wanted;
                }
                Property::RequestProblemInformation(wanted) => {
                    self.request_problem_information = wanted;
                }
                Property::User(name, value) => {
                    self.user_properties.push(property::owned(name, value));
                }
                Property::AuthenticationMethod(text) => {
                    self.authentication_method = Some(text.to_owned());
                }
                Property::AuthenticationData(bytes) => {
                    self.authentication_data = Some(bytes.to_owned());
                }
                other => return Err(properties.not_allowed(other)),
            }
        }
        if self.authentication_data.is_some() && self.authentication_method.is_none() {
            let fault = Fault::AuthenticationDataWithoutMethod;
            return Err(reader.error("authentication data", fault));
        }
        Ok(())
    }

    /// Appends the packet to `out`, in its own version.
    pub fn encode(&self, out: &mut Vec<u8>) {
        writer::packet(out, 0x10, |out| {
            writer::string(out, self.version.protocol_name());
            out.push(self.version.level());
            out.push(self.flags());
            writer::u16(out, self.keep_alive_s);
            if self.version.is_v5() {
                writer::length_prefixed(out, |out| self.write_properties(out));
            }
            writer::string(out, &self.client_id);
            if let Some(will) = &self.will {
                will.write(out, self.version);
            }
            if let Some(username) = &self.username {
                writer::string(out, username);
            }
            if let Some(password) = self.sent_password() {
                writer::binary(out, password);
            }
        });
    }

    fn flags(&self) -> u8 {
        let mut flags = 0;
        if self.clean_start {
            flags |= CLEAN_START;
        }
        if let Some(will) = &self.will {
            flags |= WILL | will.qos.as_u8() << 3;
            if will.retain {
                flags |= WILL_RETAIN;
            }
        }
        if self.username.is_some() {
            flags |= USER_NAME;
        }
        if self.sent_password().is_some() {
            flags |= PASSWORD;
        }
        flags
    }

    /// The password, unless it is one without a user name before MQTT 5.
    fn sent_password(&self) -> Option<&[u8]> {
        let allowed = self.version.is_v5() || self.username.is_some();
        self.password.as_deref().filter(|_| allowed)
    }

    fn write_properties(&self, out: &mut Vec<u8>) {
        let session_expiry = self.session_expiry_interval_s;
        let single = [
            (session_expiry != 0).then_some(Property::SessionExpiryInterval(session_expiry)),
            (self.receive_maximum != u16::MAX)
                .then_some(Property::ReceiveMaximum(self.receive_maximum)),
            self.maximum_packet_bytes.map(Property::MaximumPacketSize),
            (self.topic_alias_maximum != 0)
                .then_some(Property::TopicAliasMaximum(self.topic_alias_maximum)),
            self.request_response_information
                .then_some(Property::RequestResponseInformation(true)),
            (!self.request_problem_information)
                .then_some(Property::RequestProblemInformation(false)),
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
        property::write_user_properties(out, &self.user_properties);
    }
}

fn read_version(reader: &mut Reader<'_>) -> Result<ProtocolVersion, DecodeError> {
    let name = reader.binary("protocol name")?;
    if name != b"MQTT" && name != b"MQIsdp" {
        return Err(reader.error("protocol name", Fault::UnsupportedProtocolName));
    }
    let level = reader.u8("protocol level")?;
    match (name, level) {
        (b"MQIsdp", 3) => Ok(ProtocolVersion::V31),
        (b"MQTT", 4) => Ok(ProtocolVersion::V311),
        (b"MQTT", 5) => Ok(ProtocolVersion::V5),
        _ => {
            let fault = Fault::UnsupportedProtocolVersion(level);
            // Levels from 0x80 are those of old bridges. The return code of
            // 3.1.1 is what everything before MQTT 5 understands, and all that
            // is called by the old name.
            let newer = name == b"MQTT" && (6..0x80).contains(&level);
            Err(DecodeError {
                answer_in: Some(if newer {
                    ProtocolVersion::V5
                } else {
                    ProtocolVersion::V311
                }),
                ..reader.error("protocol level", fault)
            })
        }
    }
}

fn check_flags(
    flags: u8,
    version: ProtocolVersion,
    reader: &Reader<'_>,
) -> Result<(), DecodeError> {
    const FIELD: &str = "connect flags";
    // MQTT 3.1 does not use this bit, nor those of a will that is not there.
    let strict = version != ProtocolVersion::V31;
    if strict && flags & RESERVED != 0 {
        return Err(reader.error(FIELD, Fault::ReservedBits));
    }
    let will_qos = (flags >> 3) & 0b11;
    if will_qos == 3 && (strict || flags & WILL != 0) {
        return Err(reader.error("will QoS", Fault::InvalidQoS));
    }
    // Without a will its QoS and its retain flag are 0 [MQTT-3.1.2-11].
    if strict && flags & WILL == 0 && (will_qos != 0 || flags & WILL_RETAIN != 0) {
        return Err(reader.error(FIELD, Fault::ReservedBits));
    }
    let password_alone = flags & PASSWORD != 0 && flags & USER_NAME == 0;
    if !version.is_v5() && password_alone {
        return Err(reader.error(FIELD, Fault::PasswordWithoutUserName));
    }
    Ok(())
}

impl Will {
    fn read(
        flags: u8,
        reader: &mut Reader<'_>,
        version: ProtocolVersion,
    ) -> Result<Self, DecodeError> {
        let qos = QoS::try_from((flags >> 3) & 0b11)
            .map_err(|_| reader.error("will QoS", Fault::InvalidQoS))?;
        let (delay_interval_s, properties) = if version.is_v5() {
            publish_properties::read_will(reader)?
        } else {
            (0, Vec::new())
        };
        let topic = reader.string("will topic")?;
        if TopicName::new(topic).is_err() {
            return Err(reader.error("will topic", Fault::InvalidTopicName));
        }
        Ok(Self {
            topic: topic.to_owned(),
            payload: reader.binary("will payload")?.to_owned(),
            qos,
            retain: flags & WILL_RETAIN != 0,
            delay_interval_s,
            properties,
        })
    }

    fn write(&self, out: &mut Vec<u8>, version: ProtocolVersion) {
        if version.is_v5() {
            writer::length_prefixed(out, |out| {
                if self.delay_interval_s != 0 {
                    Property::WillDelayInterval(self.delay_interval_s).write(out);
                }
                out.extend_from_slice(&self.properties);
            });
        }
        writer::string(out, &self.topic);
        writer::binary(out, &self.payload);
    }
}
