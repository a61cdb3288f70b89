//! The pool: what callers hold.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hookwire_driver::{BatchResult, Fault, PoolFuture, Row, RowSet, SqlPool, Value};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::connection::Writing;
use crate::fault::{closed, saturated};
use crate::options::{OpenError, SqliteOptions};
use crate::queue::{Answer, Call, Queue};
use crate::reader::Readers;
use crate::reading::Query;
use crate::retention::{self, RetentionStats};
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
    /// Whether there was no file when the pool was opened.
    makes_file: bool,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl SqlitePool {
    /// Opens the database and starts its writer on the tokio runtime that this
    /// is awaited on.
    ///
    /// # Errors
    /// If the file cannot be opened for writing, is damaged or its tables cannot be
    /// created, or if there is no runtime. No file is made then.
    pub async fn open(options: SqliteOptions) -> Result<Arc<Self>, OpenError> {
        let runtime = Handle::try_current().map_err(|_| OpenError::Runtime)?;
        let known = std::fs::symlink_metadata(&options.path);
        let makes_file = known.is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let writing = match open(&options).await {
            Ok(writing) => writing,
            Err(error) => {
                if makes_file {
                    remove_file(&options.path);
                }
                return Err(error);
            }
        };
        let shared = Arc::new(Shared {
            queue: Queue::new(options.max_waiting_rows),
            options,
            counters: Counters::default(),
            retention: retention::Counters::default(),
            keeps_no_more: AtomicBool::new(false),
            generation: AtomicU64::new(0),
        });
        let writer = runtime.spawn(writer::run(Arc::clone(&shared), writing));
        Ok(Arc::new(Self {
            readers: Arc::new(Readers::new(Arc::clone(&shared))),
            shared,
            runtime,
            makes_file,
            writer: Mutex::new(Some(writer)),
        }))
    }

    /// What the writer did so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.read()
    }

    /// What was removed so far, because it was past the pool's retention.
    #[must_use]
    pub fn retention_stats(&self) -> RetentionStats {
        self.shared.retention.read()
    }

    /// How much is in the file, and of when the oldest row of `mqtt_msg` is.
    ///
    /// # Errors
    /// What the store answers.
    pub async fn contents(&self, deadline: Instant) -> Result<Contents, Fault> {
        let used = "SELECT (c.page_count - f.freelist_count) * s.page_size \
            FROM pragma_page_count AS c, pragma_freelist_count AS f, pragma_page_size AS s";
        let used = self.query(used.into(), Vec::new(), 1, deadline).await?;
        let oldest = "SELECT CAST(arrived AS TEXT) FROM mqtt_msg ORDER BY id LIMIT 1";
        let oldest = self.query(oldest.into(), Vec::new(), 1, deadline).await?;
        Ok(Contents {
            used_bytes: match first(used) {
                Some(Value::Integer(bytes)) => u64::try_from(bytes).unwrap_or(0),
                _ => 0,
            },
            oldest_message: match first(oldest) {
                Some(Value::Text(arrived)) => Some(arrived),
                _ => None,
            },
        })
    }

    /// Removes nothing any more: another pool has the file now, with a retention of
    /// its own. Rows are stored as before.
    pub fn end_retention(&self) {
        self.shared.keeps_no_more.store(true, Ordering::Relaxed);
    }

    /// Rows that wait for the writer now.
    #[must_use]
    pub fn waiting_rows(&self) -> usize {
        self.shared.queue.waiting_rows()
    }

    /// Takes no more calls, lets the writer store what waits, and returns when
    /// the file is closed. A second call returns at once.
    pub async fn close(&self) {
        self.readers.close().await;
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

    /// As [`SqlitePool::close`], for a pool that nobody has used: a file that was made
    /// for it is removed.
    pub async fn discard(&self) {
        self.close().await;
        if self.makes_file && self.stats().rows == 0 {
            remove_file(&self.shared.options.path);
        }
    }

    fn shut(&self) {
        self.shared.queue.close();
        self.readers.shut();
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

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Bytes of pages that hold something.
    pub used_bytes: u64,
    /// `arrived` of the first row of `mqtt_msg`, in UTC.
    pub oldest_message: Option<String>,
}

fn first(answer: RowSet) -> Option<Value> {
    answer.rows.into_iter().next()?.into_iter().next()
}

/// Opens the file, and looks whether it can be written, and is sound.
async fn open(options: &SqliteOptions) -> Result<Writing, OpenError> {
    let mut writing = Writing::open(options).await?;
    writing.check_writable(options).await?;
    if let Some(most) = options.max_check {
        writing.check(options, most).await?;
    }
    Ok(writing)
}

/// Removes a database, with what SQLite has beside it.
fn remove_file(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                let file = Path::new(&file).display();
                tracing::warn!(%file, %error, "a file that was made for nothing stays");
            }
        }
    }
}

fn answered<T: Send + 'static>(receiver: oneshot::Receiver<Result<T, Fault>>) -> PoolFuture<T> {
    // The sender is dropped unanswered only when the runtime ends.
    Box::pin(async { receiver.await.unwrap_or_else(|_| Err(closed())) })
}

fn refused<T: Send + 'static>(fault: Fault) -> PoolFuture<T> {
    Box::pin(async { Err(fault) })
}
