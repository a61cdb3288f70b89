//! What an action decided, as the broker acts on it.

use std::sync::Arc;

use bytes::Bytes;
use hookwire_broker::{
    Message, MessageId, OwnMessage, Refusal, RestoredExchange, SubscriptionInfo,
};
use hookwire_driver::{Fault, FaultKind};
use hookwire_mqtt::{
    PacketId, PublishProperties, QoS, ReasonCode, TopicError, TopicFilter, TopicName,
};

use crate::extras::ExtraError;
use crate::text::bounded;
use crate::wit::exports::hookwire::rule::actions::{
    Denial, Replacement, RestoredExchange as GuestExchange, RestoredSubscription,
};
use crate::wit::hookwire::broker::broker::{Outgoing, Subscribing};

/// Longest reason string that a guest can send to a client, in bytes.
const MAX_REASON_BYTES: usize = 256;
/// Longest name or value of a user property, in bytes [MQTT-1.5.4].
const MAX_PROPERTY_BYTES: usize = 65_535;

/// Why a replacement cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplacementError {
    /// Messages are published to valid topic names only.
    #[error("it names the topic {topic:?}, which {source}")]
    Topic {
        /// What the guest wrote, shortened.
        topic: String,
        /// The rule it breaks.
        source: TopicError,
    },
    /// There is no such QoS.
    #[error("it sets QoS {0}")]
    QoS(u8),
    /// A user property that no packet can carry.
    #[error("a user property is longer than 65535 bytes or holds U+0000")]
    UserProperty,
    /// Another property that no packet can carry.
    #[error(transparent)]
    Extra(ExtraError),
}

/// `message` with what an action changed of it; the id stays.
///
/// # Errors
/// When the result could not be published.
pub fn replace(message: &Message, change: Replacement) -> Result<Message, ReplacementError> {
    let mut replaced = message.clone();
    if let Some(topic) = change.topic {
        replaced.topic = topic_of(topic)?;
    }
    if let Some(payload) = change.payload {
        replaced.payload = payload.into();
    }
    if let Some(qos) = change.qos {
        replaced.qos = qos_of(qos)?;
    }
    if let Some(retain) = change.retain {
        replaced.retain = retain;
    }
    if let Some(user) = change.user_properties {
        check_user_properties(&user)?;
        let user = user.iter().map(|(name, value)| (&**name, &**value));
        let properties = PublishProperties::from_validated(&message.properties);
        replaced.properties = Bytes::from(properties.with_user_properties(user));
    }
    Ok(replaced)
}

/// Why a subscription cannot be made on a client's behalf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// No such filter.
    #[error("the filter {filter:?} {source}")]
    Filter {
        /// What the guest wrote, shortened.
        filter: String,
        /// The rule it breaks.
        source: TopicError,
    },
    /// There is no such QoS.
    #[error("the subscription to {filter:?} has QoS {qos}")]
    QoS {
        /// Its filter.
        filter: String,
        /// What the guest wrote.
        qos: u8,
    },
    /// There is no such retain handling.
    #[error("the subscription to {filter:?} has retain handling {retain_handling}")]
    RetainHandling {
        /// Its filter.
        filter: String,
        /// What the guest wrote.
        retain_handling: u8,
    },
}

/// A subscription that a module restores.
///
/// # Errors
/// When no client could make it.
pub fn subscription(given: RestoredSubscription) -> Result<SubscriptionInfo, SubscriptionError> {
    checked(
        SubscriptionInfo {
            filter: given.filter.into(),
            qos: QoS::AtMostOnce,
            no_local: given.no_local,
            retain_as_published: given.retain_as_published,
            retain_handling: given.retain_handling,
            identifier: given.identifier,
            is_new: true,
        },
        given.qos,
    )
}

