//! What events are about, as it is written down: clients, messages and
//! subscriptions.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hookwire_broker::{Message, MessageId, Stores, SubscriptionInfo};
use hookwire_mqtt::{PublishProperties, QoS};
use serde::{Deserialize, Serialize};

/// A client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRecord {
    /// Client identifier.
    pub clientid: String,
    /// User name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

/// A message. Never a password, and a payload only where it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRecord {
    /// Its id.
    pub id: String,
    /// Its topic.
    pub topic: String,
    /// Its payload: as it is where that is UTF-8, else Base64.
    #[serde(default)]
    pub payload: String,
    /// `base64`, or nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub payload_encoding: String,
    /// Client id of the publisher.
    pub sender: String,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Retain flag.
    #[serde(default)]
    pub retain: bool,
    /// When it entered the broker.
    pub at_ms: u64,
    /// When it is worth nothing any more; none: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
    /// MQTT 5 properties, Base64 of their encoding.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub properties: String,
    /// User properties, for the reader.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_properties: Vec<(String, String)>,
    /// Publishes of rules that led to it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u8,
    /// What another writer of the store calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_id: Option<String>,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionRecord {
    /// Its filter.
    pub filter: String,
    /// Maximum QoS.
    pub qos: u8,
    /// No Local.
    #[serde(default)]
    pub no_local: bool,
    /// Retain As Published.
    #[serde(default)]
    pub retain_as_published: bool,
    /// Retain Handling.
    #[serde(default)]
    pub retain_handling: u8,
    /// Subscription Identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<u32>,
    /// Whether it was not there before.
    #[serde(default)]
    pub is_new: bool,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
pub(super) fn is_zero(number: &u8) -> bool {
    *number == 0
}

impl MessageRecord {
    pub(super) fn set_payload(&mut self, payload: &[u8]) {
        (self.payload, self.payload_encoding) = match std::str::from_utf8(payload) {
            Ok(text) => (text.to_owned(), String::new()),
            Err(_) => (BASE64.encode(payload), "base64".to_owned()),
        };
    }

    pub(super) fn without_payload(message: &Message) -> Self {
        let properties = PublishProperties::from_validated(&message.properties);
        let user = properties.user_properties();
        Self {
            id: message.id.to_string(),
            topic: message.topic.to_string(),
            payload: String::new(),
            payload_encoding: String::new(),
            sender: message.sender.to_string(),
            qos: message.qos.as_u8(),
            retain: message.retain,
            at_ms: message.at_ms,
            expires_at_ms: (message.expires_at_ms != Message::NEVER)
                .then_some(message.expires_at_ms),
            user_properties: user
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            properties: BASE64.encode(&message.properties),
            hops: message.hops,
            foreign_id: message.foreign_id.as_deref().map(str::to_owned),
        }
    }

    pub(super) fn into_message(self) -> Result<Arc<Message>, String> {
        let decode = |text: &str, what: &str| {
            BASE64
                .decode(text)
                .map_err(|error| format!("the message's {what}: {error}"))
        };
        let payload = match self.payload_encoding.as_str() {
            "" => self.payload.into_bytes(),
            "base64" => decode(&self.payload, "payload")?,
            other => return Err(format!("the payload has the unknown encoding {other:?}")),
        };
        let properties = decode(&self.properties, "properties")?;
        let id: MessageId = self.id.parse().map_err(|error| format!("{error}"))?;
        Ok(Arc::new(Message {
            id,
            topic: self.topic.into(),
            payload: payload.into(),
            sender: self.sender.into(),
            qos: QoS::try_from(self.qos).map_err(|_| format!("there is no QoS {}", self.qos))?,
            retain: self.retain,
            at_ms: self.at_ms,
            expires_at_ms: self.expires_at_ms.unwrap_or(Message::NEVER),
            properties: Bytes::from(properties),
            hops: self.hops,
            packet_id: None,
            foreign_id: self.foreign_id.map(Into::into),
            stored: Stores::NONE,
        }))
    }
}

impl SubscriptionRecord {
    pub(super) fn of(subscription: &SubscriptionInfo) -> Self {
        Self {
            filter: subscription.filter.to_string(),
            qos: subscription.qos.as_u8(),
            no_local: subscription.no_local,
            retain_as_published: subscription.retain_as_published,
            retain_handling: subscription.retain_handling,
            identifier: subscription.identifier,
            is_new: subscription.is_new,
        }
    }

    pub(super) fn into_info(self) -> Result<SubscriptionInfo, String> {
        Ok(SubscriptionInfo {
            filter: self.filter.into(),
            qos: QoS::try_from(self.qos).map_err(|_| format!("there is no QoS {}", self.qos))?,
            no_local: self.no_local,
            retain_as_published: self.retain_as_published,
            retain_handling: self.retain_handling,
            identifier: self.identifier,
            is_new: self.is_new,
        })
    }
}
