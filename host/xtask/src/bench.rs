//! `cargo xtask bench hooks`: what the broker costs beside Mosquitto and SQLite.

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::process::run as run_command;
use crate::run::{Profile, build_broker, build_package};
use crate::workspace::Workspace;
use crate::{rules, system_packages, test};

/// The verb.
///
/// # Errors
/// If the bench is unknown, something does not build, or the bench fails.
pub(crate) fn bench(arguments: &[String]) -> Result<ExitCode> {
    let Some((name, rest)) = arguments.split_first() else {
        bail!("`cargo xtask bench` takes the name of a bench: hooks");
    };
    if name != "hooks" {
        bail!("no bench `{name}`: there is hooks");
    }
    let workspace = Workspace::load()?;
    system_packages::ensure(&[test::MOSQUITTO])?;
    rules::build(&workspace, None)?;
    let broker = build_broker(&workspace, Profile::Release)?;
    let load = build_package(&workspace, "hookwire-bench", Profile::Release)?;
    run_command(
        Command::new(load)
            .arg(name)
            .args(rest)
            .env("HOOKWIRE_BIN", broker)
            .env("HOOKWIRE_CHECKOUT", &workspace.root)
            .env("HOOKWIRE_MODULES_DIR", workspace.modules_dir()),
    )?;
    Ok(ExitCode::SUCCESS)
}
