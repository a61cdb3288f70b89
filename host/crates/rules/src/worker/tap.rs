//! Somebody who is told of events as they come, whatever rules make of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hookwire_broker::Hook;
use hookwire_mqtt::TopicFilter;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::house::record::EventRecord;
use crate::worker::subject::Subject;

/// Which events somebody wants to be told of.
#[derive(Debug, Clone)]
pub struct TapFilter {
    /// Those of this hook.
    pub hook: Hook,
    /// Those that a rule with this topic filter would see; none: all but messages
    /// whose topics begin with `$`, which are the broker's own.
    pub filter: Option<TopicFilter>,
    /// Whether payloads are told, and what clients authenticate with is not in
    /// any case.
    pub payloads: bool,
}

/// One who is told.
pub(crate) struct Tap {
    pub(crate) filter: TapFilter,
    pub(crate) lines: mpsc::Sender<String>,
    /// Events that were left out because the reader is slow.
    pub(crate) missed: Arc<AtomicU64>,
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
        let is_meant = match filter {
            Some(filter) => subject.is_for(filter),
            None => subject
                .message()
                .is_none_or(|message| !message.topic.starts_with('$')),
        };
        if !is_meant {
            return;
        }
        let place = match self.lines.try_reserve() {
            Ok(place) => place,
            // A reader that is too slow misses some; the broker does not wait.
            Err(TrySendError::Full(())) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Err(TrySendError::Closed(())) => return,
        };
        let record = if *payloads {
            EventRecord::of(subject)
        } else {
            EventRecord::without_payload(subject)
        };
        if let Ok(line) = serde_json::to_string(&record) {
            place.send(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use hookwire_broker::{
        Access, ClientInfo, Operation, Question, Restored, SubscriptionEvent, SubscriptionInfo,
        Ticket,
    };
    use hookwire_mqtt::QoS;

    use super::*;
    use crate::worker::subject::Asked;

    fn tap(hook: Hook, filter: Option<&str>) -> (Tap, mpsc::Receiver<String>) {
        let (lines, told) = mpsc::channel(2);
        let filter = TapFilter {
            hook,
            filter: filter.map(|filter| TopicFilter::new(filter).unwrap()),
            payloads: false,
        };
        let missed = Arc::default();
        let tap = Tap {
            filter,
            lines,
            missed,
        };
        (tap, told)
    }

    fn client() -> Arc<ClientInfo> {
        Arc::new(ClientInfo {
            clientid: "c1".into(),
            username: None,
            connection: None,
        })
    }

    fn subscribed(filter: &str) -> Subject {
        Subject::Subscription(SubscriptionEvent {
            hook: Hook::SessionSubscribed,
            client: client(),
            subscription: SubscriptionInfo {
                filter: filter.into(),
                qos: QoS::AtMostOnce,
                no_local: false,
                retain_as_published: false,
                retain_handling: 0,
                identifier: None,
                is_new: true,
            },
            at_ms: 1,
        })
    }

    fn access(operation: Operation, topic: &str) -> Subject {
        let question = Question::Authorize(Access {
            client: client(),
            operation,
            topic: topic.into(),
            qos: QoS::AtMostOnce,
            retain: false,
        });
        Subject::Asked(Box::new(Asked {
            ticket: Ticket {
                key: 0,
                sequence: 0,
            },
            question,
            at_ms: 1,
            replaced: false,
            restored: Restored::default(),
        }))
    }

    #[test]
    fn subscriptions_and_access_are_told_as_a_rule_with_the_filter_sees_them() {
        let check = |hook, filter, subject: &Subject, expected| {
            let (tap, mut told) = tap(hook, filter);
            tap.tell(subject);
            assert_eq!(told.try_recv().is_ok(), expected, "{filter:?} {subject:?}");
        };
        let on = Hook::SessionSubscribed;
        check(on, None, &subscribed("b/1"), true);
        check(on, Some("a/#"), &subscribed("a/1"), true);
        check(on, Some("a/#"), &subscribed("$share/g/a/+"), true);
        check(on, Some("a/#"), &subscribed("b/1"), false);
        let on = Hook::ClientAuthorize;
        check(on, Some("a/#"), &access(Operation::Publish, "a/1"), true);
        check(on, Some("a/#"), &access(Operation::Publish, "b/1"), false);
        check(on, Some("a/#"), &access(Operation::Subscribe, "#"), true);
        check(on, Some("a/#"), &access(Operation::Subscribe, "b/#"), false);
        check(on, None, &subscribed("a/1"), false);
    }

    #[test]
    fn what_a_slow_reader_misses_is_counted_and_what_nobody_reads_is_not() {
        let (tap, told) = tap(Hook::SessionSubscribed, None);
        for _ in 0..5 {
            tap.tell(&subscribed("a"));
        }
        assert_eq!(tap.missed.load(Ordering::Relaxed), 3);
        drop(told);
        tap.tell(&subscribed("a"));
        assert_eq!(tap.missed.load(Ordering::Relaxed), 3);
        assert!(!tap.is_wanted());
    }
}
