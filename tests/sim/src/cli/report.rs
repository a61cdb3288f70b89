//! Figures and traces in words.

use std::fmt::Write as _;

use hookwire_sim::hunt::{Caught, Failure};
use hookwire_sim::tally::{Count, Tally};
use hookwire_sim::world::Fault;
use serde_json::{Map, Value, json};

use super::Findings;

/// A figure and the bound it is held against.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    name: &'static str,
    figure: u64,
    bound: u64,
    is_at_most: bool,
}

impl Target {
    pub(crate) fn at_most(name: &'static str, figure: u64, bound: u64) -> Self {
        Self {
            name,
            figure,
            bound,
            is_at_most: true,
        }
    }

    pub(crate) fn at_least(name: &'static str, figure: u64, bound: u64) -> Self {
        Self {
            is_at_most: false,
            ..Self::at_most(name, figure, bound)
        }
    }

    pub(crate) fn holds(&self) -> bool {
        if self.is_at_most {
            self.figure <= self.bound
        } else {
            self.figure >= self.bound
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "figure": self.figure,
            "bound": self.bound,
            "holds": self.holds(),
        })
    }

    pub(crate) fn line(&self) -> String {
        let Self {
            name,
            figure,
            bound,
            ..
        } = self;
        let held = if self.holds() { "holds" } else { "falls short" };
        format!("{name}: {figure} (target {bound}): {held}")
    }
}

/// The mix of operations and what came of them, in two columns.
pub(crate) fn mix_table(tally: &Tally) -> String {
    let mut text = "| operation or outcome | times | | times |\n|---|---:|---|---:|\n".to_owned();
    let half = Count::ALL.len().div_ceil(2);
    let (left, right) = Count::ALL.split_at(half);
    for (row, &count) in left.iter().enumerate() {
        let cell = |count: Count| format!("{} | {}", count.name(), tally.get(count));
        let other = right
            .get(row)
            .map_or_else(|| " | ".to_owned(), |&count| cell(count));
        // Writing to a string does not fail.
        _ = writeln!(text, "| {} | {other} |", cell(count));
    }
    text
}

/// A failing seed: how to see it again, and the trace of what is left of it.
pub(crate) fn failure_text(failure: &Failure, steps: u64) -> String {
    let mut text = String::new();
    let Failure {
        seed,
        setup,
        drawn,
        operations,
        runs,
        trace,
        violations,
    } = failure;
    if let Some(first) = violations.first() {
        let rule = first.rule;
        _ = writeln!(
            text,
            "seed {seed} breaks {}: {}",
            rule.name(),
            rule.statement()
        );
    }
    _ = writeln!(
        text,
        "  again: cargo xtask sim --seed {seed} --steps {steps}"
    );
    _ = writeln!(
        text,
        "  {operations} operations are left of {drawn} after {runs} runs; {} workers, {:?}",
        setup.workers, setup.bounds
    );
    for line in trace {
        _ = writeln!(text, "  {line}");
    }
    for violation in violations {
        _ = writeln!(text, "  !! {}: {}", violation.rule.name(), violation.text);
    }
    text
}

/// A line of the table of faults.
pub(crate) fn fault_line(fault: Fault, caught: Option<&Caught>) -> String {
    match caught {
        Some(caught) => format!(
            "| `{fault:?}` | {} | {} | {} |",
            caught.seeds,
            caught.steps,
            caught.rule.name()
        ),
        None => format!("| `{fault:?}` | | | none |"),
    }
}

/// The figures for a machine.
pub(crate) fn json(findings: &Findings, targets: &[Target]) -> Value {
    let targets: Vec<Value> = targets.iter().map(Target::json).collect();
    let faults: Vec<Value> = findings
        .faults
        .iter()
        .map(|(fault, caught)| {
            let caught = caught.as_ref();
            json!({
                "fault": format!("{fault:?}"),
                "seeds": caught.map(|caught| caught.seeds),
                "steps": caught.map(|caught| caught.steps),
                "rule": caught.map(|caught| caught.rule.name()),
            })
        })
        .collect();
    let campaign = findings.campaign.as_ref().map(|(campaign, seconds)| {
        let mix: Map<String, Value> = Count::ALL
            .iter()
            .map(|&count| (count.name().to_owned(), campaign.tally.get(count).into()))
            .collect();
        let failing: Vec<u64> = campaign
            .failures
            .iter()
            .map(|failure| failure.seed)
            .collect();
        json!({
            "steps": campaign.steps,
            "seeds": campaign.seeds,
            "seconds": seconds,
            "failing_seeds": failing,
            "mix": mix,
        })
    });
    json!({ "campaign": campaign, "faults": faults, "targets": targets })
}
