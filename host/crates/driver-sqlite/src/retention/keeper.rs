//! Which slice is due, and when.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::Retention;
use super::removed::{Counters, Reason, Removed, add, in_words};
use super::step::{Bounds, Slice, Step};
use crate::connection::Watched;
use crate::fault::{Failure, Scope};
use crate::transaction;

/// Before tables are gone through for the first time.
const FIRST_SWEEP: Duration = Duration::from_secs(60);
/// A slice that takes longer is given up, and a smaller one tried.
const MAX_SLICE: Duration = Duration::from_secs(1);
/// A slice that works longer than the last batch of callers, and longer than the first
/// of these, or longer than the second in any case, is followed by a smaller one. What
/// is removed for want of room may take the second: it has to be faster than callers.
const LONG_SLICE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(20));
/// Rows of a slice, however long that takes.
const LEAST_ROWS: usize = 16;
/// Between two slices, at least, and as long as the one before took, as long as there
/// is room.
const PAUSE: Duration = Duration::from_millis(5);
/// Before the next attempt where somebody else has the lock.
const LOCKED_PAUSE: Duration = Duration::from_secs(1);
/// Before the next attempt where the store cannot be written.
const FAILED_PAUSE: Duration = Duration::from_secs(60);

/// What retention is at, in the writer's hands.
#[derive(Debug)]
pub(crate) struct Keeper {
    retention: Retention,
    /// Steps of the pass that is under way.
    due: VecDeque<Step>,
    pass: Pass,
    next_slice: Instant,
    next_size: Instant,
    next_look: Instant,
    next_sweep: Instant,
    /// Rows that callers stored since the last slice.
    stored: usize,
    /// How long the last batch of callers took.
    batch: Duration,
    /// Rows of a slice at most, as long as so many were found to take too long.
    most_rows: usize,
    /// What was told last, so that it is told once.
    told: Option<String>,
}

/// What a pass did so far.
#[derive(Debug, Default)]
struct Pass {
    removed: Removed,
    used_bytes: u64,
    is_stuck: bool,
    has_failed: bool,
}

impl Keeper {
    pub(crate) fn new(retention: Retention, now: Instant) -> Self {
        Self {
            next_sweep: now + FIRST_SWEEP.min(retention.sweep_every),
            retention,
            due: VecDeque::new(),
            pass: Pass::default(),
            next_slice: now,
            next_size: now,
            next_look: now,
            stored: 0,
            batch: Duration::ZERO,
            most_rows: usize::MAX,
            told: None,
        }
    }

    /// When the next slice is due.
    pub(crate) fn due_at(&self) -> Instant {
        if !self.due.is_empty() {
            return self.next_slice;
        }
        let next = self.next_size.min(self.next_look).min(self.next_sweep);
        next.max(self.next_slice)
    }

    /// Callers have stored so many rows, in one batch that took so long.
    pub(crate) fn stored(&mut self, rows: usize, took: Duration) {
        self.stored = self.stored.saturating_add(rows);
        self.batch = took;
    }

    /// The store cannot be written now, for a reason that others deal with.
    pub(crate) fn postpone(&mut self, now: Instant) {
        self.next_slice = now + LOCKED_PAUSE;
    }

