//! The Wasm rule runtime: engine, loader, lanes, dispatch.
//!
//! A [`Runtime`] compiles modules; a [`Plan`] binds the rules of the settings
//! to their actions, or says everything that is wrong; each worker runs the
//! plan as [`WorkerRules`], the core's `Hooks`. A guest touches only what it
//! was granted, gives way to its worker every millisecond, ends at its
//! deadline, and takes nothing with it when it traps.

mod batch;
mod bind;
mod bind_rule;
mod chain;
mod dispatch;
mod engine;
mod grant;
mod host;
mod host_clock;
mod host_log;
mod host_sql;
mod instance;
mod interest;
mod lane;
mod loader;
mod manifest;
mod options;
mod plan;
mod runner;
mod sets;
mod settle;
mod stats;
mod throttle;
mod worker;

pub use dispatch::{WorkerRules, WorkerRulesError};
pub use engine::{Runtime, RuntimeError};
pub use interest::{Interest, MessageKinds};
pub use loader::{LoadError, LoadFailure, LoadedModule};
pub use manifest::{Action, Hook, Manifest, PoolInterface};
pub use options::{OptionKind, OptionSpec};
pub use plan::{Plan, PoolHandle};
pub use stats::{ModuleStats, RuleStats};
