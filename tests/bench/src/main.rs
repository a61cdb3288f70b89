//! The load and the measurements behind `cargo xtask bench`.
//!
//! Starts brokers itself, one at a time, drives each with the same load from
//! one thread, and prints CPU and wall time a message. Figures of one run are
//! comparable with each other and with nothing else.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool writes its figures there"
)]

mod broker;
mod client;
mod durable;
mod hooks;
mod hostile;
mod lane;
mod load;
mod publishers;
mod reload;
mod report;
mod slow_consumer;
mod start;
mod store;
mod wire;
#[path = "../../../host/crates/rules/tests/guests/written_guest.rs"]
#[allow(dead_code, reason = "the runtime's own tests use more of it")]
mod written_guest;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench",
    about = "Measurements, each against its target"
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What rules cost a message: none, a no-op, the sqlite rule; and Mosquitto
    Hooks(hooks::HooksOptions),
    /// What guests that do harm cost the clients of others
    Hostile(hostile::HostileOptions),
    /// Whether two hundred reloads under load lose, double or delay anything
    Reload(reload::ReloadOptions),
    /// From the start of the process to the first CONNACK
    Start(start::StartOptions),
    /// What storing, removing and reading what was missed cost
    Store(durable::StoreOptions),
    /// What one subscriber that stops reading costs the others
    SlowConsumer(slow_consumer::SlowConsumerOptions),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Hooks(options) => hooks::run(&options),
        Verb::Hostile(options) => hostile::run(&options),
        Verb::Reload(options) => reload::run(&options),
        Verb::Start(options) => start::run(&options),
        Verb::Store(options) => durable::run(&options),
        Verb::SlowConsumer(options) => slow_consumer::run(&options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(2)
        }
    }
}