    /// Runs one slice, in a transaction of its own.
    ///
    /// # Errors
    /// Nothing was removed, and the transaction may be open.
    pub(crate) async fn slice(
        &mut self,
        watched: &mut Watched,
        counters: &Counters,
        (path, max_rows): (&Path, usize),
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        if self.due.is_empty() {
            self.begin_pass(begun);
        }
        let Some(step) = self.due.pop_front() else {
            return Ok(());
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let bounds = Bounds {
            retention: &self.retention,
            rows: self.rows(max_rows),
            now_ms: u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX),
        };
        let rows = bounds.rows;
        let ran = run(watched, &step, &bounds).await;
        let (slice, worked) = match ran {
            Ok(ran) => ran,
            Err(failure) => {
                self.failed(&failure, step, path);
                return Err(failure);
            }
        };
        let took = begun.elapsed();
        counters.slice(took, &slice.removed);
        if let Some(used) = slice.used_bytes {
            counters.uses(used);
            self.pass.used_bytes = used;
        }
        add(&mut self.pass.removed, &slice.removed);
        self.pass.is_stuck |= slice.is_stuck;
        self.stored = 0;
        // Whoever waits goes first in any case. What is too old can wait for others, too;
        // what is too large grows meanwhile.
        let is_large = matches!(slice.next, Some(Step::Large(_)));
        self.adapt(worked, rows, is_large);
        let pause = if is_large {
            Duration::ZERO
        } else {
            took.max(PAUSE)
        };
        self.next_slice = Instant::now() + pause;
        match slice.next {
            Some(next) => self.due.push_front(next),
            None if self.due.is_empty() => self.end_pass(path),
            None => {}
        }
        Ok(())
    }

    /// Rows of the next slice: more than callers stored meanwhile, so that it is not
    /// they who win.
    fn rows(&self, max_rows: usize) -> usize {
        let least = self.retention.slice_rows.max(1);
        let rows = self.stored.saturating_mul(2).max(least);
        rows.min(max_rows.max(least)).min(self.most_rows)
    }

    fn adapt(&mut self, worked: Duration, rows: usize, is_large: bool) {
        let long = match is_large {
            true => LONG_SLICE.1,
            false => self.batch.clamp(LONG_SLICE.0, LONG_SLICE.1),
        };
        if worked > long {
            self.most_rows = (self.most_rows.min(rows) / 2).max(LEAST_ROWS);
        } else if worked < long / 2 {
            self.most_rows = self.most_rows.saturating_mul(2);
        }
    }

    fn begin_pass(&mut self, now: Instant) {
        self.pass = Pass::default();
        if self.next_look <= now {
            self.next_look = now + self.retention.look_every;
            self.due
                .extend([Step::Expired, Step::Old(i64::MIN), Step::Ended]);
        }
        if self.next_sweep <= now {
            self.next_sweep = now + self.retention.sweep_every;
            self.due.extend([
                Step::Properties(String::new()),
                Step::Exchanges(i64::MIN),
                Step::Deletions(String::new()),
            ]);
        }
        // Last: what is past its time need not go for want of room.
        if self.next_size <= now {
            self.next_size = now + self.retention.size_every;
            self.due.push_back(Step::Large(None));
        }
    }

    fn end_pass(&mut self, path: &Path) {
        let pass = std::mem::take(&mut self.pass);
        let of_size = pass.removed.get(&("mqtt_msg", Reason::Size));
        let is_too_large = of_size.is_some_and(|rows| *rows > 0);
        let path = path.display();
        let removed = in_words(&pass.removed);
        let used_bytes = pass.used_bytes;
        let max_bytes = self.retention.max_bytes.unwrap_or_default();
        if is_too_large {
            tracing::warn!(
                %path, removed, used_bytes, max_bytes,
                "the oldest messages were removed from the store, which was larger than its \
                 retention lets it be"
            );
        } else if !removed.is_empty() {
            tracing::info!(%path, removed, "the store was cleaned");
        }
        if pass.is_stuck {
            let what = "the store is larger than its retention lets it be, and has no message left \
                to remove: raise max_bytes, or look at `hookwire store stats`";
            if self.is_news(what) {
                tracing::warn!(%path, used_bytes, max_bytes, "{what}");
            }
        } else if !pass.has_failed && used_bytes > 0 {
            self.told = None;
        }
    }

    /// Goes on with another step, or with this one later.
    fn failed(&mut self, failure: &Failure, step: Step, path: &Path) {
        let now = Instant::now();
        self.next_slice = now + LOCKED_PAUSE;
        match failure.scope {
            Scope::Busy => return self.due.push_front(step),
            Scope::Late | Scope::Slow if self.most_rows > LEAST_ROWS => {
                let rows = self.most_rows.min(self.retention.slice_rows);
                self.most_rows = (rows / 4).max(LEAST_ROWS);
                return self.due.push_front(step);
            }
            Scope::Row | Scope::Late | Scope::Slow => {}
            Scope::Store => {
                self.due.clear();
                self.next_slice = now + FAILED_PAUSE;
            }
        }
        self.pass.has_failed = true;
        let fault = failure.fault.to_string();
        if self.is_news(&fault) {
            tracing::error!(path = %path.display(), fault, "the store is not cleaned");
        }
        if self.due.is_empty() {
            self.end_pass(path);
        }
    }

