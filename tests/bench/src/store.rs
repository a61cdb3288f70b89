//! The store's own best rate: the broker's rows straight through sqlx, in
//! multi-row statements, a transaction each.

use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

/// The tables of the stock sqlite module.
pub(crate) const SCHEMA: &str = include_str!("../../../etc/sql/sqlite-emqx3.sql");

/// When messages arrive whose time does not matter.
const NOW: &str = "2026-01-01 00:00:00";

/// A row of `mqtt_msg`.
#[derive(Debug)]
pub(crate) struct StoredMessage {
    pub(crate) sender: String,
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    /// Where a node's name would be.
    pub(crate) mark: String,
}

/// Every message of a database, in the order in which they were stored.
pub(crate) fn stored_messages(file: &Path) -> Result<Vec<StoredMessage>> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let mut connection = existing(file).await?;
            let select = "SELECT sender, topic, payload, node AS mark FROM mqtt_msg ORDER BY id";
            let rows: Vec<(String, String, Vec<u8>, String)> =
                sqlx::query_as(select).fetch_all(&mut connection).await?;
            let rows = rows.into_iter();
            Ok(rows
                .map(|(sender, topic, payload, mark)| StoredMessage {
                    sender,
                    topic,
                    payload,
                    mark,
                })
                .collect())
        })
}

/// How many messages two databases hold; an error unless they hold the same, each
/// in the same place.
pub(crate) async fn same_messages(one: &Path, other: &Path) -> Result<i64> {
    const SELECT: &str =
        "SELECT id, msgid, topic, sender, node, qos, retain, payload, typeof(payload), arrived";
    let mut connection = existing(one).await?;
    sqlx::query("ATTACH DATABASE ? AS other")
        .bind(other.display().to_string())
        .execute(&mut connection)
        .await?;
    let counts = format!(
        "SELECT (SELECT COUNT(*) FROM main.mqtt_msg), (SELECT COUNT(*) FROM other.mqtt_msg), \
         (SELECT COUNT(*) FROM ({SELECT} FROM main.mqtt_msg EXCEPT {SELECT} FROM other.mqtt_msg))"
    );
    let (ours, theirs, differ): (i64, i64, i64) = sqlx::query_as(AssertSqlSafe(counts))
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    ensure!(
        ours == theirs && differ == 0,
        "two stores that are to hold the same hold {ours} and {theirs} messages, of which \
         {differ} differ"
    );
    Ok(ours)
}

/// Message rows a second in transactions of `batch` rows, WAL, synchronous=FULL.
pub(crate) fn sqlite_rows_per_second(
    directory: &Path,
    batch: usize,
    payload_bytes: usize,
    duration: Duration,
) -> Result<f64> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let mut connection = made(&directory.join("own.db"), SqliteSynchronous::Full).await?;
            let statement = insert_of(batch);
            let payload = vec![b'x'; payload_bytes];
            let (start, mut rows) = (Instant::now(), 0_usize);
            while start.elapsed() < duration {
                insert(&mut connection, &statement, (batch, NOW), rows, &payload).await?;
                rows += batch;
            }
            Ok(rows as f64 / start.elapsed().as_secs_f64())
        })
}

/// Makes a database with so many messages that arrived then.
pub(crate) fn fill(
    file: &Path,
    messages: usize,
    payload_bytes: usize,
    arrived: &str,
) -> Result<()> {
    const BATCH: usize = 500;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let mut connection = made(file, SqliteSynchronous::Normal).await?;
            let statement = insert_of(BATCH);
            let payload = vec![b'x'; payload_bytes];
            for first in (0..messages).step_by(BATCH) {
                insert(
                    &mut connection,
                    &statement,
                    (BATCH, arrived),
                    first,
                    &payload,
                )
                .await?;
            }
            connection.close().await?;
            Ok(())
        })
}

/// Opens a database that is there.
pub(crate) async fn existing(file: &Path) -> Result<SqliteConnection> {
    Ok(options(file)?.connect().await?)
}

/// Makes a database with the tables of the module.
async fn made(file: &Path, synchronous: SqliteSynchronous) -> Result<SqliteConnection> {
    let options = options(file)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous);
    let mut connection = options.connect().await?;
    connection.execute(AssertSqlSafe(SCHEMA)).await?;
    Ok(connection)
}

fn options(file: &Path) -> Result<SqliteConnectOptions> {
    let url = format!("sqlite://{}", file.display());
    Ok(SqliteConnectOptions::from_str(&url)?)
}

fn insert_of(batch: usize) -> String {
    let mut statement = String::from(
        "INSERT INTO mqtt_msg (msgid, topic, sender, node, qos, retain, payload, arrived) VALUES ",
    );
    for row in 0..batch {
        let comma = if row == 0 { "" } else { ", " };
        statement.push_str(comma);
        statement.push_str("(?, ?, ?, ?, ?, ?, ?, ?)");
    }
    statement
}

async fn insert(
    connection: &mut SqliteConnection,
    statement: &str,
    (batch, arrived): (usize, &str),
    first: usize,
    payload: &[u8],
) -> Result<()> {
    let mut query = sqlx::query(AssertSqlSafe(statement.to_owned()));
    for row in first..first + batch {
        let pair = row % 100;
        query = query
            .bind(format!("{row:020}"))
            .bind(format!("bench/{pair}"))
            .bind(format!("p{pair}"))
            .bind("hookwire@127.0.0.1")
            .bind(1_i64)
            .bind(0_i64)
            .bind(payload.to_vec())
            .bind(arrived.to_owned());
    }
    query.execute(connection).await?;
    Ok(())
}
