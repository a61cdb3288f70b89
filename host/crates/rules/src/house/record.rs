//! Events as they are written down: in the spool, among dead letters, and when
//! somebody records what a running broker sees. JSON, so that a person can read
//! them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hookwire_broker::{
    ClientEvent, ClientInfo, DroppedEvent, Hook, Message, MessageId, Operation, Question,
    SubscriptionEvent, SubscriptionInfo, Ticket,
};
use hookwire_mqtt::{PublishProperties, QoS, ReasonCode};
use serde::{Deserialize, Serialize};

use crate::worker::subject::{Publish, Subject};

/// One event. What a hook does not have is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// The hook it is for: `message.publish`.
    pub hook: String,
    /// Milliseconds since the Unix epoch.
    #[serde(default)]
    pub at_ms: u64,
    /// The client that it happens to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientRecord>,
    /// The message that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageRecord>,
    /// The subscription that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionRecord>,
    /// What a client wants to do: `publish`, `publish-will`, `subscribe`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What CONNACK says.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reason_code: u8,
}

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
fn is_zero(number: &u8) -> bool {
    *number == 0
}

impl EventRecord {
    pub(crate) fn of(subject: &Subject) -> Self {
        let mut record = Self {
            hook: subject.hook().name().to_owned(),
            at_ms: 0,
            client: subject.client().map(|client| ClientRecord {
                clientid: client.clientid.to_string(),
                username: client.username.as_deref().map(str::to_owned),
            }),
            message: subject.message().map(|message| MessageRecord::of(message)),
            subscription: None,
            operation: String::new(),
            reason: String::new(),
            reason_code: 0,
        };
        match subject {
            Subject::Publish(publish) => record.at_ms = publish.message.at_ms,
            Subject::Acked { message, .. } => record.at_ms = message.at_ms,
            Subject::Client(event) => {
                record.at_ms = event.at_ms;
                event.reason.clone_into(&mut record.reason);
                record.reason_code = event.reason_code.as_u8();
            }
            Subject::Subscription(event) => {
                record.at_ms = event.at_ms;
                record.subscription = Some(SubscriptionRecord::of(&event.subscription));
            }
            Subject::Dropped(event) => {
                record.at_ms = event.at_ms;
                event.reason.clone_into(&mut record.reason);
            }
            Subject::Asked(asked) => {
                record.at_ms = asked.at_ms;
                match &asked.question {
                    Question::Subscribe(request) | Question::Unsubscribe(request) => {
                        record.subscription = Some(SubscriptionRecord::of(&request.subscription));
                    }
                    Question::Authorize(access) => {
                        operation(access.operation).clone_into(&mut record.operation);
                        record.subscription = Some(SubscriptionRecord {
                            filter: access.topic.to_string(),
                            qos: access.qos.as_u8(),
                            no_local: false,
                            retain_as_published: access.retain,
                            retain_handling: 0,
                            identifier: None,
                            is_new: false,
                        });
                    }
                    _ => {}
                }
            }
        }
        record
    }

    /// The event, to run rules over it once more. A question cannot be asked
    /// again: nobody waits for its answer.
    pub(crate) fn into_subject(self) -> Result<Subject, String> {
        let hook = Hook::by_name(&self.hook)
            .ok_or_else(|| format!("the event is for the unknown hook {:?}", self.hook))?;
        let client = self.client.map(|client| {
            Arc::new(ClientInfo {
                clientid: client.clientid.into(),
                username: client.username.map(Into::into),
                connection: None,
            })
        });
        let message = self.message.map(MessageRecord::into_message).transpose()?;
        let missing = |what: &str| format!("the event for {} has no {what}", hook.name());
        let some_client = |client: Option<Arc<ClientInfo>>| client.ok_or_else(|| missing("client"));
        Ok(match hook {
            Hook::MessagePublish => Subject::Publish(Publish {
                ticket: Ticket {
                    key: 0,
                    sequence: 0,
                },
                message: message.ok_or_else(|| missing("message"))?,
                replaced: false,
                is_seen: true,
            }),
            Hook::MessageAcked => Subject::Acked {
                client: some_client(client)?,
                message: message.ok_or_else(|| missing("message"))?,
            },
            Hook::MessageDropped => Subject::Dropped(DroppedEvent {
                client,
                message: message.ok_or_else(|| missing("message"))?,
                reason: word(&self.reason),
                at_ms: self.at_ms,
            }),
            Hook::SessionSubscribed | Hook::SessionUnsubscribed => {
                let subscription = self.subscription.ok_or_else(|| missing("subscription"))?;
                Subject::Subscription(SubscriptionEvent {
                    hook,
                    client: some_client(client)?,
                    subscription: subscription.into_info()?,
                    at_ms: self.at_ms,
                })
            }
            hook if hook.is_decision() => {
                return Err(format!(
                    "{} is answered at once, and not again",
                    hook.name()
                ));
            }
            hook => Subject::Client(ClientEvent {
                hook,
                client: some_client(client)?,
                reason_code: ReasonCode::try_from(self.reason_code).unwrap_or(ReasonCode::Success),
                reason: word(&self.reason),
                at_ms: self.at_ms,
            }),
        })
    }
}

