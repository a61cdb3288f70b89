//! `$delayed/SECONDS/TOPIC`: a message that passes its rules now and is routed
//! later. What waits is lost with the process.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookwire_mqtt::TopicName;

use crate::hooks::Hooks;
use crate::message::Message;
use crate::shard::Shard;
use crate::time::Now;

/// What a topic begins with whose messages are held back.
pub(crate) const DELAYED_PREFIX: &str = "$delayed/";

/// The longest delay, in seconds: 4,294,967, about 50 days.
const MAX_DELAY_S: u64 = u32::MAX as u64 / 1_000;

/// Not `$delayed/SECONDS/TOPIC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotDelayed;

/// The topic to publish to, and after how many milliseconds.
pub(crate) fn parse(topic: &str) -> Result<(TopicName<'_>, u64), NotDelayed> {
    let rest = topic.strip_prefix(DELAYED_PREFIX).ok_or(NotDelayed)?;
    let (seconds, topic) = rest.split_once('/').ok_or(NotDelayed)?;
    if seconds.is_empty() || !seconds.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotDelayed);
    }
    let seconds: u64 = seconds.parse().map_err(|_| NotDelayed)?;
    let topic = TopicName::new(topic).map_err(|_| NotDelayed)?;
    let is_nested = topic.as_str().starts_with(DELAYED_PREFIX);
    if seconds > MAX_DELAY_S || is_nested || topic.as_str().starts_with("$SYS/") {
        return Err(NotDelayed);
    }
    Ok((topic, seconds * 1_000))
}

/// Messages that wait for their time, soonest first, then as they came.
#[derive(Debug, Default)]
pub(crate) struct Delayed {
    waiting: BTreeMap<(u64, u64), Arc<Message>>,
    sequence: u64,
    bytes: usize,
}

impl Delayed {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn push(&mut self, due_ms: u64, message: Arc<Message>) {
        self.sequence += 1;
        self.bytes += message.held_bytes();
        self.waiting.insert((due_ms, self.sequence), message);
    }

    fn pop_due(&mut self, mono_ms: u64) -> Option<Arc<Message>> {
        let first = self.waiting.first_entry()?;
        if first.key().0 > mono_ms {
            return None;
        }
        let message = first.remove();
        self.bytes = self.bytes.saturating_sub(message.held_bytes());
        Some(message)
    }
}

impl<H: Hooks> Shard<H> {
    /// Whether so many bytes more may wait.
    pub(crate) fn may_delay(&self, bytes: usize) -> bool {
        self.delayed.len() < self.limits.max_delayed_messages
            && self.delayed.bytes().saturating_add(bytes) <= self.limits.max_delayed_bytes
    }

    /// Holds back a message that passed its rules; false if too much waits, as
    /// wills and publishes that were with the rules at the same time may find.
    pub(crate) fn delay(&mut self, now: Now, delay_ms: u64, message: Arc<Message>) -> bool {
        if !self.may_delay(message.held_bytes()) {
            self.counters.publishes_refused += 1;
            return false;
        }
        self.counters.messages_delayed += 1;
        self.delayed.push(now.mono_ms + delay_ms, message);
        true
    }

    /// Routes what is due.
    pub(crate) fn release_delayed(&mut self, now: Now) {
        while let Some(message) = self.delayed.pop_due(now.mono_ms) {
            self.route_message(now, None, &message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delayed_topic_has_seconds_and_a_topic() {
        let check = |topic: &str, expected: Option<(&str, u64)>| {
            let parsed = parse(topic).ok().map(|(topic, ms)| (topic.as_str(), ms));
            assert_eq!(parsed, expected, "{topic}");
        };
        check("$delayed/5/a/b", Some(("a/b", 5_000)));
        check("$delayed/0/a", Some(("a", 0)));
        check("$delayed/4294967/a", Some(("a", 4_294_967_000)));
        check("$delayed/4294968/a", None);
        check("$delayed/99999999999999999999999/a", None);
        check("$delayed/-1/a", None);
        check("$delayed/+1/a", None);
        check("$delayed/1.5/a", None);
        check("$delayed//a", None);
        check("$delayed/5", None);
        check("$delayed/5/", None);
        check("$delayed/1/$delayed/1/a", None);
        check("$delayed/1/$SYS/a", None);
        check("delayed/5/a", None);
    }
}
