//! A pool on a file of its own, and what tests do with it.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod kept;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_driver::{BatchResult, Fault, Row, RowSet, SqlPool as _, Value};
use hookwire_driver_sqlite::{SqliteOptions, SqlitePool};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};
use tempfile::TempDir;

pub(crate) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS t (
    id INTEGER PRIMARY KEY AUTOINCREMENT, caller TEXT NOT NULL, number INTEGER)";
pub(crate) const INSERT: &str = "INSERT INTO t (caller, number) VALUES (?, ?)";

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Store {
    pub(crate) folder: TempDir,
    pub(crate) pool: Arc<SqlitePool>,
}

impl Store {
    /// A pool with the table `t`.
    pub(crate) async fn open() -> Self {
        Self::open_with(SCHEMA, |_| {}).await
    }

    pub(crate) async fn open_with(schema: &str, change: impl FnOnce(&mut SqliteOptions)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut options = SqliteOptions::new(folder.path().join("data").join("store.db"));
        std::fs::create_dir(folder.path().join("data")).expect("a folder in it");
        options.schema = Some(schema.to_owned());
        change(&mut options);
        let pool = SqlitePool::open(options).await.expect("the pool opens");
        Self { folder, pool }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("data").join("store.db")
    }

    pub(crate) async fn exec_many(
        &self,
        statement: &str,
        rows: Vec<Row>,
    ) -> Result<BatchResult, Fault> {
        self.pool.exec_many(statement.into(), rows, soon()).await
    }

    /// Stores the row `caller 1`, again and again until that works.
    pub(crate) async fn exec_until_stored(&self, caller: &str) {
        let give_up = soon();
        while let Err(fault) = self.exec_many(INSERT, rows(caller, [1])).await {
            assert!(Instant::now() < give_up, "{fault}");
        }
    }

    /// Runs a statement without parameters that must succeed.
    pub(crate) async fn exec(&self, statement: &str) {
        let result = self.exec_many(statement, vec![vec![]]).await;
        let result = result.expect("the statement runs");
        assert_eq!(result.failed, [], "{statement}");
    }

    pub(crate) async fn query(&self, statement: &str) -> Result<RowSet, Fault> {
        self.pool
            .query(statement.into(), vec![], 10_000, soon())
            .await
    }

    /// `caller number` of every row, in the order of ids.
    pub(crate) async fn stored(&self) -> Vec<String> {
        let rows = self
            .query("SELECT caller || ' ' || number FROM t ORDER BY id")
            .await;
        rows.expect("the table can be read")
            .rows
            .into_iter()
            .map(|row| match row.as_slice() {
                [Value::Text(text)] => text.clone(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    /// Another process's connection to the file.
    pub(crate) async fn stranger(&self) -> SqliteConnection {
        connect(&self.path()).await
    }

    /// Holds the file's write lock until the answer is dropped or rolled back.
    pub(crate) async fn lock(&self) -> SqliteConnection {
        let mut stranger = self.stranger().await;
        sqlx::raw_sql("BEGIN IMMEDIATE")
            .execute(&mut stranger)
            .await
            .expect("the lock is free");
        stranger
    }
}

pub(crate) async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .connect()
        .await
        .expect("the database opens")
}

pub(crate) async fn unlock(mut holder: SqliteConnection) {
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut holder)
        .await
        .expect("the lock is released");
}

pub(crate) fn soon() -> Instant {
    Instant::now() + PATIENCE
}

pub(crate) fn in_ms(milliseconds: u64) -> Instant {
    Instant::now() + Duration::from_millis(milliseconds)
}

/// A row of `t`.
pub(crate) fn row(caller: &str, number: i64) -> Row {
    vec![Value::Text(caller.to_owned()), Value::Integer(number)]
}

pub(crate) fn rows(caller: &str, numbers: impl IntoIterator<Item = i64>) -> Vec<Row> {
    numbers
        .into_iter()
        .map(|number| row(caller, number))
        .collect()
}

/// A row that `t` refuses.
pub(crate) fn bad_row() -> Row {
    vec![Value::Null, Value::Integer(0)]
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = soon();
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::task::yield_now().await;
    }
}
