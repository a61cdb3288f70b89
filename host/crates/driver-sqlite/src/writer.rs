//! The task that owns the writing connection.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hookwire_driver::Fault;

use crate::attempt::Work;
use crate::connection::Writing;
use crate::fault::{Failure, Scope, advice_on, closed, invalid, unknown};
use crate::options::{OpenError, SqliteOptions};
use crate::queue::{Answer, Call, Queue};
use crate::retention::{self, Keeper};
use crate::statement::Plans;
use crate::stats::Counters;
use crate::transaction;

/// How often deadlines are looked at while the store is at work.
const TICK: Duration = Duration::from_millis(5);
/// Between two attempts while another process holds the lock on the file. The
/// connection itself has waited before; some locks it does not wait for.
const PAUSE: Duration = Duration::from_millis(50);

/// What the writer shares with the pool's other parts.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: SqliteOptions,
    pub(crate) queue: Queue,
    pub(crate) counters: Counters,
    pub(crate) retention: retention::Counters,
    /// Whether nothing is to be removed any more.
    pub(crate) keeps_no_more: AtomicBool,
    /// Grows by one when the writer opens the file anew: readers of an older
    /// number may have another file open.
    pub(crate) generation: AtomicU64,
}

/// Serves calls until the queue is closed and empty.
pub(crate) async fn run(shared: Arc<Shared>, writing: Writing) {
    let retention = shared.options.retention.clone();
    let mut writer = Writer {
        keeper: retention.map(|retention| Keeper::new(retention, Instant::now())),
        plans: Plans::new(shared.options.allows_triggers),
        shared,
        writing: Some(writing),
        is_failing: false,
    };
    loop {
        match writer.wait().await {
            Next::Calls => match writer.transact().await {
                // At most one between two batches, also where batches always wait.
                Ok(()) => writer.keep().await,
                Err(failure) if failure.scope == Scope::Busy => writer.pause().await,
                Err(failure) => writer.fail_waiting(&failure.fault),
            },
            Next::Slice => writer.keep().await,
            Next::End => break,
        }
    }
    if let Some(writing) = writer.writing.take() {
        writing.close().await;
    }
}

/// What the writer does next.
enum Next {
    Calls,
    Slice,
    End,
}

struct Writer {
    shared: Arc<Shared>,
    /// What is past its time; none where nothing is to be removed.
    keeper: Option<Keeper>,
    /// None after a fault of the store: the file is opened anew.
    writing: Option<Writing>,
    plans: Plans,
    /// Whether the last attempt failed, so that a fault is logged once.
    is_failing: bool,
}

impl Writer {
    /// Waits for calls, or until a slice of the retention is due.
    async fn wait(&self) -> Next {
        let calls = self.shared.queue.wait();
        let waited = match &self.keeper {
            Some(keeper) => tokio::time::timeout_at(keeper.due_at().into(), calls).await,
            None => Ok(calls.await),
        };
        match waited {
            Ok(true) => Next::Calls,
            Ok(false) => Next::End,
            Err(_) => Next::Slice,
        }
    }

    /// Runs a slice of the retention, if one is due.
    async fn keep(&mut self) {
        let shared = Arc::clone(&self.shared);
        if shared.keeps_no_more.load(Ordering::Relaxed) {
            self.keeper = None;
        }
        let now = Instant::now();
        let Some(keeper) = self.keeper.as_mut().filter(|keeper| keeper.due_at() <= now) else {
            return;
        };
        // Only who has something to store opens the file anew.
        let path = &shared.options.path;
        let Some(mut writing) = self.writing.take_if(|writing| writing.is_in_place(path)) else {
            return keeper.postpone(now);
        };
        let bounds = (path.as_path(), shared.options.max_transaction_rows);
        let slice = keeper.slice(&mut writing.watched, &shared.retention, bounds);
        let kept = with_ticks(slice, || shared.queue.expire()).await;
        let is_sound = match kept {
            Ok(()) => true,
            Err(failure) => {
                let rolled_back = transaction::roll_back(&mut writing.watched).await;
                rolled_back.is_ok() && failure.scope != Scope::Store
            }
        };
        if is_sound {
            self.writing = Some(writing);
        }
    }

    /// Runs one transaction over what waits.
    ///
    /// # Errors
    /// When there is no way to start, or another process holds the lock. The
    /// calls still wait.
    async fn transact(&mut self) -> Result<(), Failure> {
        let shared = Arc::clone(&self.shared);
        let mut writing = self.open().await?;
        let watched = &mut writing.watched;
        // Calls are taken behind the lock on the file: until then they can
        // still be told that nothing was sent.
        if let Err(failure) = with_ticks(transaction::begin(watched), || {
            shared.queue.expire();
        })
        .await
        {
            self.failed(writing, &failure);
            return Err(failure);
        }
        let (mut answers, works) = self.take();
        if works.is_empty() {
            let rolled_back = transaction::roll_back(watched).await;
            self.writing = rolled_back.is_ok().then_some(writing);
            return Ok(());
        }
        if let Some(latest) = answers.iter().map(|answer| answer.deadline).max() {
            watched.deadline.set(latest);
        }
        let max_statement = shared.options.max_statement;
        let begun = Instant::now();
        let stored = with_ticks(transaction::store(watched, &works, max_statement), || {
            let now = Instant::now();
            for answer in &mut answers {
                answer.expire(now, unknown);
            }
            shared.queue.expire();
        })
        .await;
        writing.watched.deadline.clear();
        match stored {
            Ok(results) => {
                let refused = results.iter().map(|result| result.failed.len()).sum();
                let rows: usize = works.iter().map(|work| work.rows.len()).sum();
                if let Some(keeper) = &mut self.keeper {
                    keeper.stored(rows, begun.elapsed());
                }
                shared
                    .counters
                    .committed(works.len(), rows.saturating_sub(refused), refused);
                for (answer, result) in answers.iter_mut().zip(results) {
                    answer.send(Ok(result));
                }
                self.succeeded(writing);
                Ok(())
            }
            Err(failure) => self.give_up(writing, answers, works, failure).await,
        }
    }

