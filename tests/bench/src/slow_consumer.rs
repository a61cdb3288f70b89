//! `bench slow-consumer`: what one subscriber that stops reading costs the
//! broker in memory, and other clients in latency.
//!
//! A publisher sends a steady stream of large messages to one subscriber, and
//! pairs of others send small ones to each other. First the subscriber reads;
//! then, in a broker of its own, it stops. So the two runs differ in that alone.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use hookwire_mqtt::QoS;
use serde_json::json;

use crate::broker::{Broker, Build};
use crate::client::Client;
use crate::report::{Bound, Target, conclude};
use crate::wire::{self, Received};

/// Options of `bench slow-consumer`.
#[derive(Debug, clap::Args)]
pub(crate) struct SlowConsumerOptions {
    /// Pairs of clients whose latency is measured
    #[arg(long, default_value_t = 8)]
    pairs: usize,
    /// Messages a second of a pair
    #[arg(long, default_value_t = 100)]
    per_second: u32,
    /// Messages a second to the subscriber that stops reading
    #[arg(long, default_value_t = 500)]
    flood_per_second: u32,
    /// Payload of those messages, in bytes
    #[arg(long, default_value_t = 32 * 1024)]
    flood_payload: usize,
    /// QoS of those messages: 0 or 1
    #[arg(long, default_value_t = 1)]
    flood_qos: u8,
    /// Seconds of one run
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Write figures and targets to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What one run showed.
struct Run {
    p50_ms: f64,
    p99_ms: f64,
    grown_bytes: u64,
    dropped: u64,
}

/// Memory that one slow client may cost: its output and its queue as they are
/// configured by default, 1 MiB and 16 MiB, and what lies between.
const MOST_GROWN_MIB: f64 = 48.0;
/// How much later, at most, the others' slowest messages may come.
const MOST_LATER_MS: f64 = 2.0;

pub(crate) fn run(options: &SlowConsumerOptions) -> Result<bool> {
    let qos = QoS::try_from(options.flood_qos)?;
    ensure!(qos < QoS::ExactlyOnce, "--flood-qos is 0 or 1");
    println!(
        "{} pairs at {}/s; {} messages of {} bytes a second, QoS {}, to one subscriber; {} s a run",
        options.pairs,
        options.per_second,
        options.flood_per_second,
        options.flood_payload,
        options.flood_qos,
        options.seconds
    );
    let reading = measure(options, qos, true)?;
    let stopped = measure(options, qos, false)?;
    println!(
        "\n{:16} {:>8} {:>8} {:>12} {:>10}",
        "the subscriber", "p50 ms", "p99 ms", "grown MiB", "dropped"
    );
    let mut rows = Vec::new();
    for (name, run) in [("reads", &reading), ("stops reading", &stopped)] {
        let grown_mib = run.grown_bytes as f64 / (1024.0 * 1024.0);
        println!(
            "{name:16} {:>8.2} {:>8.2} {grown_mib:>12.1} {:>10}",
            run.p50_ms, run.p99_ms, run.dropped
        );
        rows.push(json!({
            "subscriber": name,
            "p50_ms": run.p50_ms,
            "p99_ms": run.p99_ms,
            "grown_bytes": run.grown_bytes,
            "dropped": run.dropped,
        }));
    }
    let target = |name: &str, figure, bound, bound_is, unit| Target {
        name: name.to_owned(),
        figure,
        bound,
        bound_is,
        unit,
    };
    let grown_mib = stopped.grown_bytes as f64 / (1024.0 * 1024.0);
    let later_ms = stopped.p99_ms - reading.p99_ms;
    let (most, least) = (Bound::AtMost, Bound::AtLeast);
    let targets = [
        target(
            "memory grown beside it",
            grown_mib,
            MOST_GROWN_MIB,
            most,
            " MiB",
        ),
        target(
            "p99 of the others, later by",
            later_ms,
            MOST_LATER_MS,
            most,
            " ms",
        ),
        target(
            "dropped messages counted",
            stopped.dropped as f64,
            1.0,
            least,
            "",
        ),
    ];
    conclude(&targets, &rows, options.json.as_deref())
}

fn measure(options: &SlowConsumerOptions, qos: QoS, reads: bool) -> Result<Run> {
    let directory = tempfile::tempdir()?;
    let config = "listener \"tcp\" \"bench\" {\n  address = \"127.0.0.1:0\"\n}\n\
                  mqtt {\n  sys_interval_s = 1\n}\n";
    let broker = Broker::hookwire(Build::Now, directory.path(), config)?;
    let address = broker.address;
    let stop = Arc::new(AtomicBool::new(false));
    let mut slow = Client::connect(address, "slow", Some(("flood", qos)))?;
    let before = broker.resident_bytes()?;
    let consumer = {
        let stop = Arc::clone(&stop);
        thread::spawn(move || -> Result<Client> {
            slow.stream
                .set_read_timeout(Some(Duration::from_millis(100)))?;
            while reads && !stop.load(Ordering::Relaxed) {
                slow.read_once()?;
            }
            Ok(slow)
        })
    };
    let flood = {
        let (stop, payload) = (Arc::clone(&stop), vec![b'x'; options.flood_payload]);
        let interval = Duration::from_secs(1) / options.flood_per_second;
        thread::spawn(move || flood(address, qos, &payload, interval, &stop))
    };
    let latencies = probe(options, address)?;
    let after = broker.resident_bytes()?;
    let dropped = told(address, "$SYS/broker/publish/messages/dropped")?;
    stop.store(true, Ordering::Relaxed);
    let ended = |thread: thread::JoinHandle<Result<()>>| {
        thread.join().map_err(|_| anyhow!("a client panicked"))?
    };
    ended(flood)?;
    drop(
        consumer
            .join()
            .map_err(|_| anyhow!("the subscriber panicked"))??,
    );
    broker.stop()?;
    let mut latencies = latencies;
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (latencies.len() as f64 * share) as usize;
        latencies
            .get(index)
            .copied()
            .context("no message came through")
    };
    Ok(Run {
        p50_ms: at(0.50)?,
        p99_ms: at(0.99)?,
        grown_bytes: after.saturating_sub(before),
        dropped,
    })
}

