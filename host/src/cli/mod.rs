//! The command line: one file a verb.

mod check;
mod ctl;
mod rule;
mod run;
mod store;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hookwire_settings::Problem;

pub(crate) use run::RunOptions;

/// An MQTT broker whose every hook action is a sandboxed WebAssembly component.
#[derive(Debug, Parser)]
#[command(name = "hookwire", version, about)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs the broker; without a configuration, with an embedded store.
    Run(RunOptions),
    /// Checks a configuration, its modules and rules, and starts nothing.
    Check(check::CheckOptions),
    /// Asks a running broker, or changes it.
    Ctl(ctl::CtlOptions),
    /// Makes, checks and measures the stores of pools.
    Store(store::StoreOptions),
    /// Writes, builds and tests rule modules.
    Rule(rule::RuleOptions),
}

/// Exit code for a configuration that does not hold.
const BAD_CONFIGURATION: u8 = 2;

pub(crate) fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Run(options) => run::run(&options),
        Verb::Check(options) => check::check(&options),
        Verb::Ctl(options) => ctl::ctl(&options),
        Verb::Store(options) => store::store(&options),
        Verb::Rule(options) => rule::rule(&options).map_err(Failure::Other),
    };
    let error = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(error) => error,
    };
    match error {
        Failure::Configuration(problems) => {
            let mut stderr = std::io::stderr().lock();
            for problem in &problems {
                drop(writeln!(stderr, "{problem}"));
            }
            let count = problems.len();
            let s = if count == 1 { "" } else { "s" };
            drop(writeln!(
                stderr,
                "{count} problem{s} in the configuration; nothing was started"
            ));
            ExitCode::from(BAD_CONFIGURATION)
        }
        Failure::Other(error) => {
            drop(writeln!(std::io::stderr(), "hookwire: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Why a verb did not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Everything that is wrong with the configuration.
    Configuration(Vec<Problem>),
    /// Anything else.
    Other(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Configuration(problems)
    }
}
