//! SQL stores, through the pools that a rule was granted.
//!
//! Statements mark their parameters with `?`; values are bound, never spliced
//! into the text. Text and bytes are borrowed from the event they come from.
//! One call that stores a whole batch costs about what a call that stores one
//! row costs: prefer [`Pool::exec_many`].

use crate::Fault;
#[cfg(target_arch = "wasm32")]
use crate::bindings::hookwire::sql::sql::Pool as Handle;
pub use crate::bindings::hookwire::sql::sql::{
    BatchResult, FailedRow, RowSet, ValueParam as Value, ValueResult as OwnedValue,
};
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::OpenedPool as Handle;

/// A pool of connections to one SQL store.
#[derive(Debug)]
pub struct Pool(Handle);

impl Pool {
    /// Opens a granted pool. [`Context::sql`](crate::Context::sql) opens the
    /// rule's own and keeps it open.
    ///
    /// # Errors
    /// `Denied` alike for a pool that does not exist and one that is not granted.
    pub fn open(name: &str) -> Result<Self, Fault> {
        Handle::open(name).map(Self)
    }

    /// Runs `statement` once for each row of `N` parameters, in order, and
    /// commits. Where the store can, the call is one atomic unit.
    ///
    /// # Errors
    /// A fault when nothing is known to be stored; rows that the store refused
    /// one by one are in [`BatchResult::failed`].
    pub fn exec_many<'a, const N: usize>(
        &self,
        statement: &str,
        rows: impl IntoIterator<Item = [Value<'a>; N]>,
    ) -> Result<BatchResult, Fault> {
        let rows: Vec<[Value<'a>; N]> = rows.into_iter().collect();
        let rows: Vec<&[Value<'a>]> = rows.iter().map(<[_; N]>::as_slice).collect();
        self.0.exec_many(statement, &rows)
    }

    /// Runs `statement` once, and answers how many rows it changed.
    ///
    /// # Errors
    /// What the store answers.
    pub fn exec(&self, statement: &str, parameters: &[Value<'_>]) -> Result<u64, Fault> {
        let result = self.0.exec_many(statement, &[parameters])?;
        match result.failed.into_iter().next() {
            Some(failed) => Err(failed.fault),
            None => Ok(result.rows_affected),
        }
    }

    /// Runs one query and answers at most `max_rows` rows; fewer when the
    /// pool's own limit of bytes is reached, which `truncated` says.
    ///
    /// # Errors
    /// What the store answers.
    pub fn query(
        &self,
        statement: &str,
        parameters: &[Value<'_>],
        max_rows: u32,
    ) -> Result<RowSet, Fault> {
        self.0.query(statement, parameters, max_rows)
    }
}

impl OwnedValue {
    /// The same value, borrowed.
    #[must_use]
    pub fn borrow(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(value) => Value::Boolean(*value),
            Self::Integer(value) => Value::Integer(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Text(value) => Value::Text(value),
            Self::Blob(value) => Value::Blob(value),
            Self::Other((kind, text)) => Value::Other((kind, text)),
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(value) => Some(value),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The bytes, if it is bytes.
    #[must_use]
    pub fn as_blob(&self) -> Option<&[u8]> {
        match self {
            Self::Blob(value) => Some(value),
            _ => None,
        }
    }
}

impl Value<'_> {
    /// The same value, with text and bytes of its own.
    #[must_use]
    pub fn to_owned_value(&self) -> OwnedValue {
        match *self {
            Self::Null => OwnedValue::Null,
            Self::Boolean(value) => OwnedValue::Boolean(value),
            Self::Integer(value) => OwnedValue::Integer(value),
            Self::Float(value) => OwnedValue::Float(value),
            Self::Text(value) => OwnedValue::Text(value.to_owned()),
            Self::Blob(value) => OwnedValue::Blob(value.to_owned()),
            Self::Other((kind, text)) => OwnedValue::Other((kind.to_owned(), text.to_owned())),
        }
    }
}

impl PartialEq<Value<'_>> for OwnedValue {
    fn eq(&self, other: &Value<'_>) -> bool {
        self.borrow() == *other
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Blob(value)
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<u8> for Value<'_> {
    fn from(value: u8) -> Self {
        Self::Integer(value.into())
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