/// Words that events give as reasons.
pub const REASON_WORDS: [&str; 16] = [
    "",
    "normal",
    "keep-alive",
    "taken-over",
    "protocol-error",
    "socket",
    "refused",
    "too-slow",
    "server-stops",
    "expired",
    "discarded",
    "no-subscriber",
    "queue-full",
    "too-large",
    "denied",
    "rule",
];

/// A reason; one that this version does not know is told as `other`.
fn word(text: &str) -> &'static str {
    let known = REASON_WORDS.iter().find(|word| **word == text);
    known.copied().unwrap_or("other")
}

fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Publish => "publish",
        Operation::PublishWill => "publish-will",
        Operation::Subscribe => "subscribe",
    }
}

impl MessageRecord {
    fn of(message: &Message) -> Self {
        let (payload, payload_encoding) = match std::str::from_utf8(&message.payload) {
            Ok(text) => (text.to_owned(), String::new()),
            Err(_) => (BASE64.encode(&message.payload), "base64".to_owned()),
        };
        let properties = PublishProperties::from_validated(&message.properties);
        let user = properties.user_properties();
        Self {
            id: message.id.to_string(),
            topic: message.topic.to_string(),
            payload,
            payload_encoding,
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
        }
    }

    fn into_message(self) -> Result<Arc<Message>, String> {
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
        }))
    }
}

impl SubscriptionRecord {
    fn of(subscription: &SubscriptionInfo) -> Self {
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

    fn into_info(self) -> Result<SubscriptionInfo, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Arc<ClientInfo> {
        Arc::new(ClientInfo {
            clientid: "c".into(),
            username: Some("u".into()),
            connection: None,
        })
    }

    fn message(payload: &'static [u8]) -> Arc<Message> {
        Arc::new(Message {
            id: "2PguFrHsrzEvIIBdctmb".parse().unwrap(),
            topic: "a/b".into(),
            payload: Bytes::from_static(payload),
            sender: "s".into(),
            qos: QoS::ExactlyOnce,
            retain: true,
            at_ms: 7,
            expires_at_ms: 9_000,
            // User property k=v.
            properties: Bytes::from_static(b"\x26\0\x01k\0\x01v"),
            hops: 2,
        })
    }

    /// The record of a subject, written, read, and made a subject again, is the
    /// same record.
    fn survives(subject: &Subject) -> EventRecord {
        let record = EventRecord::of(subject);
        let text = serde_json::to_string(&record).unwrap();
        let read: EventRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(read, record, "{text}");
        let again = EventRecord::of(&read.into_subject().unwrap());
        assert_eq!(again, record, "{text}");
        record
    }

    #[test]
    fn events_survive_being_written_down() {
        for payload in [b"text".as_slice(), &[0, 159, 255], b""] {
            let record = survives(&Subject::Acked {
                client: client(),
                message: message(payload),
            });
            let written = record.message.unwrap();
            assert_eq!(written.user_properties, [("k".to_owned(), "v".to_owned())]);
            let is_text = std::str::from_utf8(payload).is_ok();
            assert_eq!(written.payload_encoding.is_empty(), is_text);
        }
        survives(&Subject::Publish(Publish {
            ticket: Ticket {
                key: 1,
                sequence: 2,
            },
            message: message(b"x"),
            replaced: true,
            is_seen: true,
        }));
        survives(&Subject::Dropped(DroppedEvent {
            client: None,
            message: message(b"x"),
            reason: "queue-full",
            at_ms: 11,
        }));
        survives(&Subject::Client(ClientEvent {
            hook: Hook::ClientConnack,
            client: client(),
            reason_code: ReasonCode::NotAuthorized,
            reason: "",
            at_ms: 12,
        }));
        survives(&Subject::Subscription(SubscriptionEvent {
            hook: Hook::SessionSubscribed,
            client: client(),
            subscription: SubscriptionInfo {
                filter: "$share/g/a/#".into(),
                qos: QoS::AtLeastOnce,
                no_local: true,
                retain_as_published: true,
                retain_handling: 2,
                identifier: Some(5),
                is_new: true,
            },
            at_ms: 13,
        }));
    }

    #[test]
    fn what_cannot_be_run_again_is_told() {
        let check = |text: &str, expected: &str| {
            let record: EventRecord = serde_json::from_str(text).unwrap();
            let error = record.into_subject().unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(r#"{"hook": "client.eaten"}"#, "unknown hook");
        check(r#"{"hook": "client.connected"}"#, "has no client");
        check(r#"{"hook": "message.publish"}"#, "has no message");
        check(r#"{"hook": "client.authorize"}"#, "answered at once");
        let message = r#"{"id": "x", "topic": "t", "sender": "s", "qos": 1, "at_ms": 1}"#;
        check(
            &format!(r#"{{"hook": "message.publish", "message": {message}}}"#),
            "20 base62 characters",
        );
    }
}
