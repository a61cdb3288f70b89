//! `cargo xtask fuzz [TARGET] [--seconds N]`: libFuzzer before the fuzz targets
//! of `tests/fuzz`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use hookwire_guest_toolchain::system_packages::{self, Tool};
use hookwire_guest_toolchain::{cargo, find_program, run, say, succeeds};

/// The front end: a workspace of its own, since it builds with other flags.
const FRONT_END: &str = "tests/fuzz/fuzz";

/// What is installed where there is no cargo-fuzz.
const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// libFuzzer comes as C++.
const CPP: Tool = Tool {
    program: "c++",
    apt: "g++",
    dnf: "gcc-c++",
    brew: "llvm",
};

/// How long each target runs where nothing else is said.
const DEFAULT_SECONDS: u64 = 60;

/// The verb. Runs one target, or all one after the other.
///
/// # Errors
/// If there is no such target, something does not build, or an input breaks a
/// promise of the codec.
pub(crate) fn fuzz(arguments: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let known = targets(&workspace.root)?;
    let (chosen, seconds) = parse(arguments, &known)?;
    system_packages::ensure(&[CPP])?;
    let cargo_fuzz = ensure_cargo_fuzz(&workspace)?;
    for target in &chosen {
        say(&format!("fuzzing {target} for {seconds} seconds"));
        run_target(&workspace, &cargo_fuzz, target, seconds)?;
    }
    println!(
        "{} targets, {seconds} seconds each: no promise broken",
        chosen.len()
    );
    Ok(ExitCode::SUCCESS)
}

/// The targets to run and the seconds for each.
fn parse(arguments: &[String], known: &[String]) -> Result<(Vec<String>, u64)> {
    let mut chosen = Vec::new();
    let mut seconds = DEFAULT_SECONDS;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--seconds" {
            let number = words.next().context("--seconds takes a number")?;
            seconds = number
                .parse()
                .ok()
                .filter(|seconds| *seconds > 0)
                .with_context(|| format!("`{number}` is not a number of seconds"))?;
        } else if known.contains(word) && chosen.is_empty() {
            chosen.push(word.clone());
        } else {
            bail!(
                "`cargo xtask fuzz` takes one target and --seconds N, not `{word}`; targets: {}",
                known.join(", ")
            );
        }
    }
    if chosen.is_empty() {
        chosen = known.to_vec();
    }
    Ok((chosen, seconds))
}

/// Names of the targets: one file each.
fn targets(root: &Path) -> Result<Vec<String>> {
    let folder = root.join(FRONT_END).join("fuzz_targets");
    let files = fs::read_dir(&folder)
        .with_context(|| format!("there are no fuzz targets at {}", folder.display()))?;
    let mut names: Vec<String> = files
        .filter_map(|file| Some(file.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// The path of cargo-fuzz, which is put below the target directory if there is
/// none.
fn ensure_cargo_fuzz(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(installed) = find_program("cargo-fuzz") {
        return Ok(installed);
    }
    let tools = workspace.target.join("tools");
    let program = tools.join("bin/cargo-fuzz");
    if succeeds(Command::new(&program).arg("--version")) {
        return Ok(program);
    }
    say("installing what is missing: cargo-fuzz");
    run(cargo()
        .args(["install", "cargo-fuzz", "--locked"])
        .args(["--version", CARGO_FUZZ_VERSION, "--root"])
        .arg(&tools))?;
    Ok(program)
}

/// New inputs gather below the target directory; those of the repository are
/// read and stay as they are.
fn run_target(workspace: &Workspace, cargo_fuzz: &Path, target: &str, seconds: u64) -> Result<()> {
    let fuzz = workspace.target.join("fuzz");
    let gathered = fuzz.join("corpus").join(target);
    let artifacts = fuzz.join("artifacts").join(target);
    for folder in [&gathered, &artifacts] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    run(Command::new(cargo_fuzz)
        .current_dir(&workspace.root)
        // The sanitizers need a nightly compiler. Without `unsafe` code there
        // is little for them to find; coverage works without.
        .args(["fuzz", "run", "--sanitizer", "none"])
        .args(["--fuzz-dir", FRONT_END, "--target-dir"])
        .arg(&fuzz)
        .arg(target)
        .arg(gathered)
        .arg(workspace.root.join("tests/fuzz/corpus").join(target))
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg("-print_final_stats=1"))
    .with_context(|| {
        format!(
            "{target} broke a promise; the input is in {}, and tests/fuzz/README.md says how it \
             becomes a test",
            artifacts.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT_SECONDS, parse};

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn takes_a_target_and_seconds() {
        let known = words("connect to_server_5");
        let check = |line: &str, expected: Option<(&str, u64)>| {
            let expected = expected.map(|(targets, seconds)| (words(targets), seconds));
            assert_eq!(parse(&words(line), &known).ok(), expected, "{line}");
        };
        check("", Some(("connect to_server_5", DEFAULT_SECONDS)));
        check("connect", Some(("connect", DEFAULT_SECONDS)));
        check("--seconds 5", Some(("connect to_server_5", 5)));
        check("to_server_5 --seconds 5", Some(("to_server_5", 5)));
        check("--seconds 5 connect", Some(("connect", 5)));
        check("other", None);
        check("connect to_server_5", None);
        check("--seconds", None);
        check("--seconds 0", None);
        check("--seconds x", None);
    }
}
