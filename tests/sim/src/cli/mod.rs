//! What the command line asks for.

mod faults;
mod report;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};
use hookwire_sim::plan::{Setup, operations};
use hookwire_sim::run::{Options, run as run_plan};
use hookwire_sim::shrink::shrink;
use hookwire_sim::tally::Tally;
use hookwire_sim::world::Fault;
use report::{Bound, Target, conclude, print_mix};
use serde_json::json;

/// Steps of `--full`, over all seeds, and how many seeds.
const FULL_STEPS: u64 = 10_000_000;
const FULL_SEEDS: u64 = 5_000;
/// Seeds that the issue of a full run has to reach.
const LEAST_SEEDS: f64 = 1_000.0;
/// Failing seeds whose traces are printed.
const TRACES: usize = 3;

#[derive(Debug, clap::Parser)]
#[command(
    name = "cargo xtask sim",
    about = "The broker core under a seeded scheduler, checked by a model of MQTT that sees packets"
)]
pub(crate) struct Arguments {
    /// First seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seeds, one after the other
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Steps of each seed
    #[arg(long, default_value_t = 2_000)]
    steps: u32,
    /// At least ten million steps over at least a thousand seeds
    #[arg(long, conflicts_with_all = ["seeds", "steps"])]
    full: bool,
    /// Plant this fault into the shards
    #[arg(long, value_name = "NAME")]
    fault: Option<String>,
    /// Plant each fault in turn, until it is found
    #[arg(long, conflicts_with = "fault")]
    faults: bool,
    /// Print every packet of a seed that fails, and not only of what is left of it
    #[arg(long)]
    whole: bool,
    /// Write figures and targets to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Carries it out; whether every target holds.
pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    if arguments.faults {
        return faults::run_all(arguments);
    }
    let fault = arguments.fault.as_deref().map(named).transpose()?;
    let (seeds, steps) = if arguments.full {
        let steps = FULL_STEPS.div_ceil(FULL_SEEDS) + 1;
        (FULL_SEEDS, u32::try_from(steps)?)
    } else {
        (arguments.seeds, arguments.steps)
    };
    let options = Options {
        fault,
        keeps_log: false,
    };
    let start = Instant::now();
    let mut tally = Tally::default();
    let mut done = 0;
    let mut failing = Vec::new();
    for seed in arguments.seed..arguments.seed + seeds {
        let setup = Setup::new(seed);
        let outcome = run_plan(&setup, &operations(&setup, steps), options);
        done += outcome.steps;
        tally.merge(&outcome.tally);
        if let Some(violation) = outcome.violations.first() {
            failing.push((seed, violation.rule.name()));
            if failing.len() <= TRACES {
                print_trace(seed, steps, options, arguments.whole);
            }
        }
    }
    let per_second = done as f64 / start.elapsed().as_secs_f64();
    print_mix(&tally);
    println!("\n{done} steps over {seeds} seeds, {per_second:.0} steps/s");
    for (seed, rule) in &failing {
        println!("seed {seed} breaks {rule}");
    }
    let mut targets = vec![Target::new(
        "violations",
        failing.len() as f64,
        0.0,
        Bound::AtMost,
    )];
    if arguments.full {
        let steps = FULL_STEPS as f64;
        targets.push(Target::new("steps", done as f64, steps, Bound::AtLeast));
        targets.push(Target::new(
            "seeds",
            seeds as f64,
            LEAST_SEEDS,
            Bound::AtLeast,
        ));
    }
    let rows = [json!({ "steps": done, "seeds": seeds, "steps_per_second": per_second })];
    conclude(&targets, &rows, arguments.json.as_deref())
}

/// The fault of this name.
fn named(name: &str) -> Result<Fault> {
    let known = || Fault::ALL.iter().map(|fault| format!("{fault:?}"));
    let found = Fault::ALL.iter().find(|fault| format!("{fault:?}") == name);
    match found {
        Some(fault) => Ok(*fault),
        None => bail!(
            "no fault `{name}`: there is {}",
            known().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Shrinks a seed that fails, and prints what is left of it with its packets.
fn print_trace(seed: u64, steps: u32, options: Options, whole: bool) {
    let setup = Setup::new(seed);
    let all = operations(&setup, steps);
    let outcome = run_plan(&setup, &all, options);
    let Some(violation) = outcome.violations.first() else {
        println!("seed {seed} does not fail a second time: the run is not deterministic");
        return;
    };
    let (setup, left) = if whole {
        (setup, all)
    } else {
        let steps = usize::try_from(outcome.steps).unwrap_or(usize::MAX);
        let shrunk = shrink(&setup, &all, steps, options, violation.rule);
        (shrunk.setup, shrunk.operations)
    };
    let rule = violation.rule;
    println!("seed {seed} breaks {}: {}", rule.name(), rule.statement());
    println!(
        "{} operations are left of {steps}; {:?}",
        left.len(),
        setup.bounds
    );
    let logged = Options {
        keeps_log: true,
        ..options
    };
    let again = run_plan(&setup, &left, logged);
    for line in &again.log {
        println!("  {line}");
    }
    for violation in &again.violations {
        println!(
            "  !! {} {}: {}",
            violation.event,
            violation.rule.name(),
            violation.text
        );
    }
}
