//! How a pool is opened.

use std::path::PathBuf;
use std::time::Duration;

use crate::fault::{CORRUPT, advice, advice_on};
use crate::retention::Retention;

/// The settings of a pool. Numbers below 1 count as 1.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The database file; created if missing, its folder is not.
    pub path: PathBuf,
    /// Statements run whenever the file is opened for writing. They must do no
    /// harm to a database that has run them before.
    pub schema: Option<String>,
    /// Rows that may wait for the writer. A call that would go beyond it fails
    /// as saturated, unless nothing else waits.
    pub max_waiting_rows: usize,
    /// Rows of one transaction; a single call with more is a transaction alone.
    pub max_transaction_rows: usize,
    /// Connections for queries.
    pub readers: usize,
    /// Bytes of text and blobs in one query's answer. No text, blob or row that a
    /// statement makes has more, or more than 64 MiB where that is more.
    pub max_result_bytes: usize,
    /// How long the writer is one statement's, which all callers share: one that
    /// takes longer is stopped, and its row refused. None: until its deadline.
    pub max_statement: Option<Duration>,
    /// Whether callers may make triggers, and drop them. A trigger acts on what
    /// others store, and outlives whoever made it.
    pub allows_triggers: bool,
    /// What the stock tables are kept from growing beyond. None: nothing is removed.
    pub retention: Option<Retention>,
    /// How long it may take to look for damage when the pool is opened; what is left
    /// then is not looked at. None: nothing is.
    pub max_check: Option<Duration>,
}

impl SqliteOptions {
    /// The defaults, for a database at `path`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            schema: None,
            max_waiting_rows: 65_536,
            max_transaction_rows: 1_024,
            readers: 2,
            max_result_bytes: 4 << 20,
            max_statement: Some(Duration::from_secs(1)),
            allows_triggers: false,
            retention: None,
            max_check: None,
        }
    }

    /// Statements of a schema as one transaction: all of it or nothing, because half a
    /// schema is none that anybody knows.
    #[must_use]
    pub fn at_once(schema: &str) -> String {
        format!("BEGIN;\n{schema}\n;COMMIT")
    }

    /// Bytes of one text, blob or row. SQLite itself has a bound of 1 GB.
    pub(crate) fn max_value_bytes(&self) -> i32 {
        let bytes = self.max_result_bytes.max(64 << 20);
        i32::try_from(bytes).unwrap_or(i32::MAX)
    }
}

/// Why a pool did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be opened as a database for writing.
    #[error("cannot open the SQLite database {path}: {source}{}", advice(source))]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: sqlx::Error,
    },
    /// The schema's statements failed.
    #[error(
        "cannot create the tables in {path}: {source}{}",
        schema_advice(source)
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: sqlx::Error,
    },
    /// SQLite finds the file damaged.
    #[error("the SQLite database {path} is damaged: {what}{}", advice_on(CORRUPT))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says: the first that it has found.
        what: String,
    },
    /// The pool was opened outside of a tokio runtime.
    #[error("a SQLite pool is opened on a tokio runtime")]
    Runtime,
}

/// A version of the schema that is not known fails a check of its statements.
fn schema_advice(error: &sqlx::Error) -> &'static str {
    const CONSTRAINT_CHECK: &str = "275";
    match error {
        sqlx::Error::Database(database) if database.code().as_deref() == Some(CONSTRAINT_CHECK) => {
            "; run the binary that made them, or give the pool another file"
        }
        _ => advice(error),
    }
}
