//! The pools of a configuration.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hookwire_driver::StoreAdmin;
use hookwire_driver_sqlite::{Retention, SqliteOptions, SqlitePool, SqliteStore};
use hookwire_rules::PoolHandle;
use hookwire_settings::{Pool, PoolKind, Settings};

use crate::data_dir::DataDir;

/// The tables of the stock sqlite module, made where they are missing.
const SQLITE_SCHEMA: &str = include_str!("../../etc/sql/sqlite-emqx3.sql");
/// How long a file may be looked at for damage before the broker starts on it.
pub(crate) const MAX_CHECK: Duration = Duration::from_secs(1);

/// A pool that is open.
#[derive(Clone)]
pub(crate) struct OpenedPool {
    block: Pool,
    pub(crate) pool: Arc<SqlitePool>,
}

impl OpenedPool {
    pub(crate) fn name(&self) -> &str {
        &self.block.name.value
    }

    /// Whether it is the same pool, still open.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pool, &other.pool)
    }

    /// The pool as rules are granted it, by its name.
    pub(crate) fn handle(&self) -> (String, PoolHandle) {
        let pool = Arc::clone(&self.pool);
        (self.name().to_owned(), PoolHandle::Sql(pool as _))
    }
}

/// The pools of `settings`: of `known` those whose blocks say the same, and the
/// others opened.
///
/// # Errors
/// For the first that does not open; those opened for nothing are closed.
pub(crate) async fn open_missing(
    settings: &Settings,
    known: &[OpenedPool],
    data: &DataDir,
) -> Result<Vec<OpenedPool>> {
    let mut pools = Vec::new();
    for block in &settings.pools {
        let same = |pool: &&OpenedPool| {
            pool.block.name.value == block.name.value && pool.block.kind == block.kind
        };
        if let Some(pool) = known.iter().find(same) {
            pools.push(pool.clone());
            continue;
        }
        match open(block, data).await {
            Ok(pool) => pools.push(OpenedPool {
                block: block.clone(),
                pool,
            }),
            Err(error) => {
                close_unused(&pools, known).await;
                return Err(error);
            }
        }
    }
    Ok(pools)
}

/// Closes those of `opened` that are not among `known`, and removes the files that were
/// made for them.
pub(crate) async fn close_unused(opened: &[OpenedPool], known: &[OpenedPool]) {
    let unused = |pool: &&OpenedPool| known.iter().all(|known| !known.is(pool));
    for pool in opened.iter().filter(unused) {
        pool.pool.discard().await;
    }
}

async fn open(block: &Pool, data: &DataDir) -> Result<Arc<SqlitePool>> {
    let name = &block.name.value;
    match &block.kind {
        PoolKind::Sqlite(sqlite) => {
            let file = data.file(&sqlite.file);
            let options = SqliteOptions {
                schema: Some(SqliteOptions::at_once(SQLITE_SCHEMA)),
                max_waiting_rows: sqlite.max_waiting_rows,
                max_transaction_rows: sqlite.max_transaction_rows,
                readers: sqlite.readers,
                max_result_bytes: sqlite.max_result_bytes,
                max_statement: Some(sqlite.max_statement),
                retention: Some(retention(&sqlite.retention)),
                max_check: Some(MAX_CHECK),
                ..SqliteOptions::new(&file)
            };
            SqlitePool::open(options)
                .await
                .with_context(|| format!("{}: pool \"{name}\" cannot be opened", block.name.at))
        }
    }
}

fn retention(settings: &hookwire_settings::Retention) -> Retention {
    Retention::new(settings.max_age, settings.max_bytes, settings.slice_rows)
}

/// The store of a pool as its administrator sees it; `file` finds files of the data
/// directory.
pub(crate) fn admin(
    block: &Pool,
    file: impl FnOnce(&std::path::Path) -> PathBuf,
) -> Box<dyn StoreAdmin> {
    match &block.kind {
        PoolKind::Sqlite(sqlite) => Box::new(SqliteStore::new(
            &block.name.value,
            file(&sqlite.file),
            SQLITE_SCHEMA,
        )),
    }
}

/// What the broker says of a pool at its start: where it is; and what it keeps, and
/// what is there.
pub(crate) async fn lines(pool: &OpenedPool, data: &DataDir) -> [String; 2] {
    let name = pool.name();
    match &pool.block.kind {
        PoolKind::Sqlite(sqlite) => {
            let file = data.file(&sqlite.file);
            [
                format!("store {name}: sqlite, {}", file.display()),
                format!("retention {name}: {}", kept(pool, &sqlite.retention).await),
            ]
        }
    }
}

/// Warns of pools that keep messages for less long than sessions may wait for them.
pub(crate) fn warn_of_short_retention(settings: &Settings) {
    let sessions = Duration::from_secs(settings.mqtt.max_session_expiry_s.into());
    for pool in &settings.pools {
        let PoolKind::Sqlite(sqlite) = &pool.kind;
        let is_short = |max_age: &Duration| sessions.is_zero() || *max_age < sessions;
        if sqlite.retention.max_age.as_ref().is_some_and(is_short) {
            tracing::warn!(
                "{}: pool \"{}\" keeps {}, and sessions may last longer (max_session_expiry_s): a \
                 client that is back by then misses what is older",
                pool.name.at,
                pool.name.value,
                sqlite.retention,
            );
        }
    }
}

/// What a pool keeps, in the words of its configuration.
pub(crate) fn retention_of(pool: &OpenedPool) -> String {
    match &pool.block.kind {
        PoolKind::Sqlite(sqlite) => sqlite.retention.to_string(),
    }
}

async fn kept(pool: &OpenedPool, retention: &hookwire_settings::Retention) -> String {
    let found = pool.pool.contents(Instant::now() + MAX_CHECK).await;
    let found = found.map(|contents| {
        let oldest = contents.oldest_message.map_or_else(
            || "no message".to_owned(),
            |arrived| format!("the oldest message of {arrived}"),
        );
        format!(
            "{} KiB in use, {oldest}",
            contents.used_bytes.div_ceil(1024)
        )
    });
    let found = found.unwrap_or_else(|fault| format!("what is there cannot be read: {fault}"));
    format!("{retention}; {found}")
}
