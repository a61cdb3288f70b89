//! Retained messages that a new subscription has to get, of which stores may have
//! later ones than the index, or others.

use std::collections::VecDeque;

use hookwire_mqtt::TopicFilter;

use super::{Found, Lookup};

/// The look-ups of one session, one after the other. They outlast its connection:
/// what was found in the index is owed.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    waiting: VecDeque<Lookup>,
    /// The number of the question for the next page of the first.
    asked: Option<u64>,
    /// When a page that could not be had is asked for again, on the steady clock.
    retry_at_ms: Option<u64>,
    /// Times that it could not, one after the other.
    failures: u32,
}

/// Times that a page is asked for in vain before the rule is passed over: what is
/// live waits meanwhile.
const MAX_FAILURES: u32 = 10;

impl Lookups {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.waiting.len()
    }

    /// Messages of the index that wait in them.
    pub(crate) fn len(&self) -> usize {
        self.waiting.iter().map(|lookup| lookup.known.len()).sum()
    }

    pub(crate) fn push(&mut self, lookup: Lookup) {
        self.waiting.push_back(lookup);
    }

    /// A subscription is gone.
    pub(crate) fn remove(&mut self, filter: &TopicFilter) {
        let first = self.waiting.front().map(|lookup| &lookup.filter);
        if first == Some(filter) {
            self.asked = None;
            self.retry_at_ms = None;
        }
        self.waiting.retain(|lookup| lookup.filter != *filter);
    }

    /// The one to ask for, if it is time and nothing is out.
    pub(crate) fn first_to_ask(&mut self, mono_ms: u64) -> Option<&mut Lookup> {
        let is_early = self.retry_at_ms.is_some_and(|at_ms| at_ms > mono_ms);
        if self.asked.is_some() || is_early {
            return None;
        }
        self.waiting.front_mut()
    }

    /// The one for a filter.
    pub(crate) fn of_mut(&mut self, filter: &TopicFilter) -> Option<&mut Lookup> {
        let mut waiting = self.waiting.iter_mut();
        waiting.find(|lookup| lookup.filter == *filter)
    }

    pub(crate) fn asked(&mut self, number: u64) {
        self.asked = Some(number);
        self.retry_at_ms = None;
    }

    /// The one that an answer is for, if the answer is awaited.
    pub(crate) fn answered(&mut self, number: u64) -> Option<&mut Lookup> {
        self.asked.take_if(|awaited| *awaited == number)?;
        self.waiting.front_mut()
    }

    /// A page has come.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// A page could not be had: it is asked for again, or its rule is passed over in
    /// the end. Whether it is asked for again.
    pub(crate) fn failed(&mut self, again_at_ms: u64) -> bool {
        self.failures += 1;
        if self.failures < MAX_FAILURES {
            self.retry_at_ms = Some(again_at_ms);
            return true;
        }
        self.failures = 0;
        if let Some(lookup) = self.waiting.front_mut() {
            lookup.rules.pop_front();
            lookup.cursor = None;
        }
        false
    }

    /// Ends the first one.
    pub(crate) fn end_first(&mut self) -> Option<Found> {
        self.waiting.pop_front().map(Lookup::rest)
    }

    /// The client is gone: nobody waits for an answer.
    pub(crate) fn forget_asked(&mut self) {
        self.asked = None;
        self.retry_at_ms = None;
    }

    /// Whether it is to be looked at again later, whatever happens.
    pub(crate) fn waits_to_retry(&self) -> bool {
        self.retry_at_ms.is_some()
    }
}
