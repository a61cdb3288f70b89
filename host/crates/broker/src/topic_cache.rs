//! What a worker knows of a topic, kept so that a steady publisher finds its
//! rules and receivers with one look-up and no shared lock.

use std::rc::Rc;
use std::sync::Arc;

use foldhash::HashMap;

use crate::group::Group;
use crate::hooks::RuleSet;
use crate::link::WorkerId;
use crate::session::{SessionKey, Terms};
use crate::shard::Subscriber;

/// One topic's rules and receivers, true for one [`Stamp`].
#[derive(Debug)]
pub(crate) struct TopicEntry {
    pub(crate) topic: Arc<str>,
    stamp: Stamp,
    /// Those that say who may publish to it.
    pub(crate) access_rules: RuleSet,
    pub(crate) publish_rules: RuleSet,
    pub(crate) deliver_rules: RuleSet,
    pub(crate) acked_rules: RuleSet,
    pub(crate) position_rules: RuleSet,
    /// Sessions of this worker, each once.
    pub(crate) local: Vec<Target>,
    /// Other workers with a subscriber.
    pub(crate) remote: Vec<WorkerId>,
    /// Shared subscriptions.
    pub(crate) groups: Vec<Arc<Group>>,
}

/// A session that gets the topic's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) session: SessionKey,
    /// How it gets the messages of others, by all its matching subscriptions.
    pub(crate) terms: Terms,
    /// Whether a matching subscription wants no messages of its own client.
    pub(crate) has_no_local: bool,
    /// How it gets its own messages then: by the other subscriptions.
    pub(crate) own: Option<Terms>,
}

/// The generations of everything an entry was computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) routes: u64,
    pub(crate) subscriptions: u64,
    pub(crate) rules: u64,
}

/// Topics kept, and bytes of their names; the cache starts anew beyond either.
const CAPACITY: usize = 65_536;
const CAPACITY_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct TopicCache {
    entries: HashMap<Arc<str>, Rc<TopicEntry>>,
    /// Bytes of the topics in `entries`.
    bytes: usize,
}

impl TopicCache {
    pub(crate) fn get(&self, topic: &str, stamp: Stamp) -> Option<Rc<TopicEntry>> {
        let entry = self.entries.get(topic)?;
        (entry.stamp == stamp).then(|| Rc::clone(entry))
    }

    /// The topic's shared text, if an entry of whatever age has it.
    pub(crate) fn topic_text(&self, topic: &str) -> Arc<str> {
        self.entries
            .get_key_value(topic)
            .map_or_else(|| Arc::from(topic), |(text, _)| Arc::clone(text))
    }

    pub(crate) fn insert(&mut self, entry: TopicEntry) -> Rc<TopicEntry> {
        if self.entries.len() >= CAPACITY || self.bytes >= CAPACITY_BYTES {
            self.entries.clear();
            self.bytes = 0;
        }
        let entry = Rc::new(entry);
        let known = self
            .entries
            .insert(Arc::clone(&entry.topic), Rc::clone(&entry));
        if known.is_none() {
            self.bytes += entry.topic.len();
        }
        entry
    }
}

impl TopicEntry {
    pub(crate) fn new(topic: Arc<str>, stamp: Stamp) -> Self {
        Self {
            topic,
            stamp,
            access_rules: RuleSet::NONE,
            publish_rules: RuleSet::NONE,
            deliver_rules: RuleSet::NONE,
            acked_rules: RuleSet::NONE,
            position_rules: RuleSet::NONE,
            local: Vec::new(),
            remote: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// Takes the matching subscriptions; overlapping ones of a session become
    /// one target.
    pub(crate) fn set_local(&mut self, mut matching: Vec<Subscriber>) {
        matching.sort_by_key(|subscriber| subscriber.session);
        self.local.reserve(matching.len());
        for Subscriber { session, granted } in matching {
            let own = (!granted.no_local).then_some(granted);
            let known = self
                .local
                .last_mut()
                .filter(|known| known.session == session);
            let Some(known) = known else {
                self.local.push(Target {
                    session,
                    terms: Terms::of(granted),
                    has_no_local: granted.no_local,
                    own: own.map(Terms::of),
                });
                continue;
            };
            known.terms.add(granted);
            known.has_no_local |= granted.no_local;
            match (&mut known.own, own) {
                (Some(terms), Some(granted)) => terms.add(granted),
                (terms @ None, granted) => *terms = granted.map(Terms::of),
                (Some(_), None) => {}
            }
        }
    }
}
