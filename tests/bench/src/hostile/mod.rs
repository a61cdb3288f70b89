//! `bench hostile`: what guests that do harm cost the clients of others.
//!
//! One broker a guest. Publishers of QoS 1 send at a steady pace, half of them
//! on topics without a rule and half on those of another module's rule; first
//! alone, then while a client publishes to the guest, at a pace that harms nobody
//! by itself, or while the broker is told to load the guest, again and again.
//! What becomes of the guest counts as well: a figure beside an attack that did
//! not happen says nothing.

mod attacker;
mod effect;
mod finding;
mod guests;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::broker::{Broker, Build, modules};
use crate::publishers::{Publishers, Who, percentile};
use crate::report::{Bound, Target, conclude, median};
use attacker::{AttackPace, attack, load};
use finding::Finding;
use guests::{GUESTS, Guest, Harm};

/// Options of `bench hostile`.
#[derive(Debug, clap::Args)]
pub(crate) struct HostileOptions {
    /// Publishers beside the attack
    #[arg(long, default_value_t = 40)]
    clients: usize,
    /// Messages a second of each
    #[arg(long, default_value_t = 50)]
    per_second: u32,
    /// Messages that the attacker has under way at most
    #[arg(long, default_value_t = 8)]
    window: usize,
    /// Messages a second that it sends at most
    #[arg(long, default_value_t = 500)]
    attack_per_second: u32,
    /// Deadline of the guest's calls, in milliseconds
    #[arg(long, default_value_t = 1000)]
    deadline_ms: u64,
    /// Seconds without the attack, and with it
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Times that every guest is measured; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only guests whose name holds this word
    #[arg(long)]
    only: Option<String>,
    /// Write figures and targets to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What the attack may cost others: whichever is more.
const MOST_TIMES: f64 = 2.0;
const MOST_LATER_MS: f64 = 2.0;
/// The publishers' groups.
const GROUPS: [&str; 2] = ["no rule", "another module"];

/// One round with one guest.
struct Round {
    /// By group, in milliseconds.
    quiet_p99: [f64; GROUPS.len()],
    attack_p99: [f64; GROUPS.len()],
    found: Finding,
}

pub(crate) fn run(options: &HostileOptions) -> Result<bool> {
    let is_meant = |guest: &&Guest| {
        let only = options.only.as_ref();
        only.is_none_or(|word| guest.name.contains(word))
    };
    println!(
        "{} publishers at {}/s, QoS 1; the attacker: {}/s, {} under way; deadline {} ms; {} \
         rounds of 2 x {} s a guest\n",
        options.clients,
        options.per_second,
        options.attack_per_second,
        options.window,
        options.deadline_ms,
        options.rounds,
        options.seconds
    );
    println!(
        "{:30} {:>19} {:>19}   what happened",
        "guest", "p99 ms, no rule", "another module"
    );
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    for guest in GUESTS.iter().filter(is_meant) {
        let rounds: Vec<Round> = (0..options.rounds.max(1))
            .map(|_| measure(options, guest))
            .collect::<Result<_>>()
            .with_context(|| format!("guest {:?}", guest.name))?;
        let middle = |pick: &dyn Fn(&Round) -> f64| {
            median(&mut rounds.iter().map(pick).collect::<Vec<f64>>())
        };
        let quiet = [0, 1].map(|group| middle(&|round| round.quiet_p99[group]));
        let attack = [0, 1].map(|group| middle(&|round| round.attack_p99[group]));
        let what = rounds
            .last()
            .map_or_else(String::new, |round| round.found.to_string());
        println!(
            "{:30} {:>8.2} -> {:>7.2} {:>8.2} -> {:>7.2}   {what}",
            guest.name, quiet[0], attack[0], quiet[1], attack[1]
        );
        let (had_effect, missing) = effects(guest, &rounds);
        rows.push(row(guest, quiet, attack, &what, &missing));
        targets.push(had_effect);
        for (group, (quiet, attack)) in GROUPS.iter().zip(quiet.into_iter().zip(attack)) {
            targets.push(Target {
                name: format!("{}, p99 of {group}", guest.name),
                figure: attack,
                bound: (quiet * MOST_TIMES).max(quiet + MOST_LATER_MS),
                bound_is: Bound::AtMost,
                unit: " ms",
            });
        }
    }
    if targets.is_empty() {
        let names: Vec<&str> = GUESTS.iter().map(|guest| guest.name).collect();
        bail!(
            "no guest's name holds what --only says; there are {}",
            names.join(", ")
        );
    }
    conclude(&targets, &rows, options.json.as_deref())
}

/// In how many rounds the guest had the effect it has to have, and what was missing
/// in the others, which is printed.
fn effects(guest: &Guest, rounds: &[Round]) -> (Target, Vec<String>) {
    let checked = rounds.iter().map(|round| guest.effect.check(&round.found));
    let missing: Vec<String> = checked.filter_map(Result::err).collect();
    for missing in &missing {
        println!("{:30} without its effect: {missing}", "");
    }
    let target = Target {
        name: format!("{}, {}", guest.name, guest.effect),
        figure: (rounds.len() - missing.len()) as f64,
        bound: rounds.len() as f64,
        bound_is: Bound::AtLeast,
        unit: " rounds",
    };
    (target, missing)
}

fn row(guest: &Guest, quiet: [f64; 2], attack: [f64; 2], what: &str, missing: &[String]) -> Value {
    json!({
        "guest": guest.name,
        "what_happened": what,
        "effect": guest.effect.to_string(),
        "missing_of_effect": missing,
        "groups": GROUPS,
        "quiet_p99_ms": quiet,
        "attack_p99_ms": attack,
    })
}

fn measure(options: &HostileOptions, guest: &Guest) -> Result<Round> {
    let directory = tempfile::tempdir()?;
    let blocks = guest.blocks(directory.path(), options.deadline_ms)?;
    let (config, later) = match guest.harm() {
        Harm::Runs => (configuration()? + &blocks, String::new()),
        Harm::IsLoaded => (configuration()?, blocks),
    };
    let broker = Broker::hookwire(Build::Now, directory.path(), &config)?;
    let all = (0..options.clients).map(|number| Who {
        clientid: format!("p{number}"),
        topic: match number % 2 {
            0 => format!("plain/{number}"),
            _ => format!("other/{number}"),
        },
        group: number % 2,
    });
    let mut publishers =
        Publishers::connect(broker.address, all.collect(), options.per_second, 128)?;
    let duration = Duration::from_secs(options.seconds);
    let (mut quiet, mut attacked) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    publishers.publish_for(Duration::from_millis(500), &mut [])?;
    publishers.publish_for(duration, &mut quiet)?;
    let resident_bytes = broker.resident_bytes()?;
    let stop = Arc::new(AtomicBool::new(false));
    let attacker = {
        let (stop, address) = (Arc::clone(&stop), broker.address);
        let pace = AttackPace {
            window: options.window,
            interval: Duration::from_secs(1) / options.attack_per_second.max(1),
            burst: guest.burst(),
        };
        let (ctl, file) = (broker.ctl(), directory.path().join("later.hcl"));
        fs::write(&file, later)?;
        match guest.harm() {
            Harm::Runs => thread::spawn(move || attack(address, pace, &stop)),
            Harm::IsLoaded => thread::spawn(move || load(&ctl, &file.to_string_lossy(), &stop)),
        }
    };
    publishers.publish_for(duration, &mut attacked)?;
    stop.store(true, Ordering::Release);
    publishers.drain(&mut attacked)?;
    let attacker = attacker.join();
    let seen = attacker.map_err(|_| anyhow!("the attacker panicked"))??;
    let grown_bytes = broker.resident_bytes()?.saturating_sub(resident_bytes);
    let log = broker.stop()?;
    let of = |[first, second]: &mut [Vec<f64>; 2]| -> Result<[f64; 2]> {
        Ok([percentile(first, 0.99)?, percentile(second, 0.99)?])
    };
    Ok(Round {
        quiet_p99: of(&mut quiet)?,
        attack_p99: of(&mut attacked)?,
        found: Finding::of(seen, &log, grown_bytes),
    })
}

fn configuration() -> Result<String> {
    Ok(format!(
        "listener \"tcp\" \"bench\" {{\n  address = \"127.0.0.1:0\"\n}}\n\
         module \"noop\" {{\n  path = \"{}/noop.wasm\"\n}}\n\
         rule \"noop\" {{\n  hook = \"message.publish\"\n  module = \"noop\"\n  action = \
         \"noop\"\n  topic = \"other/#\"\n}}\n",
        modules()?.display()
    ))
}
