//! The end, in order: accept nobody, settle what was read, close clients, drain
//! lanes, close pools. Each step has the same deadline before it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hookwire_broker::Counters;
use tokio::signal::unix::{Signal, SignalKind, signal as listen};

use crate::boot::Broker;
use crate::control::Control;
use crate::report;

/// How long everything may take to settle.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a pool may take to store what waits, once nothing more comes.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// The signals that a broker answers to. From the moment this is made, none of
/// them ends the process by itself.
pub(crate) struct Signals {
    hang_up: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens for them.
    ///
    /// # Errors
    /// What the operating system has against it.
    pub(crate) fn listen() -> Result<Self> {
        Ok(Self {
            hang_up: listen(SignalKind::hangup()).context("cannot listen for SIGHUP")?,
            terminate: listen(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            interrupt: listen(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
        })
    }

    /// Waits for SIGTERM or SIGINT and names it. At SIGHUP the configuration is
    /// read again.
    pub(crate) async fn stop(&mut self, control: &Control) -> &'static str {
        loop {
            // Cancel-safe: a signal that is not taken stays with its listener.
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hang_up.recv() => control.reload("SIGHUP").await,
            }
        }
    }
}

/// Stops the broker; what is not settled at the deadline is counted and said.
pub(crate) async fn stop(mut broker: Broker, signal: &'static str) {
    tracing::info!(signal, "stopping");
    let deadline = Instant::now() + DEADLINE;
    broker.stop.send_replace(true);
    while broker.tasks.join_next().await.is_some() {}
    for worker in &broker.control.workers {
        worker.stop(deadline);
    }
    let mut counters = Counters::default();
    let mut unsettled = 0;
    for thread in broker.threads {
        match tokio::task::block_in_place(|| thread.join()) {
            Ok(left) => {
                counters.add(&left.counters);
                unsettled += left.unsettled;
            }
            Err(_) => tracing::error!("a worker thread panicked"),
        }
    }
    let running = broker.control.running().await;
    report::at_end(
        &running.plan,
        &running.pools,
        &counters,
        &broker.control.greetings,
    );
    let pools = running.pools.iter().map(|pool| (pool.name(), &pool.pool));
    for (name, pool) in pools.chain([("house", &broker.house)]) {
        if tokio::time::timeout(CLOSE_DEADLINE, pool.close())
            .await
            .is_err()
        {
            tracing::error!(pool = name, "the pool did not close in time");
        }
    }
    drop(running);
    drop(broker.data);
    if unsettled > 0 {
        tracing::error!(unsettled, "stopped before all rules were done");
    }
    tracing::info!("stopped");
}
