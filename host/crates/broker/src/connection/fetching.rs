//! What is stored for a client, before what comes live: a session's fetch, page
//! by page, and its positions in the stores.
//!
//! A subscription is in the route table before its first page is asked for, and
//! a message is stored before it is routed. So whatever is not in the pages is
//! routed to the session; what is in both is sent once.

use std::sync::Arc;

use foldhash::HashMap;
use hookwire_mqtt::{ReasonCode, SubAck, TopicFilter, TopicName};

use super::{CloseReason, ConnectionKey, Farewell};
use crate::faults::Fault;
use crate::hooks::{FetchRequest, Hooks, Page, Question, Refusal, RuleSet, Stores, Wants};
use crate::message::Message;
use crate::session::{Begins, Delivery, Granted, Line, SessionKey, Source, Terms};
use crate::shard::Shard;
use crate::time::Now;

/// Messages asked for in one page.
pub(super) const PAGE_MESSAGES: usize = 256;
/// Pause before a page is asked for again that had nothing and ended where it began.
const AGAIN_MS: u64 = 100;
/// Pause before a page that could not be had is asked for again.
pub(super) const RETRY_MS: u64 = 1_000;

impl<H: Hooks> Shard<H> {
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
                self.write_acknowledgements(session_key);
            }
            None => self.append_packet(key, |version, out| ack.encode(version, out)),
        }
        self.send_waiting(now, session_key);
    }

    /// Writes each SUBACK, and lets CONNACK go, that waits for no place any more.
    pub(super) fn write_acknowledgements(&mut self, session_key: SessionKey) {
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        let Some((key, fetching)) = session.connection.zip(session.fetching.as_mut()) else {
            return;
        };
        let is_awaited = fetching.is_awaited();
        for ack in fetching.take_subacks() {
            self.append_packet(key, |version, out| ack.encode(version, out));
        }
        if let Some(connection) = self.connection_mut(key)
            && connection.is_withheld
            && !is_awaited
        {
            connection.is_withheld = false;
            self.touch(key);
        }
    }

    /// Asks for the next page, or lets what was parked follow the last one.
    pub(super) fn go_on_fetching(&mut self, now: Now, session_key: SessionKey) {
        let planted = self.planted;
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        let Some((_, fetching)) = session.connection.zip(session.fetching.as_ref()) else {
            return;
        };
        // What begins does not wait for retained messages: SUBACK waits for it.
        if !fetching.has_beginning() && !session.lookups.is_empty() {
            let had_none = session.backlog.is_empty();
            let is_awaited = self.go_on_looking_up(now, session_key);
            let goes_on = self.session(session_key).is_some_and(|session| {
                let is_found = had_none && !session.backlog.is_empty();
                is_found || session.lookups.is_empty()
            });
            if goes_on {
                return self.send_waiting(now, session_key);
            }
            if is_awaited {
                return;
            }
        }
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        let Some((key, fetching)) = session.connection.zip(session.fetching.as_mut()) else {
            return;
        };
        if session.sources.list.len() > 1 && fetching.may_begin_anew() {
            fetching.take_missed();
            self.fetch_all(now, session_key);
            return self.go_on_fetching(now, session_key);
        }
        if let Some(source) = fetching.next_source(now.mono_ms) {
            return self.ask_page(session_key, key, source);
        }
        if !fetching.is_over() {
            return;
        }
        if fetching.take_missed() {
            self.fetch_all(now, session_key);
            return self.go_on_fetching(now, session_key);
        }
        session.fetching = None;
        session.positions.are_read_no_more();
        session.drop_parked_that_came();
        if planted.is(Fault::ParkedForgotten) {
            session.queue.extract(|delivery| delivery.is_covered);
        }
        session.report_load();
        self.tell_moves(session_key);
        self.send_waiting(now, session_key);
    }

    fn ask_page(&mut self, session_key: SessionKey, key: ConnectionKey, source: Source) {
        let Some(session) = self.session(session_key) else {
            return;
        };
        let after_writes = source.cursor.is_none() || session.positions.are_to_be_read();
        if after_writes {
            self.tell_moves(session_key);
        }
        let Some(session) = self.session(session_key) else {
            return;
        };
        let request = FetchRequest {
            wants: Wants::Queued,
            client: Arc::clone(&session.client),
            filter: Arc::from(source.filter.as_str()),
            qos: source.granted.qos,
            cursor: source.cursor.clone(),
            begins: source.begins != Begins::Not,
            max_messages: PAGE_MESSAGES,
            after_writes,
        };
        let number = self.ask(key, source.rule.rules, Question::Fetch(request));
        if let Some(session) = self.session_mut(session_key)
            && let Some(fetching) = &mut session.fetching
        {
            fetching.asked(number, source);
            if after_writes {
                session.positions.are_read();
            }
        }
    }

    /// A page came, or why there is none.
    pub(super) fn page_answered(
        &mut self,
        now: Now,
        key: ConnectionKey,
        number: u64,
        mut answer: Result<Page, Refusal>,
    ) {
        if self.retained_answered(now, key, number, &mut answer) {
            return;
        }
        let Some(connection) = self.live(key) else {
            return;
        };
        let (session_key, is_withheld) = (connection.session, connection.is_withheld);
        let Some(session_key) = session_key else {
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
                let is_awaited = source.begins == Begins::Subscribed;
                if is_awaited {
                    fetching.begun(&source, None);
                }
                let is_new = is_awaited && !session.sources.has_begun(&source);
                session.sources.note_begun(&source, page.floor.clone());
                // What was missed is before it in the older one's pages.
                let older = match source.begins {
                    Begins::Not if !fetching.has_missed() => Vec::new(),
                    _ => session.sources.older(&source),
                };
                if older.is_empty() {
                    // An older one would be sent everything.
                    if is_new {
                        self.find_retained_anew(now, session_key, &source);
                    }
                    self.take_page(now, session_key, source, page);
                } else {
                    self.fetch_behind(now, session_key, &older, source);
                }
            }
            Err(refusal)
                if source.begins == Begins::Subscribed
                    && !session.sources.may_have_begun(&source) =>
            {
                if is_withheld {
                    let farewell = Farewell::new(ReasonCode::ServerUnavailable, refusal.text);
                    return self.close(now, key, CloseReason::Refused, Some(farewell));
                }
                // Without its place kept it would lose what it is promised.
                fetching.begun(&source, Some(ReasonCode::UnspecifiedError));
                self.counters.subscriptions_denied += 1;
                self.revoke(now, session_key, source.filter.as_str());
            }
            Err(_) => {
                let mut source = source;
                if source.begins == Begins::Subscribed {
                    // It subscribed again: its place is where it was, if it has one.
                    let (reason, begins) = match session.sources.has_begun(&source) {
                        true => (None, Begins::Not),
                        false => (Some(ReasonCode::UnspecifiedError), Begins::Restored),
                    };
                    fetching.begun(&source, reason);
                    source.begins = begins;
                }
                fetching.put_back(source, now.mono_ms + RETRY_MS);
                self.fetch_later.push(session_key);
            }
        }
        self.write_acknowledgements(session_key);
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
            let begins = Begins::Not;
            fetching.put_back(Source { begins, ..source }, now.mono_ms + AGAIN_MS);
            return self.fetch_later.push(key);
        }
        let clientid = Arc::clone(&session.client.clientid);
        let subscriptions = &session.subscriptions;
        let mut known: HashMap<(Arc<str>, bool), Option<Terms>> = HashMap::default();
        let waiting = fetching.ids();
        let mut deliveries = Vec::with_capacity(page.messages.len());
        for mut message in page.messages {
            // The subscription that it is fetched for is not the only one that matches.
            let is_own = message.sender == clientid;
            let terms = known.entry((Arc::clone(&message.topic), is_own));
            let terms = terms.or_insert_with(|| terms_of(subscriptions, &message.topic, is_own));
            let was_sent = (session.positions.has(&Line::of(&message), message.id) && !is_again)
                || session.positions.has_passed(message.id);
            let is_there = waiting.contains(&message.id) || fetching.is_retained(&message);
            let Some(terms) = terms.as_ref().filter(|_| !was_sent && !is_there) else {
                continue;
            };
            Arc::make_mut(&mut message).stored = source.rule.stores;
            session.fetched.note(&message, now.wall_ms);
            deliveries.push(Delivery {
                qos: message.qos.min(terms.qos),
                retain: message.retain && terms.retain_as_published,
                identifiers: terms.identifiers.clone(),
                group: None,
                is_covered: true,
                message,
            });
        }
        fetching.take(source, page.next, deliveries);
        session.drop_parked_that_came();
    }

    /// What waits for a session has no room: what is stored of it is fetched when
    /// its turn comes. False: nothing is fetched for it any more.
    pub(super) fn fall_behind(&mut self, now: Now, key: SessionKey) -> bool {
        self.refresh_sources(key);
        let Some(session) = self.session_mut(key) else {
            return false;
        };
        if session.sources.list.is_empty() {
            return false;
        }
        session.queue.extract(|delivery| delivery.is_covered);
        match &mut session.fetching {
            Some(fetching) => fetching.miss(),
            None => self.fetch_all(now, key),
        }
        true
    }

    /// Asks again for pages that could not be had.
    pub(crate) fn fetch_again(&mut self, now: Now) {
        for key in std::mem::take(&mut self.fetch_later) {
            let is_waiting = |session: &crate::session::Session| session.fetching.is_some();
            if self.session(key).is_some_and(is_waiting) {
                self.go_on_fetching(now, key);
                let waits = |session: &crate::session::Session| {
                    let fetching = session.fetching.as_ref();
                    let waits = fetching.is_some_and(|fetching| fetching.waits_to_retry());
                    waits || session.lookups.waits_to_retry()
                };
                if self.session(key).is_some_and(waits) {
                    self.fetch_later.push(key);
                }
            }
        }
    }

    /// A delivery was acknowledged. A copy that is sent because it is retained moves
    /// nothing.
    pub(super) fn delivery_done(&mut self, key: SessionKey, delivery: &Delivery) {
        if delivery.is_covered {
            self.position_done(key, &delivery.message);
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
        let mut reached = session.positions.done(message);
        if jumps {
            reached = Some(Arc::clone(message));
        }
        let Some(reached) = reached else {
            return;
        };
        let was_told = session.moves.is_empty();
        session.moves.note(reached);
        if session.fetching.is_none() || session.moves.is_full() {
            self.tell_moves(key);
        } else if was_told {
            self.moved.push(key);
        }
    }

    /// Tells rules how far the positions of a client have moved.
    pub(crate) fn tell_moves(&mut self, key: SessionKey) {
        let Some(session) = self.session_mut(key) else {
            return;
        };
        if session.moves.is_empty() {
            return;
        }
        let client = Arc::clone(&session.client);
        for reached in session.moves.take() {
            let Ok(topic) = TopicName::new(&reached.topic) else {
                continue;
            };
            let rules = self.topic_entry(topic).position_rules;
            if rules != RuleSet::NONE {
                self.hooks.submit_position(rules, &client, reached);
            }
        }
        self.hold_without_room(key);
    }

    /// As [`Shard::tell_moves`], of all clients that have moved since the last time.
    pub(crate) fn tell_all_moves(&mut self) {
        for key in std::mem::take(&mut self.moved) {
            self.tell_moves(key);
        }
    }

    /// The client is gone: what is stored for it stays in the store.
    pub(crate) fn stop_fetching(&mut self, key: SessionKey) {
        self.tell_moves(key);
        let Some(session) = self.session_mut(key) else {
            return;
        };
        session.fetching = None;
        session.lookups.forget_asked();
        session.positions.are_read_no_more();
        session.queue.extract(|delivery| delivery.is_covered);
        session.report_load();
    }
}

/// How a fetched message reaches a session: by all subscriptions of its own that match,
/// as one that comes live; None where none takes what the client itself published.
fn terms_of(
    subscriptions: &HashMap<TopicFilter, Granted>,
    topic: &str,
    is_own: bool,
) -> Option<Terms> {
    let topic = TopicName::new(topic).ok()?;
    let matching = subscriptions.iter().filter(|(filter, granted)| {
        filter.shared().is_none() && filter.matches(topic) && !(is_own && granted.no_local)
    });
    let mut matching: Vec<_> = matching.collect();
    matching.sort_unstable_by_key(|(filter, _)| filter.as_str());
    let mut matching = matching.into_iter().map(|(_, granted)| *granted);
    let mut terms = Terms::of(matching.next()?);
    matching.for_each(|granted| terms.add(granted));
    Some(terms)
}
