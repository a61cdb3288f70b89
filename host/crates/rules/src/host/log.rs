//! What a guest says, in the broker's log, under the module's name, bounded in
//! length and rate: `hookwire:host/log`, and the standard output and error of a
//! component with WASI.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hookwire_bindings::text::bounded;
use hookwire_bindings::wit::hookwire::host::log::{Host as LogHost, Level};
use wasmtime::bail;

use crate::host::{Host, Phase};
use crate::throttle::Throttle;

/// Longest line that is logged, in bytes.
pub(crate) const MAX_LINE_BYTES: usize = 4096;
const LINES_PER_SECOND: u32 = 100;

/// The rate of one module: all its instances together have it, and one that
/// takes another's place has no more.
#[derive(Debug)]
pub(crate) struct LogRate(Mutex<Throttle>);

impl Default for LogRate {
    fn default() -> Self {
        Self(Mutex::new(Throttle::per_second(LINES_PER_SECOND)))
    }
}

impl LogRate {
    /// Logs a line of a module, unless there are too many.
    pub(crate) fn write(&self, module: &str, level: Level, message: &str) {
        let mut throttle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pass = throttle.pass(Instant::now());
        drop(throttle);
        let Some(pass) = pass else {
            return;
        };
        if pass.held_back > 0 {
            tracing::warn!(module, lines = pass.held_back, "log lines were left out");
        }
        match level {
            Level::Error => tracing::error!(module, "{message}"),
            Level::Warn => tracing::warn!(module, "{message}"),
            Level::Info => tracing::info!(module, "{message}"),
            Level::Debug => tracing::debug!(module, "{message}"),
            Level::Trace => tracing::trace!(module, "{message}"),
        }
    }
}

impl LogHost for Host {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let message = bounded(message, MAX_LINE_BYTES);
        if self.phase == Phase::Describing {
            // The line is worth more than the rule: it is mostly a panic's text.
            bail!(
                "describe called log.write, and describe runs with nothing granted; \
                 it wrote: {message}"
            );
        }
        self.access.log.write(&self.module, level, &message);
        Ok(())
    }
}
