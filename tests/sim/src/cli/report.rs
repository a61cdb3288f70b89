//! The mix of operations, and targets: a line each, an exit code, and a file.

use std::path::Path;

use anyhow::Result;
use hookwire_sim::tally::{Count, Tally};
use serde_json::{Value, json};

/// A figure and the bound it is held against.
#[derive(Debug)]
pub(crate) struct Target {
    name: String,
    figure: f64,
    bound: f64,
    bound_is: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    AtMost,
    AtLeast,
}

impl Target {
    pub(crate) fn new(name: &str, figure: f64, bound: f64, bound_is: Bound) -> Self {
        Self {
            name: name.to_owned(),
            figure,
            bound,
            bound_is,
        }
    }

    fn holds(&self) -> bool {
        match self.bound_is {
            Bound::AtMost => self.figure <= self.bound,
            Bound::AtLeast => self.figure >= self.bound,
        }
    }
}

/// Prints how often each thing was done, in two columns.
pub(crate) fn print_mix(tally: &Tally) {
    println!("{:>10}  operation or outcome", "times");
    for &count in Count::ALL {
        println!("{:>10}  {}", tally.get(count), count.name());
    }
}

/// Prints a line a target, writes `rows` and targets to `file` if one is named,
/// and says whether all hold.
pub(crate) fn conclude(targets: &[Target], rows: &[Value], file: Option<&Path>) -> Result<bool> {
    println!();
    for target in targets {
        let word = match target.bound_is {
            Bound::AtMost => "at most",
            Bound::AtLeast => "at least",
        };
        let held = if target.holds() {
            "holds"
        } else {
            "falls short"
        };
        let (name, figure, bound) = (&target.name, target.figure, target.bound);
        println!("{name}: {figure} (target {word} {bound}): {held}");
    }
    if let Some(file) = file {
        let targets: Vec<Value> = targets
            .iter()
            .map(|target| {
                json!({
                    "name": target.name,
                    "figure": target.figure,
                    "bound": target.bound,
                    "holds": target.holds(),
                })
            })
            .collect();
        let report = json!({ "rows": rows, "targets": targets });
        std::fs::write(file, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(targets.iter().all(Target::holds))
}
