//! What a run used of what a module may use.

use std::fmt;
use std::time::Duration;

use hookwire_rules::{LoadedModule, ModuleStats};
use hookwire_settings::Module;

/// What a run used.
#[derive(Debug, Default, Clone)]
pub struct Limits {
    /// How long each step of events took, ascending.
    pub(crate) times: Vec<Duration>,
    /// Events handed over.
    pub events: u64,
    /// Calls of the host, log lines left out.
    pub host_calls: u64,
    /// Calls into modules.
    pub handle_calls: u64,
    /// Events of the largest batch.
    pub max_batch: u64,
    /// Linear memory of the largest instance, in bytes.
    pub memory_bytes: u64,
    /// What its module allows.
    pub max_memory_bytes: u64,
    /// Actions on `message.publish` that take one event at a time.
    pub one_at_a_time: Vec<String>,
}

impl Limits {
    /// Adds what a module counted.
    pub(crate) fn add(&mut self, block: &Module, stats: &ModuleStats) {
        self.events += stats.events;
        self.host_calls += stats.host_calls;
        self.handle_calls += stats.handle_calls;
        self.max_batch = self.max_batch.max(stats.max_batch_seen);
        if stats.max_memory_bytes_seen >= self.memory_bytes {
            self.memory_bytes = stats.max_memory_bytes_seen;
            self.max_memory_bytes = block.max_memory_bytes as u64;
        }
    }

    /// Notes the actions of rules on `message.publish` that are called for each
    /// event alone.
    pub(crate) fn note_actions<'a>(
        &mut self,
        module: &LoadedModule,
        actions: impl Iterator<Item = &'a str>,
    ) {
        for name in actions {
            let mut declared = module.manifest().actions.iter();
            let takes_one = declared.any(|action| action.name == name && !action.batch);
            if takes_one && self.one_at_a_time.iter().all(|known| known != name) {
                self.one_at_a_time.push(name.to_owned());
            }
        }
    }

    pub(crate) fn took(&mut self, time: Duration) {
        self.times.push(time);
    }

    pub(crate) fn close(&mut self) {
        self.times.sort_unstable();
    }

    /// The time below which that share of the steps stayed, of 100.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let last = self.times.len().saturating_sub(1);
        let place = (self.times.len() * percent).div_ceil(100).saturating_sub(1);
        self.times.get(place.min(last)).copied().unwrap_or_default()
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |percent| self.percentile(percent).as_secs_f64() * 1000.0;
        let mib = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
        let each = self.host_calls as f64 / self.events.max(1) as f64;
        write!(
            f,
            "time p50 {:.2} ms, p99 {:.2} ms; memory {:.1} of {:.0} MiB; \
             {each:.1} host calls an event; largest batch {}",
            ms(50),
            ms(99),
            mib(self.memory_bytes),
            mib(self.max_memory_bytes),
            self.max_batch,
        )
    }
}
