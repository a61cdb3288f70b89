//! What stores answered while a batch ran: so that a part of it that has to run
//! again does not store twice.
//!
//! A row is known by pool, statement and values. In a batch that comes to its
//! end none of this matters; after a trap the events run again, and a row that
//! was answered then has its answer now. A call that a store did not answer, or
//! whose row may be stored later, is made again: at least once, as ever.
//!
//! A store that may store something later is not asked to store anything else in
//! the batch: what comes behind waits, too, and no row overtakes another of its
//! client, be they in one call or in many.
//!
//! Where events of the batch are left to run later, what is known goes with them
//! to their next batch, which holds no others: it answers for nobody else's
//! rows.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

use std::rc::Rc;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hookwire_driver::{BatchResult, FailedRow, Fault, Row, Value};

/// The store calls of one batch, over all runs of it.
#[derive(Default)]
pub(crate) struct Journal {
    hasher: RandomState,
    /// Answers of runs that came to nothing, by row.
    known: Answers,
    /// Answers that this run was given out of those.
    taken: Vec<(RowKey, RowAnswer)>,
    /// Answers of stores in this run.
    fresh: Vec<(RowKey, RowAnswer)>,
    /// Whether a batch runs.
    is_begun: bool,
    /// Pools that are not asked to store any more, and why.
    stopped: Vec<(Arc<str>, Fault)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RowKey(u64);

type Answers = HashMap<RowKey, Vec<RowAnswer>>;

/// What is known of the rows of events that are left to run.
pub(crate) type Known = Rc<RefCell<Answers>>;

impl Split {
    /// Whether the store need not be asked at all.
    pub(crate) fn is_answered(&self) -> bool {
        !self.answers.is_empty() && self.answers.iter().all(Option::is_some)
    }
}

/// None: stored.
type RowAnswer = Option<Fault>;

/// What is to be asked of the store, and what need not be.
pub(crate) struct Split {
    keys: Vec<RowKey>,
    /// By row: its answer, if it is known.
    answers: Vec<Option<RowAnswer>>,
    /// Rows that the store has to be asked about.
    pub(crate) rows: Vec<Row>,
}

impl Journal {
    /// A new batch begins, of whose events this is known.
    pub(crate) fn begin(&mut self, known: Option<&Known>) {
        self.known.clear();
        if let Some(known) = known {
            self.known = known.take();
        }
        self.taken.clear();
        self.fresh.clear();
        self.is_begun = true;
        self.stopped.clear();
    }

    /// The batch ended. Gives what is known to the events that are left to run:
    /// to those that it was known of before, too.
    pub(crate) fn end(&mut self, before: Option<Known>) -> Option<Known> {
        self.known.retain(|_, answers| !answers.is_empty());
        if self.known.is_empty() {
            return None;
        }
        let known = before.unwrap_or_default();
        known.replace(std::mem::take(&mut self.known));
        Some(known)
    }

    /// The run came to its end: its answers are not needed again.
    pub(crate) fn run_ended(&mut self) {
        self.taken.clear();
        self.fresh.clear();
    }

    /// The run came to nothing: what it was answered is kept for the next.
    pub(crate) fn run_was_lost(&mut self) {
        let answers = self.taken.drain(..).chain(self.fresh.drain(..));
        for (key, answer) in answers {
            if !answer.as_ref().is_some_and(|fault| fault.retryable) {
                self.known.entry(key).or_default().push(answer);
            }
        }
    }

    /// The store did not answer for the rest of a call, so nobody was told what
    /// is known of its other rows: it is known still.
    pub(crate) fn call_failed(&mut self, split: Split) {
        let answers = split.answers.into_iter();
        for (key, answer) in split.keys.into_iter().zip(answers) {
            let Some(answer) = answer else {
                continue;
            };
            let place = self.taken.iter().rposition(|(taken, _)| *taken == key);
            if let Some(place) = place {
                self.taken.swap_remove(place);
            }
            self.known.entry(key).or_default().push(answer);
        }
    }

    /// Why a pool is not asked to store anything more.
    pub(crate) fn stopped(&self, pool: &str) -> Option<&Fault> {
        let mut stopped = self.stopped.iter();
        let (_, fault) = stopped.find(|(name, _)| **name == *pool)?;
        Some(fault)
    }

