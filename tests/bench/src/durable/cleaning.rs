//! Publishers at a steady pace, while the store removes what is old and while it
//! has nothing to remove.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::storing::{connect, ends};
use super::{StoreOptions, configuration};
use crate::broker::{Broker, Build};
use crate::report::{Bound, Target, median};
use crate::store::fill;

/// What removing may add to p99, in milliseconds.
const ADDS_MS: f64 = 5.0;

pub(super) fn measure(options: &StoreOptions) -> Result<(Vec<Value>, Vec<Target>)> {
    println!(
        "\ncleaning: {} old messages in the store, {} messages/s; {} rounds of {} s",
        options.old, options.per_second, options.rounds, options.seconds
    );
    println!(
        "{:>20} {:>20} {:>9}",
        "kept: p50, p99 ms", "removed: p50, p99", "removed"
    );
    let (mut added, mut rows) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let (kept, _) = timed(options, "max_age = 0")?;
        let (removed, count) = timed(options, "max_age = \"7d\"")?;
        ensure!(count > 0, "nothing was removed while publishers were timed");
        println!(
            "{:>20} {:>20} {count:>9}",
            format!("{:.2}, {:.2}", kept[0], kept[1]),
            format!("{:.2}, {:.2}", removed[0], removed[1]),
        );
        added.push(removed[1] - kept[1]);
        rows.push(json!({
            "what": "cleaning",
            "kept_p50_ms": kept[0],
            "kept_p99_ms": kept[1],
            "removed_p50_ms": removed[0],
            "removed_p99_ms": removed[1],
            "removed": count,
        }));
    }
    let target = Target {
        name: "p99 of a stored publish while old ones are removed, later by".to_owned(),
        figure: median(&mut added),
        bound: ADDS_MS,
        bound_is: Bound::AtMost,
        unit: " ms",
    };
    Ok((rows, vec![target]))
}

/// p50 and p99, and messages removed meanwhile.
fn timed(options: &StoreOptions, age: &str) -> Result<([f64; 2], u64)> {
    let directory = tempfile::tempdir()?;
    std::fs::create_dir(directory.path().join("data"))?;
    let file = directory.path().join("data/hookwire.db");
    fill(&file, options.old, options.payload, "2020-01-01 00:00:00")?;
    let configuration = configuration();
    ensure!(
        configuration.contains("max_age = \"7d\""),
        "the default configuration has no max_age"
    );
    let configuration = configuration.replace("max_age = \"7d\"", age);
    let broker = Broker::hookwire(Build::Now, directory.path(), &configuration)?;
    let mut publishers = connect(&broker, options)?;
    publishers.publish_for(Duration::from_millis(200), &mut [])?;
    let before = removed(&broker)?;
    let mut latencies = [Vec::new()];
    publishers.publish_for(Duration::from_secs(options.seconds), &mut latencies)?;
    let after = removed(&broker)?;
    drop(publishers);
    broker.stop()?;
    let [latencies] = latencies;
    Ok((ends(latencies)?, after - before))
}

/// Messages that the broker has removed for their age.
fn removed(broker: &Broker) -> Result<u64> {
    let told = broker.ctl().tell(&["metrics"])?;
    ensure!(told.succeeded, "no metrics: {}", told.text);
    let name = "hookwire_pool_removed_rows_total{";
    let is_it = |line: &&str| {
        line.starts_with(name) && line.contains("\"mqtt_msg\"") && line.contains("\"age\"")
    };
    let line = told.text.lines().find(is_it);
    let Some(line) = line else {
        return Ok(0);
    };
    let figure = line.rsplit(' ').next().context("no figure")?;
    Ok(figure.parse::<f64>()? as u64)
}
