//! `bench start`: from the start of the process to the first CONNACK, with
//! modules that were compiled before; and how long compiling takes the first time.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::broker::{Broker, Build, modules};
use crate::load::greeted;
use crate::report::{Bound, Target, conclude, median};

/// Options of `bench start`.
#[derive(Debug, clap::Args)]
pub(crate) struct StartOptions {
    /// Starts with the modules compiled before; the median counts
    #[arg(long, default_value_t = 10)]
    starts: usize,
    /// Write figures and targets to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

const MOST_MS: f64 = 150.0;

pub(crate) fn run(options: &StartOptions) -> Result<bool> {
    ensure!(options.starts > 0, "--starts is 1 at least");
    let directory = tempfile::tempdir()?;
    let config = format!(
        "listener \"tcp\" \"bench\" {{\n  address = \"127.0.0.1:0\"\n}}\n\
         pool \"sqlite\" \"embedded\" {{\n  file = \"hookwire.db\"\n}}\n\
         module \"sqlite\" {{}}\nmodule \"noop\" {{\n  path = \"{}/noop.wasm\"\n}}\n\
         rule \"store\" {{\n  hook = \"message.publish\"\n  module = \"sqlite\"\n  action = \
         \"on_message_publish\"\n  pool = \"embedded\"\n}}\n\
         rule \"noop\" {{\n  hook = \"message.publish\"\n  module = \"noop\"\n  action = \
         \"noop\"\n}}\n",
        modules()?.display()
    );
    let start = || -> Result<(f64, Vec<String>)> {
        let broker = Broker::hookwire(Build::Now, directory.path(), &config)?;
        greeted(broker.address, "first", None)?;
        let took_ms = broker.started.elapsed().as_secs_f64() * 1e3;
        let said = broker.said.clone();
        broker.stop()?;
        Ok((took_ms, said))
    };
    let (first_ms, said) = start()?;
    println!("the first start, which compiles the modules: {first_ms:.0} ms to the first CONNACK");
    for line in said.iter().filter(|line| line.starts_with("module ")) {
        ensure!(line.contains("compiled in"), "it was to compile: {line}");
        println!("  {line}");
    }
    let mut cached_ms = Vec::new();
    for _ in 0..options.starts {
        let (took_ms, said) = start()?;
        let cached = |line: &&String| line.contains("compiled before");
        ensure!(
            said.iter().filter(cached).count() == 2,
            "the modules were to be compiled before: {said:?}"
        );
        cached_ms.push(took_ms);
    }
    let median_ms = median(&mut cached_ms);
    let slowest_ms = cached_ms.last().copied().context("no start")?;
    println!(
        "{} starts with the modules compiled before: median {median_ms:.1} ms, slowest \
         {slowest_ms:.1} ms",
        options.starts
    );
    let target = Target {
        name: "slowest start to the first CONNACK, modules compiled before".to_owned(),
        figure: slowest_ms,
        bound: MOST_MS,
        bound_is: Bound::AtMost,
        unit: " ms",
    };
    let rows = [json!({
        "first_ms": first_ms,
        "median_ms": median_ms,
        "slowest_ms": slowest_ms,
    })];
    conclude(&[target], &rows, options.json.as_deref())
}
