//! The end, in order: accept nobody, settle what was read, close clients, drain
//! lanes, close pools. Each step has the same deadline before it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hookwire_broker::Counters;
use tokio::signal::unix::{Signal, SignalKind, signal as listen};
use tokio::task::JoinSet;

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

/// Has a file that reaches the limit of file sizes be a fault of whoever writes it: the
/// signal that comes with it would end the process.
///
/// # Errors
/// What the operating system has against it.
pub(crate) fn outlive_file_limits() -> Result<()> {
    // Once listened to, it ends nothing any more, also when nobody listens.
    let signal = listen(SignalKind::from_raw(libc::SIGXFSZ));
    signal.map(drop).context("cannot listen for SIGXFSZ")
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
    /// read again, by a task of its own, so that nothing keeps the others waiting.
    pub(crate) async fn stop(&mut self, control: &Arc<Control>) -> &'static str {
        let mut reloads = JoinSet::new();
        let signal = loop {
            // Cancel-safe: a signal that is not taken stays with its listener.
            tokio::select! {
                biased;
                _ = self.terminate.recv() => break "SIGTERM",
                _ = self.interrupt.recv() => break "SIGINT",
                Some(_) = reloads.join_next() => {}
                _ = self.hang_up.recv(), if reloads.is_empty() => {
                    let control = Arc::clone(control);
                    reloads.spawn(async move { control.reload("SIGHUP").await });
                }
            }
        };
        // A reload sees that the broker stops, and is not cut off in the middle.
        reloads.detach_all();
        signal
    }
}

/// Stops the broker; what is not settled at the deadline is counted and said.
pub(crate) async fn stop(mut broker: Broker, signal: &'static str) {
    tracing::info!(signal, "stopping");
    let deadline = Instant::now() + DEADLINE;
    broker.control.stop_changes();
    broker.stop.send_replace(true);
    while broker.tasks.join_next().await.is_some() {}
    // A change that is under way would meet workers that are gone.
    let ended = tokio::time::timeout(DEADLINE, broker.control.changes_ended());
    if ended.await.is_err() {
        tracing::error!("a change of the configuration did not end in time");
    }
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
    let running = broker.control.running();
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
