//! Fixtures run one after the other, and what a person is told of them.

use std::io::Write;
use std::path::PathBuf;

use hookwire_settings::Problem;

use crate::check::unmet;
use crate::fixture::Fixture;
use crate::harness::{Harness, HarnessError};
use crate::limits::Limits;

/// How one fixture ended.
#[derive(Debug)]
pub struct Report {
    /// The fixture's file.
    pub fixture: String,
    /// What is wrong with it, or what it expects and was not found. Empty: passed.
    pub problems: Vec<Problem>,
    /// What the run used, if there was one.
    pub limits: Option<Limits>,
}

/// How many fixtures passed and failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Those that found what they expect.
    pub passed: usize,
    /// The others.
    pub failed: usize,
}

impl Harness {
    /// Reads a fixture, runs it, and holds what was found against it.
    #[must_use]
    pub fn test(&self, path: &std::path::Path) -> Report {
        let fixture = path.display().to_string();
        let ended = Fixture::load(path).and_then(|fixture| {
            let trace = self.run(&fixture)?;
            Ok((unmet(&fixture, &trace), trace.limits))
        });
        match ended {
            Ok((problems, limits)) => Report {
                fixture,
                problems,
                limits: Some(limits),
            },
            Err(problems) => Report {
                fixture,
                problems,
                limits: None,
            },
        }
    }
}

/// Runs fixtures against a component and writes what a person wants to know.
///
/// # Errors
/// If nothing could be run, or not be written.
pub fn run(
    harness: &Harness,
    fixtures: &[PathBuf],
    out: &mut dyn Write,
) -> Result<Summary, HarnessError> {
    let mut summary = Summary::default();
    let mut one_at_a_time: Vec<String> = Vec::new();
    for path in fixtures {
        let report = harness.test(path);
        let count = if report.problems.is_empty() {
            writeln!(out, "passed  {}", report.fixture)?;
            &mut summary.passed
        } else {
            writeln!(out, "FAILED  {}", report.fixture)?;
            &mut summary.failed
        };
        *count += 1;
        for problem in &report.problems {
            writeln!(out, "        {problem}")?;
        }
        if let Some(limits) = &report.limits {
            writeln!(out, "        {limits}")?;
            let new = limits.one_at_a_time.iter();
            let new = new.filter(|name| !one_at_a_time.contains(name));
            let new: Vec<String> = new.cloned().collect();
            one_at_a_time.extend(new);
        }
    }
    for action in one_at_a_time {
        writeln!(
            out,
            "note: action \"{action}\" takes one event at a time on message.publish; one that \
             takes &[&Message] is called once for all that wait"
        )?;
    }
    writeln!(out, "{} passed, {} failed", summary.passed, summary.failed)?;
    Ok(summary)
}
