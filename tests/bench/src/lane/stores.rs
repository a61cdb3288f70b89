//! Pools behind the lanes: SQLite as the broker opens it, and one that keeps
//! nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use hookwire_driver::{BatchResult, PoolFuture, Row, RowSet, SqlPool};
use hookwire_driver_sqlite::{SqliteOptions, SqlitePool};
use tokio::runtime::Runtime;

use super::subject::Code;
use crate::store::{SCHEMA, same_messages};

/// As many as the broker has for its pools.
const SERVICE_THREADS: usize = 2;

/// A database for each side that stores.
pub(super) struct Stores {
    service: Runtime,
    opened: Vec<(PathBuf, Arc<SqlitePool>)>,
}

impl Stores {
    pub(super) fn new() -> Result<Self> {
        let service = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(SERVICE_THREADS)
            .enable_all()
            .build()?;
        Ok(Self {
            service,
            opened: Vec::new(),
        })
    }

    /// Opens a database of its own for one side.
    pub(super) fn open(&mut self, code: Code, directory: &Path) -> Result<Arc<dyn SqlPool>> {
        let file = directory.join(format!("{}.db", code.word()));
        let options = SqliteOptions {
            schema: Some(SCHEMA.to_owned()),
            ..SqliteOptions::new(&file)
        };
        let pool = self
            .service
            .block_on(SqlitePool::open(options))
            .with_context(|| format!("cannot open {}", file.display()))?;
        self.opened.push((file, Arc::clone(&pool)));
        Ok(pool)
    }

    /// Makes sure that both sides have stored the same: so many messages, each
    /// column of each, in one order. Where one is measured alone, there is nothing
    /// to compare.
    pub(super) async fn check_same(&self, messages: usize) -> Result<()> {
        let [(one, _), (other, _)] = self.opened.as_slice() else {
            return Ok(());
        };
        let stored = same_messages(one, other).await?;
        ensure!(
            usize::try_from(stored) == Ok(messages),
            "{messages} messages were to be stored, and {stored} are"
        );
        Ok(())
    }

    pub(super) fn close(self) {
        for (_, pool) in &self.opened {
            self.service.block_on(pool.close());
        }
    }
}

/// A pool that takes everything and keeps nothing.
pub(super) struct Forgetful;

impl SqlPool for Forgetful {
    fn exec_many(
        &self,
        _statement: Arc<str>,
        rows: Vec<Row>,
        _deadline: Instant,
    ) -> PoolFuture<BatchResult> {
        let rows_affected = rows.len() as u64;
        Box::pin(async move {
            Ok(BatchResult {
                failed: Vec::new(),
                rows_affected,
            })
        })
    }

    fn query(
        &self,
        _statement: Arc<str>,
        _parameters: Row,
        _max_rows: usize,
        _deadline: Instant,
    ) -> PoolFuture<RowSet> {
        Box::pin(async { Ok(RowSet::default()) })
    }
}
