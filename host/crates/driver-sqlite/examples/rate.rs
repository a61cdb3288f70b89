//! Rows per second into SQLite: through the pool, and through sqlx alone.
//!
//! The row is a stored message: nine columns, a 256-byte payload. "sqlx" is one
//! multi-row statement a transaction on one connection, the store's own rate;
//! "pool" hands the same number of rows to the pool in one call; "lanes" has
//! eight callers at once with a share each, which the pool merges.
//!
//! `cargo run --release -p hookwire-driver-sqlite --example rate [SECONDS]`

#![allow(clippy::print_stdout, reason = "a measurement prints its result")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_driver::{Row, SqlPool as _, Value};
use hookwire_driver_sqlite::{SqliteOptions, SqlitePool};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, SqliteConnection};

const SCHEMA: &str = include_str!("../../../../etc/sql/sqlite-emqx3.sql");
const HEAD: &str =
    "INSERT INTO mqtt_msg (msgid, sender, topic, node, qos, retain, payload, arrived) VALUES ";
const TUPLE: &str = "(?, ?, ?, ?, ?, ?, ?, ?)";
const BATCHES: [usize; 6] = [1, 4, 16, 64, 256, 1024];
const LANES: usize = 8;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let seconds = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(2.0);
    let time = Duration::from_secs_f64(seconds);
    let folder = tempfile::tempdir().expect("a temporary folder");
    println!(
        "{:>6} {:>14} {:>14} {:>14}",
        "batch", "sqlx", "pool", "lanes"
    );
    for batch in BATCHES {
        let sqlx = sqlx_rate(&folder.path().join(format!("sqlx-{batch}.db")), batch, time).await;
        let pool = pool_rate(
            &folder.path().join(format!("pool-{batch}.db")),
            batch,
            1,
            time,
        )
        .await;
        let lanes = pool_rate(
            &folder.path().join(format!("lanes-{batch}.db")),
            batch,
            LANES,
            time,
        )
        .await;
        println!("{batch:>6} {sqlx} {pool} {lanes}");
    }
}

/// Rows a second, and CPU time of the process a row.
struct Rate {
    rows: u64,
    wall: Duration,
    cpu: Duration,
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let per_second = self.rows as f64 / self.wall.as_secs_f64();
        let cpu_micros = self.cpu.as_secs_f64() * 1e6 / self.rows.max(1) as f64;
        write!(f, "{per_second:>8.0}/s {cpu_micros:>4.1}us")
    }
}

struct Clock {
    wall: Instant,
    cpu: Duration,
}

impl Clock {
    fn start() -> Self {
        Self {
            wall: Instant::now(),
            cpu: cpu_time(),
        }
    }

    fn rate(&self, rows: u64) -> Rate {
        Rate {
            rows,
            wall: self.wall.elapsed(),
            cpu: cpu_time().saturating_sub(self.cpu),
        }
    }
}

/// CPU time of this process so far; zero where the system does not say.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let ticks: u64 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}

async fn sqlx_rate(path: &Path, batch: usize, time: Duration) -> Rate {
    let mut connection: SqliteConnection = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
        .connect()
        .await
        .expect("the database opens");
    sqlx::raw_sql(SCHEMA)
        .execute(&mut connection)
        .await
        .expect("the tables are created");
    let sql: Arc<str> = format!("{HEAD}{}", vec![TUPLE; batch].join(",")).into();
    let clock = Clock::start();
    let mut rows = 0;
    while clock.wall.elapsed() < time {
        let mut query = sqlx::query(AssertSqlSafe(Arc::clone(&sql)));
        for number in 0..batch as u64 {
            for value in message(rows + number) {
                query = match value {
                    Value::Text(text) => query.bind(text),
                    Value::Blob(bytes) => query.bind(bytes),
                    Value::Integer(number) => query.bind(number),
                    other => unreachable!("{other:?} is not in a message"),
                };
            }
        }
        query
            .execute(&mut connection)
            .await
            .expect("the rows are stored");
        rows += batch as u64;
    }
    clock.rate(rows)
}

async fn pool_rate(path: &Path, batch: usize, lanes: usize, time: Duration) -> Rate {
    let mut options = SqliteOptions::new(path);
    options.schema = Some(SCHEMA.to_owned());
    let pool = SqlitePool::open(options).await.expect("the pool opens");
    let statement: Arc<str> = format!("{HEAD}{TUPLE}").into();
    let clock = Clock::start();
    let callers: Vec<_> = (0..lanes)
        .map(|_| {
            let (pool, statement) = (Arc::clone(&pool), Arc::clone(&statement));
            let share = batch.div_ceil(lanes) as u64;
            tokio::spawn(async move {
                let started = Instant::now();
                let mut rows = 0;
                while started.elapsed() < time {
                    let batch = (0..share).map(|number| message(rows + number)).collect();
                    let deadline = Instant::now() + Duration::from_secs(10);
                    pool.exec_many(Arc::clone(&statement), batch, deadline)
                        .await
                        .expect("the rows are stored");
                    rows += share;
                }
                rows
            })
        })
        .collect();
    let mut rows = 0;
    for caller in callers {
        rows += caller.await.expect("the caller ends by itself");
    }
    let rate = clock.rate(rows);
    pool.close().await;
    rate
}

fn message(number: u64) -> Row {
    vec![
        Value::Text(format!("{number:020}")),
        Value::Text("publisher-000042".to_owned()),
        Value::Text("bench/topic/000042".to_owned()),
        Value::Text("hookwire@127.0.0.1".to_owned()),
        Value::Integer(1),
        Value::Integer(0),
        Value::Blob(vec![b'x'; 256]),
        Value::Text("2016-11-15 09:40:40".to_owned()),
    ]
}
