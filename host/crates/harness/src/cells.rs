//! Rows as a fixture writes them, held against rows of a store.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hcl_edit::expr::{Expression, ObjectKey};
use hookwire_driver::{Row, Value};
use hookwire_settings::reading::{self, Source, Wrong};

/// One value that is expected.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// `any`
    Any,
    /// `null`
    Null,
    /// `true`, `false`; a store without truth values has 1 and 0.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text, or a blob that holds it.
    Text(String),
    /// `{ base64 = "..." }`
    Blob(Vec<u8>),
}

pub(crate) fn rows(source: &Source<'_>, value: &Expression) -> Result<Vec<Vec<Cell>>, Wrong> {
    let list = |value: &Expression| match value {
        Expression::Array(list) => Ok(list.iter().cloned().collect::<Vec<_>>()),
        other => Err(reading::expected("a list of rows, [[...], [...]]", other)),
    };
    let row = |value: Expression| {
        let cells = list(&value)?;
        cells.iter().map(|value| cell(source, value)).collect()
    };
    list(value)?.into_iter().map(row).collect()
}

pub(crate) fn cell(source: &Source<'_>, value: &Expression) -> Result<Cell, Wrong> {
    const WHAT: &str = "text, a number, true, false, null, any, or { base64 = \"...\" }";
    match value {
        Expression::Null(_) => Ok(Cell::Null),
        Expression::Bool(value) => Ok(Cell::Boolean(*value.value())),
        Expression::Number(number) => match number.value().as_i64() {
            Some(whole) => Ok(Cell::Integer(whole)),
            None => Ok(Cell::Float(number.value().as_f64().unwrap_or(f64::NAN))),
        },
        Expression::UnaryOp(operation) => match cell(source, &operation.expr)? {
            Cell::Integer(whole) => Ok(Cell::Integer(whole.saturating_neg())),
            Cell::Float(number) => Ok(Cell::Float(-number)),
            _ => Err(reading::expected(WHAT, value)),
        },
        Expression::Variable(name) if name.as_str() == "any" => Ok(Cell::Any),
        Expression::Object(object) => {
            let mut entries = object.iter();
            match (entries.next(), entries.next()) {
                (Some((ObjectKey::Ident(key), value)), None) if key.as_str() == "base64" => {
                    let text = reading::text(source, value.expr())?;
                    let bytes = BASE64.decode(&text);
                    bytes
                        .map(Cell::Blob)
                        .map_err(|error| format!("\"{text}\" is no Base64: {error}"))
                }
                _ => Err(reading::expected(WHAT, value)),
            }
        }
        other => match reading::text(source, other) {
            Ok(text) => Ok(Cell::Text(text)),
            Err(_) => Err(reading::expected(WHAT, other)),
        },
    }
}

impl Cell {
    pub(crate) fn matches(&self, found: &Value) -> bool {
        match (self, found) {
            (Self::Any, _) | (Self::Null, Value::Null) => true,
            (Self::Boolean(expected), Value::Boolean(found)) => expected == found,
            (Self::Boolean(expected), Value::Integer(found)) => i64::from(*expected) == *found,
            (Self::Integer(expected), Value::Integer(found)) => expected == found,
            (Self::Integer(expected), Value::Float(found)) => *expected as f64 == *found,
            (Self::Float(expected), Value::Float(found)) => expected == found,
            (Self::Text(expected), Value::Text(found)) => expected == found,
            (Self::Text(expected), Value::Blob(found)) => expected.as_bytes() == found.as_slice(),
            (Self::Blob(expected), Value::Blob(found)) => expected == found,
            _ => false,
        }
    }

    fn write(&self, out: &mut String) {
        let written = match self {
            Self::Any => write!(out, "any"),
            Self::Null => write!(out, "null"),
            Self::Boolean(value) => write!(out, "{value}"),
            Self::Integer(value) => write!(out, "{value}"),
            Self::Float(value) => write!(out, "{value}"),
            Self::Text(value) => write!(out, "{value:?}"),
            Self::Blob(value) => write!(out, "{{ base64 = {:?} }}", BASE64.encode(value)),
        };
        // A String takes whatever is written to it.
        written.unwrap_or_default();
    }
}

/// Whether rows are those expected, in order.
pub(crate) fn match_rows(expected: &[Vec<Cell>], found: &[Row]) -> bool {
    expected.len() == found.len()
        && expected.iter().zip(found).all(|(expected, found)| {
            expected.len() == found.len()
                && expected
                    .iter()
                    .zip(found)
                    .all(|(cell, value)| cell.matches(value))
        })
}

/// Rows as a fixture would write them, shortened where there are many.
pub(crate) fn text_of_expected(rows: &[Vec<Cell>]) -> String {
    text(rows, Cell::write)
}

/// Rows of a store as a fixture would write them, shortened where there are many.
#[must_use]
pub fn text_of_found(rows: &[Row]) -> String {
    text(rows, |value, out| as_cell(value).write(out))
}

fn as_cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Boolean(value) => Cell::Boolean(*value),
        Value::Integer(value) => Cell::Integer(*value),
        Value::Float(value) => Cell::Float(*value),
        Value::Text(value) => Cell::Text(value.clone()),
        Value::Blob(value) => match std::str::from_utf8(value) {
            Ok(text) => Cell::Text(text.to_owned()),
            Err(_) => Cell::Blob(value.clone()),
        },
    }
}

fn text<T>(rows: &[Vec<T>], write: impl Fn(&T, &mut String)) -> String {
    const SHOWN: usize = 20;
    let mut out = String::from("[");
    for (number, row) in rows.iter().take(SHOWN).enumerate() {
        out.push_str(if number == 0 { "[" } else { ", [" });
        for (number, cell) in row.iter().enumerate() {
            if number > 0 {
                out.push_str(", ");
            }
            write(cell, &mut out);
        }
        out.push(']');
    }
    if rows.len() > SHOWN {
        out.push_str(", ...");
    }
    out.push(']');
    out
}
