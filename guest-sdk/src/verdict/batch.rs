//! Verdicts on a batch.

use super::Verdict;
use crate::Fault;
use crate::sql::BatchResult;

/// The verdicts on the events of one batch: those not set proceed.
///
/// ```
/// # use hookwire_sdk::{Verdict, Verdicts};
/// let mut verdicts = Verdicts::proceed();
/// verdicts.set(2, Verdict::Drop);
/// assert_eq!(verdicts.of(1), &Verdict::Proceed);
/// assert_eq!(verdicts.of(2), &Verdict::Drop);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Verdicts {
    rest: Verdict,
    set: Vec<(usize, Verdict)>,
    /// How many verdicts a full list had, to be compared with the events.
    listed: Option<usize>,
}

impl Verdicts {
    /// Every event proceeds.
    ///
    /// ```
    /// # use hookwire_sdk::{Verdict, Verdicts};
    /// assert_eq!(Verdicts::proceed().of(7), &Verdict::Proceed);
    /// ```
    #[must_use]
    pub fn proceed() -> Self {
        Self::all(Verdict::Proceed)
    }

    /// The same verdict on every event that is not set afterwards.
    ///
    /// ```
    /// # use hookwire_sdk::{Verdict, Verdicts};
    /// let mut verdicts = Verdicts::all(Verdict::Drop);
    /// verdicts.set(0, Verdict::Proceed);
    /// assert_eq!((verdicts.of(0), verdicts.of(1)), (&Verdict::Proceed, &Verdict::Drop));
    /// ```
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
    ///
    /// ```
    /// # use hookwire_sdk::{Replacement, Verdict, Verdicts};
    /// let mut verdicts = Verdicts::proceed();
    /// verdicts.set(0, Replacement::new().qos(1));
    /// assert!(matches!(verdicts.of(0), Verdict::Replace(_)));
    /// ```
    pub fn set(&mut self, event: usize, verdict: impl Into<Verdict>) {
        self.set.push((event, verdict.into()));
    }

    /// The verdict on event number `event` of the batch.
    ///
    /// ```
    /// # use hookwire_sdk::{Verdict, Verdicts};
    /// let verdicts: Verdicts = vec![Verdict::Drop, Verdict::Proceed].into();
    /// assert_eq!(verdicts.of(0), &Verdict::Drop);
    /// ```
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
