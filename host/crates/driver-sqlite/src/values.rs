//! Values: into sqlx, and what they count for.

use hookwire_driver::{Row, Value};
use sqlx::Arguments as _;
use sqlx::sqlite::SqliteArguments;

/// The parameters of one statement: those of its rows, one after the other.
///
/// # Errors
/// If sqlx cannot encode a value.
pub(crate) fn arguments<'a>(
    rows: impl ExactSizeIterator<Item = &'a Row>,
    parameters: usize,
) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(rows.len().saturating_mul(parameters), 0);
    for row in rows {
        for value in row {
            match value {
                Value::Null => arguments.add(None::<i64>),
                Value::Boolean(value) => arguments.add(*value),
                Value::Integer(value) => arguments.add(*value),
                Value::Float(value) => arguments.add(*value),
                // One allocation; a String would take two.
                Value::Text(value) => arguments.add(std::sync::Arc::<str>::from(value.as_str())),
                Value::Blob(value) => arguments.add(value.as_slice()),
            }
            .map_err(sqlx::Error::Encode)?;
        }
    }
    Ok(arguments)
}

/// Bytes that a row counts for against the limit of an answer.
pub(crate) fn row_bytes(row: &Row) -> usize {
    row.iter()
        .map(|value| match value {
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
            _ => size_of::<u64>(),
        })
        .sum()
}
