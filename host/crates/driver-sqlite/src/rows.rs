//! Queries on SQLite's own interface.
//!
//! sqlx hands rows from its thread to who reads them one by one, with a copy of each
//! value: of a page of messages that takes several times as long as SQLite does.

#![allow(
    unsafe_code,
    reason = "SQLite's own interface is one of C; lifetimes here keep its rules"
)]

use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};
use std::slice;

use hookwire_driver::{Row, RowSet, Value};
use libsqlite3_sys as ffi;
use sqlx::sqlite::LockedSqliteHandle;

use crate::fault::Failure;
use crate::values::row_bytes;

/// SQLite's code for what is too large.
const TOO_BIG: c_int = ffi::SQLITE_TOOBIG;

/// A connection that is this thread's alone, for as long as the lock is held.
pub(crate) struct Database<'c> {
    raw: NonNull<ffi::sqlite3>,
    _lock: LockedSqliteHandle<'c>,
}

impl<'c> Database<'c> {
    pub(crate) fn of(mut lock: LockedSqliteHandle<'c>) -> Self {
        Self {
            raw: lock.as_raw_handle(),
            _lock: lock,
        }
    }

    /// Compiles a statement.
    ///
    /// # Errors
    /// What SQLite says of it.
    pub(crate) fn prepare(&self, sql: &str) -> Result<Statement<'_>, Failure> {
        let length = c_int::try_from(sql.len()).map_err(|_| too_big())?;
        let mut raw = null_mut();
        // SAFETY: the connection is open and locked, and `sql` has so many bytes.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(
                self.raw.as_ptr(),
                sql.as_ptr().cast(),
                length,
                ffi::SQLITE_PREPARE_PERSISTENT,
                &raw mut raw,
                null_mut(),
            )
        };
        if code != ffi::SQLITE_OK {
            return Err(self.failure());
        }
        match NonNull::new(raw) {
            Some(raw) => Ok(Statement {
                raw,
                database: self.raw,
                _of: PhantomData,
            }),
            None => Err(Failure::of_code(
                ffi::SQLITE_ERROR,
                "the statement is empty".to_owned(),
            )),
        }
    }

    fn failure(&self) -> Failure {
        // SAFETY: the connection is open and locked.
        unsafe { failure(self.raw) }
    }
}

/// A statement of a [`Database`].
pub(crate) struct Statement<'d> {
    raw: NonNull<ffi::sqlite3_stmt>,
    database: NonNull<ffi::sqlite3>,
    _of: PhantomData<&'d Database<'d>>,
}

impl Statement<'_> {
    /// The rows of the statement with these parameters: so many, of about so many
    /// bytes.
    ///
    /// # Errors
    /// What SQLite says.
    pub(crate) fn read(
        &mut self,
        parameters: &Row,
        max_rows: usize,
        max_bytes: usize,
    ) -> Result<RowSet, Failure> {
        let mut running = Running(self);
        for (place, value) in (1..).zip(parameters) {
            running.bind(place, value)?;
        }
        let mut answer = RowSet::default();
        let mut bytes = 0_usize;
        loop {
            let has_row = running.step()?;
            if answer.columns.is_empty() {
                // Not earlier: a step compiles it anew where the schema has changed.
                answer.columns = running.columns();
            }
            if !has_row {
                return Ok(answer);
            }
            if answer.rows.len() >= max_rows {
                answer.truncated = true;
                return Ok(answer);
            }
            let row = running.row(answer.columns.len())?;
            bytes = bytes.saturating_add(row_bytes(&row));
            if bytes > max_bytes {
                answer.truncated = true;
                return Ok(answer);
            }
            answer.rows.push(row);
        }
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: it was prepared, is not finalized elsewhere, and its connection is
        // open for as long as it is here.
        unsafe {
            ffi::sqlite3_finalize(self.raw.as_ptr());
        }
    }
}

/// A statement that runs; reset at the end.
struct Running<'s, 'd>(&'s mut Statement<'d>);

impl Running<'_, '_> {
    fn raw(&mut self) -> *mut ffi::sqlite3_stmt {
        self.0.raw.as_ptr()
    }

    fn failure(&self) -> Failure {
        // SAFETY: the connection is open and locked while its statement is here.
        unsafe { failure(self.0.database) }
    }

    fn bind(&mut self, place: c_int, value: &Value) -> Result<(), Failure> {
        let raw = self.raw();
        let length = |bytes: usize| c_int::try_from(bytes).map_err(|_| too_big());
        // SAFETY: the statement is reset; text and bytes are valid for their length,
        // and SQLite takes a copy.
        let code = unsafe {
            match value {
                Value::Null => ffi::sqlite3_bind_null(raw, place),
                Value::Boolean(flag) => ffi::sqlite3_bind_int64(raw, place, i64::from(*flag)),
                Value::Integer(number) => ffi::sqlite3_bind_int64(raw, place, *number),
                Value::Float(number) => ffi::sqlite3_bind_double(raw, place, *number),
                Value::Text(text) => ffi::sqlite3_bind_text(
                    raw,
                    place,
                    text.as_ptr().cast(),
                    length(text.len())?,
                    ffi::SQLITE_TRANSIENT(),
                ),
                Value::Blob(bytes) => ffi::sqlite3_bind_blob(
                    raw,
                    place,
                    bytes.as_ptr().cast(),
                    length(bytes.len())?,
                    ffi::SQLITE_TRANSIENT(),
                ),
            }
        };
        if code == ffi::SQLITE_OK {
            Ok(())
        } else {
            Err(self.failure())
        }
    }

