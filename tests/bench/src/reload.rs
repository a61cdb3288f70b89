//! `bench reload`: two modules of different content take turns under load, and
//! every message that was acknowledged is looked for in the store.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::json;

use crate::broker::{Broker, Build, Ctl, modules};
use crate::publishers::{Publishers, Who, number, percentile};
use crate::report::{Bound, Target, conclude};
use crate::store::{StoredMessage, stored_messages};

/// Options of `bench reload`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReloadOptions {
    /// How often the module is reloaded
    #[arg(long, default_value_t = 200)]
    reloads: usize,
    /// Milliseconds between two
    #[arg(long, default_value_t = 50)]
    every_ms: u64,
    /// Publishers
    #[arg(long, default_value_t = 50)]
    clients: usize,
    /// Messages a second of each
    #[arg(long, default_value_t = 80)]
    per_second: u32,
    /// Payload of a message, in bytes
    #[arg(long, default_value_t = 128)]
    payload: usize,
    /// Seconds without a reload before, and after
    #[arg(long, default_value_t = 5)]
    quiet_seconds: u64,
    /// Write figures and targets to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Fewer would not be several thousand.
const LEAST_PER_SECOND: f64 = 2_000.0;

/// How much later, at most, the slowest PUBACKs may come during reloads.
const MOST_LATER_MS: f64 = 5.0;
const NAMES: [&str; 2] = ["generation-a", "generation-b"];

pub(crate) fn run(options: &ReloadOptions) -> Result<bool> {
    ensure!(options.reloads > 1, "--reloads is 2 at least");
    let directory = tempfile::tempdir()?;
    let module = directory.path().join("generation.wasm");
    let components = NAMES.map(|name| -> Result<Vec<u8>> {
        let file = modules()?.join(name).with_extension("wasm");
        fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
    });
    let [first, second] = components;
    let components = [first?, second?];
    ensure!(
        components[0] != components[1],
        "the two modules are the same"
    );
    replace(&module, &components[0])?;
    let broker = Broker::hookwire(Build::Now, directory.path(), &configuration(&module))?;
    let all = (0..options.clients).map(|number| Who {
        clientid: format!("p{number}"),
        topic: format!("bench/{number}"),
        group: 0,
    });
    let mut publishers = Publishers::connect(
        broker.address,
        all.collect(),
        options.per_second,
        options.payload,
    )?;
    println!(
        "{} publishers at {}/s, QoS 1, {} bytes; {} reloads",
        options.clients, options.per_second, options.payload, options.reloads
    );
    let quiet = Duration::from_secs(options.quiet_seconds);
    publishers.publish_for(Duration::from_secs(1), &mut [])?;
    let (mut quietly, mut reloading) = ([Vec::new()], [Vec::new()]);
    publishers.publish_for(quiet, &mut quietly)?;
    let is_done = Arc::new(AtomicBool::new(false));
    let reloader = {
        let (is_done, ctl, reloads) = (Arc::clone(&is_done), broker.ctl(), options.reloads);
        let module = module.clone();
        let every = Duration::from_millis(options.every_ms);
        thread::spawn(move || {
            let reloaded = components.iter().cycle().skip(1).take(reloads);
            let reloaded = reloaded.map(|component| reload(&ctl, &module, component, every));
            let reloaded: Result<()> = reloaded.collect();
            is_done.store(true, Ordering::Release);
            reloaded
        })
    };
    let began = Instant::now();
    publishers.publish(&mut reloading, || !is_done.load(Ordering::Acquire))?;
    let took = began.elapsed();
    let reloader = reloader.join();
    reloader.map_err(|_| anyhow!("the reloading thread panicked"))??;
    publishers.publish_for(quiet, &mut quietly)?;
    publishers.drain(&mut [])?;
    let data = broker.data().to_owned();
    broker.stop()?;
    let found = Found::of(&publishers, &stored_messages(&data.join("hookwire.db"))?)?;
    let [mut quietly] = quietly;
    let [mut reloading] = reloading;
    let quiet_p99 = percentile(&mut quietly, 0.99)?;
    let reload_p99 = percentile(&mut reloading, 0.99)?;
    println!(
        "\n{} acknowledged, {} lost, {} duplicated, {} reordered; by {}: {}, by {}: {}\n\
         {} reloads in {:.1} s; p99 of publish to PUBACK: quiet {quiet_p99:.2} ms, during reloads \
         {reload_p99:.2} ms",
        found.acknowledged,
        found.lost,
        found.duplicated,
        found.reordered,
        NAMES[0],
        found.by_first,
        NAMES[1],
        found.by_second,
        options.reloads,
        took.as_secs_f64(),
    );
    let row = json!({
        "acknowledged": found.acknowledged,
        "by_first": found.by_first,
        "by_second": found.by_second,
        "reloads": options.reloads,
        "seconds": took.as_secs_f64(),
        "quiet_p99_ms": quiet_p99,
        "reload_p99_ms": reload_p99,
    });
    let per_second = reloading.len() as f64 / took.as_secs_f64();
    let targets = targets(&found, reload_p99 - quiet_p99, per_second);
    conclude(&targets, &[row], options.json.as_deref())
}

