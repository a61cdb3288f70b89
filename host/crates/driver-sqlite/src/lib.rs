//! The SQLite driver: one writer that merges, and a few readers.
//!
//! SQLite takes one writer at a time, and most of what a transaction costs is
//! its commit. So every [`SqlitePool`] has one task that owns the writing
//! connection: it takes all calls that wait, turns rows of one statement into
//! multi-row statements, commits once, and only then answers. The busier the
//! store, the larger its transactions. Queries run beside it on connections of
//! their own.
//!
//! The writer also removes what is past its [`Retention`], in small transactions
//! between those of its callers.
//!
//! An answered call is on disk (WAL, `synchronous = FULL`). A row that SQLite
//! refuses fails alone. While another process holds the lock on the file, calls
//! wait, each until its deadline. When the file cannot be written, calls fail with a
//! fault that says whether a later attempt can help, and the writer opens the
//! file anew until it can.

mod admin;
mod attempt;
mod connection;
mod deadline;
mod fault;
mod options;
mod pages;
mod permitted;
mod pool;
mod queue;
mod reader;
mod reading;
mod retention;
mod rows;
mod statement;
mod stats;
mod tokens;
mod transaction;
mod values;
mod writer;

pub use admin::SqliteStore;
pub use options::{OpenError, SqliteOptions};
pub use pool::{Contents, SqlitePool};
pub use retention::{RemovedRows, Retention, RetentionStats};
pub use stats::Stats;
