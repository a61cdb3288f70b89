//! What is counted: per rule and per module, over all workers. Lanes add to
//! the counters once a batch.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What one rule has done since the plan was bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleStats {
    /// Name of the rule.
    pub rule: String,
    /// Its module.
    pub module: String,
    /// Its action.
    pub action: String,
    /// Calls into the guest that it was part of.
    pub calls: u64,
    /// Events it ran on.
    pub events: u64,
    /// Events on which it failed.
    pub errors: u64,
}

/// What one module has done since the plan was bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleStats {
    /// Name of the module.
    pub module: String,
    /// Batches handed over.
    pub handle_calls: u64,
    /// Events in them.
    pub events: u64,
    /// Batches that ended in a trap, deadlines included.
    pub traps: u64,
    /// Batches stopped at their deadline.
    pub deadline_misses: u64,
    /// Instances that did not come up.
    pub failed_starts: u64,
    /// Events of the largest batch.
    pub max_batch_seen: u64,
}

#[derive(Debug, Default)]
pub(crate) struct RuleCounters {
    calls: AtomicU64,
    events: AtomicU64,
    errors: AtomicU64,
}

impl RuleCounters {
    pub(crate) fn ran(&self, events: usize) {
        self.calls.fetch_add(1, Relaxed);
        self.events.fetch_add(events as u64, Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    /// Calls, events, errors.
    pub(crate) fn read(&self) -> [u64; 3] {
        [&self.calls, &self.events, &self.errors].map(|counter| counter.load(Relaxed))
    }
}

#[derive(Debug, Default)]
pub(crate) struct ModuleCounters {
    handle_calls: AtomicU64,
    events: AtomicU64,
    traps: AtomicU64,
    deadline_misses: AtomicU64,
    failed_starts: AtomicU64,
    max_batch_seen: AtomicU64,
}

impl ModuleCounters {
    pub(crate) fn handled(&self, events: usize) {
        self.handle_calls.fetch_add(1, Relaxed);
        self.events.fetch_add(events as u64, Relaxed);
        self.max_batch_seen.fetch_max(events as u64, Relaxed);
    }

    pub(crate) fn trapped(&self, missed_deadline: bool) {
        self.traps.fetch_add(1, Relaxed);
        self.deadline_misses
            .fetch_add(u64::from(missed_deadline), Relaxed);
    }

    pub(crate) fn failed_to_start(&self) {
        self.failed_starts.fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self, module: &str) -> ModuleStats {
        ModuleStats {
            module: module.to_owned(),
            handle_calls: self.handle_calls.load(Relaxed),
            events: self.events.load(Relaxed),
            traps: self.traps.load(Relaxed),
            deadline_misses: self.deadline_misses.load(Relaxed),
            failed_starts: self.failed_starts.load(Relaxed),
            max_batch_seen: self.max_batch_seen.load(Relaxed),
        }
    }
}
