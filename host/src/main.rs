//! The Hookwire broker: the one place that picks implementations, reads the
//! environment, and exits.

mod boot;
mod cli;
mod data_dir;
mod modules;
mod report;
mod shutdown;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
