//! Targets and how they are held: a line each, an exit code, and a file.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

/// A measured figure and the bound it is held against.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) figure: f64,
    pub(crate) bound: f64,
    pub(crate) bound_is: Bound,
    pub(crate) unit: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    AtMost,
    AtLeast,
}

impl Target {
    pub(crate) fn holds(&self) -> bool {
        match self.bound_is {
            Bound::AtMost => self.figure <= self.bound,
            Bound::AtLeast => self.figure >= self.bound,
        }
    }

    fn line(&self) -> String {
        let Self {
            name,
            figure,
            bound,
            unit,
            ..
        } = self;
        let word = match self.bound_is {
            Bound::AtMost => "at most",
            Bound::AtLeast => "at least",
        };
        let held = if self.holds() { "holds" } else { "falls short" };
        format!("{name}: {figure:.2}{unit} (target {word} {bound:.2}{unit}): {held}")
    }
}

/// Prints a line a target, writes `rows` and targets to `file` if one is named,
/// and says whether all hold. Fails where there is none: nothing was measured.
pub(crate) fn conclude(targets: &[Target], rows: &[Value], file: Option<&Path>) -> Result<bool> {
    anyhow::ensure!(
        !targets.is_empty(),
        "nothing was measured that has a target"
    );
    println!();
    for target in targets {
        println!("{}", target.line());
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

pub(crate) fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
