//! What an action found in its store, as the broker sends it.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use bytes::Bytes;
use hookwire_broker::{Message, MessageId, Page, Stores};
use hookwire_mqtt::{PublishProperties, QoS, TopicName};

use crate::text::bounded;
use crate::verdict::{ReplacementError, fits_property};
use crate::wit::exports::hookwire::rule::actions::Page as GuestPage;
use crate::wit::hookwire::types::events::Message as GuestMessage;

/// Longest part of a topic that is shown of one that is none, in bytes.
const MAX_SHOWN_BYTES: usize = 256;

/// Why a page cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("message {id:?} of the page cannot be sent: {why}")]
pub struct PageError {
    /// Its id, shortened.
    pub id: String,
    /// What is wrong with it.
    pub why: ReplacementError,
}

/// A page of an action.
///
/// # Errors
/// When a message of it could not be published.
pub fn page(given: GuestPage) -> Result<Page, PageError> {
    let mut messages = Vec::with_capacity(given.messages.len());
    for message in given.messages {
        let id = bounded(message.id.clone(), MAX_SHOWN_BYTES);
        let message = stored(message).map_err(|why| PageError { id, why })?;
        messages.push(Arc::new(message));
    }
    Ok(Page {
        messages,
        next: given.next.map(Arc::from),
    })
}

fn stored(given: GuestMessage) -> Result<Message, ReplacementError> {
    if let Err(source) = TopicName::new(&given.topic) {
        let topic = bounded(given.topic, MAX_SHOWN_BYTES);
        return Err(ReplacementError::Topic { topic, source });
    }
    if !given.user_properties.iter().all(fits_property) {
        return Err(ReplacementError::UserProperty);
    }
    let user = given.user_properties.iter();
    let user = user.map(|(name, value)| (&**name, &**value));
    let none = PublishProperties::from_validated(&[]);
    Ok(Message {
        id: given.id.parse().unwrap_or_else(|_| foreign(&given.id)),
        topic: given.topic.into(),
        payload: given.payload.into(),
        sender: given.sender.into(),
        qos: QoS::try_from(given.qos).map_err(|_| ReplacementError::QoS(given.qos))?,
        retain: given.retain,
        at_ms: given.at_ms,
        expires_at_ms: given.expires_at_ms.unwrap_or(Message::NEVER),
        properties: Bytes::from(none.with_user_properties(user)),
        hops: 0,
        stored: Stores::NONE,
    })
}

/// What stands for an id of another writer, which may be any text: always the
/// same for the same.
fn foreign(id: &str) -> MessageId {
    /// Numbers of ten base62 digits.
    const DIGITS: u64 = 62_u64.pow(10);
    let hash = |salt: u8| {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        hasher.hash_one((salt, id)) % DIGITS
    };
    MessageId::from_halves(hash(0), hash(1))
}
