//! One subscriber that is back, and is sent what it missed; against the same rows
//! read with sqlx and written to a socket.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use hookwire_mqtt::QoS;
use serde_json::{Value, json};
use sqlx::Connection;

use super::storing::connect;
use super::{StoreOptions, configuration};
use crate::broker::{Broker, Build};
use crate::client::Client;
use crate::report::{Bound, Target, median};
use crate::store::existing;
use crate::wire;

/// The share of sqlx's rate that a subscriber reaches.
const SHARE_OF_SQLX: f64 = 0.5;
/// Memory that draining may take, in MiB.
const GROWS_MIB: f64 = 16.0;
/// A row of `mqtt_msg`, as a reader needs it: id, msgid, topic, sender, qos, retain,
/// payload, arrived.
type Row = (i64, String, String, String, i64, i64, Vec<u8>, String);

/// Figures of one round.
struct Round {
    per_second: f64,
    cpu_us: f64,
    grown_mib: f64,
    own: f64,
}

pub(super) fn measure(options: &StoreOptions) -> Result<(Vec<Value>, Vec<Target>)> {
    println!(
        "\ndraining: {} messages of {} bytes to one subscriber, QoS 1; {} rounds",
        options.missed, options.payload, options.rounds
    );
    println!(
        "{:>10} {:>8} {:>10} {:>12} {:>6}",
        "messages/s", "CPU us", "grown MiB", "by sqlx", "share"
    );
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let round = measure_once(options)?;
        println!(
            "{:>10.0} {:>8.2} {:>10.1} {:>12.0} {:>6.2}",
            round.per_second,
            round.cpu_us,
            round.grown_mib,
            round.own,
            round.per_second / round.own
        );
        rounds.push(round);
    }
    let of = |pick: fn(&Round) -> f64| median(&mut rounds.iter().map(pick).collect::<Vec<_>>());
    let share = of(|round| round.per_second / round.own);
    let grown_mib = of(|round| round.grown_mib);
    let rows = vec![json!({
        "what": "draining",
        "per_second": of(|round| round.per_second),
        "cpu_us": of(|round| round.cpu_us),
        "grown_mib": grown_mib,
        "sqlx_per_second": of(|round| round.own),
    })];
    let target = |name: &str, figure, bound, bound_is, unit| Target {
        name: name.to_owned(),
        figure,
        bound,
        bound_is,
        unit,
    };
    let targets = vec![
        target(
            "rate of draining over sqlx's",
            share,
            SHARE_OF_SQLX,
            Bound::AtLeast,
            "",
        ),
        target(
            "memory grown by draining",
            grown_mib,
            GROWS_MIB,
            Bound::AtMost,
            " MiB",
        ),
    ];
    Ok((rows, targets))
}

fn measure_once(options: &StoreOptions) -> Result<Round> {
    let directory = tempfile::tempdir()?;
    let broker = Broker::hookwire(Build::Now, directory.path(), &configuration())?;
    Client::connect_again(broker.address, "reader")?.subscribe("bench/#", QoS::AtLeastOnce)?;
    let mut publishers = connect(&broker, options)?;
    publishers.saturate_until(options.window, options.missed)?;
    drop(publishers);
    let (before, cpu_before) = (broker.resident_bytes()?, broker.cpu()?);
    let start = Instant::now();
    let mut subscriber = Client::connect_again(broker.address, "reader")?;
    let most = receive(&mut subscriber, options.missed, || broker.resident_bytes())?;
    let wall = start.elapsed();
    let cpu = broker.cpu()?.saturating_sub(cpu_before);
    drop(subscriber);
    broker.stop()?;
    let missed = options.missed as f64;
    let own = by_sqlx(&directory.path().join("data/hookwire.db"), options.missed)?;
    Ok(Round {
        per_second: missed / wall.as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / missed,
        grown_mib: most.saturating_sub(before) as f64 / (1024.0 * 1024.0),
        own: missed / own.as_secs_f64(),
    })
}

/// Receives so many messages, and acknowledges each; the most that `resident` says
/// meanwhile.
fn receive(
    subscriber: &mut Client,
    messages: usize,
    resident: impl Fn() -> Result<u64>,
) -> Result<u64> {
    let (mut received, mut most) = (0, 0);
    let mut looked = Instant::now();
    loop {
        received += subscriber.acknowledge()?;
        if looked.elapsed() > Duration::from_millis(20) {
            looked = Instant::now();
            most = most.max(resident()?);
        }
        if received >= messages {
            return Ok(most);
        }
        subscriber.fill()?;
    }
}

/// How long it takes to read the rows and write them to a socket that somebody reads.
fn by_sqlx(file: &Path, messages: usize) -> Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let reader = std::thread::spawn(move || -> Result<usize> {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = vec![0; 256 * 1024];
        let mut bytes = 0;
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(bytes),
                read => bytes += read,
            }
        }
    });
    let mut stream = TcpStream::connect(address)?;
    let start = Instant::now();
    let written = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let mut connection = existing(file).await?;
            let mut last = 0_i64;
            let mut written = 0;
            loop {
                // By pages: as a whole they would be held in memory.
                let select = "SELECT id, msgid, topic, sender, qos, retain, payload, arrived \
                    FROM mqtt_msg WHERE id > ? ORDER BY id LIMIT 256";
                let rows: Vec<Row> = sqlx::query_as(select)
                    .bind(last)
                    .fetch_all(&mut connection)
                    .await?;
                let Some(newest) = rows.last() else {
                    break;
                };
                last = newest.0;
                let mut out = Vec::new();
                for (_, _, topic, _, _, _, payload, _) in &rows {
                    out.extend_from_slice(&wire::publish(topic, QoS::AtLeastOnce, payload).0);
                }
                written += rows.len();
                stream.write_all(&out)?;
            }
            connection.close().await?;
            anyhow::Ok(written)
        })?;
    drop(stream);
    reader
        .join()
        .map_err(|_| anyhow!("the reader panicked"))??;
    let took = start.elapsed();
    ensure!(
        written == messages,
        "{written} of {messages} rows are stored"
    );
    Ok(took)
}
