//! Values in and out of sqlx.

use hookwire_driver::{Row, Value};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, Row as _, TypeInfo as _, ValueRef as _};

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

/// The values of a result row, by what SQLite holds in each place.
///
/// # Errors
/// If sqlx cannot decode a value.
pub(crate) fn read_row(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    (0..row.len())
        .map(|column| read_value(row, column))
        .collect()
}

fn read_value(row: &SqliteRow, column: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info();
    Ok(match kind.name() {
        "INTEGER" => Value::Integer(row.try_get_unchecked(column)?),
        "REAL" => Value::Float(row.try_get_unchecked(column)?),
        // SQLite does not check that text is UTF-8.
        "TEXT" => match row.try_get_unchecked(column) {
            Ok(text) => Value::Text(text),
            Err(_) => Value::Blob(row.try_get_unchecked(column)?),
        },
        _ => Value::Blob(row.try_get_unchecked(column)?),
    })
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
