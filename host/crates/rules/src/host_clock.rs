//! `hookwire:host/clock`: the time, for modules that were granted it.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime};

use hookwire_bindings::wit::hookwire::host::clock::Host as ClockHost;

use crate::host::Host;

/// Where the monotonic clock of guests begins; its readings say nothing about
/// the machine's uptime.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl ClockHost for Host {
    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        self.check_may_call("clock.now-ms")?;
        Ok(wall_ms())
    }

    fn monotonic_ns(&mut self) -> wasmtime::Result<u64> {
        self.check_may_call("clock.monotonic-ns")?;
        Ok(u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn wall_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let ms = since_epoch.unwrap_or_default().as_millis();
    u64::try_from(ms).unwrap_or(u64::MAX)
}
