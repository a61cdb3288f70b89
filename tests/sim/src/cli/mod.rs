//! What the command line asks for.

mod report;
mod stored;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use hookwire_sim::hunt::{Campaign, Caught, Length, campaign, hunt};
use hookwire_sim::world::Fault;

use report::{Target, failure_text, fault_line, mix_table};

/// A full run: so many steps over so many seeds.
const FULL_STEPS: u64 = 10_000_000;
const FULL_SEEDS: u64 = 1_000;
/// What a planted fault may take until it is found.
const HUNT: Length = Length {
    seeds: 300,
    steps: 3_000,
};

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
    /// Steps of each seed: operations that find something to do
    #[arg(long, default_value_t = 2_000)]
    steps: u64,
    /// The core with a store, and with brokers that end without a word
    #[arg(long)]
    stored: bool,
    /// Ten million steps over a thousand seeds, and each fault in turn
    #[arg(long, conflicts_with_all = ["seeds", "steps", "fault"])]
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

/// What was run.
#[derive(Debug, Default)]
struct Findings {
    /// Seeds without a fault, or with one that was asked for, and how long they took.
    campaign: Option<(Campaign, f64)>,
    faults: Vec<(Fault, Option<Caught>)>,
}

/// Carries it out; whether every target holds.
pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    if arguments.stored {
        return stored::run(arguments);
    }
    let mut findings = Findings::default();
    let mut targets = Vec::new();
    if !arguments.faults {
        let (campaign, seconds) = run_seeds(arguments)?;
        let failures = campaign.failures.len() as u64;
        targets.push(Target::at_most("violations", failures, 0));
        if arguments.full {
            targets.push(Target::at_least("steps", campaign.steps, FULL_STEPS));
            targets.push(Target::at_least("seeds", campaign.seeds, FULL_SEEDS));
        }
        findings.campaign = Some((campaign, seconds));
    }
    if arguments.faults || arguments.full {
        findings.faults = hunt_all(arguments.seed);
        let is_caught = |(_, caught): &&(Fault, Option<Caught>)| caught.is_some();
        let caught = findings.faults.iter().filter(is_caught).count() as u64;
        let all = Fault::ALL.len() as u64;
        targets.push(Target::at_least("faults caught", caught, all));
    }
    println!();
    for target in &targets {
        println!("{}", target.line());
    }
    if let Some(file) = &arguments.json {
        let json = report::json(&findings, &targets);
        std::fs::write(file, format!("{json:#}\n"))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(targets.iter().all(Target::holds))
}

fn run_seeds(arguments: &Arguments) -> Result<(Campaign, f64)> {
    let fault = arguments.fault.as_deref().map(fault).transpose()?;
    let length = if arguments.full {
        Length {
            seeds: FULL_SEEDS,
            steps: FULL_STEPS / FULL_SEEDS,
        }
    } else {
        Length {
            seeds: arguments.seeds,
            steps: arguments.steps,
        }
    };
    let start = Instant::now();
    let campaign = campaign(arguments.seed, length, fault, !arguments.whole, |failure| {
        println!("{}", failure_text(failure, length.steps));
    });
    let seconds = start.elapsed().as_secs_f64();
    println!("{}", mix_table(&campaign.tally));
    println!(
        "{} steps over {} seeds in {seconds:.1} s: {:.0} steps/s",
        campaign.steps,
        campaign.seeds,
        campaign.steps as f64 / seconds.max(1e-9)
    );
    Ok((campaign, seconds))
}

fn hunt_all(first_seed: u64) -> Vec<(Fault, Option<Caught>)> {
    println!("\n| fault | seeds | steps | rule that finds it |");
    println!("|---|---:|---:|---|");
    let hunted = Fault::ALL.iter().map(|&fault| {
        let caught = hunt(fault, first_seed, HUNT);
        println!("{}", fault_line(fault, caught.as_ref()));
        (fault, caught)
    });
    hunted.collect()
}

/// The fault of this name, of those that there are.
fn named<T: Copy>(name: &str, all: &[T], name_of: impl Fn(&T) -> String) -> Result<T> {
    let found = all
        .iter()
        .find(|fault| name_of(fault).eq_ignore_ascii_case(name));
    found.copied().with_context(|| {
        let known: Vec<String> = all.iter().map(name_of).collect();
        format!("no fault `{name}`: there is {}", known.join(", "))
    })
}

/// The core's fault of this name.
fn fault(name: &str) -> Result<Fault> {
    named(name, Fault::ALL, |fault| format!("{fault:?}"))
}
