//! What a run found, step by step.

use std::time::Duration;

use hookwire_driver::{Fault, RowSet};
use hookwire_rules::Metric;

use crate::limits::Limits;
pub use crate::seen::{Asked, Seen};
pub use crate::store::StoreCall;
pub use crate::world::HttpCall;

/// What a run of a fixture found.
#[derive(Debug, Default)]
pub struct Trace {
    /// One for each step of the fixture.
    pub steps: Vec<Did>,
    /// What the run used.
    pub limits: Limits,
}

/// What one step did, or found where it only looks.
#[derive(Debug, Default)]
pub struct Did {
    /// What became of its events, in their order.
    pub seen: Vec<Seen>,
    /// Events on which a rule failed that nobody waits for.
    pub failed: u64,
    /// Calls of stores, in order.
    pub store: Vec<StoreCall>,
    /// What was asked of the broker, in order.
    pub broker: Vec<Asked>,
    /// Requests that were sent, in order.
    pub http: Vec<HttpCall>,
    /// Lines of the log, of modules and of the runtime about them.
    pub log: Vec<String>,
    /// From the hand-over to the last verdict.
    pub took: Duration,
    /// Answers to the queries of an expectation.
    pub(crate) queries: Vec<Result<RowSet, Fault>>,
    /// What is kept under the keys of an expectation.
    pub(crate) kept: Vec<Option<Vec<u8>>>,
    /// Figures of all modules.
    pub(crate) figures: Vec<(String, Metric)>,
    pub(crate) dead_letters: u64,
    pub(crate) spooled: u64,
}
