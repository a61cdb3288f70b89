//! Stops a statement that runs past every deadline.
//!
//! A guest may write a statement that computes for hours. SQLite asks a
//! progress handler every few steps whether to go on; the handler looks at the
//! deadlines that the driver put here: of the calls, and of the statement.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;

/// Steps of SQLite's machine between two looks: microseconds where they are small,
/// and some steps work on megabytes.
const STEPS: i32 = 50;

/// The deadline of what a connection runs now.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    since: Instant,
    /// Microseconds after `since`; `u64::MAX` for none.
    micros: Arc<AtomicU64>,
    /// The same for the statement that runs, which may have less.
    statement: Arc<AtomicU64>,
}

impl Deadline {
    /// Watches a connection from now on; there is no deadline yet.
    pub(crate) async fn watch(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let deadline = Self {
            since: Instant::now(),
            micros: Arc::new(AtomicU64::new(u64::MAX)),
            statement: Arc::new(AtomicU64::new(u64::MAX)),
        };
        let watched = deadline.clone();
        connection
            .lock_handle()
            .await?
            .set_progress_handler(STEPS, move || {
                !watched.has_passed() && !watched.statement_has_passed()
            });
        Ok(deadline)
    }

    pub(crate) fn set(&self, at: Instant) {
        self.micros.store(self.micros_at(at), Ordering::Relaxed);
    }

    /// A statement begins that may take so long.
    pub(crate) fn begin_statement(&self, most: Duration) {
        let until = Instant::now().checked_add(most);
        let micros = until.map_or(u64::MAX, |until| self.micros_at(until));
        self.statement.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn end_statement(&self) {
        self.statement.store(u64::MAX, Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        self.micros.store(u64::MAX, Ordering::Relaxed);
    }

    pub(crate) fn has_passed(&self) -> bool {
        self.is_behind(&self.micros)
    }

    fn statement_has_passed(&self) -> bool {
        self.is_behind(&self.statement)
    }

    fn is_behind(&self, micros: &AtomicU64) -> bool {
        let micros = micros.load(Ordering::Relaxed);
        micros != u64::MAX && self.since.elapsed() > Duration::from_micros(micros)
    }

    fn micros_at(&self, at: Instant) -> u64 {
        let micros = at.saturating_duration_since(self.since).as_micros();
        u64::try_from(micros).unwrap_or(u64::MAX)
    }
}
