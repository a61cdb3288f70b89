//! What rules said that a client may do and may not, for as long as they said.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::HashMap;
use hookwire_mqtt::QoS;

use crate::hooks::{Operation, Refusal};

/// What somebody wants to do, as far as an answer depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Wish {
    pub(crate) operation: Operation,
    /// Topic or filter.
    pub(crate) topic: Arc<str>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

/// An answer that is kept; none: it may.
type Kept = Option<Refusal>;

/// The answers of one connection, true for one generation of the rules. The
/// oldest go first.
#[derive(Debug)]
pub(crate) struct AccessCache {
    generation: u64,
    entries: HashMap<Wish, Entry>,
    /// What is in `entries`, oldest first.
    order: VecDeque<Wish>,
}

#[derive(Debug)]
struct Entry {
    kept: Kept,
    /// On the steady clock; `u64::MAX`: until the rules change.
    until_ms: u64,
}

impl AccessCache {
    pub(crate) fn new(generation: u64) -> Self {
        Self {
            generation,
            entries: HashMap::default(),
            order: VecDeque::new(),
        }
    }

    /// What was answered, if it still holds.
    pub(crate) fn get(&mut self, wish: &Wish, generation: u64, mono_ms: u64) -> Option<&Kept> {
        if self.generation != generation {
            self.entries.clear();
            self.order.clear();
            self.generation = generation;
        }
        let entry = self.entries.get(wish)?;
        (mono_ms < entry.until_ms).then_some(&entry.kept)
    }

    /// Keeps an answer of this generation, and at most `max` in all.
    pub(crate) fn keep(&mut self, wish: Wish, kept: Kept, until_ms: u64, max: usize) {
        let entry = Entry { kept, until_ms };
        if let Some(known) = self.entries.get_mut(&wish) {
            *known = entry;
            return;
        }
        while self.order.len() >= max.max(1)
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        self.order.push_back(wish.clone());
        self.entries.insert(wish, entry);
    }

    /// The generation of the rules that its answers are of.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(topic: &str) -> Wish {
        Wish {
            operation: Operation::Publish,
            topic: topic.into(),
            qos: QoS::AtMostOnce,
            retain: false,
        }
    }

    #[test]
    fn answers_hold_until_their_time_a_change_of_rules_or_want_of_room() {
        let mut cache = AccessCache::new(1);
        cache.keep(wish("a"), None, u64::MAX, 2);
        cache.keep(wish("b"), None, 100, 2);
        assert!(cache.get(&wish("a"), 1, 5).is_some());
        assert!(cache.get(&wish("b"), 1, 99).is_some());
        assert!(cache.get(&wish("b"), 1, 100).is_none(), "its time is over");
        let retained = Wish {
            retain: true,
            ..wish("a")
        };
        assert!(cache.get(&retained, 1, 5).is_none(), "that is another wish");
        cache.keep(wish("b"), None, 200, 2);
        cache.keep(wish("c"), None, u64::MAX, 2);
        assert!(cache.get(&wish("a"), 1, 5).is_none(), "the oldest went");
        assert!(cache.get(&wish("b"), 1, 150).is_some());
        assert!(cache.get(&wish("c"), 2, 5).is_none(), "the rules changed");
        assert!(cache.order.is_empty() && cache.entries.is_empty());
    }
}
