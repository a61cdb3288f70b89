//! Keeps the store from growing for ever.
//!
//! What is past its time is removed by the writer itself, between the batches of
//! its callers: in *slices*, each a transaction of few rows, so that no batch waits
//! for more than one of them. A *pass* runs through the steps that are due, each
//! slice by slice, and says in the log what it has removed. Whatever waits for the
//! writer goes first; a slice that is due comes behind it, however busy the store.
//!
//! Freed pages are used again; the file does not become smaller.

mod keeper;
mod removed;
mod step;
mod sweep;
mod window;

use std::time::Duration;

pub(crate) use keeper::Keeper;
pub(crate) use removed::Counters;
pub use removed::{RemovedRows, RetentionStats};

/// What is kept of the stock tables (`etc/sql/sqlite-emqx3.sql`), and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// How old a row of `mqtt_msg` may become, by its `arrived`; None: as old as it likes.
    pub max_age: Option<Duration>,
    /// Bytes of pages in use, until the oldest rows of `mqtt_msg` go; None: any number.
    pub max_bytes: Option<u64>,
    /// Rows of one slice. More, up to those of a transaction, where callers store
    /// faster than that; fewer, where so many take long.
    pub slice_rows: usize,
    /// How often it is looked whether the store is too large.
    pub size_every: Duration,
    /// How often it is looked for what is past its time.
    pub look_every: Duration,
    /// How often whole tables are gone through for what nobody can need any more.
    pub sweep_every: Duration,
}

impl Retention {
    /// Removes by age and size, in slices of `slice_rows`, as often as that takes.
    #[must_use]
    pub fn new(max_age: Option<Duration>, max_bytes: Option<u64>, slice_rows: usize) -> Self {
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(60));
        Self {
            max_age,
            max_bytes,
            slice_rows: slice_rows.max(1),
            size_every: Duration::from_secs(5),
            look_every: max_age.map_or(most, |age| (age / 8).clamp(least, most)),
            sweep_every: Duration::from_secs(3600),
        }
    }
}
