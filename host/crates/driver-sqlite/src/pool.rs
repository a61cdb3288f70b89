//! The pool: what callers hold.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hookwire_driver::{BatchResult, Fault, PoolFuture, Row, RowSet, SqlPool};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::connection::Writing;
use crate::fault::{closed, saturated};
use crate::options::{OpenError, SqliteOptions};
use crate::queue::{Answer, Call, Queue};
use crate::reader::{Query, Readers};
use crate::stats::{Counters, Stats};
use crate::writer::{self, Shared};

/// Connections to one SQLite database. Calls may come from any thread; the work
/// is done on the runtime that the pool was opened on.
///
/// Dropping the pool lets the writer finish what waits; [`SqlitePool::close`]
/// also waits for it.
#[derive(Debug)]
pub struct SqlitePool {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    runtime: Handle,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl SqlitePool {
    /// Opens the database and starts its writer on the tokio runtime that this
    /// is awaited on.
    ///
    /// # Errors
    /// If the file cannot be opened for writing or its tables not created, or
    /// if there is no runtime.
    pub async fn open(options: SqliteOptions) -> Result<Arc<Self>, OpenError> {
        let runtime = Handle::try_current().map_err(|_| OpenError::Runtime)?;
        let writing = Writing::open(&options).await?;
        let shared = Arc::new(Shared {
            queue: Queue::new(options.max_waiting_rows),
            options,
            counters: Counters::default(),
            generation: AtomicU64::new(0),
        });
        let writer = runtime.spawn(writer::run(Arc::clone(&shared), writing));
        Ok(Arc::new(Self {
            readers: Arc::new(Readers::new(Arc::clone(&shared))),
            shared,
            runtime,
            writer: Mutex::new(Some(writer)),
        }))
    }

    /// What the writer did so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.read()
    }

    /// Rows that wait for the writer now.
    #[must_use]
    pub fn waiting_rows(&self) -> usize {
        self.shared.queue.waiting_rows()
    }

    /// Takes no more calls, lets the writer store what waits, and returns when
    /// the file is closed. A second call returns at once.
    pub async fn close(&self) {
        self.shut();
        let writer = {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.take()
        };
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            tracing::error!(%error, "the SQLite writer did not end by itself");
        }
    }

    fn shut(&self) {
        self.shared.queue.close();
        self.readers.close();
    }
}

impl Drop for SqlitePool {
    fn drop(&mut self) {
        self.shut();
    }
}

impl SqlPool for SqlitePool {
    fn exec_many(
        &self,
        statement: Arc<str>,
        rows: Vec<Row>,
        deadline: Instant,
    ) -> PoolFuture<BatchResult> {
        if rows.is_empty() {
            return Box::pin(async { Ok(BatchResult::default()) });
        }
        if deadline <= Instant::now() {
            return refused(saturated("the deadline had passed; nothing was sent"));
        }
        let (answer, receiver) = Answer::new(deadline);
        let call = Call {
            statement,
            rows,
            answer,
        };
        match self.shared.queue.push(call) {
            Ok(()) => answered(receiver),
            Err(fault) => refused(fault),
        }
    }

    fn query(
        &self,
        statement: Arc<str>,
        parameters: Row,
        max_rows: usize,
        deadline: Instant,
    ) -> PoolFuture<RowSet> {
        let (sender, receiver) = oneshot::channel();
        let readers = Arc::clone(&self.readers);
        let query = Query {
            statement,
            parameters,
            max_rows,
            deadline,
        };
        drop(self.runtime.spawn(async move {
            drop(sender.send(readers.query(query).await));
        }));
        answered(receiver)
    }
}

fn answered<T: Send + 'static>(receiver: oneshot::Receiver<Result<T, Fault>>) -> PoolFuture<T> {
    // The sender is dropped unanswered only when the runtime ends.
    Box::pin(async { receiver.await.unwrap_or_else(|_| Err(closed())) })
}

fn refused<T: Send + 'static>(fault: Fault) -> PoolFuture<T> {
    Box::pin(async { Err(fault) })
}
