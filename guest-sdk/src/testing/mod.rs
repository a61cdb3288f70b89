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

/// What a module says against a rule, which is named by its number.
///
/// ```
/// # use hookwire_sdk::prelude::*;
/// # use hookwire_sdk::testing::{ConfigError, Instance, Rule};
/// #[action(hook = "message.publish", pool = "sql", stores)]
/// fn keep(_: &Context, _: &Message) {}
///
/// # hookwire_sdk::module! { name: "keeper", actions: [keep] }
/// # fn main() {
/// let errors = Instance::<Module>::configure(vec![Rule::new(&keep::ACTION)]).unwrap_err();
/// let message = "the action `keep` needs a pool of kind `sql`".to_owned();
/// assert_eq!(errors, [ConfigError { rule: 0, message }]);
/// # }
/// ```
pub use crate::bindings::exports::hookwire::rule::actions::ConfigError;

/// What a module says that it holds.
///
/// ```
/// # use hookwire_sdk::prelude::*;
/// # use hookwire_sdk::testing::{Instance, Manifest};
/// /// Greets a client.
/// #[action(hook = "client.connected")]
/// fn greet(_: &Context, _: &Client) {}
///
/// hookwire_sdk::module! { name: "greeter", actions: [greet] }
///
/// # fn main() {
/// let manifest: Manifest = Instance::<Module>::describe();
/// assert_eq!(manifest.actions[0].help, "Greets a client.");
/// # }
/// ```
pub use crate::bindings::exports::hookwire::rule::actions::Manifest;

/// The verdict on one call of a batch, which is named by its number.
///
/// ```
/// # use hookwire_sdk::prelude::*;
/// # use hookwire_sdk::testing::{self, Instance, Rule, Settled};
/// # #[action(hook = "message.publish")]
/// # fn drop_all(_: &Context, _: &Message) -> Verdict {
/// #     Verdict::Drop
/// # }
/// # hookwire_sdk::module! { name: "sink", actions: [drop_all] }
/// # fn main() {
/// let module = Instance::<Module>::configure(vec![Rule::new(&drop_all::ACTION)]).unwrap();
/// let settled = module.handle(&[testing::message("a", "").into()], &[(0, 0)]);
/// assert_eq!(settled, [Settled { call: 0, verdict: Verdict::Drop }]);
/// # }
/// ```
pub use crate::bindings::exports::hookwire::rule::actions::Settled;

/// An event of any hook, as [`Instance::handle`] takes it.
///
/// ```
/// use hookwire_sdk::testing::{self, Event};
///
/// let events: [Event; 2] =
///     [testing::client("c1").into(), testing::message("ovens/1", "71.5").into()];
/// assert!(matches!(&events[1], Event::Message(message) if message.topic == "ovens/1"));
/// ```
pub use crate::bindings::hookwire::types::events::Event;
pub use doubles::broker::{BrokerCall, fail_next_broker_call, set_client, take_broker_calls};
pub use doubles::clock::{advance_clock, set_clock};
pub use doubles::http::{answer_http, take_http_requests};
pub use doubles::log::take_log;
pub use doubles::metrics::{counter, gauge, observations};
pub use doubles::passwords::set_password;
pub use doubles::random::seed_random;
pub use events::{
    access, client, client_state, connection, credentials, delivery, exchange, fetch, message,
    node, subscription,
};
pub use instance::Instance;
pub use rule::Rule;
pub(crate) use sql::OpenedPool;
pub use sql::{Query, SqlPool, Stored, rows};
