//! The pools of a configuration.

use std::sync::Arc;

use anyhow::{Context, Result};
use hookwire_driver_sqlite::{SqliteOptions, SqlitePool};
use hookwire_rules::PoolHandle;
use hookwire_settings::{Pool, PoolKind, Settings};

use crate::data_dir::DataDir;

/// The tables of the stock sqlite module, made where they are missing.
const SQLITE_SCHEMA: &str = include_str!("../../etc/sql/sqlite-emqx3.sql");

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

/// Closes those of `opened` that are not among `known`.
pub(crate) async fn close_unused(opened: &[OpenedPool], known: &[OpenedPool]) {
    let unused = |pool: &&OpenedPool| known.iter().all(|known| !known.is(pool));
    for pool in opened.iter().filter(unused) {
        pool.pool.close().await;
    }
}

async fn open(block: &Pool, data: &DataDir) -> Result<Arc<SqlitePool>> {
    let name = &block.name.value;
    match &block.kind {
        PoolKind::Sqlite(sqlite) => {
            let file = data.file(&sqlite.file);
            let options = SqliteOptions {
                schema: Some(SQLITE_SCHEMA.to_owned()),
                max_waiting_rows: sqlite.max_waiting_rows,
                max_transaction_rows: sqlite.max_transaction_rows,
                readers: sqlite.readers,
                max_result_bytes: sqlite.max_result_bytes,
                max_statement: Some(sqlite.max_statement),
                ..SqliteOptions::new(&file)
            };
            SqlitePool::open(options)
                .await
                .with_context(|| format!("{}: pool \"{name}\" cannot be opened", block.name.at))
        }
    }
}

/// What the broker says of a pool at its start.
pub(crate) fn line(pool: &OpenedPool, data: &DataDir) -> String {
    match &pool.block.kind {
        PoolKind::Sqlite(sqlite) => {
            let file = data.file(&sqlite.file);
            format!("store {}: sqlite, {}", pool.name(), file.display())
        }
    }
}
