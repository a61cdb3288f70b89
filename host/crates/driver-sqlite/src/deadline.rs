//! Stops a statement that runs past every deadline.
//!
//! A guest may write a statement that computes for hours. SQLite asks a
//! progress handler every few thousand steps whether to go on; the handler
//! looks at the deadline that the driver put here before the statement.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;

/// Steps of SQLite's machine between two looks: tens of microseconds.
const STEPS: i32 = 10_000;

/// The deadline of what a connection runs now.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    since: Instant,
    /// Microseconds after `since`; `u64::MAX` for none.
    micros: Arc<AtomicU64>,
}

impl Deadline {
    /// Watches a connection from now on; there is no deadline yet.
    pub(crate) async fn watch(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let deadline = Self {
            since: Instant::now(),
            micros: Arc::new(AtomicU64::new(u64::MAX)),
        };
        let watched = deadline.clone();
        connection
            .lock_handle()
            .await?
            .set_progress_handler(STEPS, move || !watched.has_passed());
        Ok(deadline)
    }

    pub(crate) fn set(&self, at: Instant) {
        let micros = at.saturating_duration_since(self.since).as_micros();
        self.micros
            .store(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        self.micros.store(u64::MAX, Ordering::Relaxed);
    }

    fn has_passed(&self) -> bool {
        let micros = self.micros.load(Ordering::Relaxed);
        micros != u64::MAX && self.since.elapsed() > Duration::from_micros(micros)
    }
}
