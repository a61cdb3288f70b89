//! Calls that wait for the writer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hookwire_driver::{BatchResult, Fault, Row};
use tokio::sync::{Notify, oneshot};

use crate::fault::{closed, saturated};

/// One exec-many call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) statement: Arc<str>,
    pub(crate) rows: Vec<Row>,
    pub(crate) answer: Answer,
}

/// Where the answer of a call goes, and until when it is worth something.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) deadline: Instant,
    sender: Option<oneshot::Sender<Result<BatchResult, Fault>>>,
}

impl Answer {
    pub(crate) fn new(deadline: Instant) -> (Self, oneshot::Receiver<Result<BatchResult, Fault>>) {
        let (sender, receiver) = oneshot::channel();
        let answer = Self {
            deadline,
            sender: Some(sender),
        };
        (answer, receiver)
    }

    /// Answers, unless that happened before. The caller may be gone.
    pub(crate) fn send(&mut self, result: Result<BatchResult, Fault>) {
        if let Some(sender) = self.sender.take() {
            drop(sender.send(result));
        }
    }

    /// Answers `fault` if the deadline has passed, and says whether it has.
    pub(crate) fn expire(&mut self, now: Instant, fault: impl FnOnce() -> Fault) -> bool {
        let passed = self.deadline <= now;
        if passed {
            self.send(Err(fault()));
        }
        passed
    }

    fn is_abandoned(&self) -> bool {
        self.sender.as_ref().is_none_or(oneshot::Sender::is_closed)
    }
}

/// A bounded queue between callers on any thread and the writer.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
    max_rows: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    calls: VecDeque<Call>,
    rows: usize,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(max_rows: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            changed: Notify::new(),
            max_rows: max_rows.max(1),
        }
    }

    /// Lets a call wait.
    ///
    /// # Errors
    /// The fault to answer when the bound is reached or the pool is closed.
    pub(crate) fn push(&self, call: Call) -> Result<(), Fault> {
        {
            let mut waiting = self.lock();
            if waiting.closed {
                return Err(closed());
            }
            let rows = waiting.rows.saturating_add(call.rows.len());
            if rows > self.max_rows && !waiting.calls.is_empty() {
                return Err(saturated("as many rows wait for the writer as may"));
            }
            waiting.rows = rows;
            waiting.calls.push_back(call);
        }
        self.changed.notify_one();
        Ok(())
    }

    /// Takes calls from the front, as long as they have at most `max_rows`
    /// rows together, and at least one. Calls whose deadline passed, or whose
    /// caller gave up, are left out and will never run.
    pub(crate) fn take(&self, max_rows: usize) -> Vec<Call> {
        let now = Instant::now();
        let mut taken: Vec<Call> = Vec::new();
        let mut rows = 0_usize;
        let mut waiting = self.lock();
        while let Some(mut call) = waiting.calls.pop_front() {
            let with_it = rows.saturating_add(call.rows.len());
            if with_it > max_rows && !taken.is_empty() {
                waiting.calls.push_front(call);
                break;
            }
            waiting.rows = waiting.rows.saturating_sub(call.rows.len());
            if call.answer.expire(now, waited) || call.answer.is_abandoned() {
                continue;
            }
            rows = with_it;
            taken.push(call);
        }
        taken
    }

    /// Lets calls that were taken wait again, in their order and before all
    /// others. Those that were answered are dropped. They count against the
    /// bound, and may go beyond it.
    pub(crate) fn put_back(&self, calls: impl DoubleEndedIterator<Item = Call>) {
        let mut waiting = self.lock();
        for call in calls.rev().filter(|call| !call.answer.is_abandoned()) {
            waiting.rows = waiting.rows.saturating_add(call.rows.len());
            waiting.calls.push_front(call);
        }
    }

    /// Answers the waiting calls whose deadline has passed.
    pub(crate) fn expire(&self) {
        let now = Instant::now();
        let mut waiting = self.lock();
        let mut rows = 0;
        waiting.calls.retain_mut(|call| {
            let kept = !call.answer.expire(now, waited);
            if kept {
                rows += call.rows.len();
            }
            kept
        });
        waiting.rows = rows;
    }

    /// Waits until there is a call. False when the queue is closed and empty.
    pub(crate) async fn wait(&self) -> bool {
        loop {
            let changed = self.changed.notified();
            {
                let waiting = self.lock();
                if !waiting.calls.is_empty() {
                    return true;
                }
                if waiting.closed {
                    return false;
                }
            }
            changed.await;
        }
    }

    /// Takes no more calls. Those that wait are still served.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    pub(crate) fn waiting_rows(&self) -> usize {
        self.lock().rows
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code panics while it holds the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn waited() -> Fault {
    saturated("the writer was busy until the deadline; nothing was sent")
}
