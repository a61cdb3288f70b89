//! What is stored for a client, before what comes live: a session's fetch, page
//! by page, and its positions in the stores.
//!
//! A subscription is in the route table before its first page is asked for, and
//! a message is stored before it is routed. So whatever is not in the pages is
//! routed to the session; what is in both is sent once.

use std::sync::Arc;

use foldhash::HashSet;
use hookwire_mqtt::{ReasonCode, SubAck, TopicFilter, TopicName};

use super::ConnectionKey;
use crate::faults::Fault;
use crate::hooks::{FetchRequest, Hook, Hooks, Page, Question, Refusal, RuleSet, Stores};
use crate::message::{Message, MessageId};
use crate::session::{Begins, Delivery, Granted, Line, Reading, Session, SessionKey, Source};
use crate::shard::Shard;
use crate::time::Now;

/// Messages asked for in one page.
const PAGE_MESSAGES: usize = 256;
/// Pause before a page is asked for again that had nothing and ended where it began.
const AGAIN_MS: u64 = 100;
/// Pause before a page that could not be had is asked for again.
const RETRY_MS: u64 = 1_000;

impl<H: Hooks> Shard<H> {
    /// A subscription was made: what is stored for it comes first.
    pub(super) fn fetch_for(
        &mut self,
        key: SessionKey,
        filter: &TopicFilter,
        granted: Granted,
        begins: Begins,
    ) {
        if !self.hooks.wants(Hook::SessionFetch) {
            return;
        }
        let rules = self.hooks.fetch_rules(filter);
        let Some(session) = self.session_mut(key) else {
            return;
        };
        session.sources.set(filter, &rules);
        for rule in rules {
            session.fetch(filter, rule, granted, begins);
        }
    }

    /// A subscription is gone: nothing is fetched for it, and nothing waits for that.
    pub(super) fn forget_fetching(&mut self, now: Now, key: SessionKey, filter: &TopicFilter) {
        let Some(session) = self.session_mut(key) else {
            return;
        };
        session.sources.remove(filter);
        let Some(fetching) = &mut session.fetching else {
            return;
        };
        fetching.remove(filter);
        self.write_subacks(key);
        self.send_waiting(now, key);
    }

    /// Writes SUBACK, once the client's place is kept in every store that one of
    /// the subscriptions reads. `granted` are their filters, where there is one.
    pub(super) fn acknowledge_subscribe(
        &mut self,
        now: Now,
        key: ConnectionKey,
        session_key: SessionKey,
        ack: SubAck,
        granted: &[Option<Arc<str>>],
    ) {
        let is_early = self.planted.is(Fault::SubAckEarly);
        match self
            .session_mut(session_key)
            .and_then(|session| session.fetching.as_mut())
            .filter(|_| !is_early)
        {
            Some(fetching) => {
                fetching.hold(ack, granted);
                self.write_subacks(session_key);
            }
            None => self.append_packet(key, |version, out| ack.encode(version, out)),
        }
        self.send_waiting(now, session_key);
    }

    fn write_subacks(&mut self, session_key: SessionKey) {
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        let Some((key, fetching)) = session.connection.zip(session.fetching.as_mut()) else {
            return;
        };
        for ack in fetching.take_subacks() {
            self.append_packet(key, |version, out| ack.encode(version, out));
        }
    }

    /// Has everything that is stored for a session come again, from its positions
    /// on: its client is back, or could not keep up.
    pub(super) fn fetch_all(&mut self, key: SessionKey) {
        self.refresh_sources(key);
        let Some(session) = self.session_mut(key) else {
            return;
        };
        let all = session.sources.list().to_vec();
        read_anew(session, &all);
    }

    /// Finds a session's sources, if rules have changed.
    pub(crate) fn refresh_sources(&mut self, key: SessionKey) {
        let generation = self.hooks.generation();
        let Some(session) = self.session(key) else {
            return;
        };
        if session.sources.generation == generation {
            return;
        }
        let mut filters: Vec<TopicFilter> = Vec::new();
        if self.hooks.wants(Hook::SessionFetch) {
            let own = session.subscriptions.keys();
            filters.extend(own.filter(|filter| filter.shared().is_none()).cloned());
        }
        let rules = |filter| {
            let rules = self.hooks.fetch_rules(&filter);
            (filter, rules)
        };
        let subscriptions = filters.into_iter().map(rules).collect();
        if let Some(session) = self.session_mut(key) {
            session.sources.replace(generation, subscriptions);
        }
    }

