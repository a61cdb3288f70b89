//! `cargo xtask bench NAME`: measurements, each against its targets.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::run::{Profile, build_broker, build_package};
use crate::workspace::Workspace;
use hookwire_guest_toolchain::system_packages;
use hookwire_guest_toolchain::{cargo, output, run as run_command, say};

use crate::{rules, test};

const BENCHES: [&str; 6] = [
    "hooks",
    "hostile",
    "reload",
    "start",
    "slow-consumer",
    "store",
];

/// The verb.
///
/// # Errors
/// If the bench is unknown, something does not build, or the bench fails.
pub(crate) fn bench(arguments: &[String]) -> Result<ExitCode> {
    let known = BENCHES.join(", ");
    let Some((name, rest)) = arguments.split_first() else {
        bail!("`cargo xtask bench` takes the name of a bench: {known}");
    };
    if !BENCHES.contains(&name.as_str()) {
        bail!("no bench `{name}`: there is {known}");
    }
    let workspace = Workspace::load()?;
    if name == "hooks" {
        system_packages::ensure(&[test::MOSQUITTO])?;
    }
    rules::build(&workspace, None)?;
    let mut load = Command::new(build_package(
        &workspace,
        "hookwire-bench",
        Profile::Release,
    )?);
    if let Some(revision) = revision(rest)? {
        load.env("HOOKWIRE_BIN_AGAINST", broker_of(&workspace, revision)?);
    }
    let broker = build_broker(&workspace, Profile::Release)?;
    run_command(
        load.arg(name)
            .args(rest)
            .env("HOOKWIRE_BIN", broker)
            .env("HOOKWIRE_CHECKOUT", &workspace.root)
            .env("HOOKWIRE_MODULES_DIR", workspace.modules_dir()),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// What stands behind `--against`.
fn revision(arguments: &[String]) -> Result<Option<&str>> {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if let Some(revision) = word.strip_prefix("--against=") {
            return Ok(Some(revision));
        }
        if word == "--against" {
            let revision = words.next().context("--against takes a revision of git")?;
            return Ok(Some(revision));
        }
    }
    Ok(None)
}

/// Builds the broker of another revision, from a work tree of its own below the
/// target directory, with the libraries that are built already; answers the
/// path of the program.
fn broker_of(workspace: &Workspace, revision: &str) -> Result<PathBuf> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(&workspace.root).args(arguments);
        git
    };
    let commit = format!("{revision}^{{commit}}");
    let found = output(&mut git(&["rev-parse", "--verify", &commit]))
        .with_context(|| format!("git knows no revision `{revision}`"))?;
    let found = found.trim();
    let folder = workspace.target.join("against").join(found);
    let program = folder.join("hookwire");
    if program.is_file() {
        return Ok(program);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let tree = folder.join("tree");
    let tree_text = tree.display().to_string();
    say(&format!("building the broker of {revision}"));
    run_command(&mut git(&[
        "worktree", "add", "--force", "--detach", &tree_text, found,
    ]))?;
    let built = run_command(
        cargo()
            .current_dir(&tree)
            .env("CARGO_TARGET_DIR", &workspace.target)
            .args(["build", "--release", "--package", "hookwire"]),
    );
    run_command(&mut git(&["worktree", "remove", "--force", &tree_text]))?;
    built?;
    let made = workspace.target.join("release/hookwire");
    fs::copy(&made, &program).with_context(|| format!("cannot copy {}", made.display()))?;
    Ok(program)
}
