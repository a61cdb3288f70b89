//! What is counted: per rule and per module, over all workers. Lanes add to
//! the counters once a batch.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hookwire_broker::Hook;

/// What one rule has done since the broker started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleStats {
    /// Name of the rule.
    pub rule: String,
    /// Its module.
    pub module: String,
    /// Its action.
    pub action: String,
    /// Its hook.
    pub hook: Hook,
    /// Calls into the guest that it was part of.
    pub calls: u64,
    /// Events it ran on.
    pub events: u64,
    /// Events on which it failed.
    pub errors: u64,
    /// Events on which it brought its module down.
    pub lost: u64,
    /// Events that it did not do its work on and that could not be written down
    /// either: they are nowhere.
    pub events_lost: u64,
    /// Whether it is held back for that.
    pub breaker_is_open: bool,
    /// How long calls took that it was part of.
    pub latency: Histogram,
    /// Events in one such call.
    pub batch: Histogram,
}

/// How often values were up to a bound and above the one before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    /// Upper bounds and counts, ascending; the last bound is the highest.
    pub buckets: Vec<(u64, u64)>,
    /// Sum of the values.
    pub sum: u64,
}

/// What one module has done since the plan was bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleStats {
    /// Name of the module.
    pub module: String,
    /// How often it or its rules have changed.
    pub generation: u64,
    /// Hash of its component.
    pub hash: String,
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
    /// Calls of the host that it made in batches, log lines left out.
    pub host_calls: u64,
    /// Linear memory of the largest instance, in bytes.
    pub max_memory_bytes_seen: u64,
}

/// What an instance has used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) host_calls: u64,
    pub(crate) memory_bytes: u64,
}

/// Powers of two that are told apart: up to 2^23, which is 8 s in microseconds.
const POWERS: usize = 24;

#[derive(Debug, Default)]
pub(crate) struct RuleCounters {
    calls: AtomicU64,
    events: AtomicU64,
    errors: AtomicU64,
    lost: AtomicU64,
    events_lost: AtomicU64,
    latency_us: Powers,
    batch: Powers,
}

/// Counts by power of two.
#[derive(Debug, Default)]
struct Powers {
    counts: [AtomicU64; POWERS],
    sum: AtomicU64,
}

impl Powers {
    fn count(&self, value: u64) {
        let power = usize::try_from(value.max(1).next_power_of_two().trailing_zeros());
        let place = power.unwrap_or(usize::MAX).min(POWERS - 1);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Relaxed);
        }
        self.sum.fetch_add(value, Relaxed);
    }

    fn read(&self) -> Histogram {
        let counts = self.counts.iter().enumerate();
        Histogram {
            buckets: counts
                .map(|(power, count)| (1 << power, count.load(Relaxed)))
                .collect(),
            sum: self.sum.load(Relaxed),
        }
    }
}

impl RuleCounters {
    pub(crate) fn ran(&self, events: usize, took: Duration) {
        self.calls.fetch_add(1, Relaxed);
        self.events.fetch_add(events as u64, Relaxed);
        self.batch.count(events as u64);
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latency_us.count(took);
    }

    pub(crate) fn failed(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    pub(crate) fn lost(&self) {
        self.lost.fetch_add(1, Relaxed);
    }

    pub(crate) fn lost_event(&self) {
        self.events_lost.fetch_add(1, Relaxed);
    }

    /// What is counted; names are the caller's to fill in.
    pub(crate) fn read(&self) -> RuleStats {
        RuleStats {
            rule: String::new(),
            module: String::new(),
            action: String::new(),
            hook: Hook::MessagePublish,
            calls: self.calls.load(Relaxed),
            events: self.events.load(Relaxed),
            errors: self.errors.load(Relaxed),
            lost: self.lost.load(Relaxed),
            events_lost: self.events_lost.load(Relaxed),
            breaker_is_open: false,
            latency: self.latency_us.read(),
            batch: self.batch.read(),
        }
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
    host_calls: AtomicU64,
    max_memory_bytes_seen: AtomicU64,
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

    pub(crate) fn used(&self, usage: Usage) {
        self.host_calls.fetch_add(usage.host_calls, Relaxed);
        self.max_memory_bytes_seen
            .fetch_max(usage.memory_bytes, Relaxed);
    }

    pub(crate) fn failed_to_start(&self) {
        self.failed_starts.fetch_add(1, Relaxed);
    }

    /// What is counted; names are the caller's to fill in.
    pub(crate) fn read(&self) -> ModuleStats {
        ModuleStats {
            module: String::new(),
            generation: 0,
            hash: String::new(),
            handle_calls: self.handle_calls.load(Relaxed),
            events: self.events.load(Relaxed),
            traps: self.traps.load(Relaxed),
            deadline_misses: self.deadline_misses.load(Relaxed),
            failed_starts: self.failed_starts.load(Relaxed),
            max_batch_seen: self.max_batch_seen.load(Relaxed),
            host_calls: self.host_calls.load(Relaxed),
            max_memory_bytes_seen: self.max_memory_bytes_seen.load(Relaxed),
        }
    }
}