    /// Asks for the next page, or lets what was parked follow the last one.
    pub(super) fn go_on_fetching(&mut self, now: Now, session_key: SessionKey) {
        let planted = self.planted;
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        let Some((key, fetching)) = session.connection.zip(session.fetching.as_mut()) else {
            return;
        };
        if session.sources.list().len() > 1 && fetching.may_begin_anew() {
            fetching.take_missed();
            self.fetch_all(session_key);
            return self.go_on_fetching(now, session_key);
        }
        if let Some(source) = fetching.next_source(now.mono_ms) {
            return self.ask_page(session_key, key, source);
        }
        if !fetching.is_over() {
            return;
        }
        if fetching.take_missed() {
            self.fetch_all(session_key);
            return self.go_on_fetching(now, session_key);
        }
        let forgets = planted.is(Fault::ParkedForgotten);
        session.fetching = None;
        let (fetched, positions) = (&session.fetched, &session.positions);
        let again = |delivery: &Delivery| {
            let message = &delivery.message;
            let was_sent =
                || fetched.has(message.id) || positions.has(&Line::of(message), message.id);
            delivery.is_covered && (forgets || was_sent())
        };
        session.queue.extract(again);
        session.report_load();
        self.send_waiting(now, session_key);
    }

    fn ask_page(&mut self, session_key: SessionKey, key: ConnectionKey, source: Source) {
        let Some(session) = self.session(session_key) else {
            return;
        };
        let request = FetchRequest {
            client: Arc::clone(&session.client),
            filter: Arc::from(source.filter.as_str()),
            qos: source.granted.qos,
            cursor: source.cursor.clone(),
            begins: source.begins != Begins::Not,
            max_messages: PAGE_MESSAGES,
        };
        let number = self.ask(key, source.rule.rules, Question::Fetch(request));
        if let Some(session) = self.session_mut(session_key)
            && let Some(fetching) = &mut session.fetching
        {
            fetching.asked(number, source);
        }
    }

    /// A page came, or why there is none.
    pub(super) fn page_answered(
        &mut self,
        now: Now,
        key: ConnectionKey,
        number: u64,
        answer: Result<Page, Refusal>,
    ) {
        let Some(session_key) = self.live(key).and_then(|connection| connection.session) else {
            return;
        };
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        let Some((fetching, source)) = session.fetching.as_mut().and_then(|fetching| {
            let source = fetching.answered(number)?;
            Some((fetching, source))
        }) else {
            return;
        };
        match answer {
            Ok(page) => {
                session.sources.kept(&source.filter, source.rule);
                if source.begins == Begins::Subscribed {
                    fetching.begun(&source, None);
                }
                // What was missed is before it in the older one's pages.
                let older = match source.begins {
                    Begins::Not if !fetching.has_missed() => Vec::new(),
                    _ => session.sources.older(&source.filter, source.rule),
                };
                if older.is_empty() {
                    self.take_page(now, session_key, source, page);
                } else {
                    // What these have of the same topics goes first.
                    read_anew(session, &older);
                    session.fetch(&source.filter, source.rule, source.granted, Begins::Not);
                }
            }
            Err(_)
                if source.begins == Begins::Subscribed
                    && !session.sources.is_kept(&source.filter, source.rule) =>
            {
                // Without its place kept it would lose what it is promised.
                fetching.begun(&source, Some(ReasonCode::UnspecifiedError));
                self.counters.subscriptions_denied += 1;
                self.revoke(now, session_key, source.filter.as_str());
            }
            Err(_) => {
                let mut source = source;
                if source.begins == Begins::Subscribed {
                    // It subscribed again: its place is where it was.
                    fetching.begun(&source, None);
                    source.begins = Begins::Not;
                }
                let sources = &session.sources;
                let age = |filter: &TopicFilter| sources.age(filter);
                fetching.put_back(source, now.mono_ms + RETRY_MS, age);
                self.fetch_later.push(session_key);
            }
        }
        self.write_subacks(session_key);
        self.send_waiting(now, session_key);
    }

