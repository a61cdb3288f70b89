//! `cargo xtask sim [ARGS]`: the simulation of the broker core, in release.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::run::{Profile, build_package};
use crate::workspace::Workspace;
use hookwire_guest_toolchain::run as run_command;

/// The verb.
///
/// # Errors
/// If it does not build, or a target falls short.
pub(crate) fn sim(arguments: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let program = build_package(&workspace, "hookwire-sim", Profile::Release)?;
    run_command(Command::new(program).args(arguments))?;
    Ok(ExitCode::SUCCESS)
}