/// Why a restored exchange means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the exchange {packet_id} of {message_id:?} cannot be restored: {why}")]
pub struct ExchangeError {
    /// Its packet id.
    pub packet_id: u16,
    /// Its message id, shortened.
    pub message_id: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// A QoS 2 exchange that a module restores.
///
/// # Errors
/// When no client could have it.
pub fn exchange(given: &GuestExchange) -> Result<RestoredExchange, ExchangeError> {
    let known = given.message_id.parse::<MessageId>();
    let wrong = |why| ExchangeError {
        packet_id: given.packet_id,
        message_id: bounded(given.message_id.clone(), MAX_REASON_BYTES),
        why,
    };
    let packet_id = PacketId::new(given.packet_id).ok_or_else(|| wrong("0 is no packet id"))?;
    let message_id = || known.map_err(|_| wrong("a message id is 20 base62 characters"));
    match (&*given.direction, &*given.state) {
        ("in", "received") => Ok(RestoredExchange::Taken(packet_id)),
        ("out", "sent") => Ok(RestoredExchange::Sent(packet_id, message_id()?)),
        ("out", "received") => Ok(RestoredExchange::Received(packet_id, message_id()?)),
        ("out", "completed") => Ok(RestoredExchange::Completed(message_id()?)),
        _ => Err(wrong(
            "there is \"in\" and \"received\", and \"out\" with \"sent\", \"received\" or \"completed\"",
        )),
    }
}

/// A subscription that a module wants to be made.
///
/// # Errors
/// When no client could make it.
pub fn subscribing(given: Subscribing) -> Result<SubscriptionInfo, SubscriptionError> {
    checked(
        SubscriptionInfo {
            filter: given.filter.into(),
            qos: QoS::AtMostOnce,
            no_local: given.no_local,
            retain_as_published: given.retain_as_published,
            retain_handling: given.retain_handling,
            identifier: given.identifier,
            is_new: true,
        },
        given.qos,
    )
}

fn checked(mut given: SubscriptionInfo, qos: u8) -> Result<SubscriptionInfo, SubscriptionError> {
    let filter = || bounded(given.filter.to_string(), MAX_REASON_BYTES);
    if let Err(source) = TopicFilter::new(&given.filter) {
        let filter = filter();
        return Err(SubscriptionError::Filter { filter, source });
    }
    if given.retain_handling > 2 {
        return Err(SubscriptionError::RetainHandling {
            filter: filter(),
            retain_handling: given.retain_handling,
        });
    }
    let Ok(qos) = QoS::try_from(qos) else {
        let filter = filter();
        return Err(SubscriptionError::QoS { filter, qos });
    };
    given.qos = qos;
    Ok(given)
}

/// A message that a module publishes, after as many others as `hops` says.
///
/// # Errors
/// When no client could publish it.
pub fn outgoing(given: Outgoing, sender: &str, hops: u8) -> Result<OwnMessage, ReplacementError> {
    check_user_properties(&given.user_properties)?;
    Ok(OwnMessage {
        topic: topic_of(given.topic)?,
        payload: given.payload,
        sender: sender.into(),
        qos: qos_of(given.qos)?,
        retain: given.retain,
        expiry_s: given.expiry_s,
        user_properties: given.user_properties,
        hops: hops.saturating_add(1),
    })
}

pub(crate) fn topic_of(topic: String) -> Result<Arc<str>, ReplacementError> {
    match TopicName::new(&topic) {
        Ok(_) => Ok(topic.into()),
        Err(source) => {
            let topic = bounded(topic, MAX_REASON_BYTES);
            Err(ReplacementError::Topic { topic, source })
        }
    }
}

pub(crate) fn qos_of(qos: u8) -> Result<QoS, ReplacementError> {
    QoS::try_from(qos).map_err(|_| ReplacementError::QoS(qos))
}

pub(crate) fn check_user_properties(
    properties: &[(String, String)],
) -> Result<(), ReplacementError> {
    let fits = |text: &str| text.len() <= MAX_PROPERTY_BYTES && !text.contains('\0');
    let mut properties = properties.iter();
    if properties.all(|(name, value)| fits(name) && fits(value)) {
        Ok(())
    } else {
        Err(ReplacementError::UserProperty)
    }
}

/// A guest's denial. A code that is no error of the standard becomes
/// `unspecified error`; the text is cut and cleaned for a reason string.
#[must_use]
pub fn refusal(denial: Denial) -> Refusal {
    let reason = ReasonCode::try_from(denial.reason_code)
        .ok()
        .filter(|reason| reason.is_error());
    Refusal {
        reason: reason.unwrap_or(ReasonCode::UnspecifiedError),
        text: bounded(denial.reason, MAX_REASON_BYTES),
    }
}

/// What a publisher is told when a fault keeps its message from being taken.
///
/// The fault's own message is for the log: it may speak of the store's insides.
#[must_use]
pub fn refusal_of_fault(rule: &str, fault: &Fault) -> Refusal {
    let reason = match fault.kind {
        FaultKind::Saturated if fault.retryable => ReasonCode::QuotaExceeded,
        FaultKind::Denied if !fault.retryable => ReasonCode::NotAuthorized,
        FaultKind::Refused if !fault.retryable && is_about_form(&fault.code) => {
            ReasonCode::PayloadFormatInvalid
        }
        _ => ReasonCode::UnspecifiedError,
    };
    let what = match fault.kind {
        FaultKind::Unavailable => "its store is not available",
        FaultKind::Unknown => "no answer in time",
        FaultKind::Saturated => "too much at once",
        FaultKind::Denied => "not allowed",
        FaultKind::Refused => "its store refused the data",
        FaultKind::Invalid | FaultKind::Other => "it failed",
    };
    let text = format!("rule {rule}: {what} ({})", fault.code);
    Refusal {
        reason,
        text: bounded(text, MAX_REASON_BYTES),
    }
}

/// Whether a store's code says that the data has the wrong form: SQLSTATE class
/// 22 (data exception), SQLite's TOOBIG and MISMATCH, or a module's own word
/// `payload:...`.
fn is_about_form(code: &str) -> bool {
    code.starts_with("sqlstate:22")
        || code.starts_with("payload:")
        || matches!(code, "sqlite:18" | "sqlite:20")
}

#[cfg(test)]
mod tests {
    use hookwire_broker::MessageId;

