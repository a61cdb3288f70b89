//! `bench hooks`: what a message costs without a rule, with rules of other
//! topics, with one and with ten no-op rules, with the sqlite rule, and in
//! Mosquitto, under the same load; and what a lane alone costs, see [`lane`].

mod subject;
mod targets;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::broker::{Broker, logged};
use crate::lane::{self, Findings, LaneOptions};
use crate::load::{self, Load, Pace};
use crate::report::{conclude, median};
use subject::{Scenario, Subject, configuration, scenarios};

/// Options of `bench hooks`.
#[derive(Debug, clap::Args)]
pub(crate) struct HooksOptions {
    /// Pairs of a publisher and a subscriber
    #[arg(long, default_value_t = 100)]
    pairs: usize,
    /// Payload of a message, in bytes
    #[arg(long, default_value_t = 256)]
    payload: usize,
    /// Messages a pair keeps under way at saturation
    #[arg(long, default_value_t = 64)]
    window: usize,
    /// Messages a second of a pair when paced
    #[arg(long, default_value_t = 500)]
    per_second: u32,
    /// Seconds of one measurement
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Times that every measurement is made, those of a lane 21 times at least;
    /// the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only scenarios whose name holds this word; targets that lack one are left out
    #[arg(long)]
    only: Option<String>,
    /// A revision of git whose broker is measured in turn with this one
    #[arg(long, value_name = "REV")]
    against: Option<String>,
    /// Write figures and targets to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One scenario's figures: the median of its rounds.
#[derive(Debug, Clone, Default)]
struct Figures {
    cpu_us: f64,
    wall_us: f64,
    per_second: f64,
    mean_batch: Option<f64>,
    calls_per_message: Option<f64>,
    mean_rows: Option<f64>,
}

pub(crate) fn run(options: &HooksOptions) -> Result<bool> {
    let is_chosen = |name: &str| {
        let word = options.only.as_ref();
        word.is_none_or(|word| name.contains(word))
    };
    let scenarios: Vec<Scenario> = scenarios(options.against.is_some())
        .filter(|scenario| is_chosen(&scenario.name()))
        .collect();
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    if !scenarios.is_empty() {
        (rows, targets) = through_brokers(options, &scenarios)?;
    }
    // The lane is that of this build alone.
    if options.against.is_none() {
        let options = LaneOptions {
            payload_bytes: options.payload,
            rounds: options.rounds,
        };
        let (lane_rows, lane_targets) = lane::run(options, is_chosen)?;
        rows.extend(lane_rows);
        targets.extend(lane_targets);
    }
    ensure!(
        !rows.is_empty(),
        "no scenario's name holds what --only says"
    );
    conclude(&targets, &rows, options.json.as_deref())
}

fn through_brokers(options: &HooksOptions, scenarios: &[Scenario]) -> Result<Findings> {
    println!(
        "{} pairs, {} bytes, {} rounds of {} s; saturated: {} under way a pair; paced: {}/s a pair",
        options.pairs,
        options.payload,
        options.rounds,
        options.seconds,
        options.window,
        options.per_second
    );
    // Rounds go over all scenarios, so that the machine's moods fall on each alike.
    let mut rounds: Vec<Vec<Figures>> = vec![Vec::new(); scenarios.len()];
    for round in 1..=options.rounds {
        // Every other round backwards, so that neither of two builds is always first.
        let mut order: Vec<_> = scenarios.iter().zip(&mut rounds).collect();
        if round % 2 == 0 {
            order.reverse();
        }
        for (scenario, figures) in order {
            let measured = measure(options, *scenario)
                .with_context(|| format!("round {round} of {}", scenario.name()))?;
            figures.push(measured);
        }
    }
    let medians: Vec<(Scenario, Figures)> = scenarios
        .iter()
        .copied()
        .zip(rounds.iter().map(|figures| middle(figures)))
        .collect();
    let mut rows = Vec::new();
    println!(
        "\n{:32} {:>10} {:>10} {:>10} {:>7} {:>9} {:>7}",
        "scenario", "CPU us", "wall us", "messages/s", "batch", "calls/msg", "rows/tx"
    );
    for (scenario, figures) in &medians {
        println!("{}", table_line(*scenario, figures));
        rows.push(row(*scenario, figures));
    }
    let targets = match &options.against {
        Some(revision) => targets::against(revision, scenarios, &rounds),
        None => targets::of(options, scenarios, &rounds, &medians)?,
    };
    Ok((rows, targets))
}

fn measure(options: &HooksOptions, scenario: Scenario) -> Result<Figures> {
    let directory = tempfile::tempdir()?;
    let broker = match scenario.subject {
        Subject::Mosquitto => Broker::mosquitto(directory.path())?,
        subject => Broker::hookwire(scenario.build, directory.path(), &configuration(subject)?)?,
    };
    let pace = if scenario.saturated {
        Pace::Saturated {
            window: options.window,
        }
    } else {
        Pace::Steady {
            per_second: options.per_second,
        }
    };
    let load = Load {
        pairs: options.pairs,
        payload_bytes: options.payload,
        qos: scenario.qos,
        pace,
        warm_up: Duration::from_millis(700),
        duration: Duration::from_secs(options.seconds),
    };
    let through = load::run(broker.address, load, || broker.cpu())?;
    let log = broker.stop()?;
    let messages = through.messages as f64;
    let handled = logged(&log, "handle_calls")
        .zip(logged(&log, "handled_events"))
        .filter(|(calls, _)| *calls > 0.0);
    Ok(Figures {
        cpu_us: through.broker_cpu.as_secs_f64() * 1e6 / messages,
        wall_us: through.wall.as_secs_f64() * 1e6 / messages,
        per_second: messages / through.wall.as_secs_f64(),
        mean_batch: handled.map(|(calls, events)| events / calls),
        calls_per_message: handled.map(|(calls, events)| calls / events),
        mean_rows: logged(&log, "rows_per_transaction").filter(|rows| *rows > 0.0),
    })
}

fn middle(figures: &[Figures]) -> Figures {
    let of = |pick: fn(&Figures) -> f64| median(&mut figures.iter().map(pick).collect::<Vec<_>>());
    let of_some = |pick: fn(&Figures) -> Option<f64>| {
        let mut known: Vec<f64> = figures.iter().filter_map(pick).collect();
        (!known.is_empty()).then(|| median(&mut known))
    };
    Figures {
        cpu_us: of(|figures| figures.cpu_us),
        wall_us: of(|figures| figures.wall_us),
        per_second: of(|figures| figures.per_second),
        mean_batch: of_some(|figures| figures.mean_batch),
        calls_per_message: of_some(|figures| figures.calls_per_message),
        mean_rows: of_some(|figures| figures.mean_rows),
    }
}

fn table_line(scenario: Scenario, figures: &Figures) -> String {
    let optional = |figure: Option<f64>| figure.map_or("-".to_owned(), |f| format!("{f:.3}"));
    format!(
        "{:32} {:>10.2} {:>10.2} {:>10.0} {:>7} {:>9} {:>7}",
        scenario.name(),
        figures.cpu_us,
        figures.wall_us,
        figures.per_second,
        optional(figures.mean_batch),
        optional(figures.calls_per_message),
        optional(figures.mean_rows),
    )
}

fn row(scenario: Scenario, figures: &Figures) -> Value {
    json!({
        "scenario": scenario.name(),
        "cpu_us": figures.cpu_us,
        "wall_us": figures.wall_us,
        "per_second": figures.per_second,
        "mean_batch": figures.mean_batch,
        "calls_per_message": figures.calls_per_message,
        "rows_per_transaction": figures.mean_rows,
    })
}
