//! What was removed, in numbers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Why a row went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// It was older than it may be.
    Age,
    /// The store was larger than it may be.
    Size,
    /// The message, or the session, was past its own expiry.
    Expired,
    /// What it belongs to is gone.
    Orphaned,
}

impl Reason {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Size => "size",
            Self::Expired => "expired",
            Self::Orphaned => "orphaned",
        }
    }
}

/// Rows of a table that went for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemovedRows {
    /// The table.
    pub table: &'static str,
    /// `age`, `size`, `expired` or `orphaned`.
    pub reason: &'static str,
    /// How many, since the pool was opened. What triggers of the schema remove
    /// beside a session is not counted.
    pub rows: u64,
}

/// What retention did since the pool was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetentionStats {
    /// Rows that were removed, by table and reason; also where there were none yet.
    pub removed: Vec<RemovedRows>,
    /// Slices, those that found nothing among them.
    pub slices: u64,
    /// How long the longest of them had the writer.
    pub longest_slice: Duration,
    /// Bytes of pages in use when the size was looked at last.
    pub used_bytes: u64,
}

/// Rows by table and reason.
pub(crate) type Removed = BTreeMap<(&'static str, Reason), u64>;

/// What there is to be counted.
const COUNTED: &[(&str, Reason)] = &[
    ("mqtt_msg", Reason::Age),
    ("mqtt_msg", Reason::Size),
    ("mqtt_msg", Reason::Expired),
    ("mqtt_retain", Reason::Expired),
    ("hookwire_msg", Reason::Age),
    ("hookwire_msg", Reason::Size),
    ("hookwire_msg", Reason::Expired),
    ("hookwire_msg", Reason::Orphaned),
    ("hookwire_retain_deleted", Reason::Age),
    ("hookwire_session", Reason::Expired),
    ("hookwire_exchange", Reason::Orphaned),
];

/// The counters behind [`RetentionStats`], written by the writer alone.
#[derive(Debug)]
pub(crate) struct Counters {
    removed: Mutex<Removed>,
    slices: AtomicU64,
    longest_slice_us: AtomicU64,
    used_bytes: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        let none = COUNTED.iter().map(|counted| (*counted, 0));
        Self {
            removed: Mutex::new(none.collect()),
            slices: AtomicU64::default(),
            longest_slice_us: AtomicU64::default(),
            used_bytes: AtomicU64::default(),
        }
    }
}

impl Counters {
    pub(crate) fn slice(&self, took: Duration, removed: &Removed) {
        self.slices.fetch_add(1, Ordering::Relaxed);
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.longest_slice_us.fetch_max(took, Ordering::Relaxed);
        if !removed.is_empty() {
            let mut all = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
            add(&mut all, removed);
        }
    }

    pub(crate) fn uses(&self, bytes: u64) {
        self.used_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> RetentionStats {
        let removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = removed.iter().map(|((table, reason), rows)| RemovedRows {
            table,
            reason: reason.name(),
            rows: *rows,
        });
        let longest = self.longest_slice_us.load(Ordering::Relaxed);
        RetentionStats {
            removed: rows.collect(),
            slices: self.slices.load(Ordering::Relaxed),
            longest_slice: Duration::from_micros(longest),
            used_bytes: self.used_bytes.load(Ordering::Relaxed),
        }
    }
}

/// Adds `more` to `all`.
pub(crate) fn add(all: &mut Removed, more: &Removed) {
    for (what, rows) in more {
        *all.entry(*what).or_default() += rows;
    }
}

/// For a person: `mqtt_msg: 12 (age); hookwire_session: 1 (expired)`.
pub(crate) fn in_words(removed: &Removed) -> String {
    let parts = removed.iter().filter(|(_, rows)| **rows > 0);
    let parts: Vec<String> = parts
        .map(|((table, reason), rows)| format!("{table}: {rows} ({})", reason.name()))
        .collect();
    parts.join("; ")
}
