//! What an action decides, for one event or for a batch.

use crate::Fault;
pub use crate::bindings::exports::hookwire::rule::actions::{Denial, Replacement, Verdict};
use crate::sql::BatchResult;

impl Verdict {
    /// Refuses with an MQTT 5 reason code (0x80 or above) and a text for a person.
    pub fn deny(reason_code: u8, reason: impl Into<String>) -> Self {
        Self::Deny(Denial {
            reason_code,
            reason: reason.into(),
        })
    }

    /// Closes the client's connection with an MQTT 5 reason code.
    pub fn disconnect(reason_code: u8, reason: impl Into<String>) -> Self {
        Self::Disconnect(Denial {
            reason_code,
            reason: reason.into(),
        })
    }
}

impl Default for Replacement {
    /// Changes nothing.
    fn default() -> Self {
        Self {
            topic: None,
            payload: None,
            qos: None,
            retain: None,
            user_properties: None,
        }
    }
}

impl From<Replacement> for Verdict {
    fn from(replacement: Replacement) -> Self {
        Self::Replace(replacement)
    }
}

impl From<Fault> for Verdict {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

/// The verdicts on the events of one batch: those not set proceed.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdicts {
    rest: Verdict,
    set: Vec<(usize, Verdict)>,
    /// How many verdicts a full list had, to be compared with the events.
    listed: Option<usize>,
}

impl Verdicts {
    /// Every event proceeds.
    #[must_use]
    pub fn proceed() -> Self {
        Self::all(Verdict::Proceed)
    }

    /// The same verdict on every event that is not set afterwards.
    #[must_use]
    pub fn all(verdict: Verdict) -> Self {
        Self {
            rest: verdict,
            set: Vec::new(),
            listed: None,
        }
    }

    /// The verdict on event number `event` of the batch, counted from 0. The
    /// last one set for an event counts; a number beyond the batch is ignored.
    pub fn set(&mut self, event: usize, verdict: impl Into<Verdict>) {
        self.set.push((event, verdict.into()));
    }

    /// The verdict on event number `event` of the batch.
    #[must_use]
    pub fn of(&self, event: usize) -> &Verdict {
        let set = self.set.iter().rev().find(|(number, _)| *number == event);
        set.map_or(&self.rest, |(_, verdict)| verdict)
    }

    /// One verdict per event, in order, for a batch of `events`.
    pub(crate) fn into_list(self, events: usize) -> Vec<Verdict> {
        let mut list = vec![self.rest; events];
        for (event, verdict) in self.set {
            if let Some(place) = list.get_mut(event) {
                *place = verdict;
            }
        }
        list
    }

    /// Whether nothing but `Proceed` is in it: the common case, kept free.
    pub(crate) fn is_proceed(&self, events: usize) -> bool {
        self.rest == Verdict::Proceed
            && self.set.is_empty()
            && self.listed.is_none_or(|listed| listed == events)
    }

    /// Turns a list of the wrong length into a failure of all events: which
    /// verdict belongs to which event is anyone's guess.
    pub(crate) fn checked(self, events: usize) -> Self {
        match self.listed {
            Some(listed) if listed != events => Self::all(Verdict::Failed(Fault::invalid(
                "hookwire:verdicts",
                format!("the action answered {listed} verdicts for {events} events"),
            ))),
            _ => self,
        }
    }
}

impl From<Vec<Verdict>> for Verdicts {
    /// One verdict for each event, in order.
    fn from(list: Vec<Verdict>) -> Self {
        Self {
            rest: Verdict::Proceed,
            listed: Some(list.len()),
            set: list
                .into_iter()
                .enumerate()
                .filter(|(_, verdict)| *verdict != Verdict::Proceed)
                .collect(),
        }
    }
}

impl From<BatchResult> for Verdicts {
    /// For a batch whose event N became row N: a row that the store refused
    /// fails its event.
    fn from(result: BatchResult) -> Self {
        Self {
            rest: Verdict::Proceed,
            listed: None,
            set: result
                .failed
                .into_iter()
                .map(|failed| (failed.row as usize, Verdict::Failed(failed.fault)))
                .collect(),
        }
    }
}

/// What an action on a single event may return.
pub trait IntoVerdict {
    /// As a verdict.
    fn into_verdict(self) -> Verdict;
}

impl IntoVerdict for Verdict {
    fn into_verdict(self) -> Verdict {
        self
    }
}

impl IntoVerdict for () {
    fn into_verdict(self) -> Verdict {
        Verdict::Proceed
    }
}

impl<V: IntoVerdict> IntoVerdict for Result<V, Fault> {
    fn into_verdict(self) -> Verdict {
        self.map_or_else(Verdict::Failed, V::into_verdict)
    }
}

/// What an action on a batch may return.
pub trait IntoVerdicts {
    /// As verdicts.
    fn into_verdicts(self) -> Verdicts;
}

impl IntoVerdicts for Verdicts {
    fn into_verdicts(self) -> Verdicts {
        self
    }
}

impl IntoVerdicts for Vec<Verdict> {
    fn into_verdicts(self) -> Verdicts {
        self.into()
    }
}

impl IntoVerdicts for () {
    fn into_verdicts(self) -> Verdicts {
        Verdicts::proceed()
    }
}

impl<V: IntoVerdicts> IntoVerdicts for Result<V, Fault> {
    fn into_verdicts(self) -> Verdicts {
        self.map_or_else(
            |fault| Verdicts::all(Verdict::Failed(fault)),
            V::into_verdicts,
        )
    }
}