    /// A call of a pool failed with this: where the same call may go well later,
    /// what comes behind it in the batch waits for it.
    pub(crate) fn stop(&mut self, pool: &Arc<str>, fault: &Fault) {
        if self.is_begun && fault.retryable && self.stopped(pool).is_none() {
            self.stopped.push((Arc::clone(pool), fault.clone()));
        }
    }

    /// Takes the rows out of a call whose answers are known.
    pub(crate) fn split(&mut self, pool: &str, statement: &str, rows: Vec<Row>) -> Split {
        let prefix = self.hasher.hash_one((pool, statement));
        let mut split = Split {
            keys: Vec::with_capacity(rows.len()),
            answers: Vec::new(),
            rows: Vec::new(),
        };
        split
            .keys
            .extend(rows.iter().map(|row| self.key(prefix, row)));
        if self.known.is_empty() {
            split.rows = rows;
            return split;
        }
        for (key, row) in split.keys.iter().zip(rows) {
            let known = self.known.get_mut(key).and_then(Vec::pop);
            if let Some(answer) = &known {
                self.taken.push((*key, answer.clone()));
            } else {
                split.rows.push(row);
            }
            split.answers.push(known);
        }
        split
    }

    /// Notes what the store answered, and answers for the whole call.
    pub(crate) fn join(&mut self, split: Split, result: BatchResult) -> BatchResult {
        let Split { keys, answers, .. } = split;
        let mut failed = result.failed.into_iter().peekable();
        let mut asked = 0;
        let mut joined = BatchResult {
            failed: Vec::new(),
            rows_affected: result.rows_affected,
        };
        for (row, key) in keys.into_iter().enumerate() {
            let known = answers.get(row).cloned().flatten();
            let answer = match known {
                Some(answer) => {
                    joined.rows_affected += u64::from(answer.is_none());
                    answer
                }
                None => {
                    let answer = failed
                        .next_if(|failed| failed.row == asked)
                        .map(|failed| failed.fault);
                    asked += 1;
                    self.fresh.push((key, answer.clone()));
                    answer
                }
            };
            joined
                .failed
                .extend(answer.map(|fault| FailedRow { row, fault }));
        }
        joined
    }

