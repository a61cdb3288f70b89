//! Doubles of the host for `cargo test` on a native target.
//!
//! [`Rule`] runs one action as a rule would, and [`Instance`] a whole module.
//! Store calls go to in-memory pools that record what they were asked and
//! answer as the test tells them; what is asked of the broker is kept; the
//! clock stands where the test puts it. All of it belongs to the test's own
//! thread, so tests run side by side. Everything is granted.
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
//! let rule = testing::Rule::new(&keep::ACTION).pool("main");
//! assert_eq!(rule.run(testing::message("a/b", "21.5")), Verdict::Proceed);
//! assert_eq!(pool.stored()[0].rows[0][0].as_text(), Some("a/b"));
//! ```

pub(crate) mod doubles;
mod events;
mod fits;
mod instance;
mod rule;
mod sql;

pub use crate::bindings::exports::hookwire::rule::actions::{ConfigError, Manifest, Settled};
pub use crate::bindings::hookwire::types::events::Event;
pub use doubles::broker::{BrokerCall, fail_next_broker_call, set_client, take_broker_calls};
pub use doubles::clock::{advance_clock, set_clock};
pub use doubles::http::{answer_http, take_http_requests};
pub use doubles::log::take_log;
pub use doubles::metrics::{counter, gauge, observations};
pub use doubles::passwords::set_password;
pub use doubles::random::seed_random;
pub use events::{
    access, client, client_state, connection, credentials, delivery, message, subscription,
};
pub use instance::Instance;
pub use rule::Rule;
pub(crate) use sql::OpenedPool;
pub use sql::{Query, SqlPool, Stored, rows};
