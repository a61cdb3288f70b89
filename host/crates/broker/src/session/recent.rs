//! Messages that were found in the retained index or in a store, and may come by
//! mail as well.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::Line;
use crate::message::{Message, MessageId};

/// A retained message of a client of another worker can be found in the shared
/// index before the mail arrives that brings it, and what came before it, to
/// this worker's subscribers. What a new subscriber was sent because of the
/// index is noted here for as long as mail can be under way, so that it gets it
/// once, and nothing older of the same publisher behind it.
#[derive(Debug, Default)]
pub(crate) struct RecentRetained {
    /// By topic.
    entries: HashMap<Arc<str>, Entry>,
    /// How many there may be before old ones are forgotten.
    sweep_at: usize,
}

#[derive(Debug)]
struct Entry {
    sender: Arc<str>,
    id: MessageId,
    until_ms: u64,
}

/// How long mail can be under way at most, in milliseconds, rules included.
const MAIL_MS: u64 = 60_000;

impl RecentRetained {
    /// Notes messages that were found in the index, and forgets old ones.
    /// Answers how long there is any.
    pub(crate) fn note(&mut self, messages: &[Arc<Message>], wall_ms: u64) -> u64 {
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, entry| wall_ms < entry.until_ms);
            self.sweep_at = 64 + 2 * self.entries.len();
        }
        for message in messages {
            if message.at_ms.saturating_add(MAIL_MS) > wall_ms {
                let entry = Entry {
                    sender: Arc::clone(&message.sender),
                    id: message.id,
                    until_ms: wall_ms + MAIL_MS,
                };
                self.entries.insert(Arc::clone(&message.topic), entry);
            }
        }
        if messages.is_empty() {
            0
        } else {
            wall_ms + MAIL_MS
        }
    }

    /// Whether this message came, or was overtaken, by way of the index.
    pub(crate) fn covers(&self, message: &Message, wall_ms: u64) -> bool {
        self.entries.get(&message.topic).is_some_and(|entry| {
            wall_ms < entry.until_ms && message.id <= entry.id && message.sender == entry.sender
        })
    }
}

/// A stored message can be fetched before the mail arrives that brings it. What
/// was fetched is noted here for as long as mail can be under way.
#[derive(Debug, Default)]
pub(crate) struct RecentFetched {
    ids: HashSet<MessageId>,
    /// By publisher and topic, the last one; it counts while it is among `ids`.
    last: HashMap<Line, MessageId>,
    /// In the order noted.
    until_ms: VecDeque<(MessageId, u64)>,
    /// How many of `last` there may be before those that do not count are forgotten.
    sweep_at: usize,
}

/// How long a message may be on its way into the store, in milliseconds, while its
/// rule tries again; beyond it, it may come twice.
const STORING_MS: u64 = 600_000;
/// Messages remembered at most; beyond it the oldest may come twice.
const MAX_FETCHED: usize = 262_144;

impl RecentFetched {
    /// Notes a message, and forgets old ones.
    pub(crate) fn note(&mut self, message: &Message, wall_ms: u64) {
        while let Some((_, until_ms)) = self.until_ms.front()
            && (*until_ms <= wall_ms || self.ids.len() >= MAX_FETCHED)
            && let Some((id, _)) = self.until_ms.pop_front()
        {
            self.ids.remove(&id);
        }
        let is_old = message.at_ms.saturating_add(STORING_MS) <= wall_ms;
        if is_old || message.id.is_foreign() || !self.ids.insert(message.id) {
            return;
        }
        let until_ms = wall_ms + MAIL_MS;
        self.until_ms.push_back((message.id, until_ms));
        let last = self.last.entry(Line::of(message)).or_insert(message.id);
        *last = message.id.max(*last);
        if self.last.len() >= self.sweep_at {
            self.last.retain(|_, last| self.ids.contains(last));
            self.sweep_at = 64 + 2 * self.last.len();
        }
    }

    /// Whether it was fetched.
    pub(crate) fn has(&self, id: MessageId) -> bool {
        !self.ids.is_empty() && self.ids.contains(&id)
    }

    /// Whether a later message of its publisher and topic was fetched. Then this
    /// one was fetched too, or is before the client's position, or was stored
    /// before the client subscribed, and is routed only now.
    pub(crate) fn overtook(&self, line: &Line, id: MessageId) -> bool {
        let counts = |last: &MessageId| id < *last && self.ids.contains(last);
        !self.last.is_empty() && self.last.get(line).is_some_and(counts)
    }
}

#[cfg(test)]
mod tests {
    use hookwire_mqtt::QoS;

    use super::super::tests::delivery;
    use super::*;

    fn message(number: u64, topic: &str) -> Message {
        let mut message = Message::clone(&delivery(QoS::AtLeastOnce).message);
        message.id = MessageId::from_halves(number, 0);
        message.topic = topic.into();
        message
    }

    #[test]
    fn what_was_fetched_is_remembered_for_a_minute() {
        let mut recent = RecentFetched::default();
        let (first, last) = (message(1, "t"), message(2, "t"));
        let line = Line::of(&last);
        recent.note(&last, 1_000);
        let known =
            |recent: &RecentFetched| (recent.has(last.id), recent.overtook(&line, first.id));
        assert_eq!(known(&recent), (true, true));
        assert!(!recent.overtook(&line, last.id), "it is the last itself");
        assert!(!recent.overtook(&Line::of(&message(2, "u")), first.id));
        recent.note(&message(3, "u"), 1_000 + MAIL_MS - 1);
        assert_eq!(known(&recent), (true, true));
        recent.note(&message(4, "u"), 1_000 + MAIL_MS);
        assert_eq!(known(&recent), (false, false));
    }

    #[test]
    fn lines_of_which_nothing_is_remembered_are_forgotten() {
        let mut recent = RecentFetched::default();
        for number in 1..10_000 {
            let topic = format!("t/{number}");
            recent.note(&message(number, &topic), number * MAIL_MS / 100);
            assert!(recent.ids.len() <= 100);
            assert!(recent.last.len() <= 64 + 2 * 100);
        }
    }
}
