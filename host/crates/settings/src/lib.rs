//! The configuration: HCL to checked, typed settings.
//!
//! Reads a file through its syntax tree, never by evaluating it, so that
//! templates such as `${clientid}` stay text, and so that every problem is
//! reported with its file and line, all at once. What only a loaded module can
//! tell (its actions and their options) is checked by the rule runtime, with
//! the places kept here.

mod block;
mod document;
mod keys;
mod listener;
mod model;
mod module;
mod mqtt;
mod nearest;
mod pool;
pub mod reading;
mod rule;
mod source;
mod value;

pub use model::{
    At, DenyAction, Listener, Located, Module, Mqtt, OnError, OptionValue, Pool, PoolKind, Problem,
    QueueOverflow, Retention, Rule, Settings, SharedStrategy, SqlitePool,
};
pub use nearest::{hint, nearest};
pub use rule::hook_has_topic;
