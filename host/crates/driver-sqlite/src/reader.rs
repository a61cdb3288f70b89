//! Queries, on connections of their own.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::TryStreamExt as _;
use hookwire_driver::{Fault, Row, RowSet};
use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Executor as _, Row as _, SqlSafeStr as _,
    Statement as _,
};
use tokio::sync::Semaphore;

use crate::connection::{Watched, open_reader};
use crate::fault::{Failure, closed, invalid, saturated, unknown};
use crate::permitted::check_query;
use crate::values::{arguments, read_row, row_bytes};
use crate::writer::Shared;

/// Queries that may wait for one connection; more fail as saturated.
const MAX_WAITING_PER_READER: usize = 64;

/// One query.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) statement: Arc<str>,
    pub(crate) parameters: Row,
    pub(crate) max_rows: usize,
    pub(crate) deadline: Instant,
}

/// The reading connections.
#[derive(Debug)]
pub(crate) struct Readers {
    shared: Arc<Shared>,
    /// One permit for each connection.
    at_work: Semaphore,
    /// One permit for each query, waiting or running.
    admitted: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    watched: Watched,
    generation: u64,
}

impl Readers {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let readers = shared.options.readers.clamp(1, 1024);
        Self {
            shared,
            at_work: Semaphore::new(readers),
            admitted: Semaphore::new(readers * (1 + MAX_WAITING_PER_READER)),
            idle: Mutex::default(),
        }
    }

    /// Runs a query when a connection is free.
    ///
    /// # Errors
    /// As [`SqlPool::query`](hookwire_driver::SqlPool::query) says.
    pub(crate) async fn query(&self, query: Query) -> Result<RowSet, Fault> {
        let expected = check_query(&query.statement)?;
        if expected != query.parameters.len() {
            return Err(invalid(format!(
                "the query has {expected} parameters, {} are given",
                query.parameters.len()
            )));
        }
        let Ok(_admitted) = self.admitted.try_acquire() else {
            return Err(saturated("as many queries wait as may"));
        };
        let _permit =
            match tokio::time::timeout_at(query.deadline.into(), self.at_work.acquire()).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) => return Err(closed()),
                Err(_) => {
                    return Err(saturated(
                        "the readers were busy until the deadline; nothing was sent",
                    ));
                }
            };
        let mut reader = self.connect().await?;
        let deadline = query.deadline;
        reader.watched.deadline.set(deadline);
        let answered = tokio::time::timeout_at(
            deadline.into(),
            fetch(
                &mut reader.watched,
                query,
                self.shared.options.max_result_bytes,
            ),
        )
        .await;
        reader.watched.deadline.clear();
        match answered {
            Ok(Ok(rows)) => {
                if !self.at_work.is_closed() {
                    self.lock().push(reader);
                }
                Ok(rows)
            }
            // The connection may be at fault, or still busy: it is dropped.
            Ok(Err(error)) => Err(Failure::of(&error).fault),
            Err(_) => Err(unknown()),
        }
    }

    /// Lets no query start any more, and lets idle connections close by themselves.
    pub(crate) fn shut(&self) {
        self.at_work.close();
        self.lock().clear();
    }

    /// Lets no query start any more, and closes idle connections: the writer, which
    /// can empty the log, has to be the last that closes.
    pub(crate) async fn close(&self) {
        self.at_work.close();
        let idle = std::mem::take(&mut *self.lock());
        for reader in idle {
            if let Err(error) = reader.watched.connection.close().await {
                tracing::debug!(%error, "closing a reader of the SQLite database");
            }
        }
    }

    async fn connect(&self) -> Result<Idle, Fault> {
        let generation = self.shared.generation.load(Ordering::Acquire);
        while let Some(idle) = self.pop() {
            if idle.generation == generation {
                return Ok(idle);
            }
        }
        match open_reader(&self.shared.options).await {
            Ok(watched) => Ok(Idle {
                watched,
                generation,
            }),
            Err(error) => Err(Failure::of(&error).fault),
        }
    }

    fn pop(&self) -> Option<Idle> {
        self.lock().pop()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch(
    watched: &mut Watched,
    query: Query,
    max_bytes: usize,
) -> Result<RowSet, sqlx::Error> {
    let arguments = arguments(std::iter::once(&query.parameters), query.parameters.len())?;
    let sql = AssertSqlSafe(Arc::clone(&query.statement));
    let mut answer = RowSet::default();
    let mut bytes = 0_usize;
    {
        let mut rows = sqlx::query_with(sql, arguments).fetch(&mut watched.connection);
        while let Some(row) = rows.try_next().await? {
            if answer.columns.is_empty() {
                answer.columns = names(row.columns());
            }
            let row = read_row(&row)?;
            bytes = bytes.saturating_add(row_bytes(&row));
            if answer.rows.len() >= query.max_rows || bytes > max_bytes {
                answer.truncated = true;
                break;
            }
            answer.rows.push(row);
        }
    }
    if answer.columns.is_empty() {
        let sql = AssertSqlSafe(query.statement).into_sql_str();
        let statement = (&mut watched.connection).prepare(sql).await?;
        answer.columns = names(statement.columns());
    }
    Ok(answer)
}

fn names(columns: &[sqlx::sqlite::SqliteColumn]) -> Vec<String> {
    columns
        .iter()
        .map(|column| column.name().to_owned())
        .collect()
}
