//! `hookwire:sql` values and results, moved between guest and driver.

use std::sync::Arc;

use hookwire_driver::{BatchResult, Fault, FaultKind, Row, RowSet, SqlPool, Value};

use crate::fault;
use crate::wit::hookwire::sql::sql;

/// What a guest's pool handle stands for.
#[derive(Clone)]
pub struct OpenPool {
    /// The name by which it was granted.
    pub name: Arc<str>,
    /// The pool.
    pub pool: Arc<dyn SqlPool>,
}

/// Parameters as a driver takes them.
///
/// # Errors
/// `invalid`, for a value of a type that only the guest's side has a name for.
pub fn row_from_guest(row: Vec<sql::Value>) -> Result<Row, Fault> {
    row.into_iter().map(value_from_guest).collect()
}

fn value_from_guest(value: sql::Value) -> Result<Value, Fault> {
    Ok(match value {
        sql::Value::Null => Value::Null,
        sql::Value::Boolean(flag) => Value::Boolean(flag),
        sql::Value::Integer(number) => Value::Integer(number),
        sql::Value::Float(number) => Value::Float(number),
        sql::Value::Text(text) => Value::Text(text),
        sql::Value::Blob(bytes) => Value::Blob(bytes),
        sql::Value::Other((type_name, _)) => {
            return Err(Fault {
                kind: FaultKind::Invalid,
                code: "host:value-type".to_owned(),
                message: format!("this store has no parameters of type {type_name:?}"),
                retryable: false,
            });
        }
    })
}

fn value_to_guest(value: Value) -> sql::Value {
    match value {
        Value::Null => sql::Value::Null,
        Value::Boolean(flag) => sql::Value::Boolean(flag),
        Value::Integer(number) => sql::Value::Integer(number),
        Value::Float(number) => sql::Value::Float(number),
        Value::Text(text) => sql::Value::Text(text),
        Value::Blob(bytes) => sql::Value::Blob(bytes),
    }
}

/// The outcome of a batch. `failed` names rows by their index in the call.
#[must_use]
pub fn batch_to_guest(result: BatchResult) -> sql::BatchResult {
    let failed = result.failed.into_iter().map(|failed| sql::FailedRow {
        row: u32::try_from(failed.row).unwrap_or(u32::MAX),
        fault: fault::to_guest(failed.fault),
    });
    sql::BatchResult {
        failed: failed.collect(),
        rows_affected: result.rows_affected,
    }
}

/// The answer to a query.
#[must_use]
pub fn rows_to_guest(set: RowSet) -> sql::RowSet {
    let row = |row: Row| row.into_iter().map(value_to_guest).collect();
    sql::RowSet {
        columns: set.columns,
        rows: set.rows.into_iter().map(row).collect(),
        truncated: set.truncated,
    }
}
