//! `hookwire rule record`

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use hookwire_admin::{Client, ClientError, Tap};
use hookwire_harness::fixture_text;
use hookwire_rules::EventRecord;

/// Options of `hookwire rule record`.
#[derive(Debug, clap::Args)]
pub(crate) struct RecordOptions {
    /// Hook whose events are recorded
    #[arg(long, default_value = "message.publish")]
    hook: String,
    /// Only events that a rule with this topic filter would see; not on hooks
    /// without a topic. Without it, all but messages on topics like $SYS/...
    #[arg(long, value_name = "FILTER")]
    topic: Option<String>,
    /// Events to record
    #[arg(long, value_name = "N", default_value_t = 10)]
    count: usize,
    /// Record payloads, too
    #[arg(long)]
    payloads: bool,
    /// Fixture whose modules, rules and pools the new one begins with
    #[arg(long, value_name = "FIXTURE")]
    rules: Option<PathBuf>,
    /// Fixture to write, which must not be there
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Data directory of the broker
    #[arg(long, value_name = "DIR", default_value = "hookwire-data")]
    data: PathBuf,
}

pub(crate) fn record(options: &RecordOptions) -> Result<()> {
    if options.out.exists() {
        bail!("{} is there; it is not written over", options.out.display());
    }
    let rules = match &options.rules {
        Some(path) => hookwire_harness::setup_text(path)?,
        None => PLACEHOLDER.to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    let (events, missed) = runtime.block_on(events(options))?;
    fs::write(&options.out, fixture_text(&rules, &events, missed))
        .with_context(|| format!("cannot write {}", options.out.display()))?;
    let mut out = std::io::stdout();
    writeln!(out, "{}: {} events", options.out.display(), events.len())?;
    if missed > 0 {
        writeln!(
            out,
            "{missed} more are missing: they came faster than they were read"
        )?;
    }
    Ok(())
}

const PLACEHOLDER: &str = "# The module that is tested, and its rules as a configuration has \
                           them.\nmodule \"NAME\" {}\n";

/// Records until there are as many events as wanted, or somebody presses Ctrl-C;
/// with how many are missing between them.
async fn events(options: &RecordOptions) -> Result<(Vec<EventRecord>, u64)> {
    let client = Client::new(&options.data);
    let tap = Tap {
        hook: options.hook.clone(),
        topic: options.topic.clone(),
        count: options.count,
        payloads: options.payloads,
    };
    let mut recording = client.record(tap).await.map_err(|error| told(&error))?;
    let mut events = Vec::new();
    let mut is_stopped = false;
    loop {
        let line = tokio::select! {
            line = recording.next() => line.map_err(|error| told(&error))?,
            pressed = tokio::signal::ctrl_c(), if !is_stopped => {
                pressed.context("cannot wait for Ctrl-C")?;
                is_stopped = true;
                recording.stop().await;
                continue;
            }
        };
        let Some(line) = line else {
            return Ok((events, recording.missed()));
        };
        let event = serde_json::from_str(&line).context("the broker sent no event")?;
        events.push(event);
    }
}

/// The error's own sentence, which has its cause in it.
fn told(error: &ClientError) -> anyhow::Error {
    anyhow::Error::msg(error.to_string())
}
