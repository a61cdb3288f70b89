//! `hookwire check`

use std::io::Write;
use std::path::PathBuf;

use hookwire_settings::Settings;

use super::Failure;
use crate::modules;

/// Options of `hookwire check`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckOptions {
    /// Configuration file
    file: PathBuf,
}

/// Reads the file, loads its modules, and holds the rules against them.
pub(crate) fn check(options: &CheckOptions) -> Result<(), Failure> {
    let (settings, problems) = Settings::read(&options.file);
    let modules = modules::load(&settings, None)?;
    let warnings = modules.check(&settings, problems)?;
    let mut out = std::io::stdout();
    for warning in warnings {
        drop(writeln!(out, "{warning} (a warning)"));
    }
    drop(writeln!(
        out,
        "{}: {} listeners, {} pools, {} modules, {} rules; no problem",
        options.file.display(),
        settings.listeners.len(),
        settings.pools.len(),
        settings.modules.len(),
        settings.rules.len(),
    ));
    Ok(())
}