    /// Rolls back, and answers the calls unless another attempt can store them.
    ///
    /// # Errors
    /// The lock of another process: the calls wait again.
    async fn give_up(
        &mut self,
        mut writing: Writing,
        answers: Vec<Answer>,
        works: Vec<Work>,
        failure: Failure,
    ) -> Result<(), Failure> {
        let failure = match transaction::roll_back(&mut writing.watched).await {
            Ok(()) => failure,
            Err(_) => failure.of_store(),
        };
        let is_busy = failure.scope == Scope::Busy;
        if is_busy {
            let calls = answers.into_iter().zip(works);
            self.shared.queue.put_back(calls.map(|(answer, work)| Call {
                statement: Arc::clone(&work.plan.sql),
                rows: work.rows,
                answer,
            }));
        } else {
            for mut answer in answers {
                answer.send(Err(failure.fault.clone()));
            }
        }
        self.failed(writing, &failure);
        if is_busy { Err(failure) } else { Ok(()) }
    }

    /// Lets a little time pass for whoever holds the lock.
    async fn pause(&self) {
        with_ticks(tokio::time::sleep(PAUSE), || self.shared.queue.expire()).await;
    }

    /// The connection, opened anew where it failed or its file was moved away.
    async fn open(&mut self) -> Result<Writing, Failure> {
        let shared = Arc::clone(&self.shared);
        let options = &shared.options;
        match self.writing.take() {
            Some(writing) if writing.is_in_place(&options.path) => return Ok(writing),
            Some(writing) => {
                tracing::error!(
                    path = %options.path.display(),
                    "the SQLite file was moved away, or another one put in its place: put it back, \
                     or restart the broker to go on with what is there"
                );
                writing.close().await;
            }
            None => {}
        }
        let opened = with_ticks(Writing::open_again(options), || {
            shared.queue.expire();
        })
        .await;
        match opened {
            Ok(writing) => {
                shared.counters.reopened();
                shared.generation.fetch_add(1, Ordering::Release);
                Ok(writing)
            }
            Err(error) => {
                let failure = open_failure(&error);
                self.log_failure(&failure.fault);
                Err(failure)
            }
        }
    }

    /// What waits, without statements that a pool does not run.
    fn take(&mut self) -> (Vec<Answer>, Vec<Work>) {
        let max_rows = self.shared.options.max_transaction_rows.max(1);
        let mut answers = Vec::new();
        let mut works = Vec::new();
        for mut call in self.shared.queue.take(max_rows) {
            let plan = self.plans.get(&call.statement).and_then(|plan| {
                match call.rows.iter().find(|row| row.len() != plan.parameters) {
                    Some(row) => Err(invalid(format!(
                        "the statement has {} parameters, a row has {}",
                        plan.parameters,
                        row.len()
                    ))),
                    None => Ok(plan),
                }
            });
            match plan {
                Ok(plan) => {
                    answers.push(call.answer);
                    works.push(Work {
                        plan,
                        rows: call.rows,
                    });
                }
                Err(fault) => call.answer.send(Err(fault)),
            }
        }
        (answers, works)
    }

    fn succeeded(&mut self, writing: Writing) {
        if self.is_failing {
            tracing::info!(path = %self.shared.options.path.display(), "SQLite writes again");
        }
        self.is_failing = false;
        self.writing = Some(writing);
    }

    /// Keeps the connection only if it is sound.
    fn failed(&mut self, writing: Writing, failure: &Failure) {
        self.shared.counters.failed();
        self.log_failure(&failure.fault);
        if failure.scope != Scope::Store {
            self.writing = Some(writing);
        }
    }

    fn log_failure(&mut self, fault: &Fault) {
        if !self.is_failing {
            let code = fault.code.strip_prefix("sqlite:");
            let code = code.and_then(|code| code.parse().ok());
            let advice = code.map_or("", advice_on);
            tracing::error!(
                path = %self.shared.options.path.display(),
                fault = %fault,
                "SQLite does not write{advice}"
            );
        }
        self.is_failing = true;
    }

    fn fail_waiting(&self, fault: &Fault) {
        for mut call in self.shared.queue.take(usize::MAX) {
            call.answer.send(Err(fault.clone()));
        }
    }
}

fn open_failure(error: &OpenError) -> Failure {
    match error {
        OpenError::Database { source, .. } | OpenError::Schema { source, .. } => {
            let mut failure = Failure::of(source);
            failure.fault.message = error.to_string();
            failure
        }
        OpenError::Damaged { .. } | OpenError::Runtime => Failure {
            fault: closed(),
            scope: Scope::Store,
        },
    }
}

/// Runs `work` to its end, calling `tick` every few milliseconds.
async fn with_ticks<F: Future>(work: F, mut tick: impl FnMut()) -> F::Output {
    let mut work = pin!(work);
    loop {
        match tokio::time::timeout(TICK, &mut work).await {
            Ok(output) => return output,
            Err(_) => tick(),
        }
    }
}
