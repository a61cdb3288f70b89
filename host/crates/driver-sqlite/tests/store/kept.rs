//! Stores with a retention, and what tests do with them.

use std::time::Duration;

use hookwire_driver::Value;
use hookwire_driver_sqlite::{Retention, SqliteOptions, SqlitePool};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::{Store, connect, until};

const SCHEMA: &str = include_str!("../../../../../etc/sql/sqlite-emqx3.sql");
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Looks, and goes through tables, all the time.
pub(crate) fn retention(max_age: Option<Duration>, max_bytes: Option<u64>) -> Retention {
    Retention {
        size_every: Duration::from_millis(10),
        look_every: Duration::from_millis(10),
        sweep_every: Duration::from_millis(10),
        ..Retention::new(max_age, max_bytes, 7)
    }
}

/// A store that had these statements run before a pool with a retention opened it.
pub(crate) async fn kept(retention: Retention, before: &str) -> Store {
    let store = Store::open_with(SCHEMA, |_| {}).await;
    store.pool.close().await;
    run(&mut connect(&store.path()).await, before).await;
    let pool = SqlitePool::open(SqliteOptions {
        schema: Some(SCHEMA.to_owned()),
        retention: Some(retention),
        ..SqliteOptions::new(store.path())
    });
    let pool = pool.await.expect("the pool opens");
    Store { pool, ..store }
}

pub(crate) async fn run(connection: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .expect("it runs");
}

/// Waits until so many more passes over everything have ended, whatever they did.
pub(crate) async fn passes(store: &Store) {
    let slices = || store.pool.retention_stats().slices;
    // A pass has seven steps.
    let seen = slices() + 3 * 7;
    until("passes", || slices() >= seen).await;
}

pub(crate) async fn texts(store: &Store, query: &str) -> Vec<String> {
    let rows = store.query(query).await.expect("it can be read").rows;
    let text = |row: Vec<Value>| match row.into_iter().next() {
        Some(Value::Text(text)) => text,
        Some(Value::Integer(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    rows.into_iter().map(text).collect()
}

pub(crate) fn removed(store: &Store, table: &str, reason: &str) -> u64 {
    let stats = store.pool.retention_stats();
    let mut removed = stats.removed.iter();
    let removed = removed.find(|removed| (removed.table, removed.reason) == (table, reason));
    removed.expect("it is counted").rows
}

/// Messages of these times, `datetime` modifiers, in the order of their ids.
pub(crate) fn messages(times: &[&str]) -> String {
    let row = |(number, time): (usize, &&str)| {
        format!(
            "INSERT INTO mqtt_msg (msgid, topic, payload, arrived) \
             VALUES ('m{number}', 't', zeroblob(100), {time});"
        )
    };
    times.iter().enumerate().map(row).collect()
}

pub(crate) fn ago(time: &str) -> String {
    format!("datetime('now', '-{time}')")
}
