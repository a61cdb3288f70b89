//! Reads which rows a slice is about.

use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::step::Bounds;

/// What a row takes beside its payload: itself, and its places in indexes.
const ROW_BYTES: u64 = 256;

pub(super) type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Rows that a slice looked at.
#[derive(Debug)]
pub(super) struct Window {
    /// Those to be removed.
    pub(super) chosen: Vec<i64>,
    /// The last, chosen or not.
    pub(super) last: i64,
    /// Whether it ended at a bound.
    pub(super) has_more: bool,
}

impl Window {
    /// Reads rows of a number, whether it is chosen, and bytes of payload.
    pub(super) async fn read(
        connection: &mut SqliteConnection,
        query: Query<'_>,
        max_rows: usize,
        max_bytes: u64,
    ) -> Result<Self, sqlx::Error> {
        let mut found = Self {
            chosen: Vec::new(),
            last: 0,
            has_more: false,
        };
        let (mut rows, mut bytes) = (0, 0_u64);
        let mut read = query.fetch(connection);
        while let Some(row) = read.try_next().await? {
            found.last = row.try_get(0)?;
            if row.try_get::<i64, _>(1)? != 0 {
                found.chosen.push(found.last);
            }
            rows += 1;
            let payload = u64::try_from(row.try_get::<i64, _>(2)?).unwrap_or(0);
            bytes = bytes.saturating_add(payload + ROW_BYTES);
            found.has_more = rows >= max_rows || bytes >= max_bytes;
            if found.has_more {
                break;
            }
        }
        Ok(found)
    }

    /// `1,2,3`: numbers, so that they may stand in a statement.
    pub(super) fn list(&self) -> String {
        let numbers: Vec<String> = self.chosen.iter().map(i64::to_string).collect();
        numbers.join(",")
    }
}

/// The last key of a part of a table, and whether the table may go on behind it.
pub(super) async fn part<K>(
    connection: &mut SqliteConnection,
    query: Query<'_>,
    bounds: &Bounds<'_>,
) -> Result<Option<(K, bool)>, sqlx::Error>
where
    K: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    let row: SqliteRow = query.fetch_one(connection).await?;
    let last: Option<K> = row.try_get(0)?;
    let has_more = row.try_get::<i64, _>(1)? >= bounds.limit();
    Ok(last.map(|last| (last, has_more)))
}

/// Runs a statement; rows that it changed.
pub(super) async fn run(
    connection: &mut SqliteConnection,
    sql: String,
) -> Result<u64, sqlx::Error> {
    // Each has its own numbers in it: none is worth being kept.
    let done = sqlx::query(AssertSqlSafe(sql))
        .persistent(false)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
