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
    fails_from: Mutex<Option<Vec<u8>>>,
    fails_on: Mutex<Option<&'static str>>,
    stored: Mutex<Vec<Row>>,
    is_open: watch::Sender<bool>,
}

impl MemoryStore {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            executed: Mutex::default(),
            fails_with: Mutex::default(),
            fails_from: Mutex::default(),
            fails_on: Mutex::default(),
            stored: Mutex::default(),
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

    /// Lets each call stop at the first row with this payload, or at none: as a
    /// store that goes away in the middle of it.
    pub(crate) fn fail_from(&self, payload: Option<&str>) {
        *self.fails_from.lock().unwrap() = payload.map(|payload| payload.as_bytes().to_vec());
    }

    /// Lets statements fail that have this in them.
    pub(crate) fn fail_on(&self, part: Option<&'static str>) {
        *self.fails_on.lock().unwrap() = part;
    }

    /// One column of every row that was stored, as text.
    pub(crate) fn stored(&self, number: usize) -> Vec<String> {
        let stored = self.stored.lock().unwrap();
        stored.iter().map(|row| text(&row[number])).collect()
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

impl MemoryStore {
    /// Rows that a call does not store, as the port has it: those that are
    /// refused for good alone, and all from the one on that may be stored later.
    fn failed_rows(&self, rows: &[Row]) -> Vec<FailedRow> {
        let fails_from = self.fails_from.lock().unwrap().clone();
        let mut is_stopped = false;
        let mut fault = |row: &Row| {
            let has = |payload: &[u8]| row.contains(&Value::Blob(payload.to_vec()));
            is_stopped |= fails_from.as_deref().is_some_and(has);
            if is_stopped {
                return Some(unavailable());
            }
            has(b"bad").then(|| Fault {
                kind: FaultKind::Refused,
                code: "sqlstate:22001".to_owned(),
                message: "too long".to_owned(),
                retryable: false,
            })
        };
        let rows = rows.iter().enumerate();
        rows.filter_map(|(row, values)| {
            Some(FailedRow {
                row,
                fault: fault(values)?,
            })
        })
        .collect()
    }
}

impl SqlPool for MemoryStore {
    fn exec_many(
        &self,
        statement: Arc<str>,
        rows: Vec<Row>,
        deadline: Instant,
    ) -> PoolFuture<BatchResult> {
        let failed = self.failed_rows(&rows);
        let rows_affected = (rows.len() - failed.len()) as u64;
        let stored = rows.iter().enumerate().filter(|(number, _)| {
            let mut failed = failed.iter();
            failed.all(|failed| failed.row != *number)
        });
        let fails_on = *self.fails_on.lock().unwrap();
        let fails_with = match fails_on {
            Some(part) if statement.contains(part) => Some(unavailable()),
            _ => self.fails_with.lock().unwrap().clone(),
        };
        if fails_with.is_none() {
            let stored = stored.map(|(_, row)| row.clone());
            self.stored.lock().unwrap().extend(stored);
        }
        self.executed.lock().unwrap().push(Executed {
            statement: statement.to_string(),
            rows,
            patience: deadline.saturating_duration_since(Instant::now()),
        });
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