    use super::*;

    fn message() -> Message {
        Message {
            id: MessageId::MIN,
            topic: "a/b".into(),
            payload: Bytes::from_static(b"one"),
            sender: "c".into(),
            qos: QoS::AtLeastOnce,
            retain: false,
            at_ms: 7,
            // Payload format 1, user property k=v.
            expires_at_ms: Message::NEVER,
            properties: Bytes::from_static(b"\x01\x01\x26\0\x01k\0\x01v"),
            hops: 0,
            packet_id: None,
            foreign_id: None,
            stored: hookwire_broker::Stores::NONE,
        }
    }

    fn nothing() -> Replacement {
        Replacement {
            topic: None,
            payload: None,
            qos: None,
            retain: None,
            user_properties: None,
            extras: Vec::new(),
        }
    }

    #[test]
    fn what_is_not_replaced_stays() {
        assert_eq!(replace(&message(), nothing()).unwrap(), message());
        let change = Replacement {
            topic: Some("x".to_owned()),
            payload: Some(b"two".to_vec()),
            qos: Some(0),
            retain: Some(true),
            user_properties: Some(vec![("n".to_owned(), "w".to_owned())]),
            extras: Vec::new(),
        };
        let expected = Message {
            topic: "x".into(),
            payload: Bytes::from_static(b"two"),
            qos: QoS::AtMostOnce,
            retain: true,
            properties: Bytes::from_static(b"\x01\x01\x26\0\x01n\0\x01w"),
            ..message()
        };
        assert_eq!(replace(&message(), change).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_published_is_refused() {
        let check = |change: Replacement, expected: &str| {
            let error = replace(&message(), change).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        let topic = Some("a/#".to_owned());
        check(
            Replacement { topic, ..nothing() },
            "it names the topic \"a/#\", which holds a wildcard",
        );
        let qos = Some(3);
        check(Replacement { qos, ..nothing() }, "it sets QoS 3");
        let user_properties = Some(vec![("a\0".to_owned(), String::new())]);
        check(
            Replacement {
                user_properties,
                ..nothing()
            },
            "a user property is longer than 65535 bytes or holds U+0000",
        );
    }

    #[test]
    fn a_denial_is_always_an_error() {
        let check = |reason_code, expected| {
            let reason = "no\0".to_owned();
            let refusal = refusal(Denial {
                reason_code,
                reason,
                extras: Vec::new(),
            });
            assert_eq!((refusal.reason, &*refusal.text), (expected, "no"));
        };
        check(0x87, ReasonCode::NotAuthorized);
        check(0x00, ReasonCode::UnspecifiedError);
        check(0xFF, ReasonCode::UnspecifiedError);
    }

    #[test]
    fn faults_have_their_reason_codes() {
        let check = |kind, code: &str, retryable, expected| {
            let fault = Fault {
                kind,
                code: code.to_owned(),
                message: "secret".to_owned(),
                retryable,
            };
            let refusal = refusal_of_fault("r", &fault);
            assert_eq!(refusal.reason, expected, "{fault:?}");
            assert!(!refusal.text.contains("secret"), "{}", refusal.text);
        };
        let (quota, form) = (ReasonCode::QuotaExceeded, ReasonCode::PayloadFormatInvalid);
        let unspecified = ReasonCode::UnspecifiedError;
        check(FaultKind::Saturated, "host:x", true, quota);
        check(FaultKind::Unavailable, "sqlite:14", true, unspecified);
        check(FaultKind::Unknown, "host:deadline", true, unspecified);
        check(FaultKind::Denied, "x", false, ReasonCode::NotAuthorized);
        check(FaultKind::Refused, "sqlstate:22001", false, form);
        check(FaultKind::Refused, "sqlite:18", false, form);
        check(FaultKind::Refused, "sqlite:19", false, unspecified);
        check(FaultKind::Invalid, "sqlite:1", false, unspecified);
    }
}
