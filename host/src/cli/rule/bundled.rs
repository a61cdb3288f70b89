//! `hookwire rule bundled`: what a broker runs in a process of its own before it
//! loads a component with fixtures in it.

use std::io::{self, Read as _, Write as _};
use std::{process, thread};

use anyhow::{Context as _, Result, bail, ensure};
use hookwire_harness::{Harness, fixtures_of};
use hookwire_rules::step_back_to_load;

/// Options of `hookwire rule bundled`.
#[derive(Debug, clap::Args)]
pub(crate) struct BundledOptions {
    /// Length of the component; the input stays open behind it for as long as
    /// somebody waits for the outcome
    #[arg(long)]
    bytes: u64,
}

/// Reads the component, runs its fixtures, and writes what they miss, a line
/// each.
pub(crate) fn bundled(options: &BundledOptions) -> Result<()> {
    step_back_to_load();
    let component = read_component(options.bytes)?;
    thread::spawn(end_with_input);
    let fixtures = fixtures_of(&component)?;
    let harness = Harness::new(component)?;
    let mut out = std::io::stdout().lock();
    let mut failed = 0;
    for fixture in &fixtures {
        for problem in harness.test_bundled(fixture).problems {
            failed += 1;
            writeln!(out, "{problem}")?;
        }
    }
    if failed > 0 {
        bail!("{failed} problems");
    }
    Ok(())
}

fn read_component(bytes: u64) -> Result<Vec<u8>> {
    let mut component = Vec::new();
    let mut input = io::stdin().lock().take(bytes);
    input
        .read_to_end(&mut component)
        .context("cannot read the component")?;
    ensure!(
        component.len() as u64 == bytes,
        "the input ends after {} of the component's {bytes} bytes",
        component.len()
    );
    Ok(component)
}

/// Ends this process where its input ends: whoever wanted to know is gone, and a
/// fixture may run for long.
fn end_with_input() {
    drop(io::copy(&mut io::stdin().lock(), &mut io::sink()));
    process::exit(1);
}
