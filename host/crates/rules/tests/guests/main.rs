//! The rule runtime with real guests: the module in `test-guest`, built by
//! `cargo xtask rules`, and a few components written by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod binding;
mod blocks;
mod breaker;
mod caching;
mod chains;
mod failures;
mod fetching;
mod giving_up;
mod hostile;
mod isolation;
mod lanes;
mod limits;
mod loading;
mod message_log;
mod pools;
mod questions;
mod refused;
mod reloads;
mod retries;
mod rig;
mod store;
mod verdicts;
mod writing_down;
mod written_guest;
