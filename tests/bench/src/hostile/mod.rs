//! `bench hostile`: what guests that do harm cost the clients of others.
//!
//! One broker a guest. Publishers of QoS 1 send at a steady pace, half of them
//! on topics without a rule and half on those of another module's rule; first
//! alone, then while a client publishes to the guest, at a pace that harms nobody
//! by itself, or while the broker is told to load the guest, again and again.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use hookwire_mqtt::QoS;
use serde_json::{Value, json};

use crate::broker::{Broker, Build, Ctl, modules};
use crate::client::is_silent;
use crate::hostile_guests::{GUESTS, Guest, Harm};
use crate::publishers::{Publishers, Who, percentile};
use crate::report::{Bound, Target, conclude, median};
use crate::wire::{self, Received, next_packet};

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
    what_happened: String,
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
            .map_or("", |round| round.what_happened.as_str());
        println!(
            "{:30} {:>8.2} -> {:>7.2} {:>8.2} -> {:>7.2}   {what}",
            guest.name, quiet[0], attack[0], quiet[1], attack[1]
        );
        rows.push(row(guest, quiet, attack, what));
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

fn row(guest: &Guest, quiet: [f64; 2], attack: [f64; 2], what: &str) -> Value {
    json!({
        "guest": guest.name,
        "what_happened": what,
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
    let stop = Arc::new(AtomicBool::new(false));
    let attacker = {
        let (stop, address) = (Arc::clone(&stop), broker.address);
        let pace = AttackPace {
            window: options.window,
            interval: Duration::from_secs(1) / options.attack_per_second.max(1),
            boom_every: guest.boom_every(),
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
    let log = broker.stop()?;
    let was_called = |seen: &Seen| match seen {
        Seen::Refused { times, .. } => *times > 0,
        Seen::Acknowledged { .. } => log.contains("module=\"hostile\" handle_calls="),
    };
    ensure!(was_called(&seen), "the attack did not reach the guest");
    let of = |[first, second]: &mut [Vec<f64>; 2]| -> Result<[f64; 2]> {
        Ok([percentile(first, 0.99)?, percentile(second, 0.99)?])
    };
    Ok(Round {
        quiet_p99: of(&mut quiet)?,
        attack_p99: of(&mut attacked)?,
        what_happened: what_happened(&seen, &log),
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

/// What an attacker saw.
enum Seen {
    Acknowledged { messages: u64, connections: u64 },
    Refused { times: u64, last: String },
}

/// How the attacker publishes.
#[derive(Clone, Copy)]
struct AttackPace {
    window: usize,
    interval: Duration,
    /// One message in so many does harm; the others do none.
    boom_every: u16,
}

/// Pause of the attacker before it connects again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(10);

/// Publishes to the guest, and connects again where the broker ends that.
fn attack(address: SocketAddr, pace: AttackPace, stop: &AtomicBool) -> Result<Seen> {
    let (mut messages, mut connections) = (0, 0);
    while !stop.load(Ordering::Acquire) {
        connections += 1;
        messages += attack_once(address, pace, stop)?;
        thread::sleep(RECONNECT_PAUSE);
    }
    Ok(Seen::Acknowledged {
        messages,
        connections,
    })
}

/// Publishes until the connection ends, and answers how much was acknowledged.
fn attack_once(address: SocketAddr, pace: AttackPace, stop: &AtomicBool) -> Result<u64> {
    let [(mut boom, at), (mut calm, _)] =
        [b"boom", b"calm"].map(|payload| wire::publish("attack", QoS::AtLeastOnce, payload));
    let at = at.context("a packet of QoS 1 has an id")?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(pace.interval))?;
    stream.write_all(&wire::connect("attacker"))?;
    let (mut messages, mut under_way, mut id) = (0, 0, 0_u16);
    let mut unread = Vec::new();
    let mut buffer = [0; 4096];
    let mut due = Instant::now();
    while !stop.load(Ordering::Acquire) {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(messages),
            Ok(read) => unread.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(error) if is_silent(&error) => {}
            Err(_) => return Ok(messages),
        }
        while let Some((received, length)) = next_packet(&unread) {
            unread.drain(..length);
            if received == Received::PubAck {
                messages += 1;
                under_way -= 1;
            }
        }
        if under_way < pace.window && due <= Instant::now() {
            due = Instant::now() + pace.interval;
            id = id.checked_add(1).unwrap_or(1);
            let packet = if id.is_multiple_of(pace.boom_every.max(1)) {
                &mut boom
            } else {
                &mut calm
            };
            if let Some(place) = packet.get_mut(at..at + 2) {
                place.copy_from_slice(&id.to_be_bytes());
            }
            under_way += 1;
            if stream.write_all(packet).is_err() {
                return Ok(messages);
            }
        }
    }
    Ok(messages)
}

/// Time from one attempt to load the guest to the next, at least: the attempts
/// are processes, which cost something themselves.
const LOAD_EVERY: Duration = Duration::from_millis(50);

/// Tells the broker to load the guest again and again.
fn load(ctl: &Ctl, file: &str, stop: &AtomicBool) -> Result<Seen> {
    let (mut times, mut last) = (0, String::new());
    while !stop.load(Ordering::Acquire) {
        let due = Instant::now() + LOAD_EVERY;
        let told = ctl.tell(&["modules", "load", "hostile", "--config", file])?;
        ensure!(!told.succeeded, "the guest was loaded");
        times += 1;
        last = told.text;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(Seen::Refused { times, last })
}

/// In one line, from what the attacker saw and what the broker logged.
fn what_happened(seen: &Seen, log: &str) -> String {
    match seen {
        Seen::Refused { times, last } => {
            let said = last.lines().last().unwrap_or_default();
            let said = said.split("module \"hostile\"").last().unwrap_or(said);
            format!("refused {times} times:{said}")
        }
        Seen::Acknowledged {
            messages,
            connections,
        } => {
            let ends = log.lines().filter(|line| line.contains("the module "));
            let mut causes: Vec<&str> = ends
                .filter_map(|line| {
                    let (_, rest) = line.split_once("the module ")?;
                    let cause = rest.split(" module=").next()?;
                    // Other lines tell of the same.
                    let is_end = cause.contains(": ") || cause.starts_with("was stopped");
                    is_end.then_some(cause)
                })
                .collect();
            causes.sort_unstable();
            causes.dedup();
            let stats = log
                .lines()
                .rev()
                .find(|line| line.contains("module=\"hostile\" handle_calls="));
            let figure = |name: &str| {
                let of = stats.and_then(|line| line.split_once(&format!("{name}=")));
                of.and_then(|(_, rest)| rest.split(' ').next())
                    .unwrap_or("?")
            };
            format!(
                "{} calls, {} lost, {} by the deadline; {messages} acknowledged in {connections} \
                 connections{}{}",
                figure("handle_calls"),
                figure("traps"),
                figure("deadline_misses"),
                if causes.is_empty() { "" } else { ": " },
                causes.join("; ")
            )
        }
    }
}
