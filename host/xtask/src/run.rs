//! `cargo xtask run`: modules, broker, start.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::rules;
use crate::workspace::Workspace;
use hookwire_guest_toolchain::{cargo, run as run_command, say};

/// The verb. On Unix the broker takes this process's place, so that signals
/// reach it.
///
/// # Errors
/// If something does not build or start.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    rules::build(&workspace, None)?;
    let broker = build_broker(&workspace, Profile::Release)?;
    let arguments = match arguments.split_first() {
        Some((first, rest)) if first == "--" => rest,
        _ => arguments,
    };
    say("starting the broker");
    start(Command::new(broker).arg("run").args(arguments))
}

/// How the broker is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build.
    Dev,
    /// Quick to run.
    Release,
}

/// Builds the broker and answers the path of the program.
///
/// # Errors
/// If it does not build.
pub(crate) fn build_broker(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    build_package(workspace, "hookwire", profile)
}

/// Builds a package and answers the path of its program, which has its name.
///
/// # Errors
/// If it does not build.
pub(crate) fn build_package(
    workspace: &Workspace,
    package: &str,
    profile: Profile,
) -> Result<PathBuf> {
    let (folder, flags, words): (_, &[&str], _) = match profile {
        Profile::Dev => ("debug", &[], "for tests"),
        Profile::Release => ("release", &["--release"], "in release"),
    };
    say(&format!("building {package} {words}"));
    run_command(
        cargo()
            .current_dir(&workspace.root)
            .args(["build", "-p", package])
            .args(flags),
    )?;
    let program = Path::new(package).with_extension(env::consts::EXE_EXTENSION);
    Ok(workspace.target.join(folder).join(program))
}

#[cfg(unix)]
fn start(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec()).context("cannot start the broker")
}

#[cfg(not(unix))]
fn start(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().context("cannot start the broker")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
