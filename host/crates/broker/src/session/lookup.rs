//! What one SUBSCRIBE has to get of retained messages: of each topic the later one
//! of index and store.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use hookwire_mqtt::TopicFilter;

use super::Granted;
use crate::hooks::{FetchRule, Stores};
use crate::message::{Message, MessageId};

/// What one SUBSCRIBE has to get.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) filter: TopicFilter,
    pub(crate) granted: Granted,
    /// What the index had when the subscription was made, by topic, as far as no
    /// store has spoken of the topic.
    pub(super) known: HashMap<Arc<str>, Arc<Message>>,
    /// The generation of the rules that these are of.
    pub(crate) generation: u64,
    /// Rules that are still to be asked; the first is.
    pub(crate) rules: VecDeque<FetchRule>,
    /// Where the next page of the first begins.
    pub(crate) cursor: Option<Arc<str>>,
    /// Topics that a store has spoken of, where there are several.
    spoken_of: HashSet<Arc<str>>,
}

/// What one page adds.
pub(crate) struct Found {
    pub(crate) messages: Vec<Arc<Message>>,
    pub(crate) granted: Granted,
}

impl Lookup {
    pub(crate) fn new(
        filter: TopicFilter,
        granted: Granted,
        known: Vec<Arc<Message>>,
        generation: u64,
        rules: Vec<FetchRule>,
    ) -> Self {
        let known = known.into_iter();
        Self {
            filter,
            granted,
            known: known
                .map(|message| (Arc::clone(&message.topic), message))
                .collect(),
            generation,
            rules: rules.into(),
            cursor: None,
            spoken_of: HashSet::default(),
        }
    }

    /// The subscription begins now, and not when it was made: what the index has
    /// since counts, where it does not come live any more.
    pub(crate) fn begin_anew(
        &mut self,
        found: &[Arc<Message>],
        stores: Stores,
        latest: impl Fn(&str) -> Option<MessageId>,
    ) -> Vec<Arc<Message>> {
        self.known.retain(|topic, known| {
            latest(topic).is_none_or(|id| id <= known.id)
                || found.iter().any(|message| message.topic == *topic)
        });
        let is_new = |message: &&Arc<Message>| {
            let known = self.known.get(&message.topic);
            message.stored.meets(stores) && known.is_none_or(|known| known.id != message.id)
        };
        let new: Vec<_> = found.iter().filter(is_new).cloned().collect();
        for message in &new {
            self.known
                .insert(Arc::clone(&message.topic), Arc::clone(message));
        }
        new
    }

    /// The message to send of a topic that a store has `stored` for: the later one
    /// of index and store. `latest` is what the index has by now; `is_under_way`
    /// whether what is stored was published by a client of this node, and may be
    /// routed only now.
    fn choose(
        &mut self,
        stored: Arc<Message>,
        latest: Option<MessageId>,
        is_under_way: bool,
    ) -> Option<Arc<Message>> {
        if self.rules.len() > 1 || !self.spoken_of.is_empty() {
            let is_new = self.spoken_of.insert(Arc::clone(&stored.topic));
            if !is_new {
                return None;
            }
        }
        let known = self.known.remove(&stored.topic);
        let is_later = |id: MessageId| id >= stored.id;
        // What the index has by now and did not have then comes live, and so does
        // what is under way.
        let is_live = latest.is_some_and(is_later) || is_under_way;
        if is_live || known.as_ref().is_some_and(|known| is_later(known.id)) {
            return known;
        }
        (!stored.payload.is_empty()).then_some(stored)
    }

    /// Takes a page of the first rule.
    pub(crate) fn take(
        &mut self,
        page: Vec<Arc<Message>>,
        look: impl Fn(&Message) -> (Option<MessageId>, bool),
    ) -> Found {
        let messages = page.into_iter().filter_map(|stored| {
            let (latest, is_under_way) = look(&stored);
            self.choose(stored, latest, is_under_way)
        });
        Found {
            messages: messages.collect(),
            granted: self.granted,
        }
    }

    /// No rule is left to be asked: what the index had, and no store spoke of.
    pub(super) fn rest(self) -> Found {
        let mut messages: Vec<_> = self.known.into_values().collect();
        messages.sort_unstable_by_key(|message| message.id);
        Found {
            messages,
            granted: self.granted,
        }
    }
}

