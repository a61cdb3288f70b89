#![doc = include_str!("../README.md")]

mod action;
#[doc(hidden)]
pub mod bindings;
pub mod broker;
pub mod clock;
mod context;
mod event;
mod fault;
pub mod http;
mod instance;
pub mod kv;
pub mod log;
pub mod metrics;
mod module;
#[path = "../macros/src/nearest.rs"]
mod nearest;
pub mod options;
mod panic;
pub mod passwords;
pub mod random;
pub mod reason_code;
pub mod sql;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod topic;
mod verdict;

pub use action::Findings;
pub use context::{Context, RuleInfo};
pub use event::{
    Access, Client, Connection, Credentials, Delivery, Event, Exchange, Fetch, Message, Node,
    Subscription,
};
pub use fault::{Fault, FaultKind};
pub use options::{OptionValue, Options};
pub use serde_json;
pub use verdict::{
    Allowance, Authentication, Authorization, Denial, IntoVerdict, IntoVerdicts, Page, Replacement,
    Restoration, RestoredExchange, RestoredSubscription, Verdict, Verdicts,
};

/// Makes a function an action.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// Keeps retained messages small.
/// #[action(hook = "message.publish", interest("retain", "payload"))]
/// fn small(_: &Context, message: &Message) -> Verdict {
///     match message.payload.len() {
///         ..1024 => Verdict::Proceed,
///         _ => Verdict::deny(reason_code::PACKET_TOO_LARGE, "too much to retain"),
///     }
/// }
///
/// assert_eq!(small::ACTION.help, "Keeps retained messages small.");
/// assert_eq!(Rule::new(&small::ACTION).run(testing::message("a", "21.5")), Verdict::Proceed);
/// ```
///
/// A word that is unknown does not compile:
///
/// ```compile_fail
/// # use hookwire_sdk::prelude::*;
/// #[action(hook = "message.published")]
/// fn small(_: &Context, _: &Message) {}
/// ```
pub use hookwire_sdk_macros::action;

/// Makes a struct the options of an action's rules: one field for each option.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::Rule;
///
/// #[derive(Options)]
/// struct Limits {
///     /// Bytes that a payload may have.
///     #[option(name = "max_bytes", default = 1024)]
///     limit: usize,
/// }
///
/// #[action(hook = "message.publish", interest("payload"), options = Limits)]
/// fn short(_: &Context, limits: &Limits, message: &Message) -> Verdict {
///     match message.payload.len() > limits.limit {
///         true => Verdict::Drop,
///         false => Verdict::Proceed,
///     }
/// }
///
/// let rule = Rule::new(&short::ACTION).option("max_bytes", 64);
/// assert_eq!(rule.options::<Limits>().limit, 64);
/// ```
pub use hookwire_sdk_macros::Options;

/// Makes an enum the value of an option that is one of several words.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::Rule;
///
/// #[derive(OptionValue, Debug, PartialEq)]
/// enum Mode {
///     Strict,
///     DropSilently,
/// }
///
/// #[derive(Options)]
/// struct Limits {
///     /// What becomes of a message too many.
///     #[option(default = "strict")]
///     mode: Mode,
/// }
///
/// #[action(hook = "message.publish", options = Limits)]
/// fn limit(_: &Context, _: &Limits, _: &Message) {}
///
/// let rule = Rule::new(&limit::ACTION).option("mode", "drop-silently");
/// assert_eq!(rule.options::<Limits>().mode, Mode::DropSilently);
/// ```
pub use hookwire_sdk_macros::OptionValue;

/// A name and a value: a user property, or what a later host adds (`extras`).
///
/// ```
/// use hookwire_sdk::{Attribute, Message, testing};
///
/// let unit: Attribute = ("unit".to_owned(), "C".to_owned());
/// let message = Message { user_properties: vec![unit], ..testing::message("a", "21.5") };
/// assert_eq!(message.user_property("unit"), Some("C"));
/// ```
pub type Attribute = (String, String);

/// Everything an action usually needs: `use hookwire_sdk::prelude::*;`. The
/// modules [`broker`], [`clock`], [`http`], [`kv`], [`metrics`], [`passwords`]
/// and [`random`] are named one by one, which shows what a module has to be
/// granted.
///
/// ```
/// use hookwire_sdk::prelude::*;
///
/// #[action(hook = "client.connected")]
/// fn greet(_: &Context, client: &Client) {
///     log_info!("{} is here", client.clientid);
/// }
/// ```
pub mod prelude {
    pub use crate::sql::{OwnedValue, Pool, RowSet, Value};
    pub use crate::{
        Access, Allowance, Authentication, Authorization, Client, Context, Credentials, Delivery,
        Event, Exchange, Fault, FaultKind, Fetch, Findings, Message, Node, OptionValue, Options,
        Page, Replacement, Restoration, RestoredExchange, RestoredSubscription, Subscription,
        Verdict, Verdicts, action, log_debug, log_error, log_info, log_trace, log_warn,
        reason_code,
    };
}

/// What the macros of the SDK expand to. Not for use by hand.
#[doc(hidden)]
pub mod expansion {
    pub use crate::action::{Action, Bind, Runner, read_options};
    pub use crate::event::{Subject, run_batch, run_single};
    pub use crate::instance::{Instance, ModuleActions};
    pub use crate::module::Guest;
    pub use crate::options::{OptionSpec, default_suits, one_of};
}

/// A time as interfaces write it; what is beyond them is for ever.
pub(crate) fn milliseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
