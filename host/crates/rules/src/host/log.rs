//! What a guest says, in the broker's log, under the module's name, each time as one
//! line, bounded in length and rate: `hookwire:host/log`, and the standard output and error of a
//! component with WASI.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hookwire_bindings::text::{bounded, printable};
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
        let message = printable(message);
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
                 it wrote: {}",
                printable(&message)
            );
        }
        self.access.log.write(&self.module, level, &message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_guest_says_is_one_line() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let forged = "done\r\n2026-01-01T00:00:00Z ERROR hookwire: \x1b[31mthe disk is full";
            LogRate::default().write("m", Level::Info, forged);
        });
        let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written.lines().count(), 1, "{written}");
        let expected = "done\\r\\n2026-01-01T00:00:00Z ERROR hookwire: \\u{1b}[31mthe disk is full";
        assert!(written.contains(expected), "{written}");
    }
}