#[cfg(test)]
mod tests {
    use hookwire_mqtt::QoS;

    use super::super::tests::delivery_of;
    use super::*;
    use crate::hooks::RuleSet;

    fn message(topic: &str, id: u64, payload: &str) -> Arc<Message> {
        let mut message = Message::clone(&delivery_of(payload, QoS::AtLeastOnce).message);
        message.topic = topic.into();
        message.id = MessageId::from_halves(id, 0);
        Arc::new(message)
    }

    fn lookup(known: &[(&str, u64)], rules: usize) -> Lookup {
        let granted = Granted {
            qos: QoS::AtLeastOnce,
            no_local: false,
            retain_as_published: false,
            identifier: None,
        };
        let rule = FetchRule {
            rules: RuleSet(1),
            stores: Stores(1),
        };
        let known = known.iter().map(|(topic, id)| message(topic, *id, "index"));
        let filter = TopicFilter::new("#").expect("it is a filter");
        Lookup::new(filter, granted, known.collect(), 0, vec![rule; rules])
    }

    fn shown(found: &Found) -> Vec<String> {
        let messages = found.messages.iter();
        messages
            .map(|message| {
                let payload = String::from_utf8_lossy(&message.payload);
                format!("{} {payload}", message.topic)
            })
            .collect()
    }

    #[test]
    fn the_later_of_index_and_store_is_sent_once() {
        let (unknown, newer) = (None, Some(MessageId::from_halves(9, 0)));
        let cases = [
            (
                "nothing in the index",
                None,
                ("store", 5),
                unknown,
                false,
                Some("store"),
            ),
            (
                "older in the index",
                Some(4),
                ("store", 5),
                unknown,
                false,
                Some("store"),
            ),
            (
                "the same",
                Some(5),
                ("store", 5),
                unknown,
                false,
                Some("index"),
            ),
            (
                "newer in the index",
                Some(6),
                ("store", 5),
                unknown,
                false,
                Some("index"),
            ),
            (
                "deleted in the store",
                Some(4),
                ("", 5),
                unknown,
                false,
                None,
            ),
            (
                "retained since",
                Some(6),
                ("", 5),
                unknown,
                false,
                Some("index"),
            ),
            (
                "deleted in the index",
                None,
                ("store", 5),
                newer,
                false,
                None,
            ),
            (
                "comes live",
                Some(4),
                ("store", 5),
                newer,
                false,
                Some("index"),
            ),
            (
                "is under way",
                Some(4),
                ("store", 5),
                unknown,
                true,
                Some("index"),
            ),
            (
                "is under way alone",
                None,
                ("store", 5),
                unknown,
                true,
                None,
            ),
            (
                "of another writer",
                Some(4),
                ("store", 0),
                unknown,
                false,
                Some("index"),
            ),
        ];
        for (what, known, (payload, id), latest, is_under_way, expected) in cases {
            let known: Vec<_> = known.map(|id| ("t", id)).into_iter().collect();
            let mut lookup = lookup(&known, 1);
            let found = lookup.take(vec![message("t", id, payload)], |_| (latest, is_under_way));
            let expected: Vec<_> = expected
                .map(|text| format!("t {text}"))
                .into_iter()
                .collect();
            assert_eq!(shown(&found), expected, "{what}");
            assert!(lookup.rest().messages.is_empty(), "{what}");
        }
    }

    #[test]
    fn what_no_store_speaks_of_comes_from_the_index_in_the_end() {
        let mut lookup = lookup(&[("b", 2), ("a", 3), ("c", 1)], 1);
        let look = |_: &Message| (None, false);
        let found = lookup.take(vec![message("b", 9, "store")], look);
        assert_eq!(shown(&found), ["b store"]);
        assert_eq!(shown(&lookup.rest()), ["c index", "a index"]);
    }

    #[test]
    fn the_first_of_several_stores_that_has_a_topic_is_heard() {
        let mut lookup = lookup(&[], 2);
        let look = |_: &Message| (None, false);
        assert_eq!(
            shown(&lookup.take(vec![message("a", 1, "one")], look)),
            ["a one"]
        );
        lookup.rules.pop_front();
        let page = vec![message("a", 2, "two"), message("b", 2, "two")];
        assert_eq!(shown(&lookup.take(page, look)), ["b two"]);
    }
}
