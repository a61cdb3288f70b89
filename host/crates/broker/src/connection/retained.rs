//! Retained messages for a new subscription: what the index has, and what stores
//! have, one of each topic.
//!
//! The index is read when the subscription is in the route table, so that what it
//! does not have comes live. A store is asked then; what it has later of a topic is
//! sent if it cannot come live as well: a message of an earlier run of the broker,
//! or of another writer. What is live waits meanwhile.

use std::sync::Arc;

use hookwire_mqtt::{TopicFilter, TopicName};

use super::ConnectionKey;
use super::fetching::{PAGE_MESSAGES, RETRY_MS};
use crate::faults::Fault;
use crate::hooks::{FetchRequest, FetchRule, Hook, Hooks, Page, Question, Refusal, Wants};
use crate::message::Message;
use crate::session::{Found, Granted, Lookup, SessionKey, Source, Terms};
use crate::shard::Shard;
use crate::time::Now;

/// Retained messages that may wait for one client before no more are looked for.
const MAX_BACKLOG: usize = 250_000;
/// Subscriptions of a client beyond which it is not looked whether mail may
/// bring a retained message a second time: then it may.
const MAX_COMPARED: usize = 64;
/// How long a message may be between its store and its receivers, in milliseconds.
const UNDER_WAY_MS: u64 = 60_000;

impl<H: Hooks> Shard<H> {
    /// Has the retained messages that match come before everything newer.
    pub(super) fn find_retained(
        &mut self,
        now: Now,
        key: SessionKey,
        filter: &TopicFilter,
        granted: Granted,
        is_known: bool,
    ) {
        let waits = self
            .session(key)
            .map_or(0, |session| session.backlog.len() + session.lookups.len());
        if waits >= MAX_BACKLOG {
            self.counters.retained_unsent += 1;
            return;
        }
        let rules = self.retained_rules(filter);
        let found = self.retained.matching(filter, now.wall_ms);
        if found.is_empty() && rules.is_empty() {
            return;
        }
        let noted = self.may_come_again(key, filter, &found, is_known);
        let Some(session) = self.session_mut(key) else {
            return;
        };
        let until_ms = session.recent.note(&noted, now.wall_ms);
        if rules.is_empty() {
            let messages = found;
            self.send_retained(key, Found { messages, granted });
        } else {
            let generation = self.hooks.generation();
            let lookup = Lookup::new(filter.clone(), granted, found, generation, rules);
            if let Some(session) = self.session_mut(key) {
                session.lookups.push(lookup);
                let is_raised = session.raise(now.wall_ms);
                self.counters.fetch_barriers += u64::from(is_raised);
            }
        }
        self.recent_until_ms = self.recent_until_ms.max(until_ms);
    }

    /// A subscription begins where its place in the store is kept, and what was parked
    /// before is not sent: so what was retained meanwhile is.
    pub(super) fn find_retained_anew(&mut self, now: Now, key: SessionKey, source: &Source) {
        let retained = Arc::clone(&self.retained);
        let Some(session) = self.session_mut(key) else {
            return;
        };
        let Some(lookup) = session.lookups.of_mut(&source.filter) else {
            return;
        };
        let found = retained.matching(&source.filter, now.wall_ms);
        let latest = |topic: &str| retained.latest(topic);
        let new = lookup.begin_anew(&found, source.rule.stores, latest);
        let noted = self.may_come_again(key, &source.filter, &new, false);
        if let Some(session) = self.session_mut(key) {
            let until_ms = session.recent.note(&noted, now.wall_ms);
            if let Some(fetching) = &mut session.fetching {
                fetching.note_retained(&new);
            }
            self.recent_until_ms = self.recent_until_ms.max(until_ms);
        }
    }

    fn retained_rules(&mut self, filter: &TopicFilter) -> Vec<FetchRule> {
        if self.hooks.wants(Hook::SessionRetained) {
            self.hooks.fetch_rules(Wants::Retained, filter)
        } else {
            Vec::new()
        }
    }

    /// Those of the messages that mail of another worker may still bring, unless an
    /// older subscription is owed that mail anyway.
    fn may_come_again(
        &self,
        key: SessionKey,
        filter: &TopicFilter,
        found: &[Arc<Message>],
        is_known: bool,
    ) -> Vec<Arc<Message>> {
        let worker = u64::from(self.worker);
        let Some(session) = self.session(key) else {
            return Vec::new();
        };
        if is_known || session.subscriptions.len() > MAX_COMPARED {
            return Vec::new();
        }
        let comes_again = |message: &&Arc<Message>| {
            let Ok(topic) = TopicName::new(&message.topic) else {
                return false;
            };
            let mut others = session
                .subscriptions
                .keys()
                .filter(|other| *other != filter);
            message.id.worker() != worker && !others.any(|other| other.matches(topic))
        };
        let is_others = |message: &&Arc<Message>| {
            !session
                .subscriptions
                .get(filter)
                .is_some_and(|granted| granted.no_local)
                || message.sender != session.client.clientid
        };
        let found = found.iter().filter(is_others);
        found.filter(comes_again).cloned().collect()
    }

