//! What the writer did, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// Totals since the pool was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions committed.
    pub transactions: u64,
    /// Calls whose rows are in them.
    pub calls: u64,
    /// Rows committed.
    pub rows: u64,
    /// Rows of the largest transaction.
    pub largest_transaction_rows: u64,
    /// Rows that SQLite refused one by one.
    pub refused_rows: u64,
    /// Transactions that failed as a whole, also those that were tried again
    /// because another process held the lock.
    pub failed_transactions: u64,
    /// Times the file was opened anew.
    pub reopened: u64,
}

impl Stats {
    /// Rows of a transaction on average; 0 before the first.
    #[must_use]
    pub fn mean_transaction_rows(&self) -> f64 {
        if self.transactions == 0 {
            return 0.0;
        }
        self.rows as f64 / self.transactions as f64
    }
}

/// The counters behind [`Stats`], written by the writer alone.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    transactions: AtomicU64,
    calls: AtomicU64,
    rows: AtomicU64,
    largest_transaction_rows: AtomicU64,
    refused_rows: AtomicU64,
    failed_transactions: AtomicU64,
    reopened: AtomicU64,
}

impl Counters {
    pub(crate) fn committed(&self, calls: usize, rows: usize, refused_rows: usize) {
        self.transactions.fetch_add(1, Ordering::Relaxed);
        self.calls.fetch_add(calls as u64, Ordering::Relaxed);
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.refused_rows
            .fetch_add(refused_rows as u64, Ordering::Relaxed);
        self.largest_transaction_rows
            .fetch_max(rows as u64, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failed_transactions.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reopened(&self) {
        self.reopened.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            transactions: read(&self.transactions),
            calls: read(&self.calls),
            rows: read(&self.rows),
            largest_transaction_rows: read(&self.largest_transaction_rows),
            refused_rows: read(&self.refused_rows),
            failed_transactions: read(&self.failed_transactions),
            reopened: read(&self.reopened),
        }
    }
}
