//! The lower half of the spine: a message that passed its rules is retained,
//! matched, and handed to its receivers, here and on other workers.
//!
//! Mail of other workers enters here, at [`Shard::deliver_mail`], below the rules.

use std::rc::Rc;
use std::sync::Arc;

use hookwire_mqtt::TopicName;

use crate::connection::ConnectionKey;
use crate::faults::Fault;
use crate::hooks::{Hook, Hooks, RuleSet, Stores};
use crate::message::Message;
use crate::retained::Retained;
use crate::session::SessionKey;
use crate::shard::Shard;
use crate::time::Now;
use crate::topic_cache::{Stamp, Target, TopicEntry};
use crate::transit::Transit;

impl<H: Hooks> Shard<H> {
    /// Routes a message that was kept for a while; whether anybody gets it.
    pub(crate) fn route_message(
        &mut self,
        now: Now,
        from: Option<ConnectionKey>,
        message: &Arc<Message>,
    ) -> bool {
        let Ok(topic) = TopicName::new(&message.topic) else {
            return false;
        };
        let entry = self.topic_entry(topic);
        self.route(now, from, &entry, &mut Transit::of(message))
    }

    /// Hands a message that passed its rules to its receivers, here and
    /// elsewhere; whether there are any.
    pub(crate) fn route(
        &mut self,
        now: Now,
        from: Option<ConnectionKey>,
        entry: &TopicEntry,
        transit: &mut Transit<'_>,
    ) -> bool {
        transit.deliver_rules = entry.deliver_rules;
        self.crowded.clear();
        let is_kept = transit.retain && self.retain(transit);
        for &worker in &entry.remote {
            if let Some(link) = self.links.get_mut(usize::from(worker)) {
                // What has no publisher any more was held back.
                match from {
                    Some(_) => link.send(transit.shared()),
                    None => link.send_late(transit.shared()),
                }
            }
            self.note_full_link(from, worker);
        }
        self.deliver(now, &entry.local, transit);
        for group in &entry.groups {
            self.dispatch(now, from, group, transit, 0);
        }
        let is_matched =
            !(entry.local.is_empty() && entry.remote.is_empty() && entry.groups.is_empty());
        if !is_matched && !is_kept {
            self.dropped(now, None, transit, "no-subscriber");
        }
        self.note_crowded(from);
        is_matched
    }

    /// Holds the publisher back if the link to a worker is full.
    pub(crate) fn note_full_link(&mut self, from: Option<ConnectionKey>, worker: u16) {
        let link = self.links.get(usize::from(worker));
        if link.is_some_and(crate::link::Link::is_full)
            && let Some(connection) = from.and_then(|key| self.connection_mut(key))
        {
            connection.blocked_on = Some(worker);
        }
    }

    /// Keeps the message for those who subscribe later, or, if it is empty,
    /// forgets the one that was kept. Whether it is kept.
    fn retain(&mut self, transit: &mut Transit<'_>) -> bool {
        if transit.payload.is_empty() && self.planted.is(Fault::RetainedNotCleared) {
            return false;
        }
        let is_looked_up = self.hooks.wants(Hook::SessionRetained);
        match self.retained.set(transit.shared(), is_looked_up) {
            Retained::Stored => true,
            Retained::Cleared => false,
            Retained::Full => {
                self.counters.retained_refused += 1;
                if self.counters.retained_refused.is_power_of_two() {
                    let refused = self.counters.retained_refused;
                    self.warnings.push(format!(
                        "{refused} messages were not retained: there are as many as allowed"
                    ));
                }
                false
            }
        }
    }

    /// The lower entrance: a message whose rules ran on another worker.
    pub(crate) fn deliver_mail(&mut self, now: Now, message: &Arc<Message>, is_late: bool) {
        if let Ok(topic) = TopicName::new(&message.topic) {
            let entry = self.topic_entry(topic);
            let mut transit = Transit::of(message);
            transit.deliver_rules = entry.deliver_rules;
            if is_late || now.wall_ms >= self.recent_until_ms {
                return self.deliver(now, &entry.local, &mut transit);
            }
            let is_early = |target: &Target| self.came_before(now, target.session, message);
            if entry.local.iter().any(is_early) {
                let mut left = entry.local.clone();
                left.retain(|target| !self.came_before(now, target.session, message));
                self.deliver(now, &left, &mut transit);
            } else {
                self.deliver(now, &entry.local, &mut transit);
            }
        }
    }

    /// Whether a session got the message, or a newer one of its publisher and
    /// topic, when it subscribed.
    fn came_before(&self, now: Now, session: SessionKey, message: &Message) -> bool {
        self.session(session)
            .is_some_and(|session| session.recent.covers(message, now.wall_ms))
    }

    /// The rules that see messages of this topic on their way to a client.
    #[inline]
    pub(crate) fn deliver_rules(&mut self, topic: &str) -> RuleSet {
        if !self.hooks.wants(Hook::MessageDeliver) {
            return RuleSet::NONE;
        }
        match TopicName::new(topic) {
            Ok(topic) => self.topic_entry(topic).deliver_rules,
            Err(_) => RuleSet::NONE,
        }
    }

    /// The topic's rules and receivers, from the cache if they are still true.
    pub(crate) fn topic_entry(&mut self, topic: TopicName<'_>) -> Rc<TopicEntry> {
        let mut stamp = Stamp {
            routes: self.routes.generation(),
            subscriptions: self.subscriptions_generation,
            rules: self.hooks.generation(),
        };
        if let Some(entry) = self.topics.get(topic.as_str(), stamp) {
            return entry;
        }
        let mut destinations = self.routes.destinations(topic);
        stamp.routes = destinations.generation;
        destinations.workers.retain(|worker| *worker != self.worker);
        let text = self.topics.topic_text(topic.as_str());
        let mut entry = TopicEntry::new(text, stamp);
        entry.access_rules = self.rules_of(Hook::ClientAuthorize, topic);
        entry.publish_rules = self.rules_of(Hook::MessagePublish, topic);
        entry.deliver_rules = self.rules_of(Hook::MessageDeliver, topic);
        entry.acked_rules = self.rules_of(Hook::MessageAcked, topic);
        entry.position_rules = self.rules_of(Hook::MessagePosition, topic);
        entry.remote = destinations.workers;
        entry.groups = destinations.groups;
        let mut matching = Vec::new();
        self.subscriptions
            .matches(topic, |subscriber| matching.push(*subscriber));
        entry.set_local(matching);
        if self.hooks.wants(Hook::SessionFetch) {
            for target in &mut entry.local {
                self.refresh_sources(target.session);
                let reads = self
                    .session(target.session)
                    .map_or(Stores::NONE, |session| session.sources.stores(topic));
                target.terms.reads = reads;
                if let Some(own) = &mut target.own {
                    own.reads = reads;
                }
            }
        }
        self.topics.insert(entry)
    }

    fn rules_of(&mut self, hook: Hook, topic: TopicName<'_>) -> RuleSet {
        if self.hooks.wants(hook) {
            self.hooks.match_topic(hook, topic)
        } else {
            RuleSet::NONE
        }
    }
}
