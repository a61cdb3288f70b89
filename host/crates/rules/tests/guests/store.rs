//! A SQL pool in memory: remembers what it was asked, and fails or waits when
//! told to.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hookwire_driver::{
    BatchResult, FailedRow, Fault, FaultKind, PoolFuture, Row, RowSet, SqlPool, Value,
};
use tokio::sync::watch;

/// One `exec_many`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Executed {
    pub(crate) statement: String,
    pub(crate) rows: Vec<Row>,
    /// What was left until the call's deadline.
    pub(crate) patience: Duration,
}

pub(crate) struct MemoryStore {
    executed: Mutex<Vec<Executed>>,
    fails_with: Mutex<Option<Fault>>,
    is_open: watch::Sender<bool>,
}

impl MemoryStore {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            executed: Mutex::default(),
            fails_with: Mutex::default(),
            is_open: watch::Sender::new(true),
        })
    }

    /// Lets calls wait, until [`MemoryStore::open`].
    pub(crate) fn close(&self) {
        self.is_open.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.is_open.send_replace(true);
    }

    /// Lets every call fail with this, or none.
    pub(crate) fn fail_with(&self, fault: Option<Fault>) {
        *self.fails_with.lock().unwrap() = fault;
    }

    pub(crate) fn executed(&self) -> Vec<Executed> {
        self.executed.lock().unwrap().clone()
    }

    /// Every row, in the order in which they came.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let executed = self.executed();
        executed.into_iter().flat_map(|call| call.rows).collect()
    }

    /// One column of every row, as text.
    pub(crate) fn column(&self, number: usize) -> Vec<String> {
        self.rows().iter().map(|row| text(&row[number])).collect()
    }
}

pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// A fault of a store that went away.
pub(crate) fn unavailable() -> Fault {
    Fault {
        kind: FaultKind::Unavailable,
        code: "memory:gone".to_owned(),
        message: "the store is gone".to_owned(),
        retryable: true,
    }
}

impl SqlPool for MemoryStore {
    fn exec_many(
        &self,
        statement: Arc<str>,
        rows: Vec<Row>,
        deadline: Instant,
    ) -> PoolFuture<BatchResult> {
        let is_bad = |row: &Row| row.contains(&Value::Blob(b"bad".to_vec()));
        let failed = rows.iter().enumerate().filter(|(_, row)| is_bad(row));
        let failed: Vec<FailedRow> = failed
            .map(|(row, _)| FailedRow {
                row,
                fault: Fault {
                    kind: FaultKind::Refused,
                    code: "sqlstate:22001".to_owned(),
                    message: "too long".to_owned(),
                    retryable: false,
                },
            })
            .collect();
        let rows_affected = (rows.len() - failed.len()) as u64;
        self.executed.lock().unwrap().push(Executed {
            statement: statement.to_string(),
            rows,
            patience: deadline.saturating_duration_since(Instant::now()),
        });
        let fails_with = self.fails_with.lock().unwrap().clone();
        let mut is_open = self.is_open.subscribe();
        Box::pin(async move {
            let opened = is_open.wait_for(|open| *open).await;
            assert!(opened.is_ok(), "the store outlives its calls");
            match fails_with {
                Some(fault) => Err(fault),
                None => Ok(BatchResult {
                    failed,
                    rows_affected,
                }),
            }
        })
    }

    fn query(
        &self,
        statement: Arc<str>,
        parameters: Row,
        max_rows: usize,
        _deadline: Instant,
    ) -> PoolFuture<RowSet> {
        Box::pin(async move {
            Ok(RowSet {
                columns: vec![statement.to_string(), format!("max {max_rows}")],
                rows: vec![parameters, vec![Value::Null, Value::Float(0.5)]],
                truncated: true,
            })
        })
    }
}
