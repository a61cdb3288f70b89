//! The simulation with a store: seeds in both orders, and planted faults.

use std::time::Instant;

use anyhow::{Context, Result};
use hookwire_sim::hunt::{Caught, Length};
use hookwire_sim::stored::{Findings, Planted, Promise, campaign, hunt};
use hookwire_sim::world::Order;
use serde_json::{Value, json};

use super::report::Target;
use super::{Arguments, named};

/// Steps of each seed.
const STEPS: u64 = 2_000;
/// Seeds of a full run, each in both orders.
const FULL_SEEDS: u64 = 2_500;
/// What a planted fault may take until it is found.
const HUNT: Length = Length {
    seeds: 400,
    steps: STEPS,
};

/// How a fault was found with one of the orders, if it was.
type Hunted = (Planted, Order, Option<Caught<Promise>>);

/// Carries it out; whether every target holds.
pub(super) fn run(arguments: &Arguments) -> Result<bool> {
    let mut targets = Vec::new();
    let mut findings = None;
    if !arguments.faults {
        let found = run_seeds(arguments)?;
        let failures = found.failures.len() as u64;
        targets.push(Target::at_most("promises broken", failures, 0));
        findings = Some(found);
    }
    let hunted = if arguments.faults || arguments.full {
        hunt_all(arguments.seed)
    } else {
        Vec::new()
    };
    if !hunted.is_empty() {
        let caught = hunted.iter().filter(|(_, _, caught)| caught.is_some());
        let (caught, all) = (caught.count() as u64, hunted.len() as u64);
        targets.push(Target::at_least("faults caught", caught, all));
    }
    println!();
    for target in &targets {
        println!("{}", target.line());
    }
    if let Some(file) = &arguments.json {
        let json = json(findings.as_ref(), &hunted, &targets);
        std::fs::write(file, format!("{json:#}\n"))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(targets.iter().all(Target::holds))
}

fn run_seeds(arguments: &Arguments) -> Result<Findings> {
    let fault = arguments.fault.as_deref().map(planted).transpose()?;
    let length = Length {
        seeds: if arguments.full {
            FULL_SEEDS
        } else {
            arguments.seeds
        },
        steps: if arguments.full {
            STEPS
        } else {
            arguments.steps
        },
    };
    let start = Instant::now();
    let findings = campaign(arguments.seed, length, fault);
    let seconds = start.elapsed().as_secs_f64();
    for failure in &findings.failures {
        for line in &failure.trace {
            println!("  {line}");
        }
        for breach in &failure.breaches {
            println!("  !! {}: {}", breach.promise.name(), breach.text);
        }
        println!(
            "seed {} breaks a promise with {}; again: cargo xtask sim --stored --seed {} --steps {}",
            failure.seed,
            failure.order.name(),
            failure.seed,
            length.steps
        );
    }
    println!("| | |\n|---|---:|");
    for (name, figure) in findings.figures.named() {
        println!("| {name} | {figure} |");
    }
    println!("{seconds:.1} s");
    Ok(findings)
}

/// The fault of this name.
fn planted(name: &str) -> Result<Planted> {
    named(name, Planted::ALL, Planted::to_string)
}

fn hunt_all(first_seed: u64) -> Vec<Hunted> {
    println!("\n| fault | places are | seeds | steps | promise that it breaks |");
    println!("|---|---|---:|---:|---|");
    let mut hunted = Vec::new();
    for &fault in Planted::ALL {
        for &order in Order::ALL {
            if !fault.harms(order) {
                continue;
            }
            let caught = hunt(fault, order, first_seed, HUNT);
            let found = caught.as_ref().map_or_else(
                || "| | none".to_owned(),
                |caught| {
                    format!(
                        "{} | {} | {}",
                        caught.seeds,
                        caught.steps,
                        caught.rule.name()
                    )
                },
            );
            println!("| `{fault}` | {} | {found} |", order.name());
            hunted.push((fault, order, caught));
        }
    }
    hunted
}

/// The figures for a machine.
fn json(findings: Option<&Findings>, hunted: &[Hunted], targets: &[Target]) -> Value {
    let figures = findings.map(|findings| {
        let named = findings.figures.named();
        let figures = named.map(|(name, figure)| (name.to_owned(), Value::from(figure)));
        Value::Object(figures.into_iter().collect())
    });
    let hunted = hunted.iter().map(|(fault, order, caught)| {
        let caught = caught.as_ref();
        json!({
            "fault": fault.to_string(),
            "places": order.name(),
            "seeds": caught.map(|caught| caught.seeds),
            "steps": caught.map(|caught| caught.steps),
            "promise": caught.map(|caught| caught.rule.name()),
        })
    });
    json!({
        "figures": figures,
        "faults": hunted.collect::<Vec<_>>(),
        "targets": targets.iter().map(Target::json).collect::<Vec<_>>(),
    })
}
