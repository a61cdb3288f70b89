//! Doubles of the host for `cargo test` on a native target.
//!
//! Store calls of an action under test go to in-memory pools that record what
//! they were asked and answer as the test tells them; log lines are kept; the
//! clock stands where the test puts it. All of it belongs to the test's own
//! thread, so tests run side by side.
//!
//! ```
//! use hookwire_sdk::prelude::*;
//! use hookwire_sdk::testing;
//!
//! #[action(hook = "message.publish", pool = "sql")]
//! fn keep(ctx: &Context, message: &Message) -> Result<(), Fault> {
//!     ctx.sql()?.exec("INSERT INTO kept (topic) VALUES (?)", &[(&message.topic).into()])?;
//!     Ok(())
//! }
//!
//! let pool = testing::SqlPool::named("main");
//! let ctx = testing::Rule::new(&keep::ACTION).pool("main").context();
//! keep(&ctx, &testing::message("a/b", "21.5")).unwrap();
//! assert_eq!(pool.stored()[0].rows[0][0].as_text(), Some("a/b"));
//! ```

mod broker;
mod sql;

pub use crate::bindings::exports::hookwire::rule::actions::{Call, ConfigError, Manifest, Settled};
pub use crate::bindings::hookwire::types::events::Event;
pub use broker::{Instance, Rule, client, delivery, message};
pub(crate) use sql::OpenedPool;
pub use sql::{Query, SqlPool, Stored};

use std::cell::{Cell, RefCell};

use crate::log::Level;

thread_local! {
    static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
    static NOW_MS: Cell<u64> = const { Cell::new(0) };
}

/// The lines logged on this thread since the last call.
#[must_use]
pub fn take_log() -> Vec<(Level, String)> {
    LINES.take()
}

/// Puts the clock of this thread to `now_ms`, milliseconds since the Unix epoch.
pub fn set_clock(now_ms: u64) {
    NOW_MS.set(now_ms);
}

pub(crate) fn record_line(level: Level, message: &str) {
    LINES.with_borrow_mut(|lines| lines.push((level, message.to_owned())));
}

pub(crate) fn now_ms() -> u64 {
    NOW_MS.get()
}

pub(crate) fn monotonic_ns() -> u64 {
    NOW_MS.get().saturating_mul(1_000_000)
}
