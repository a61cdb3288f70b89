//! What an action found in its store, as the broker sends it.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use bytes::Bytes;
use hookwire_broker::{Message, MessageId, Page, Stores, Wants};

use crate::extras::encoded;
use crate::text::bounded;
use crate::verdict::{ReplacementError, check_user_properties, qos_of, topic_of};
use crate::wit::exports::hookwire::rule::actions::Page as GuestPage;
use crate::wit::hookwire::types::events::Message as GuestMessage;

/// Longest part of an id that is shown, in bytes.
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

/// Name of the attribute that says where the subscription began.
const FLOOR: &str = "floor";
/// Longest floor that is kept, in bytes.
const MAX_FLOOR_BYTES: usize = 64;

/// A page of an action. An id that is none stands for itself in what is queued, and
/// is older than all others in what is retained.
///
/// # Errors
/// When a message of it could not be published.
pub fn page(wants: Wants, given: GuestPage) -> Result<Page, PageError> {
    let messages = given.messages.into_iter().map(|message| {
        stored(message, |id| match wants {
            Wants::Queued => foreign(id),
            Wants::Retained => MessageId::MIN,
        })
    });
    let floor = given.extras.into_iter().find(|(name, _)| name == FLOOR);
    let floor = floor.map(|(_, text)| bounded(text, MAX_FLOOR_BYTES).into());
    Ok(Page {
        messages: messages.collect::<Result<_, _>>()?,
        next: given.next.map(Arc::from),
        floor,
    })
}

fn stored(
    given: GuestMessage,
    other_id: impl Fn(&str) -> MessageId,
) -> Result<Arc<Message>, PageError> {
    let wrong = |why| PageError {
        id: bounded(given.id.clone(), MAX_SHOWN_BYTES),
        why,
    };
    check_user_properties(&given.user_properties).map_err(wrong)?;
    let user = given.user_properties.iter();
    let user = user.map(|(name, value)| (&**name, &**value));
    let left_ms = given
        .expires_at_ms
        .map(|expires_at_ms| expires_at_ms.saturating_sub(given.at_ms));
    let expiry_s = left_ms.map(|left_ms| u32::try_from(left_ms / 1_000).unwrap_or(u32::MAX));
    let properties = encoded(&given.extras, expiry_s, user);
    let properties = properties.map_err(|error| wrong(ReplacementError::Extra(error)))?;
    let own_id = given.id.parse().ok();
    Ok(Arc::new(Message {
        id: own_id.unwrap_or_else(|| other_id(&given.id)),
        foreign_id: own_id.is_none().then(|| Arc::from(&*given.id)),
        topic: topic_of(given.topic).map_err(wrong)?,
        payload: given.payload.into(),
        sender: given.sender.into(),
        qos: qos_of(given.qos).map_err(wrong)?,
        retain: given.retain,
        at_ms: given.at_ms,
        expires_at_ms: given.expires_at_ms.unwrap_or(Message::NEVER),
        properties: Bytes::from(properties),
        hops: 0,
        packet_id: None,
        stored: Stores::NONE,
    }))
}

/// What stands for an id of another writer, which may be any text: always the
/// same for the same.
fn foreign(id: &str) -> MessageId {
    let hash = |salt: u8| {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        hasher.hash_one((salt, id))
    };
    MessageId::foreign([hash(0), hash(1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored_with(id: &str) -> Arc<Message> {
        let message = GuestMessage {
            id: id.to_owned(),
            topic: "a/b".to_owned(),
            payload: Vec::new(),
            sender: String::new(),
            qos: 1,
            retain: false,
            at_ms: 0,
            expires_at_ms: None,
            user_properties: Vec::new(),
            extras: Vec::new(),
        };
        stored(message, foreign).expect("it can be sent")
    }

    #[test]
    fn a_foreign_id_is_kept_beside_one_that_stands_for_it() {
        let own = stored_with("2PguFrHsrzEvIIBdctmb");
        assert_eq!(own.id.to_string(), "2PguFrHsrzEvIIBdctmb");
        assert_eq!(own.foreign_id, None);
        for text in [
            "1",
            "",
            "2PguFrHsrzEvIIBdctm!",
            "53F33F7E4741E7007000004B70001",
        ] {
            let foreign = stored_with(text);
            assert!(foreign.id.is_foreign(), "{text:?}");
            assert_eq!(foreign.foreign_id.as_deref(), Some(text));
            assert_eq!(foreign.id, stored_with(text).id, "the same for the same");
        }
    }
}
