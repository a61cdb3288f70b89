//! `hookwire:host/log`: a guest's lines in the broker's log, under the
//! module's name, bounded in length and rate.

use std::time::Instant;

use hookwire_bindings::text::bounded;
use hookwire_bindings::wit::hookwire::host::log::{Host as LogHost, Level};
use wasmtime::bail;

use crate::host::{Host, Phase};

const MAX_LINE_BYTES: usize = 4096;

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
        let Some(pass) = self.log.pass(Instant::now()) else {
            return Ok(());
        };
        let module = &*self.module;
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
        Ok(())
    }
}