    fn is_news(&mut self, what: &str) -> bool {
        let is_news = self.told.as_deref() != Some(what);
        if is_news {
            self.told = Some(what.to_owned());
        }
        is_news
    }
}

/// Runs a slice, and says how long it worked before its commit.
async fn run(
    watched: &mut Watched,
    step: &Step,
    bounds: &Bounds<'_>,
) -> Result<(Slice, Duration), Failure> {
    transaction::begin(watched).await?;
    let begun = Instant::now();
    watched.deadline.set(begun + MAX_SLICE);
    let ran = step.run(&mut watched.connection, bounds).await;
    watched.deadline.clear();
    let slice = ran.map_err(|error| Failure::of(&error))?;
    let worked = begun.elapsed();
    transaction::commit(watched).await?;
    Ok((slice, worked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper() -> Keeper {
        let retention = Retention::new(Some(Duration::from_secs(3600)), Some(1 << 30), 100);
        Keeper::new(retention, Instant::now())
    }

    #[test]
    fn a_slice_has_more_rows_than_came_since_the_one_before() {
        let mut keeper = keeper();
        let rows = |keeper: &Keeper| keeper.rows(1024);
        assert_eq!(rows(&keeper), 100);
        let mut stored = |rows| {
            keeper.stored(rows, Duration::ZERO);
            keeper.rows(1024)
        };
        assert_eq!(stored(50), 100);
        stored(50);
        assert_eq!(stored(200), 600);
        stored(9000);
        assert_eq!(rows(&keeper), 1024, "as a batch at most");
    }

    #[test]
    fn a_slice_that_takes_long_is_followed_by_smaller_ones_for_a_while() {
        let mut keeper = keeper();
        let (long, short) = (Duration::from_millis(3), Duration::ZERO);
        let mut after = |worked: &[Duration]| {
            for worked in worked {
                keeper.adapt(*worked, 100, false);
            }
            keeper.rows(1024)
        };
        assert_eq!(after(&[long]), 50);
        assert_eq!(after(&[long; 9]), LEAST_ROWS);
        assert_eq!(after(&[short]), 2 * LEAST_ROWS);
        assert_eq!(after(&[short; 9]), 100);
    }

    #[test]
    fn a_slice_may_take_as_long_as_a_batch() {
        for (batch_ms, worked_ms, is_large, rows) in [
            (0, 2, false, 100),
            (0, 3, false, 50),
            (8, 8, false, 100),
            (8, 9, false, 50),
            (90, 20, false, 100),
            (90, 21, false, 50),
            (0, 20, true, 100),
            (0, 21, true, 50),
        ] {
            let mut keeper = keeper();
            keeper.stored(1, Duration::from_millis(batch_ms));
            keeper.adapt(Duration::from_millis(worked_ms), 100, is_large);
            assert_eq!(keeper.rows(1024), rows, "{worked_ms} ms beside {batch_ms}");
        }
    }

    #[test]
    fn size_is_looked_at_last_and_more_often() {
        let mut keeper = keeper();
        let start = keeper.next_look;
        keeper.begin_pass(start);
        let steps: Vec<Step> = keeper.due.drain(..).collect();
        assert_eq!(
            steps,
            [
                Step::Expired,
                Step::Old(i64::MIN),
                Step::Ended,
                Step::Large(None)
            ]
        );
        assert_eq!(keeper.due_at(), start + Duration::from_secs(5));
        keeper.begin_pass(start + Duration::from_secs(5));
        assert_eq!(keeper.due, [Step::Large(None)]);
    }
}
