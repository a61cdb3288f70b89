//! What stands behind the host's interfaces on a native target. Each room has
//! the functions of its interface, and what a test sets and looks at.
#![expect(clippy::needless_pass_by_value, reason = "as the interfaces have it")]

pub(crate) mod broker;
pub(crate) mod clock;
pub(crate) mod http;
pub(crate) mod key_value;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod passwords;
pub(crate) mod random;

pub(crate) use log::log;
