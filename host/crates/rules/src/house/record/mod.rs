//! Events as they are written down: in the spool, among dead letters, and when
//! somebody records what a running broker sees. JSON, so that a person can read
//! them.

mod parts;

use std::sync::Arc;

use hookwire_broker::{
    ClientEvent, ClientInfo, DroppedEvent, Hook, NodeEvent, Operation, Question, Stores,
    SubscriptionEvent, Ticket,
};
use hookwire_mqtt::ReasonCode;
use serde::{Deserialize, Serialize};

use parts::is_zero;
pub use parts::{ClientRecord, MessageRecord, SubscriptionRecord};

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

impl EventRecord {
    /// Something that happened to the broker as a whole.
    pub(crate) fn of_node(hook: Hook, at_ms: u64) -> Self {
        Self::without_payload(&Subject::Node(NodeEvent { hook, at_ms }))
    }

    pub(crate) fn of(subject: &Subject) -> Self {
        let mut record = Self::without_payload(subject);
        if let Some((record, message)) = record.message.as_mut().zip(subject.message()) {
            record.set_payload(&message.payload);
        }
        record
    }

    /// As [`EventRecord::of`], and the payload is not looked at.
    pub(crate) fn without_payload(subject: &Subject) -> Self {
        let mut record = Self {
            hook: subject.hook().name().to_owned(),
            at_ms: 0,
            client: subject.client().map(|client| ClientRecord {
                clientid: client.clientid.to_string(),
                username: client.username.as_deref().map(str::to_owned),
            }),
            message: subject
                .message()
                .map(|message| MessageRecord::without_payload(message)),
            subscription: None,
            operation: String::new(),
            reason: String::new(),
            reason_code: 0,
        };
        match subject {
            Subject::Publish(publish) => record.at_ms = publish.message.at_ms,
            Subject::Acked { message, .. } => record.at_ms = message.at_ms,
            Subject::Node(event) => record.at_ms = event.at_ms,
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
                stored: Stores::NONE,
            }),
            Hook::NodeStarted => Subject::Node(NodeEvent {
                hook,
                at_ms: self.at_ms,
            }),
            Hook::MessageAcked | Hook::MessagePosition => Subject::Acked {
                hook,
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hookwire_broker::{Message, SubscriptionInfo};
    use hookwire_mqtt::QoS;

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
            packet_id: None,
            foreign_id: Some("theirs".into()),
            stored: Stores::NONE,
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
                hook: Hook::MessageAcked,
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
            stored: Stores::NONE,
        }));
        survives(&Subject::Dropped(DroppedEvent {
            client: None,
            message: message(b"x"),
            reason: "queue-full",
            at_ms: 11,
        }));
        survives(&Subject::Node(NodeEvent {
            hook: Hook::NodeStarted,
            at_ms: 10,
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
