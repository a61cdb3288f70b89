//! What a client is sent from stores before it is sent what comes live.
//!
//! While this is there, nothing leaves the queue: what comes live is parked in
//! it, and is newer than what is fetched.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use hookwire_mqtt::{ReasonCode, SubAck, TopicFilter, TopicName};

use super::{Delivery, Granted, Line};
use crate::hooks::{FetchRule, RuleSet, Stores};
use crate::message::{Message, MessageId};

/// Messages of a page that may be left to send when the next one is asked for: as
/// long as the store takes.
const READ_AHEAD_MESSAGES: usize = 160;
/// Bytes of them.
const READ_AHEAD_BYTES: usize = 256 * 1_024;

/// The pages of one session.
#[derive(Debug)]
pub(crate) struct Fetching {
    /// When it began, milliseconds since the Unix epoch.
    since_ms: u64,
    /// Those of which there is more.
    sources: VecDeque<Source>,
    /// The one that is asked, and the number of the question.
    asked: Option<(u64, Source)>,
    /// Fetched and not sent yet.
    page: VecDeque<Delivery>,
    /// Whether something that is stored was not parked, for want of room: it has
    /// to be fetched.
    missed: bool,
    /// When a page that could not be had is asked for again, on the steady clock.
    retry_at_ms: Option<u64>,
    subacks: Vec<HeldSubAck>,
    /// Stored messages that a new subscription is sent because they are retained when
    /// its place is kept. What their publishers stored on their topics before them is
    /// from before the subscription, and would come behind.
    retained: HashMap<Line, MessageId>,
}

/// One rule that hands over what is stored for one subscription.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    pub(crate) filter: TopicFilter,
    pub(crate) rule: FetchRule,
    pub(crate) granted: Granted,
    /// Grows with each subscription that is made.
    pub(crate) age: u64,
    /// Where the next page begins; none for the first.
    pub(crate) cursor: Option<Arc<str>>,
    pub(crate) begins: Begins,
}

impl Source {
    /// Whether it is this rule that reads for this subscription.
    pub(crate) fn reads_for(&self, filter: &TopicFilter, rule: FetchRule) -> bool {
        self.filter == *filter && self.rule == rule
    }

    /// Whether it and another read messages of the same topics from the same store.
    pub(crate) fn overlaps(&self, filter: &TopicFilter, stores: Stores) -> bool {
        self.rule.stores.meets(stores) && self.filter.overlaps(filter)
    }
}

/// Whether a subscription's place in the store has to be kept before a page comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    /// It is kept.
    Not,
    /// The client has just subscribed, or was subscribed when it came: SUBACK, or
    /// CONNACK, waits for it.
    Subscribed,
    /// The broker has just restored the subscription, which may have been left
    /// before its place was kept.
    Restored,
}

/// A SUBACK that waits until the client's place in each store is kept.
#[derive(Debug)]
struct HeldSubAck {
    ack: SubAck,
    /// Filters, which reason code is theirs, and the rules that did not answer yet.
    left: Vec<(TopicFilter, usize, RuleSet)>,
}

impl Fetching {
    /// Begins now, with nothing to ask for.
    pub(crate) fn new(wall_ms: u64) -> Self {
        Self {
            since_ms: wall_ms,
            sources: VecDeque::new(),
            asked: None,
            page: VecDeque::new(),
            missed: false,
            retry_at_ms: None,
            subacks: Vec::new(),
            retained: HashMap::default(),
        }
    }

    /// When it began, milliseconds since the Unix epoch.
    pub(crate) fn since_ms(&self) -> u64 {
        self.since_ms
    }

