//! What a message has beside its fields: other properties of MQTT 5 as names and
//! texts, in both directions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hookwire_broker::Message;
use hookwire_mqtt::{MessageProperties, PublishProperties, TopicName};

/// Names of the attributes, as `hookwire:types/events` documents them.
const CONTENT_TYPE: &str = "content-type";
const RESPONSE_TOPIC: &str = "response-topic";
const CORRELATION_DATA: &str = "correlation-data";
const PAYLOAD_FORMAT: &str = "payload-format";
const PACKET_ID: &str = "packet-id";
/// The one format that there is.
const UTF8: &str = "utf-8";

/// An attribute whose value had to be made.
pub type Extra = (&'static str, String);

/// The attributes of a message; of a publish, with its packet id.
#[must_use]
pub fn of_message(message: &Message, is_publish: bool) -> Vec<Extra> {
    let mut extras = Vec::new();
    if let Some(id) = message.packet_id.filter(|_| is_publish) {
        extras.push((PACKET_ID, id.to_string()));
    }
    let properties = PublishProperties::from_validated(&message.properties);
    if properties.is_empty() {
        return extras;
    }
    if properties.payload_format_utf8() {
        extras.push((PAYLOAD_FORMAT, UTF8.to_owned()));
    }
    if let Some(text) = properties.content_type() {
        extras.push((CONTENT_TYPE, text.to_owned()));
    }
    if let Some(topic) = properties.response_topic() {
        extras.push((RESPONSE_TOPIC, topic.to_owned()));
    }
    if let Some(data) = properties.correlation_data() {
        extras.push((CORRELATION_DATA, BASE64.encode(data)));
    }
    extras
}

/// Why attributes are no properties of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExtraError {
    /// No topic to answer to.
    #[error("its response-topic is no topic name")]
    ResponseTopic,
    /// Not Base64.
    #[error("its correlation-data is not Base64")]
    CorrelationData,
    /// U+0000, or longer than a property can be.
    #[error("its content-type is longer than 65535 bytes or has U+0000")]
    ContentType,
    /// No such format.
    #[error("its payload-format is not \"utf-8\"")]
    PayloadFormat,
}

/// Bytes of one property at most.
const MAX_BYTES: usize = 65_535;

/// The encoded properties of a message that a guest hands over: these attributes,
/// of which those that name no property are left out, and its user properties.
///
/// # Errors
/// When an attribute says what no client could send.
pub fn encoded<'a>(
    extras: &'a [(String, String)],
    expiry_s: Option<u32>,
    user: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<u8>, ExtraError> {
    let of = |wanted: &str| {
        let mut extras = extras.iter();
        extras.find_map(|(name, value)| (name == wanted).then_some(&**value))
    };
    let format = of(PAYLOAD_FORMAT);
    if format.is_some_and(|format| format != UTF8) {
        return Err(ExtraError::PayloadFormat);
    }
    let content_type = of(CONTENT_TYPE);
    if content_type.is_some_and(|text| text.len() > MAX_BYTES || text.contains('\0')) {
        return Err(ExtraError::ContentType);
    }
    let response_topic = of(RESPONSE_TOPIC);
    if response_topic.is_some_and(|topic| TopicName::new(topic).is_err()) {
        return Err(ExtraError::ResponseTopic);
    }
    let data = of(CORRELATION_DATA).map(|text| BASE64.decode(text));
    let data = data.transpose().ok().filter(|data| {
        let length = data.as_ref().map_or(0, Vec::len);
        length <= MAX_BYTES
    });
    let data = data.ok_or(ExtraError::CorrelationData)?;
    let properties = MessageProperties {
        payload_format_utf8: format.is_some(),
        message_expiry_interval: expiry_s,
        content_type,
        response_topic,
        correlation_data: data.as_deref(),
    };
    Ok(properties.encode(user))
}
