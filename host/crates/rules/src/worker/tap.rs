//! Somebody who is told of events as they come, whatever rules make of them.

use hookwire_broker::Hook;
use hookwire_mqtt::{TopicFilter, TopicName};
use tokio::sync::mpsc;

use crate::house::record::EventRecord;
use crate::worker::subject::Subject;

/// Which events somebody wants to be told of.
#[derive(Debug, Clone)]
pub struct TapFilter {
    /// Those of this hook.
    pub hook: Hook,
    /// Those with a topic that it matches; hooks without one give all.
    pub filter: TopicFilter,
    /// Whether payloads are told, and what clients authenticate with is not in
    /// any case.
    pub payloads: bool,
}

/// One who is told.
pub(crate) struct Tap {
    pub(crate) filter: TapFilter,
    pub(crate) lines: mpsc::Sender<String>,
}

impl Tap {
    pub(crate) fn is_wanted(&self) -> bool {
        !self.lines.is_closed()
    }

    /// Tells of an event, if it is one of those.
    pub(crate) fn tell(&self, subject: &Subject) {
        let TapFilter {
            hook,
            filter,
            payloads,
        } = &self.filter;
        if subject.hook() != *hook {
            return;
        }
        let topic = subject.message().map(|message| &*message.topic);
        let matches = |topic| TopicName::new(topic).is_ok_and(|topic| filter.matches(topic));
        if !topic.is_none_or(matches) {
            return;
        }
        let mut record = EventRecord::of(subject);
        if let Some(message) = record.message.as_mut().filter(|_| !payloads) {
            message.payload.clear();
            message.payload_encoding.clear();
        }
        if let Ok(line) = serde_json::to_string(&record) {
            // A reader that is too slow misses some; the broker does not wait.
            if self.lines.try_send(line).is_err() {
                tracing::debug!("an event is not told: whoever records is slow, or gone");
            }
        }
    }
}
