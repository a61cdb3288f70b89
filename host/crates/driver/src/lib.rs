//! What every store driver answers, whatever the store.
//!
//! A driver owns connections to one store and serves them as a pool that has a
//! name. The rule runtime calls pools through the traits here; it never sees a
//! database library. What a person wants to know of a store is asked through
//! [`StoreAdmin`], without a pool. Nothing in this crate knows of WebAssembly or MQTT.

mod admin;
mod fault;
mod sql;

pub use admin::{
    AdminError, AdminFuture, CheckDepth, Difference, StoreAdmin, StoreStats, StoredMessage,
    TableStats,
};
pub use fault::{Fault, FaultKind};
pub use sql::{BatchResult, FailedRow, PoolFuture, Row, RowSet, SqlPool, Value};