    /// Those of which there is more, and whether they are asked now, in the order
    /// in which they are asked.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&Source, bool)> {
        let asked = self.asked.iter().map(|(_, source)| (source, true));
        asked.chain(self.sources.iter().map(|source| (source, false)))
    }

    /// Adds a source, which begins anew if it is there: in the order in which the
    /// subscriptions were made, because an older one reaches further back.
    pub(crate) fn add(&mut self, mut source: Source) {
        let is_it = |known: &Source| known.reads_for(&source.filter, source.rule);
        if let Some(place) = self.sources.iter().position(is_it)
            && let Some(known) = self.sources.remove(place)
            && (known.begins == Begins::Subscribed || source.begins == Begins::Not)
        {
            // A SUBACK may wait for it.
            source.begins = known.begins;
        }
        self.insert(source);
    }

    fn insert(&mut self, source: Source) {
        let place = self.sources.partition_point(|other| other.age < source.age);
        self.sources.insert(place, source);
    }

    /// Forgets what was to be fetched for a subscription that is gone. What has
    /// come of it already is sent.
    pub(crate) fn remove(&mut self, filter: &TopicFilter) {
        self.sources.retain(|source| source.filter != *filter);
        self.asked.take_if(|(_, source)| source.filter == *filter);
        for held in &mut self.subacks {
            held.left.retain(|(left, _, _)| left != filter);
        }
    }

    /// Has SUBACK wait for the sources of these filters that begin.
    pub(crate) fn hold(&mut self, ack: SubAck, filters: &[Option<Arc<str>>]) {
        let left = filters.iter().enumerate().flat_map(|(number, filter)| {
            let is_its = |source: &Source| filter.as_deref() == Some(source.filter.as_str());
            let begins = self
                .sources
                .iter()
                .filter(move |source| source.begins == Begins::Subscribed && is_its(source));
            begins.map(move |source| (source.filter.clone(), number, source.rule.rules))
        });
        let left = left.collect();
        self.subacks.push(HeldSubAck { ack, left });
    }

    /// A source that begins has answered; `reason` if it cannot serve.
    pub(crate) fn begun(&mut self, source: &Source, reason: Option<ReasonCode>) {
        for held in &mut self.subacks {
            let ack = &mut held.ack;
            held.left.retain(|(filter, number, rules)| {
                let is_it = *filter == source.filter && *rules == source.rule.rules;
                if is_it
                    && let Some(reason) = reason
                    && let Some(granted) = ack.reasons.get_mut(*number)
                {
                    *granted = reason;
                }
                !is_it
            });
        }
    }

    /// The SUBACKs that wait for nothing any more.
    pub(crate) fn take_subacks(&mut self) -> Vec<SubAck> {
        let held = std::mem::take(&mut self.subacks).into_iter();
        let (ready, left): (Vec<_>, Vec<_>) = held.partition(|held| held.left.is_empty());
        self.subacks = left;
        ready.into_iter().map(|held| held.ack).collect()
    }

    /// Takes the source to ask, if it is time: nothing is out, and what has come
    /// is sent, or about to be where more of it follows. One that begins does not wait
    /// for what others have to send: places are kept in the order of subscriptions.
    pub(crate) fn next_source(&mut self, mono_ms: u64) -> Option<Source> {
        let is_early = self.retry_at_ms.is_some_and(|at_ms| at_ms > mono_ms);
        if self.asked.is_some() || is_early {
            return None;
        }
        let begins = |source: &Source| source.begins != Begins::Not;
        let begins = self.sources.iter().position(begins);
        match begins {
            Some(place) => self.sources.remove(place),
            None if self.page.is_empty() || self.may_read_ahead() => self.sources.pop_front(),
            None => None,
        }
    }

    /// Whether the next page is worth asking for while the end of the last one is still
    /// to be sent: the client takes what it is sent, and the store need not wait for it.
    fn may_read_ahead(&self) -> bool {
        let goes_on = |source: &Source| source.cursor.is_some();
        let held_bytes = |delivery: &Delivery| delivery.message.held_bytes();
        !self.missed
            && self.page.len() <= READ_AHEAD_MESSAGES
            && self.sources.front().is_some_and(goes_on)
            && self.page.iter().map(held_bytes).sum::<usize>() <= READ_AHEAD_BYTES
    }

    /// A source is asked.
    pub(crate) fn asked(&mut self, number: u64, source: Source) {
        self.asked = Some((number, source));
        self.retry_at_ms = None;
    }

    /// Takes the source that an answer is from, if the answer is awaited.
    pub(crate) fn answered(&mut self, number: u64) -> Option<Source> {
        let answered = self.asked.take_if(|(awaited, _)| *awaited == number);
        answered.map(|(_, source)| source)
    }

    /// A page came; its source goes on if there is more.
    pub(crate) fn take(
        &mut self,
        mut source: Source,
        next: Option<Arc<str>>,
        page: impl IntoIterator<Item = Delivery>,
    ) {
        self.page.extend(page);
        if next.is_some() {
            source.cursor = next;
            source.begins = Begins::Not;
            self.insert(source);
        }
    }

    /// A page could not be had: it is asked for again.
    pub(crate) fn put_back(&mut self, source: Source, at_ms: u64) {
        self.insert(source);
        self.retry_at_ms = Some(at_ms);
    }

    /// The next to be sent.
    pub(crate) fn first(&self) -> Option<&Delivery> {
        self.page.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        self.page.pop_front()
    }

    /// Those that have come and are not sent.
    pub(crate) fn ids(&self) -> HashSet<MessageId> {
        self.page
            .iter()
            .map(|delivery| delivery.message.id)
            .collect()
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.page.len()
    }

    /// Whether something that is stored could not be parked.
    pub(crate) fn has_missed(&self) -> bool {
        self.missed
    }

    /// Pages leave these out, and what their publishers stored before them.
    pub(crate) fn note_retained(&mut self, messages: &[Arc<Message>]) {
        let lines = messages.iter();
        self.retained
            .extend(lines.map(|message| (Line::of(message), message.id)));
    }

    /// Whether a new subscription is sent it, or a later one of its publisher and
    /// topic, because that is retained.
    pub(crate) fn is_retained(&self, message: &Message) -> bool {
        let noted = || self.retained.get(&Line::of(message));
        !self.retained.is_empty() && noted().is_some_and(|id| message.id <= *id)
    }

    /// Something that is stored could not be parked.
    pub(crate) fn miss(&mut self) {
        self.missed = true;
    }

    /// Whether it has to begin anew before more is asked for.
    pub(crate) fn may_begin_anew(&self) -> bool {
        self.missed && self.page.is_empty() && self.asked.is_none()
    }

    /// Whether the place of some subscription to this topic is not kept yet.
    pub(crate) fn is_beginning(&self, topic: TopicName<'_>) -> bool {
        let asked = self.asked.iter().map(|(_, source)| source);
        let mut all = self.sources.iter().chain(asked);
        all.any(|source| source.begins != Begins::Not && source.filter.matches(topic))
    }

    /// Whether the place of a subscription is still to be kept.
    pub(crate) fn has_beginning(&self) -> bool {
        let mut sources = self.sources();
        sources.any(|(source, _)| source.begins != Begins::Not)
    }

    /// Whether somebody waits until a subscription's place is kept.
    pub(crate) fn is_awaited(&self) -> bool {
        let mut sources = self.sources();
        sources.any(|(source, _)| source.begins == Begins::Subscribed)
    }

    /// Whether all that was asked for has come and is sent.
    pub(crate) fn is_over(&self) -> bool {
        self.sources.is_empty() && self.page.is_empty() && self.asked.is_none()
    }

    /// Whether it is to be looked at again later, whatever happens.
    pub(crate) fn waits_to_retry(&self) -> bool {
        self.retry_at_ms.is_some()
    }

    /// Whether it has to begin anew when it is over.
    pub(crate) fn take_missed(&mut self) -> bool {
        std::mem::take(&mut self.missed)
    }
}
