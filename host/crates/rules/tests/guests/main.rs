//! The rule runtime with real guests: the module in `test-guest`, built by
//! `cargo xtask rules`, and a few components written by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod binding;
mod chains;
mod failures;
mod hostile;
mod lanes;
mod limits;
mod loading;
mod message_log;
mod pools;
mod rig;
mod store;
mod verdicts;
mod written_guest;
