//! `bench store sqlite`: what it costs that the store is the queue, in the
//! default configuration: publishing against the store's own rate, the latency
//! of a publish while what is old is removed, and reading what was missed
//! against reading it with sqlx.

mod cleaning;
mod draining;
mod storing;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::report::conclude;

/// Options of `bench store`.
#[derive(Debug, clap::Args)]
pub(crate) struct StoreOptions {
    /// Which store
    #[arg(value_enum)]
    store: Store,
    /// Publishers
    #[arg(long, default_value_t = 100)]
    publishers: usize,
    /// Payload of a message, in bytes
    #[arg(long, default_value_t = 256)]
    payload: usize,
    /// Messages a publisher keeps under way at saturation
    #[arg(long, default_value_t = 64)]
    window: usize,
    /// Messages a second of all publishers together, where they are paced
    #[arg(long, default_value_t = 2_000)]
    per_second: u32,
    /// Messages that the subscriber missed
    #[arg(long, default_value_t = 100_000)]
    missed: usize,
    /// Old messages that are removed while publishers are timed
    #[arg(long, default_value_t = 300_000)]
    old: usize,
    /// Seconds of one measurement
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Times that every measurement is made; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only what has this name: storing, cleaning or draining
    #[arg(long)]
    only: Option<String>,
    /// Write figures and targets to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The stores there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    Sqlite,
}

pub(crate) fn run(options: &StoreOptions) -> Result<bool> {
    let Store::Sqlite = options.store;
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    let parts = [
        (
            "storing",
            storing::measure as fn(&StoreOptions) -> Result<_>,
        ),
        ("cleaning", cleaning::measure),
        ("draining", draining::measure),
    ];
    for (name, measure) in parts {
        if options.only.as_ref().is_none_or(|only| only == name) {
            let (more_rows, more_targets) = measure(options).context(name)?;
            rows.extend::<Vec<serde_json::Value>>(more_rows);
            targets.extend::<Vec<crate::report::Target>>(more_targets);
        }
    }
    conclude(&targets, &rows, options.json.as_deref())
}

/// The default configuration, on any free port.
fn configuration() -> String {
    include_str!("../../../../etc/hookwire.hcl").replace("127.0.0.1:1883", "127.0.0.1:0")
}