    fn key(&self, prefix: u64, row: &Row) -> RowKey {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(prefix);
        for value in row {
            std::mem::discriminant(value).hash(&mut hasher);
            match value {
                Value::Null => {}
                Value::Boolean(value) => value.hash(&mut hasher),
                Value::Integer(value) => value.hash(&mut hasher),
                Value::Float(value) => value.to_bits().hash(&mut hasher),
                Value::Text(value) => value.hash(&mut hasher),
                Value::Blob(value) => value.hash(&mut hasher),
            }
        }
        RowKey(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use hookwire_driver::FaultKind;

    use super::*;

    fn rows(texts: &[&str]) -> Vec<Row> {
        let row = |text: &&str| vec![Value::Text((*text).to_owned())];
        texts.iter().map(row).collect()
    }

    fn fault() -> Fault {
        Fault {
            kind: FaultKind::Refused,
            code: "x".to_owned(),
            message: String::new(),
            retryable: false,
        }
    }

    /// One call in which the store refuses row number `refused` of those it is
    /// asked about; what it was asked, and which rows the guest sees failed.
    fn call(journal: &mut Journal, texts: &[&str], refused: Option<usize>) -> (usize, Vec<usize>) {
        let split = journal.split("p", "INSERT", rows(texts));
        let asked = split.rows.len();
        let failed = refused.map(|row| FailedRow {
            row,
            fault: fault(),
        });
        let result = BatchResult {
            rows_affected: (asked - usize::from(failed.is_some())) as u64,
            failed: failed.into_iter().collect(),
        };
        let joined = journal.join(split, result);
        assert_eq!(
            joined.rows_affected as usize + joined.failed.len(),
            texts.len()
        );
        (
            asked,
            joined.failed.iter().map(|failed| failed.row).collect(),
        )
    }

    #[test]
    fn rows_of_a_lost_run_have_their_answers() {
        let mut journal = Journal::default();
        assert_eq!(call(&mut journal, &["a", "b", "c"], Some(1)), (3, vec![1]));
        journal.run_was_lost();
        assert_eq!(call(&mut journal, &["a", "b"], None), (0, vec![1]));
        journal.run_was_lost();
        assert_eq!(
            call(&mut journal, &["b", "a", "d"], None),
            (1, vec![0]),
            "what was taken in a lost run is known again"
        );
        journal.run_ended();
        assert_eq!(call(&mut journal, &["a", "c"], None), (1, vec![]));
    }

    #[test]
    fn a_row_that_may_be_stored_later_is_asked_about_again() {
        let mut journal = Journal::default();
        let split = journal.split("p", "INSERT", rows(&["a", "b"]));
        let result = BatchResult {
            rows_affected: 1,
            failed: vec![FailedRow {
                row: 1,
                fault: Fault {
                    retryable: true,
                    ..fault()
                },
            }],
        };
        journal.join(split, result);
        journal.run_was_lost();
        assert_eq!(call(&mut journal, &["a", "b"], None), (1, vec![]));
    }

    #[test]
    fn what_is_known_stays_known_when_the_call_fails() {
        let mut journal = Journal::default();
        call(&mut journal, &["a", "c"], Some(1));
        journal.run_was_lost();
        let split = journal.split("p", "INSERT", rows(&["a", "b", "c"]));
        assert_eq!(split.rows.len(), 1);
        journal.call_failed(split);
        journal.run_ended();
        assert_eq!(
            call(&mut journal, &["a", "b", "c"], None),
            (1, vec![2]),
            "the guest was told that none is stored"
        );
    }

    #[test]
    fn what_is_known_goes_with_the_events_that_are_left() {
        let mut journal = Journal::default();
        journal.begin(None);
        call(&mut journal, &["a", "b"], None);
        journal.run_was_lost();
        let known = journal.end(None);
        assert!(known.is_some());
        journal.begin(None);
        assert_eq!(call(&mut journal, &["a"], None), (1, vec![]), "another's");
        journal.run_ended();
        assert!(journal.end(None).is_none());
        journal.begin(known.as_ref());
        assert_eq!(call(&mut journal, &["a"], None), (0, vec![]));
        journal.run_ended();
        let left = journal.end(known.clone());
        assert!(left.is_some(), "the other event has yet to run");
        journal.begin(known.as_ref());
        assert_eq!(call(&mut journal, &["b"], None), (0, vec![]));
        journal.run_ended();
        assert!(journal.end(known).is_none());
    }

    #[test]
    fn a_pool_is_stopped_until_the_next_batch() {
        let mut journal = Journal::default();
        let busy = Fault {
            retryable: true,
            ..fault()
        };
        journal.stop(&"p".into(), &busy);
        assert!(journal.stopped("p").is_none(), "no batch runs");
        journal.begin(None);
        journal.stop(&"p".into(), &fault());
        assert!(journal.stopped("p").is_none(), "it is not made again");
        journal.stop(&"p".into(), &busy);
        journal.run_was_lost();
        assert_eq!(journal.stopped("p"), Some(&busy));
        assert!(journal.stopped("q").is_none());
        journal.begin(None);
        assert!(journal.stopped("p").is_none());
    }

    #[test]
    fn equal_rows_are_answered_one_by_one() {
        let mut journal = Journal::default();
        assert_eq!(call(&mut journal, &["a", "a"], None), (2, vec![]));
        journal.run_was_lost();
        assert_eq!(call(&mut journal, &["a", "a", "a"], None), (1, vec![]));
        journal.run_ended();
        assert_eq!(call(&mut journal, &["a"], None), (1, vec![]));
    }

    #[test]
    fn another_statement_is_another_row() {
        let mut journal = Journal::default();
        call(&mut journal, &["a"], None);
        journal.run_was_lost();
        assert_eq!(journal.split("p", "DELETE", rows(&["a"])).rows.len(), 1);
        assert_eq!(journal.split("q", "INSERT", rows(&["a"])).rows.len(), 1);
        assert_eq!(journal.split("p", "INSERT", rows(&["a"])).rows.len(), 0);
    }
}
