//! `hookwire rule bundled`: what a broker runs in a process of its own before it
//! loads a component with fixtures in it.

use std::io::{Read as _, Write as _};

use anyhow::{Context as _, Result, bail};
use hookwire_harness::{Harness, fixtures_of};
use hookwire_rules::step_back_to_load;

/// Reads the component, runs its fixtures, and writes what they miss, a line
/// each.
pub(crate) fn bundled() -> Result<()> {
    step_back_to_load();
    let mut component = Vec::new();
    let mut input = std::io::stdin().lock();
    input
        .read_to_end(&mut component)
        .context("cannot read the component")?;
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