/// Publishes at a steady pace until told to stop.
fn flood(
    address: SocketAddr,
    qos: QoS,
    payload: &[u8],
    interval: Duration,
    stop: &AtomicBool,
) -> Result<()> {
    let mut client = Client::connect(address, "flood", None)?;
    let (mut packet, at) = wire::publish("flood", qos, payload);
    let mut due = Instant::now();
    let mut id = 0_u16;
    while !stop.load(Ordering::Relaxed) {
        id = id.checked_add(1).unwrap_or(1);
        if let Some(place) = at.and_then(|at| packet.get_mut(at..at + 2)) {
            place.copy_from_slice(&id.to_be_bytes());
        }
        client.stream.write_all(&packet)?;
        if qos > QoS::AtMostOnce {
            client.wait_for(Received::PubAck)?;
        }
        due += interval;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// How long each message of the other clients took, in milliseconds.
fn probe(options: &SlowConsumerOptions, address: SocketAddr) -> Result<Vec<f64>> {
    let interval = Duration::from_secs(1) / options.per_second;
    let end = Instant::now() + Duration::from_secs(options.seconds);
    let pairs: Vec<_> = (0..options.pairs)
        .map(|number| {
            thread::spawn(move || -> Result<Vec<f64>> {
                let topic = format!("probe/{number}");
                let at_most_once = QoS::AtMostOnce;
                let reader = format!("r{number}");
                let mut subscriber =
                    Client::connect(address, &reader, Some((&topic, at_most_once)))?;
                let mut publisher = Client::connect(address, &format!("w{number}"), None)?;
                let (packet, _) = wire::publish(&topic, at_most_once, b"probe");
                let mut latencies = Vec::new();
                let mut due = Instant::now();
                while Instant::now() < end {
                    let start = Instant::now();
                    publisher.stream.write_all(&packet)?;
                    subscriber.wait_for(Received::Publish { packet_id: None })?;
                    latencies.push(start.elapsed().as_secs_f64() * 1e3);
                    due += interval;
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                }
                Ok(latencies)
            })
        })
        .collect();
    let mut all = Vec::new();
    for pair in pairs {
        all.extend(pair.join().map_err(|_| anyhow!("a pair panicked"))??);
    }
    Ok(all)
}

/// The number that a topic under `$SYS` says last.
fn told(address: SocketAddr, topic: &str) -> Result<u64> {
    let mut client = Client::connect(address, "curious", Some((topic, QoS::AtMostOnce)))?;
    let packet = client.wait_for(Received::Publish { packet_id: None })?;
    let text: String = packet
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .map(|&byte| char::from(byte))
        .collect();
    let digits: String = text.chars().rev().collect();
    digits
        .parse()
        .with_context(|| format!("{topic} says no number"))
}
