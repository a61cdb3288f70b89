//! `cargo xtask VERB`: everything a contributor does, in one place.
//!
//! Each verb is a file. A verb says what it is about to do before it does it,
//! installs what it needs, and fails with the command a person can run where it
//! cannot. Nothing here is part of the product; only the standard library and
//! anyhow are used, so that a first call builds in seconds.
#![allow(
    clippy::print_stdout,
    reason = "a command for people: results go to standard output, progress to standard error"
)]

mod bench;
mod coverage;
mod fuzz;
mod rules;
mod run;
mod sim;
mod test;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask VERB

  run [-- ARGS]        build the modules and the broker (release) and start it;
                       ARGS go to `hookwire run`
  rules [--route R]    build the rule modules into components, into
                       TARGET/modules; R is how the wasm32 target is come by:
                       rustup (also: a toolchain that has it) or debian
  test [SUITE]         build, then run all tests, or one suite: unit, e2e,
                       contract, authors, conformance, clients, faults
  bench hooks [ARGS]   measure the broker against Mosquitto and SQLite; with
                       --against REV also against the broker of a revision
  bench hostile [ARGS] measure what guests that do harm cost others
  bench reload [ARGS]  reload a module 200 times under load
  bench start [ARGS]   measure how long the broker takes to its first client
  bench store sqlite [ARGS]
                       measure storing, cleaning and draining against SQLite and
                       sqlx
  bench slow-consumer [ARGS]
                       measure what one client that does not read costs others
  coverage [PACKAGE]   how much of a package its own tests run; hookwire-rules
                       where none is named
  sim [ARGS]           run the core under a seeded scheduler: --seed N --steps N,
                       --full, --faults; --help says more
  fuzz [TARGET] [--seconds N]
                       put libFuzzer before the fuzz targets of the codec, or
                       one of them, for 60 seconds each

TARGET is `target`, or what CARGO_TARGET_DIR says.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<ExitCode> {
    let Some((verb, rest)) = arguments.split_first() else {
        println!("{HELP}");
        return Ok(ExitCode::FAILURE);
    };
    // Behind a verb's own words it is not ours: `run -- --help`, `bench hooks --help`.
    let asks_for_help = |word: &String| word == "--help" || word == "-h" || word == "help";
    if asks_for_help(verb) || rest.first().is_some_and(asks_for_help) {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    match verb.as_str() {
        "run" => run::run(rest),
        "rules" => rules::rules(rest),
        "test" => test::test(rest),
        "bench" => bench::bench(rest),
        "coverage" => coverage::coverage(rest),
        "sim" => sim::sim(rest),
        "fuzz" => fuzz::fuzz(rest),
        other => bail!("no verb `{other}`\n\n{HELP}"),
    }
}
