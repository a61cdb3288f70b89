//! What is in a database, in numbers.

use std::collections::BTreeMap;
use std::path::Path;

use hookwire_driver::{StoreStats, StoredMessage, TableStats};
use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::pages::Pages;

/// All of it is read in one transaction, so that the numbers fit together.
pub(super) async fn stats(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<StoreStats, sqlx::Error> {
    sqlx::query("BEGIN").execute(&mut *connection).await?;
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' \
         ESCAPE '\\' ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await?;
    let bytes = bytes_by_table(connection).await;
    let mut tables = Vec::with_capacity(names.len());
    for name in &names {
        let count = format!("SELECT count(*) FROM {}", quoted(name));
        tables.push(TableStats {
            name: name.clone(),
            rows: number(connection, &count).await?,
            bytes: bytes.get(name).copied(),
        });
    }
    let has = |table: &str| names.iter().any(|name| name == table);
    let mut stats = StoreStats {
        location: path.display().to_string(),
        figures: figures(connection, path).await?,
        tables,
        ..StoreStats::default()
    };
    if has("mqtt_msg") {
        let message = "SELECT id, CAST(arrived AS TEXT) FROM mqtt_msg ORDER BY id";
        stats.oldest = self::message(connection, &format!("{message} LIMIT 1")).await?;
        stats.newest = self::message(connection, &format!("{message} DESC LIMIT 1")).await?;
    }
    if has("hookwire_session") {
        let count = "SELECT count(*) FROM hookwire_session WHERE ends_at_ms";
        stats.sessions_online = number(connection, &format!("{count} IS NULL")).await?;
        stats.sessions_away = number(connection, &format!("{count} IS NOT NULL")).await?;
    }
    if has("hookwire_acked") {
        let count = "SELECT count(*) FROM hookwire_acked";
        stats.positions = number(connection, count).await?;
    }
    Ok(stats)
}

/// Bytes of each table with its indexes; nothing where SQLite was built without the
/// table that says so.
async fn bytes_by_table(connection: &mut SqliteConnection) -> BTreeMap<String, u64> {
    let bytes = "SELECT coalesce(m.tbl_name, d.name), sum(d.pgsize) FROM dbstat AS d \
        LEFT JOIN sqlite_master AS m ON m.name = d.name WHERE d.aggregate = TRUE GROUP BY 1";
    let bytes: Result<Vec<(String, i64)>, _> =
        sqlx::query_as(bytes).fetch_all(&mut *connection).await;
    let bytes = bytes.unwrap_or_default().into_iter();
    bytes
        .map(|(table, bytes)| (table, u64::try_from(bytes).unwrap_or(0)))
        .collect()
}

async fn figures(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<Vec<(&'static str, u64)>, sqlx::Error> {
    let pages = Pages::of(connection).await?;
    let size = |suffix: &str| {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        std::fs::metadata(file).map_or(0, |metadata| metadata.len())
    };
    Ok(vec![
        ("file_bytes", size("")),
        ("wal_bytes", size("-wal")),
        ("page_bytes", pages.bytes),
        ("pages", pages.count),
        ("free_pages", pages.free),
        ("used_bytes", pages.used_bytes()),
    ])
}

async fn message(
    connection: &mut SqliteConnection,
    sql: &str,
) -> Result<Option<StoredMessage>, sqlx::Error> {
    let row: Option<(i64, Option<String>)> = sqlx::query_as(AssertSqlSafe(sql))
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|(id, arrived)| StoredMessage {
        id,
        arrived: arrived.unwrap_or_default(),
    }))
}

async fn number(connection: &mut SqliteConnection, sql: &str) -> Result<u64, sqlx::Error> {
    let number: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await?;
    Ok(u64::try_from(number).unwrap_or(0))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
