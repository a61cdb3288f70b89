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
mod verdict;

pub use bindings::hookwire::types::events::{
    Access, Client, Connection, Credentials, Delivery, Message, Subscription,
};
pub use bindings::hookwire::types::faults::{Fault, FaultKind};
pub use context::Context;
pub use hookwire_sdk_macros::{OptionValue, Options, action};
pub use options::{OptionValue, Options};
pub use serde_json;
pub use verdict::{
    Allowance, Authentication, Authorization, Denial, IntoVerdict, IntoVerdicts, Replacement,
    Restoration, RestoredSubscription, Verdict, Verdicts,
};

/// A name and a value: a user property, or what a later host adds (`extras`).
pub type Attribute = (String, String);

/// Everything an action usually needs: `use hookwire_sdk::prelude::*;`. The
/// modules [`broker`], [`clock`], [`http`], [`kv`], [`metrics`], [`passwords`]
/// and [`random`] are named one by one, which shows what a module has to be
/// granted.
pub mod prelude {
    pub use crate::sql::{OwnedValue, Pool, RowSet, Value};
    pub use crate::{
        Access, Allowance, Authentication, Authorization, Client, Context, Credentials, Delivery,
        Fault, FaultKind, Message, OptionValue, Options, Replacement, Restoration,
        RestoredSubscription, Subscription, Verdict, Verdicts, action, log_debug, log_error,
        log_info, log_trace, log_warn, reason_code,
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
