//! The end, in order: accept nobody, settle what was read, close clients, drain
//! lanes, close pools. Each step has the same deadline before it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hookwire_broker::Counters;
use tokio::signal::unix::{SignalKind, signal as listen};

use crate::boot::Broker;
use crate::control::Control;
use crate::report;

/// How long everything may take to settle.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a pool may take to store what waits, once nothing more comes.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// Waits for SIGTERM or SIGINT and names it. At SIGHUP the configuration is read
/// again.
pub(crate) async fn signal(control: &Control) -> Result<&'static str> {
    let mut hang_up = listen(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let mut terminate = listen(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = listen(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    loop {
        // Cancel-safe: a signal that is not taken stays with its listener.
        tokio::select! {
            _ = terminate.recv() => return Ok("SIGTERM"),
            _ = interrupt.recv() => return Ok("SIGINT"),
            _ = hang_up.recv() => control.reload("SIGHUP").await,
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
