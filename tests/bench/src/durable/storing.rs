//! Publishing at QoS 1 to nobody but the store.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{StoreOptions, configuration};
use crate::broker::{Broker, Build, logged};
use crate::publishers::{Publishers, Who, percentile};
use crate::report::{Bound, Target, median};
use crate::store::sqlite_rows_per_second;

/// The share of the store's own batched rate that publishers reach.
const SHARE_OF_STORE: f64 = 0.80;

/// Figures of one round.
struct Round {
    per_second: f64,
    cpu_us: f64,
    rows: f64,
    own: f64,
    saturated: [f64; 2],
    paced: [f64; 2],
}

pub(super) fn measure(options: &StoreOptions) -> Result<(Vec<Value>, Vec<Target>)> {
    println!(
        "storing: {} publishers, {} bytes, {} under way each; then {} messages/s; {} rounds of {} s",
        options.publishers,
        options.payload,
        options.window,
        options.per_second,
        options.rounds,
        options.seconds
    );
    println!(
        "{:>10} {:>8} {:>8} {:>12} {:>6} {:>16} {:>16}",
        "messages/s", "CPU us", "rows/tx", "SQLite's own", "share", "p50, p99 ms", "paced"
    );
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let round = measure_once(options)?;
        println!("{}", round.line());
        rounds.push(round);
    }
    let of = |pick: fn(&Round) -> f64| median(&mut rounds.iter().map(pick).collect::<Vec<_>>());
    let share = of(|round| round.per_second / round.own);
    let rows = vec![json!({
        "what": "storing",
        "per_second": of(|round| round.per_second),
        "cpu_us": of(|round| round.cpu_us),
        "rows_per_transaction": of(|round| round.rows),
        "own_per_second": of(|round| round.own),
        "saturated_p50_ms": of(|round| round.saturated[0]),
        "saturated_p99_ms": of(|round| round.saturated[1]),
        "paced_p50_ms": of(|round| round.paced[0]),
        "paced_p99_ms": of(|round| round.paced[1]),
    })];
    let target = Target {
        name: "rate of stored publishes over SQLite's own".to_owned(),
        figure: share,
        bound: SHARE_OF_STORE,
        bound_is: Bound::AtLeast,
        unit: "",
    };
    Ok((rows, vec![target]))
}

impl Round {
    fn line(&self) -> String {
        let pair = |[low, high]: [f64; 2]| format!("{low:.2}, {high:.2}");
        format!(
            "{:>10.0} {:>8.2} {:>8.1} {:>12.0} {:>6.2} {:>16} {:>16}",
            self.per_second,
            self.cpu_us,
            self.rows,
            self.own,
            self.per_second / self.own,
            pair(self.saturated),
            pair(self.paced)
        )
    }
}

fn measure_once(options: &StoreOptions) -> Result<Round> {
    let directory = tempfile::tempdir()?;
    let broker = Broker::hookwire(Build::Now, directory.path(), &configuration())?;
    let duration = Duration::from_secs(options.seconds);
    let mut publishers = connect(&broker, options)?;
    publishers.saturate_for(options.window, Duration::from_millis(700))?;
    let cpu_before = broker.cpu()?;
    let saturated = publishers.saturate_for(options.window, duration)?;
    let cpu = broker.cpu()?.saturating_sub(cpu_before);
    drop(publishers);
    let log = broker.stop()?;
    let rows = logged(&log, "rows_per_transaction").context("the broker logged no rows")?;
    let messages = saturated.latencies.len() as f64;
    let own_directory = tempfile::tempdir()?;
    let own = sqlite_rows_per_second(
        own_directory.path(),
        (rows.round() as usize).max(1),
        options.payload,
        duration,
    )?;
    Ok(Round {
        per_second: messages / saturated.wall.as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / messages,
        rows,
        own,
        saturated: ends(saturated.latencies)?,
        paced: paced(options)?,
    })
}

/// Latencies at a steady pace, in a broker of its own.
fn paced(options: &StoreOptions) -> Result<[f64; 2]> {
    let directory = tempfile::tempdir()?;
    let broker = Broker::hookwire(Build::Now, directory.path(), &configuration())?;
    let mut publishers = connect(&broker, options)?;
    publishers.publish_for(Duration::from_millis(500), &mut [])?;
    let mut latencies = [Vec::new()];
    publishers.publish_for(Duration::from_secs(options.seconds), &mut latencies)?;
    drop(publishers);
    broker.stop()?;
    let [latencies] = latencies;
    ends(latencies)
}

/// p50 and p99.
pub(super) fn ends(mut latencies: Vec<f64>) -> Result<[f64; 2]> {
    Ok([
        percentile(&mut latencies, 0.50)?,
        percentile(&mut latencies, 0.99)?,
    ])
}

pub(super) fn connect(broker: &Broker, options: &StoreOptions) -> Result<Publishers> {
    let count = u32::try_from(options.publishers.max(1))?;
    let who = (0..options.publishers).map(|number| Who {
        clientid: format!("p{number}"),
        topic: format!("bench/{number}"),
        group: 0,
    });
    let per_second = (options.per_second / count).max(1);
    Publishers::connect(broker.address, who.collect(), per_second, options.payload)
}
