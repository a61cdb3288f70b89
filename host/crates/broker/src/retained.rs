//! Retained messages: one index for all workers.
//!
//! Written by the worker that a retained message enters on, before the message
//! is matched; read by the worker of a client that subscribes, after its
//! subscription is in the route table. So a subscriber misses nothing.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::HashMap;
use hookwire_mqtt::TopicFilter;

use crate::message::{Message, MessageId};
use crate::topic_index::TopicIndex;

/// The last retained message of each topic.
#[derive(Debug)]
pub struct RetainedMessages {
    state: RwLock<State>,
    max_messages: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    index: TopicIndex<Arc<Message>>,
    bytes: usize,
    /// When messages expire, soonest first; those since replaced are among them.
    expiring: BinaryHeap<Reverse<(u64, MessageId, Arc<str>)>>,
    /// What cleared topics, the latest of each; kept where stores are asked for
    /// retained messages, so that what was cleared here does not come from there.
    cleared: HashMap<Arc<str>, MessageId>,
    /// In the order noted; those since replaced are among them.
    cleared_order: VecDeque<(Arc<str>, MessageId)>,
    /// Whether some message was not kept, for want of room.
    has_refused: bool,
}

/// What became of a retained message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retained {
    /// It is the one of its topic.
    Stored,
    /// It was empty: its topic has none [MQTT-3.3.1-6].
    Cleared,
    /// There are too many; the topic has none.
    Full,
}

/// Topics of which it is remembered what cleared them; beyond it the oldest are
/// forgotten, and what their stores say counts.
const MAX_CLEARED: usize = 65_536;
/// Places in the heap of expiries that may be void before it is swept.
const SPARE_EXPIRIES: usize = 1024;
/// Messages removed in one go, so that nobody waits long for the lock.
const SLICE: usize = 1024;

impl RetainedMessages {
    /// At most so many messages, and so many bytes of them.
    #[must_use]
    pub fn new(max_messages: usize, max_bytes: usize) -> Self {
        Self {
            state: RwLock::default(),
            max_messages,
            max_bytes,
        }
    }

    /// Keeps a message in the place of the one its topic has. The last to come
    /// stays, as with live subscribers: ids of one millisecond do not say which
    /// of two workers' messages was published with the other one in view.
    ///
    /// `is_looked_up`: stores are asked for retained messages, too.
    pub(crate) fn set(&self, message: Arc<Message>, is_looked_up: bool) -> Retained {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let known = state.index.get(&message.topic);
        let known_bytes = known.map(|known| cost_bytes(known));
        if message.payload.is_empty() {
            state.remove(&message.topic);
            if is_looked_up {
                state.note_cleared(&message);
            }
            return Retained::Cleared;
        }
        let bytes =
            (state.bytes - known_bytes.unwrap_or_default()).saturating_add(cost_bytes(&message));
        let is_new = known_bytes.is_none();
        if bytes > self.max_bytes || (is_new && state.index.len() >= self.max_messages) {
            // What is kept of the topic is no longer true.
            state.remove(&message.topic);
            state.has_refused = true;
            return Retained::Full;
        }
        state.bytes = bytes;
        state.cleared.remove(&message.topic);
        let topic = Arc::clone(&message.topic);
        let (expires_at_ms, id) = (message.expires_at_ms, message.id);
        state.index.insert(&topic, message);
        if expires_at_ms != Message::NEVER {
            state.expiring.push(Reverse((expires_at_ms, id, topic)));
            state.sweep_expiries();
        }
        Retained::Stored
    }

    /// The messages whose topics match and that are not expired, in the order
    /// of their ids.
    pub(crate) fn matching(&self, filter: &TopicFilter, wall_ms: u64) -> Vec<Arc<Message>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        state.index.matching(filter, |message| {
            if !message.is_expired(wall_ms) {
                found.push(Arc::clone(message));
            }
        });
        drop(state);
        found.sort_unstable_by_key(|message| message.id);
        found
    }

    /// The message that a topic has, or was cleared by, as far as it is known.
    pub(crate) fn latest(&self, topic: &str) -> Option<MessageId> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let kept = state.index.get(topic).map(|message| message.id);
        kept.or_else(|| state.cleared.get(topic).copied())
    }

    /// Whether some message was not kept, for want of room.
    pub(crate) fn has_refused(&self) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.has_refused
    }

    /// Forgets what is expired, some at a time.
    pub(crate) fn expire(&self, wall_ms: u64) {
        {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            let soonest = state.expiring.peek();
            if soonest.is_none_or(|Reverse((at_ms, ..))| *at_ms > wall_ms) {
                return;
            }
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..SLICE {
            match state.expiring.peek() {
                Some(Reverse((at_ms, ..))) if *at_ms <= wall_ms => {}
                _ => return,
            }
            if let Some(Reverse((_, id, topic))) = state.expiring.pop()
                && state.index.get(&topic).is_some_and(|known| known.id == id)
            {
                state.remove(&topic);
            }
        }
    }

    /// Messages kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .index
            .len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes kept, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .bytes
    }
}

/// Bytes that a message takes here, about: each level of its topic may be a
/// node of the index.
fn cost_bytes(message: &Message) -> usize {
    const LEVEL_BYTES: usize = 200;
    message.held_bytes() + LEVEL_BYTES * message.topic.split('/').count()
}

impl State {
    fn remove(&mut self, topic: &str) {
        if let Some(gone) = self.index.remove(topic) {
            self.bytes = self.bytes.saturating_sub(cost_bytes(&gone));
        }
    }

