//! What every store driver answers, whatever the store.
//!
//! A driver owns connections to one store and serves them as a pool that has a
//! name. The rule runtime calls pools through the traits here; it never sees a
//! database library. Nothing in this crate knows of WebAssembly or MQTT.

mod fault;
mod sql;

pub use fault::{Fault, FaultKind};
pub use sql::{BatchResult, FailedRow, PoolFuture, Row, RowSet, SqlPool, Value};
