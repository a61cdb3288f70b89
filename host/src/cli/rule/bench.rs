//! `hookwire rule bench`

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use hookwire_harness::{Fixture, Harness};

use super::build::{Bundle, build};
use super::project::Project;
use super::replay::listed;

/// Options of `hookwire rule bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchOptions {
    /// Fixture whose rules and events are used; the first of tests/ without it
    #[arg(value_name = "FIXTURE")]
    fixture: Option<PathBuf>,
    /// Events for each size of batch
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    events: u32,
    /// Measure this component, and build nothing
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// Folder of the project
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

pub(crate) fn bench(options: &BenchOptions) -> Result<()> {
    let (component, fixture) = match (&options.module, &options.fixture) {
        (Some(module), Some(fixture)) => (module.clone(), fixture.clone()),
        (module, fixture) => {
            let mut project = Project::find(&options.dir)?;
            let fixture = match fixture {
                Some(fixture) => fixture.clone(),
                None => project.fixtures()?.first().cloned().context("no fixture")?,
            };
            let component = match module {
                Some(module) => module.clone(),
                None => build(&mut project, Bundle::Sound)?,
            };
            (component, fixture)
        }
    };
    let harness = Harness::open(&component)?;
    let fixture = Fixture::load(&fixture).map_err(|problems| listed(&problems))?;
    let events = options.events as usize;
    let costs = hookwire_harness::bench(&harness, &fixture, events);
    let costs = costs.map_err(|problems| listed(&problems))?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "events of {}, {events} for each size; stores take every row at once\n\n{:>7} {:>10} \
         {:>12} {:>13} {:>13} {:>13}",
        fixture.name, "batch", "ns/event", "us/batch", "guest calls", "host calls", "store calls"
    )?;
    for cost in costs {
        let batches = cost.events / cost.size.max(1);
        let us = cost.took.as_secs_f64() * 1e6 / batches.max(1) as f64;
        writeln!(
            out,
            "{:>7} {:>10} {us:>12.1} {:>13} {:>13} {:>13}",
            cost.size,
            cost.ns_per_event(),
            cost.handle_calls,
            cost.host_calls,
            cost.store_calls
        )?;
    }
    Ok(())
}