fn targets(found: &Found, later_ms: f64, per_second: f64) -> Vec<Target> {
    let target = |name: &str, figure, bound, bound_is, unit| Target {
        name: name.to_owned(),
        figure,
        bound,
        bound_is,
        unit,
    };
    let (most, least) = (Bound::AtMost, Bound::AtLeast);
    let fewer = found.by_first.min(found.by_second);
    vec![
        target(
            "acknowledged messages lost",
            found.lost as f64,
            0.0,
            most,
            "",
        ),
        target(
            "messages duplicated",
            found.duplicated as f64,
            0.0,
            most,
            "",
        ),
        target("messages reordered", found.reordered as f64, 0.0, most, ""),
        target(
            "rows of the module with fewer",
            fewer as f64,
            1.0,
            least,
            "",
        ),
        target(
            "messages a second during the reloads",
            per_second,
            LEAST_PER_SECOND,
            least,
            "/s",
        ),
        target(
            "p99 of publish to PUBACK, later by",
            later_ms,
            MOST_LATER_MS,
            most,
            " ms",
        ),
    ]
}

fn configuration(module: &Path) -> String {
    format!(
        "listener \"tcp\" \"bench\" {{\n  address = \"127.0.0.1:0\"\n}}\n\
         pool \"sqlite\" \"embedded\" {{\n  file = \"hookwire.db\"\n}}\n\
         module \"generation\" {{\n  path = \"{}\"\n}}\n\
         rule \"store\" {{\n  hook = \"message.publish\"\n  module = \"generation\"\n  action = \
         \"store\"\n  pool = \"embedded\"\n}}\n",
        module.display()
    )
}

/// Puts a component in the place of another in one step.
fn replace(module: &Path, component: &[u8]) -> Result<()> {
    let fresh = module.with_extension("fresh");
    fs::write(&fresh, component)?;
    fs::rename(&fresh, module)?;
    Ok(())
}

/// One reload, and what is left of the time until the next.
fn reload(ctl: &Ctl, module: &Path, component: &[u8], every: Duration) -> Result<()> {
    let due = Instant::now() + every;
    replace(module, component)?;
    let told = ctl.tell(&["modules", "reload", "generation"])?;
    ensure!(told.succeeded, "a reload failed: {}", told.text);
    thread::sleep(due.saturating_duration_since(Instant::now()));
    Ok(())
}

/// What became of the messages that were acknowledged.
#[derive(Debug, Default)]
struct Found {
    acknowledged: u64,
    lost: u64,
    duplicated: u64,
    reordered: u64,
    by_first: u64,
    by_second: u64,
}

impl Found {
    /// Looks for every message in what is stored, in the order of storing.
    fn of(publishers: &Publishers, stored: &[StoredMessage]) -> Result<Self> {
        let mut found = Self::default();
        let mut by_sender: HashMap<(&str, &str), Vec<u64>> = HashMap::new();
        for message in stored {
            match message.mark.strip_prefix("hookwire-rule-") {
                Some(mark) if mark == NAMES[0] => found.by_first += 1,
                Some(mark) if mark == NAMES[1] => found.by_second += 1,
                _ => bail!("a row is marked {:?}", message.mark),
            }
            let number = number(&message.payload).context("a payload without its number")?;
            let numbers = by_sender.entry((&message.sender, &message.topic));
            numbers.or_default().push(number);
        }
        for (who, acknowledged) in publishers.acknowledged() {
            found.acknowledged += acknowledged;
            let numbers = by_sender.remove(&(who.clientid.as_str(), who.topic.as_str()));
            let mut numbers = numbers.unwrap_or_default();
            let is_back = |pair: &&[u64]| matches!(pair, [before, after] if after < before);
            found.reordered += numbers.windows(2).filter(is_back).count() as u64;
            let all = numbers.len() as u64;
            numbers.sort_unstable();
            numbers.dedup();
            found.duplicated += all - numbers.len() as u64;
            let kept = numbers.iter().filter(|number| **number <= acknowledged);
            found.lost += acknowledged - kept.count() as u64;
        }
        Ok(found)
    }
}