    fn note_cleared(&mut self, message: &Message) {
        let topic = Arc::clone(&message.topic);
        self.cleared.insert(Arc::clone(&topic), message.id);
        self.cleared_order.push_back((topic, message.id));
        while self.cleared_order.len() > MAX_CLEARED
            && let Some((topic, id)) = self.cleared_order.pop_front()
        {
            if self.cleared.get(&topic) == Some(&id) {
                self.cleared.remove(&topic);
            }
        }
    }

    /// Throws void expiries away before they outnumber the messages.
    fn sweep_expiries(&mut self) {
        if self.expiring.len() > SPARE_EXPIRIES + 2 * self.index.len() {
            let index = &self.index;
            self.expiring.retain(|Reverse((_, id, topic))| {
                index.get(topic).is_some_and(|known| known.id == *id)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hookwire_mqtt::QoS;

    use super::*;
    use crate::id::IdGenerator;

    fn message(
        ids: &mut IdGenerator,
        topic: &str,
        payload: &str,
        expires_at_ms: u64,
    ) -> Arc<Message> {
        Arc::new(Message {
            id: ids.next(1),
            topic: topic.into(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            sender: "s".into(),
            qos: QoS::AtLeastOnce,
            retain: true,
            at_ms: 1,
            expires_at_ms,
            properties: Bytes::new(),
            hops: 0,
            packet_id: None,
            foreign_id: None,
            stored: crate::hooks::Stores::NONE,
        })
    }

    fn payloads(retained: &RetainedMessages, filter: &str, wall_ms: u64) -> Vec<String> {
        let filter = TopicFilter::new(filter).unwrap();
        let found = retained.matching(&filter, wall_ms);
        let text = |message: &Arc<Message>| String::from_utf8_lossy(&message.payload).into_owned();
        found.iter().map(text).collect()
    }

    #[test]
    fn the_last_of_each_topic_is_kept_until_an_empty_one_comes() {
        let mut ids = IdGenerator::new(0, 0, 0);
        let retained = RetainedMessages::new(10, 10_000);
        for (topic, payload) in [("a/b", "1"), ("a/c", "2"), ("a/b", "3"), ("$x/y", "4")] {
            let stored = retained.set(message(&mut ids, topic, payload, Message::NEVER), false);
            assert_eq!(stored, Retained::Stored);
        }
        assert_eq!(payloads(&retained, "a/+", 1), ["2", "3"]);
        assert_eq!(
            payloads(&retained, "#", 1),
            ["2", "3"],
            "not what begins with $"
        );
        assert_eq!(payloads(&retained, "$x/#", 1), ["4"]);
        let empty = message(&mut ids, "a/b", "", Message::NEVER);
        assert_eq!(retained.set(empty, false), Retained::Cleared);
        assert_eq!(payloads(&retained, "a/b", 1), [""; 0]);
        assert_eq!(retained.len(), 2);
    }

    #[test]
    fn bounds_keep_new_topics_out_and_let_known_ones_change() {
        let mut ids = IdGenerator::new(0, 0, 0);
        let retained = RetainedMessages::new(2, 1_500);
        let mut set = |topic, payload: &str| {
            retained.set(message(&mut ids, topic, payload, Message::NEVER), false)
        };
        assert_eq!(set("a", "1"), Retained::Stored);
        assert_eq!(set("b", "2"), Retained::Stored);
        assert_eq!(set("c", "3"), Retained::Full);
        assert_eq!(set("b", "4"), Retained::Stored);
        assert_eq!(set("b", &"x".repeat(2_000)), Retained::Full);
        assert_eq!(
            payloads(&retained, "#", 1),
            ["1"],
            "the old one is not true any more"
        );
        assert_eq!(set("a", ""), Retained::Cleared);
        assert_eq!((retained.len(), retained.bytes()), (0, 0));
    }

    #[test]
    fn what_is_expired_is_not_found_and_then_forgotten() {
        let mut ids = IdGenerator::new(0, 0, 0);
        let retained = RetainedMessages::new(10_000, 10_000_000);
        for number in 0..3_000 {
            retained.set(
                message(&mut ids, &format!("t/{number}"), "x", 500 + number),
                false,
            );
        }
        retained.set(message(&mut ids, "t/1", "again", Message::NEVER), false);
        assert_eq!(payloads(&retained, "t/0", 499), ["x"]);
        assert_eq!(payloads(&retained, "t/0", 500), [""; 0]);
        assert_eq!(payloads(&retained, "t/1", 9_000), ["again"]);
        for _ in 0..4 {
            retained.expire(9_000);
        }
        assert_eq!(retained.len(), 1);
    }

    #[test]
    fn what_cleared_a_topic_is_remembered_where_stores_are_asked() {
        let mut ids = IdGenerator::new(0, 0, 0);
        let retained = RetainedMessages::new(10, 10_000);
        assert_eq!(retained.latest("t"), None);
        let kept = message(&mut ids, "t", "1", Message::NEVER);
        retained.set(Arc::clone(&kept), true);
        assert_eq!(retained.latest("t"), Some(kept.id));
        retained.set(message(&mut ids, "t", "", Message::NEVER), false);
        assert_eq!(retained.latest("t"), None);
        let cleared = message(&mut ids, "t", "", Message::NEVER);
        retained.set(Arc::clone(&cleared), true);
        assert_eq!(retained.latest("t"), Some(cleared.id));
        let again = message(&mut ids, "t", "2", Message::NEVER);
        retained.set(Arc::clone(&again), true);
        assert_eq!(retained.latest("t"), Some(again.id));
        for number in 0..=MAX_CLEARED {
            retained.set(
                message(&mut ids, &format!("u/{number}"), "", Message::NEVER),
                true,
            );
        }
        assert_eq!(retained.latest("u/0"), None, "there is a bound");
        assert_ne!(retained.latest("u/1"), None);
        assert!(!retained.has_refused());
    }
}
