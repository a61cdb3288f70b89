//! `hookwire rule replay`

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Error, Result, anyhow};
use hookwire_harness::{Fixture, Harness, Trace, text_of_rows};
use hookwire_settings::Problem;

/// Options of `hookwire rule replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayOptions {
    /// Fixture whose events are run
    #[arg(value_name = "FIXTURE")]
    fixture: PathBuf,
    /// Component to run them against
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
}

pub(crate) fn replay(options: &ReplayOptions) -> Result<()> {
    let harness = Harness::open(&options.module)?;
    let fixture = Fixture::load(&options.fixture).map_err(|problems| listed(&problems))?;
    let trace = harness
        .run(&fixture)
        .map_err(|problems| listed(&problems))?;
    show(&fixture, &trace)
}

fn show(fixture: &Fixture, trace: &Trace) -> Result<()> {
    let mut out = std::io::stdout();
    let mut events = fixture.lines();
    for did in &trace.steps {
        for seen in &did.seen {
            let (line, hook) = events.next().unwrap_or((0, ""));
            writeln!(out, "{}:{line}: {hook}: {seen}", fixture.name)?;
        }
        for call in &did.store {
            let rows = text_of_rows(&call.rows);
            writeln!(out, "    store {}: {} {rows}", call.pool, call.statement)?;
            if let Some(fault) = &call.fault {
                writeln!(out, "        {fault}")?;
            }
        }
        for asked in &did.broker {
            writeln!(out, "    broker: {asked}")?;
        }
        for line in &did.log {
            writeln!(out, "    log: {line}")?;
        }
    }
    writeln!(out, "{}", trace.limits)?;
    Ok(())
}

/// What keeps a fixture from being run, a line each.
pub(crate) fn listed(problems: &[Problem]) -> Error {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    anyhow!("the fixture cannot be run:\n{}", lines.join("\n"))
}
