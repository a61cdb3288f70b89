//! `hookwire:host/clock`: the time, for modules that were granted it; and what
//! the time is, which a test may set.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};

use hookwire_bindings::wit::hookwire::host::clock::Host as ClockHost;

use crate::host::Host;

/// Where the monotonic clock of guests begins; its readings say nothing about
/// the machine's uptime.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl ClockHost for Host {
    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        self.check_may_call("clock.now-ms")?;
        Ok(self.access.clock.now_ms())
    }

    fn monotonic_ns(&mut self) -> wasmtime::Result<u64> {
        self.check_may_call("clock.monotonic-ns")?;
        Ok(self.access.clock.monotonic_ns())
    }
}

/// What guests take for the time: the system's, or what a test sets. Deadlines
/// go by the system's time in any case.
#[derive(Debug, Clone, Default)]
pub struct GuestClock {
    set_ms: Option<Arc<AtomicU64>>,
}

impl GuestClock {
    /// A clock that stands at `ms` since the Unix epoch until it is set.
    #[must_use]
    pub fn standing_at(ms: u64) -> Self {
        Self {
            set_ms: Some(Arc::new(AtomicU64::new(ms))),
        }
    }

    /// Sets a clock that stands, and all its clones; the system's is not changed.
    pub fn set(&self, ms: u64) {
        if let Some(set_ms) = &self.set_ms {
            set_ms.store(ms, Relaxed);
        }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        match &self.set_ms {
            Some(set_ms) => set_ms.load(Relaxed),
            None => wall_ms(),
        }
    }

    fn monotonic_ns(&self) -> u64 {
        match &self.set_ms {
            Some(set_ms) => set_ms.load(Relaxed).saturating_mul(1_000_000),
            None => u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// The moment by which kept values end.
    pub(crate) fn moment(&self) -> Instant {
        let Some(set_ms) = &self.set_ms else {
            return Instant::now();
        };
        let since = Duration::from_millis(set_ms.load(Relaxed));
        START.checked_add(since).unwrap_or(*START)
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn wall_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let ms = since_epoch.unwrap_or_default().as_millis();
    u64::try_from(ms).unwrap_or(u64::MAX)
}