    /// Puts retained messages before everything newer.
    fn send_retained(&mut self, key: SessionKey, found: Found) {
        let Found {
            mut messages,
            granted,
        } = found;
        let ignores_no_local = self.planted.is(Fault::NoLocalIgnored);
        let Some(session) = self.session_mut(key) else {
            return;
        };
        if granted.no_local && !ignores_no_local {
            let clientid = &session.client.clientid;
            messages.retain(|message| message.sender != *clientid);
        }
        session.backlog.push(messages, Terms::of(granted));
    }

    /// Asks a store for the next page of retained messages; whether one is awaited.
    pub(super) fn go_on_looking_up(&mut self, now: Now, key: SessionKey) -> bool {
        loop {
            let generation = self.hooks.generation();
            let Some(session) = self.session_mut(key) else {
                return false;
            };
            let Some(connection) = session.connection else {
                return false;
            };
            if session.lookups.is_empty() {
                return false;
            }
            // What came is sent first.
            if !session.backlog.is_empty() {
                return true;
            }
            let client = Arc::clone(&session.client);
            let Some(lookup) = session.lookups.first_to_ask(now.mono_ms) else {
                return true;
            };
            let filter = lookup.filter.clone();
            if lookup.generation != generation {
                let rules = self.retained_rules(&filter);
                self.change_lookup_rules(key, now, generation, rules);
                continue;
            }
            if let Some(rule) = lookup.rules.front().copied() {
                let request = FetchRequest {
                    wants: Wants::Retained,
                    client,
                    filter: Arc::from(filter.as_str()),
                    qos: lookup.granted.qos,
                    cursor: lookup.cursor.clone(),
                    begins: false,
                    max_messages: PAGE_MESSAGES,
                    after_writes: true,
                };
                let number = self.ask(connection, rule.rules, Question::Fetch(request));
                if let Some(session) = self.session_mut(key) {
                    session.lookups.asked(number);
                }
                return true;
            }
            if let Some(rest) = session.lookups.end_first() {
                self.send_retained(key, rest);
            }
        }
    }

    /// Rules have changed in the middle of a look-up: it goes on by those that are
    /// there now.
    fn change_lookup_rules(
        &mut self,
        key: SessionKey,
        now: Now,
        generation: u64,
        rules: Vec<FetchRule>,
    ) {
        if let Some(session) = self.session_mut(key)
            && let Some(lookup) = session.lookups.first_to_ask(now.mono_ms)
        {
            let asked = lookup.rules.front().map(|rule| rule.stores);
            let is_left = |rule: &FetchRule| Some(rule.stores) == asked;
            let place = rules.iter().position(is_left).unwrap_or_default();
            if rules.get(place).map(|rule| rule.stores) != asked {
                lookup.cursor = None;
            }
            lookup.rules = rules.into_iter().skip(place).collect();
            lookup.generation = generation;
        }
    }

    /// A page of retained messages came, or why there is none. False: the answer is
    /// not to a look-up.
    pub(super) fn retained_answered(
        &mut self,
        now: Now,
        key: ConnectionKey,
        number: u64,
        answer: &mut Result<Page, Refusal>,
    ) -> bool {
        let session_key = self.live(key).and_then(|connection| connection.session);
        let Some(session_key) = session_key else {
            return false;
        };
        let (retained, ids) = (Arc::clone(&self.retained), &self.ids);
        let has_refused = retained.has_refused();
        let under_way_since_ms = now.wall_ms.saturating_sub(UNDER_WAY_MS);
        let look = |message: &Message| {
            let latest = retained.latest(&message.topic);
            let taken_ms = ids.taken_ms(message.id);
            let is_recent = taken_ms.is_some_and(|at_ms| at_ms >= under_way_since_ms);
            // What the index had no room for does not come into it.
            (latest, is_recent && !has_refused)
        };
        let sessions = &mut self.sessions;
        let session = sessions.get_mut(session_key.index as usize);
        let session = session.filter(|session| session.generation == session_key.generation);
        let Some(session) = session else {
            return false;
        };
        let Some(lookup) = session.lookups.answered(number) else {
            return false;
        };
        match answer {
            Ok(page) => {
                let mut messages = std::mem::take(&mut page.messages);
                messages.retain(|message| !message.is_expired(now.wall_ms));
                let found = lookup.take(messages, look);
                lookup.cursor = page.next.take();
                if lookup.cursor.is_none() {
                    lookup.rules.pop_front();
                }
                session.lookups.succeeded();
                self.send_retained(session_key, found);
            }
            Err(_) if session.lookups.failed(now.mono_ms + RETRY_MS) => {
                self.fetch_later.push(session_key);
            }
            Err(_) => self.counters.retained_unsent += 1,
        }
        self.send_waiting(now, session_key);
        true
    }
}
