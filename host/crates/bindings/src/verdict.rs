//! Messages as modules change and make them, as the broker publishes them.

use std::sync::Arc;

use bytes::Bytes;
use hookwire_broker::{Message, OwnMessage};
use hookwire_mqtt::{PublishProperties, QoS, TopicError, TopicName};

use crate::extras::ExtraError;
use crate::text::quoted;
use crate::wit::exports::hookwire::rule::actions::Replacement;
use crate::wit::hookwire::broker::broker::Outgoing;

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
            let topic = quoted(topic);
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
}
