//! The Hookwire broker: the one place that picks implementations, reads the
//! environment, and exits.

mod boot;
mod cli;
mod control;
mod data_dir;
mod fixtures;
mod modules;
mod pools;
mod report;
mod shutdown;
mod telemetry;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
