//! `cargo xtask sim`: runs seeds, prints the mix of operations, and holds the
//! targets. A seed that fails is shrunk and its trace printed.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool writes its figures there"
)]

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::run(&cli::Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sim: {error:#}");
            ExitCode::from(2)
        }
    }
}