    fn take_page(&mut self, now: Now, key: SessionKey, source: Source, page: Page) {
        let is_again = self.planted.is(Fault::FetchedAgain);
        let Some(session) = self.session_mut(key) else {
            return;
        };
        let Some(fetching) = &mut session.fetching else {
            return;
        };
        if page.messages.is_empty() && page.next.is_some() && page.next == source.cursor {
            // There is more, and it cannot be told in order yet.
            let sources = &session.sources;
            let age = |filter: &TopicFilter| sources.age(filter);
            fetching.put_back(source, now.mono_ms + AGAIN_MS, age);
            return self.fetch_later.push(key);
        }
        let clientid = Arc::clone(&session.client.clientid);
        if session.queue.has_covered() {
            // However long the pages take, it is known that they came.
            let ids: HashSet<MessageId> = page.messages.iter().map(|message| message.id).collect();
            let came = |delivery: &Delivery| ids.contains(&delivery.message.id);
            session
                .queue
                .extract(|delivery| delivery.is_covered && came(delivery));
        }
        let waiting = fetching.ids();
        let mut had = Vec::new();
        let mut deliveries = Vec::with_capacity(page.messages.len());
        for mut message in page.messages {
            let is_own = source.granted.no_local && message.sender == clientid;
            let was_sent = (session.positions.has(&Line::of(&message), message.id) && !is_again)
                || fetching.has_passed(message.id);
            if is_own || was_sent || waiting.contains(&message.id) {
                continue;
            }
            Arc::make_mut(&mut message).stored = source.rule.stores;
            if session.kept.take(message.id) {
                // The client has it, and its position is still to move there.
                session.positions.sent(Line::of(&message), message.id);
                had.push(message);
                continue;
            }
            session.fetched.note(&message, now.wall_ms);
            deliveries.push(Delivery {
                qos: message.qos.min(source.granted.qos),
                retain: false,
                identifiers: source.granted.identifier.map(|number| [number].into()),
                group: None,
                is_covered: true,
                message,
            });
        }
        let sources = &session.sources;
        fetching.take(source, page.next, deliveries, |filter| sources.age(filter));
        for message in had {
            self.position_done(key, &message);
        }
    }

    /// What waits for a session has no room: what is stored of it is fetched when
    /// its turn comes. False: nothing is fetched for it any more.
    pub(super) fn fall_behind(&mut self, key: SessionKey) -> bool {
        self.refresh_sources(key);
        let Some(session) = self.session_mut(key) else {
            return false;
        };
        if session.sources.list().is_empty() {
            return false;
        }
        session.queue.extract(|delivery| delivery.is_covered);
        match &mut session.fetching {
            Some(fetching) => fetching.miss(),
            None => self.fetch_all(key),
        }
        true
    }

    /// Asks again for pages that could not be had.
    pub(crate) fn fetch_again(&mut self, now: Now) {
        for key in std::mem::take(&mut self.fetch_later) {
            let is_waiting = |session: &Session| session.fetching.is_some();
            if self.session(key).is_some_and(is_waiting) {
                self.go_on_fetching(now, key);
                let fetching = self
                    .session(key)
                    .and_then(|session| session.fetching.as_ref());
                if fetching.is_some_and(|fetching| fetching.waits_to_retry()) {
                    self.fetch_later.push(key);
                }
            }
        }
    }

    /// A message that is stored was acknowledged, or dropped for the client by
    /// rule: its position may move.
    pub(crate) fn position_done(&mut self, key: SessionKey, message: &Arc<Message>) {
        if message.stored == Stores::NONE {
            return;
        }
        let jumps = self.planted.is(Fault::PositionJumps);
        let Some(session) = self.session_mut(key) else {
            return;
        };
        let client = Arc::clone(&session.client);
        let fetching = &mut session.fetching;
        let mut reached = session.positions.done(message, |id| {
            if let Some(fetching) = fetching {
                fetching.pass(id);
            }
        });
        if jumps {
            reached = Some(Arc::clone(message));
        }
        let Some(reached) = reached else {
            return;
        };
        let Ok(topic) = TopicName::new(&reached.topic) else {
            return;
        };
        let rules = self.topic_entry(topic).position_rules;
        if rules != RuleSet::NONE {
            self.hooks.submit_position(rules, &client, reached);
            self.hold_without_room(key);
        }
    }

    /// The client is gone: what is stored for it stays in the store.
    pub(crate) fn stop_fetching(&mut self, key: SessionKey) {
        let Some(session) = self.session_mut(key) else {
            return;
        };
        session.fetching = None;
        session.queue.extract(|delivery| delivery.is_covered);
        session.report_load();
    }
}

/// Has what these hand over come from its first page on, one behind the other.
fn read_anew(session: &mut Session, all: &[Reading]) {
    for Reading {
        filter,
        rule,
        is_kept,
    } in all
    {
        let begins = match is_kept {
            true => Begins::Not,
            false => Begins::Restored,
        };
        if let Some(granted) = session.subscriptions.get(filter).copied() {
            session.fetch(filter, *rule, granted, begins);
        }
    }
}
