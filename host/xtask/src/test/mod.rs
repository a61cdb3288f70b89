//! `cargo xtask test [SUITE]`: set up, build, run every suite, sum up.
//!
//! A tool that is missing is installed, or the command fails: no test is
//! skipped for want of one. The last line is `N passed, M failed`.

mod clients;
mod node;
mod set_up;
mod tally;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::rules;
use crate::run::{Profile, build_broker};
use crate::workspace::Workspace;
use hookwire_guest_toolchain::{cargo, say};
pub(crate) use set_up::MOSQUITTO;
use tally::{Counts, Tally};

/// One group of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suite {
    /// Everything `cargo test` finds.
    Unit,
    /// Real clients against the built broker.
    EndToEnd,
    /// What every store has to hold, with real clients at both ends.
    Contract,
    /// What an author of rule modules types, from an empty folder.
    Authors,
    /// The broker killed, its store taken away.
    Faults,
    /// Client libraries of several languages, each in the same scenarios.
    Clients,
    /// The standards' statements, on this broker and on Mosquitto.
    Conformance,
}

const SUITES: [Suite; 7] = [
    Suite::Unit,
    Suite::EndToEnd,
    Suite::Contract,
    Suite::Authors,
    Suite::Conformance,
    Suite::Clients,
    Suite::Faults,
];

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::EndToEnd => "e2e",
            Self::Contract => "contract",
            Self::Authors => "authors",
            Self::Faults => "faults",
            Self::Clients => "clients",
            Self::Conformance => "conformance",
        }
    }

    fn needs_broker(self) -> bool {
        self != Self::Clients || !clients::is_on_mosquitto()
    }
}

/// The verb.
///
/// # Errors
/// If the suite is unknown, set-up fails, or something does not build.
pub(crate) fn test(arguments: &[String]) -> Result<ExitCode> {
    let suites = chosen(arguments)?;
    let workspace = Workspace::load()?;
    if suites.iter().any(|suite| suite.needs_broker()) {
        rules::build(&workspace, None)?;
    }
    let mut tally = Tally::default();
    if suites.contains(&Suite::Unit) {
        tally.add(Suite::Unit.name(), unit(&workspace)?);
    }
    let python_suites: Vec<Suite> = suites
        .into_iter()
        .filter(|suite| *suite != Suite::Unit)
        .collect();
    if !python_suites.is_empty() {
        set_up::ensure_tools()?;
        let python = set_up::ensure_venv(&workspace)?;
        let mut variables = Vec::new();
        if python_suites.iter().any(|suite| suite.needs_broker()) {
            let broker = build_broker(&workspace, Profile::Dev)?;
            variables.push(("HOOKWIRE_BIN", broker));
            variables.push(("HOOKWIRE_MODULES", workspace.modules_dir()));
        }
        if python_suites.contains(&Suite::EndToEnd) {
            node::ensure()?;
            let example = workspace.root.join("examples/javascript-router");
            let made = workspace.target.join("examples/javascript-router");
            let modules = node::ensure_modules(&example, &made)?;
            variables.push(("HOOKWIRE_NODE_MODULES", modules));
        }
        if python_suites.contains(&Suite::Clients) {
            variables.extend(clients::ensure_drivers(&workspace)?);
        }
        for suite in python_suites {
            let counts = pytest(&workspace, &python, &variables, suite)?;
            tally.add(suite.name(), counts);
            if suite == Suite::Conformance {
                // A suite that tests brokers, and not this broker, holds another one too.
                variables.push(("CONFORMANCE_BROKER", "mosquitto".into()));
                let read = tally::read_pytest_line_with_listed;
                let mut command = pytest_command(&workspace, &python, &variables, suite)?;
                tally.add("conformance, mosquitto", count(&mut command, read)?);
                variables.pop();
            }
        }
    }
    print!("{tally}");
    Ok(if tally.is_green() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn chosen(arguments: &[String]) -> Result<Vec<Suite>> {
    match arguments {
        [] => Ok(SUITES.to_vec()),
        [name] => match SUITES.into_iter().find(|suite| suite.name() == name) {
            Some(suite) => Ok(vec![suite]),
            None => bail!(
                "no suite `{name}`: there are {}",
                SUITES.map(Suite::name).join(", ")
            ),
        },
        _ => bail!("`cargo xtask test` takes one suite or none"),
    }
}

fn unit(workspace: &Workspace) -> Result<Counts> {
    say("running the tests of the workspace");
    let mut command = cargo();
    command
        .current_dir(&workspace.root)
        .args(["test", "--workspace", "--no-fail-fast"]);
    count(&mut command, tally::read_cargo_line)
}

/// Runs a suite; `variables` name what was built for it.
fn pytest(
    workspace: &Workspace,
    python: &Path,
    variables: &[(&str, PathBuf)],
    suite: Suite,
) -> Result<Counts> {
    let mut command = pytest_command(workspace, python, variables, suite)?;
    count(&mut command, tally::read_pytest_line)
}

fn pytest_command(
    workspace: &Workspace,
    python: &Path,
    variables: &[(&str, PathBuf)],
    suite: Suite,
) -> Result<Command> {
    let folder = workspace.root.join("tests").join(suite.name());
    if !folder.is_dir() {
        bail!("the suite {} is not at {}", suite.name(), folder.display());
    }
    say(&format!("running the suite {}", suite.name()));
    let mut command = Command::new(python);
    command
        .current_dir(&workspace.root)
        .args([
            "-m",
            "pytest",
            "-ra",
            "--color=no",
            "-p",
            "no:cacheprovider",
        ])
        .arg(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONUNBUFFERED", "1")
        .envs(variables.iter().map(|(name, path)| (name, path)))
        .env("HOOKWIRE_CHECKOUT", &workspace.root);
    Ok(command)
}

/// Runs a test program, shows what it writes, and adds up what `read` finds in
/// its lines. A program that fails without a failed test counts as one.
fn count(command: &mut Command, read: fn(&str) -> Option<Counts>) -> Result<Counts> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the tests")?;
    let mut counts = Counts::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("cannot read what the tests write")?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            if let Some(found) = read(&line) {
                counts.add(found);
            }
        }
    }
    let status = child.wait().context("cannot wait for the tests")?;
    if !status.success() && counts.failed == 0 {
        say(&format!("the tests ended with {status} and no failed test"));
        counts.failed = 1;
    }
    Ok(counts)
}