    /// Whether there is one more row.
    fn step(&mut self) -> Result<bool, Failure> {
        // SAFETY: the statement is not finalized.
        match unsafe { ffi::sqlite3_step(self.raw()) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            _ => Err(self.failure()),
        }
    }

    fn columns(&mut self) -> Vec<String> {
        let raw = self.raw();
        // SAFETY: the statement is not finalized.
        let count = unsafe { ffi::sqlite3_column_count(raw) };
        let name = |column| {
            // SAFETY: there is such a column; the name ends with a zero byte, and is
            // copied before anything else happens to the statement.
            let name = unsafe { ffi::sqlite3_column_name(raw, column) };
            if name.is_null() {
                return String::new();
            }
            // SAFETY: as above.
            let name = unsafe { CStr::from_ptr(name) };
            name.to_string_lossy().into_owned()
        };
        (0..count).map(name).collect()
    }

    /// The row that the last step came to, by what SQLite holds in each place.
    fn row(&mut self, columns: usize) -> Result<Row, Failure> {
        let mut row = Row::with_capacity(columns);
        for column in (0..).take(columns) {
            row.push(self.value(column)?);
        }
        Ok(row)
    }

    fn value(&mut self, column: c_int) -> Result<Value, Failure> {
        let raw = self.raw();
        // SAFETY: the last step came to a row, which has this column.
        let kind = unsafe { ffi::sqlite3_column_type(raw, column) };
        Ok(match kind {
            ffi::SQLITE_NULL => Value::Null,
            ffi::SQLITE_INTEGER => {
                // SAFETY: as above.
                let number = unsafe { ffi::sqlite3_column_int64(raw, column) };
                Value::Integer(number)
            }
            ffi::SQLITE_FLOAT => {
                // SAFETY: as above.
                let number = unsafe { ffi::sqlite3_column_double(raw, column) };
                Value::Float(number)
            }
            ffi::SQLITE_TEXT => {
                // SAFETY: as above; this makes it UTF-8, before its length is asked for.
                let at = unsafe { ffi::sqlite3_column_text(raw, column) };
                match String::from_utf8(self.bytes(at, column)?) {
                    Ok(text) => Value::Text(text),
                    // SQLite does not check that text is UTF-8.
                    Err(error) => Value::Blob(error.into_bytes()),
                }
            }
            _ => {
                // SAFETY: as above.
                let at = unsafe { ffi::sqlite3_column_blob(raw, column) };
                Value::Blob(self.bytes(at.cast(), column)?)
            }
        })
    }

    /// What a column has at `at`, which SQLite has just said.
    fn bytes(&mut self, at: *const u8, column: c_int) -> Result<Vec<u8>, Failure> {
        // SAFETY: the last step came to a row, which has this column.
        let length = unsafe { ffi::sqlite3_column_bytes(self.raw(), column) };
        let length = usize::try_from(length).unwrap_or(0);
        if !at.is_null() {
            // SAFETY: SQLite has so many bytes there until the next step.
            return Ok(unsafe { slice::from_raw_parts(at, length) }.to_vec());
        }
        // SAFETY: the connection is open and locked while its statement is here.
        match unsafe { ffi::sqlite3_errcode(self.0.database.as_ptr()) } {
            ffi::SQLITE_NOMEM => Err(self.failure()),
            _ => Ok(Vec::new()),
        }
    }
}

impl Drop for Running<'_, '_> {
    fn drop(&mut self) {
        // SAFETY: the statement is not finalized. What its last step said is said by
        // the reset once more.
        unsafe {
            ffi::sqlite3_reset(self.raw());
            ffi::sqlite3_clear_bindings(self.raw());
        }
    }
}

/// What SQLite says of its last call.
///
/// # Safety
/// The connection is open, and no other thread has it.
unsafe fn failure(database: NonNull<ffi::sqlite3>) -> Failure {
    // SAFETY: the caller's; the message ends with a zero byte, and is copied at once.
    let (code, message) = unsafe {
        let code = ffi::sqlite3_errcode(database.as_ptr());
        let message = CStr::from_ptr(ffi::sqlite3_errmsg(database.as_ptr()));
        (code, message.to_string_lossy().into_owned())
    };
    Failure::of_code(code, message)
}

fn too_big() -> Failure {
    Failure::of_code(TOO_BIG, "string or blob too big".to_owned())
}
