//! The clocks of this machine, as the core is told them.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hookwire_broker::Now;

/// Reads time. The wall clock is read once a second and carried on in between
/// by the steady one, so that a turn of the loop costs one reading.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    /// Wall clock minus steady clock, in milliseconds.
    offset_ms: u64,
    read_at_ms: u64,
}

const REREAD_MS: u64 = 1_000;

impl Clock {
    /// A clock whose steady part counts from now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
            offset_ms: wall_ms(),
            read_at_ms: 0,
        }
    }

    /// The time now.
    pub fn now(&mut self) -> Now {
        let mono_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        if mono_ms - self.read_at_ms >= REREAD_MS {
            self.offset_ms = wall_ms().saturating_sub(mono_ms);
            self.read_at_ms = mono_ms;
        }
        Now {
            mono_ms,
            wall_ms: self.offset_ms.saturating_add(mono_ms),
        }
    }
}

/// Milliseconds since the Unix epoch; 0 on a clock set before it.
#[must_use]
pub fn wall_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}
