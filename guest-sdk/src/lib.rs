#![doc = include_str!("../README.md")]

#[doc(hidden)]
pub mod bindings;
pub mod clock;
mod context;
mod declared;
mod event;
mod fault;
mod instance;
pub mod log;
mod module;
mod options;
pub mod sql;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod verdict;

pub use bindings::hookwire::types::events::{Attribute, Client, Delivery, Message};
pub use bindings::hookwire::types::faults::{Fault, FaultKind};
pub use context::Context;
pub use hookwire_sdk_macros::action;
pub use verdict::{Denial, IntoVerdict, IntoVerdicts, Replacement, Verdict, Verdicts};

/// Everything an action usually needs: `use hookwire_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::sql::{OwnedValue, Pool, RowSet, Value};
    pub use crate::{
        Client, Context, Delivery, Fault, FaultKind, Message, Replacement, Verdict, Verdicts,
        action, log_debug, log_error, log_info, log_trace, log_warn,
    };
}

/// What the macros of the SDK expand to. Not for use by hand.
#[doc(hidden)]
pub mod expansion {
    pub use crate::declared::{Action, OptionSpec};
    pub use crate::event::{Subject, run_batch, run_single};
    pub use crate::instance::{Instance, ModuleActions};
    pub use crate::module::Guest;
}
