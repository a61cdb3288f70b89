//! The port of SQL stores.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use crate::Fault;

/// One bound parameter, or one column of a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A truth value; stores without one take 0 and 1.
    Boolean(bool),
    /// A signed 64-bit integer.
    Integer(i64),
    /// A double.
    Float(f64),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The parameters of one execution, in the order of the `?` in the statement.
pub type Row = Vec<Value>;

/// One row of a batch that was not stored.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedRow {
    /// Index into the rows of the call.
    pub row: usize,
    /// Why.
    pub fault: Fault,
}

/// How a batch ended: rows that are not in `failed` are committed. A row that
/// failed for good has failed alone; where one failed that may be stored later,
/// all rows behind it failed too, so that none is stored before one that came
/// before it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchResult {
    /// Rows that were not stored, in ascending order.
    pub failed: Vec<FailedRow>,
    /// Rows the statements changed, as the store counts them.
    pub rows_affected: u64,
}

/// The answer to a query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowSet {
    /// Column names, in order.
    pub columns: Vec<String>,
    /// Rows of as many values as there are columns.
    pub rows: Vec<Row>,
    /// Whether the answer was cut at the row or byte limit.
    pub truncated: bool,
}

/// What a pool's calls return: owned, so that the caller may live on another
/// runtime. Dropping it gives up waiting, and does not undo what was sent.
pub type PoolFuture<T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'static>>;

/// A pool of connections to one SQL store. Callable from any thread and any
/// tokio runtime.
pub trait SqlPool: Send + Sync + 'static {
    /// Runs `statement` once for each row of parameters and commits. Rows of one
    /// call are stored in order, and calls of one caller in the order made.
    ///
    /// What may go well later (the store is gone, locked or full, or too slow) is
    /// a fault of the call, not of a row: the call stops there, and each row from
    /// the first failed one on fails with it. The caller makes those again, in
    /// order. A row that the store refuses for good fails alone.
    ///
    /// # Errors
    /// A fault for the whole call; single rows fail in [`BatchResult::failed`].
    /// A call without an answer at `deadline` fails as `Unknown` if it may have
    /// been sent, else as `Saturated`.
    fn exec_many(
        &self,
        statement: Arc<str>,
        rows: Vec<Row>,
        deadline: Instant,
    ) -> PoolFuture<BatchResult>;

    /// Runs one query; at most `max_rows` rows come back, and no more bytes than
    /// the pool's own limit.
    ///
    /// # Errors
    /// As for [`SqlPool::exec_many`].
    fn query(
        &self,
        statement: Arc<str>,
        parameters: Row,
        max_rows: usize,
        deadline: Instant,
    ) -> PoolFuture<RowSet>;
}
