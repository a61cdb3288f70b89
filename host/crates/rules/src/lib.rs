//! The Wasm rule runtime: engine, loader, lanes, dispatch.
//!
//! A [`Runtime`] compiles modules; a [`Plan`] binds the rules of the settings
//! to their actions, or says everything that is wrong; each worker runs the
//! plan as [`WorkerRules`], the core's `Hooks`. A guest touches only what it
//! was granted, gives way to its worker every millisecond, ends at its
//! deadline, and takes nothing with it when it traps.

mod answer;
mod away;
mod batch;
mod bind;
mod bind_rule;
mod breaker;
mod cache;
mod chain;
mod class;
mod conduct;
mod dispatch;
mod engine;
mod grant;
mod hold;
mod host;
mod host_broker;
mod host_clock;
mod host_http;
mod host_log;
mod host_memory;
mod host_passwords;
mod host_random;
mod host_sql;
mod house;
mod inbox;
mod instance;
mod interest;
mod isolate;
mod item;
mod journal;
mod lane;
mod lane_group;
mod lane_order;
mod lanes;
mod letters;
mod loader;
mod manifest;
mod memory;
mod options;
mod outbox;
mod plan;
mod priority;
mod record;
mod runner;
mod sets;
mod settle;
mod signal;
mod spool;
mod stats;
mod subject;
mod tap;
mod throttle;
mod view;
mod wasi;
mod worker;

pub use cache::Cache;
pub use dispatch::{WorkerRules, WorkerRulesError};
pub use engine::{ModuleFigures, Runtime, RuntimeError};
pub use host_clock::GuestClock;
pub use house::{House, HouseBounds, HouseStats};
pub use inbox::{AdoptError, Readied, RulesHandle};
pub use interest::{Interest, MessageKinds};
pub use letters::DeadLetter;
pub use loader::{ContentHash, LoadError, LoadFailure, LoadedModule};
pub use manifest::{Action, Manifest, PoolInterface};
pub use memory::{Metric, bucket_bound};
pub use options::{OptionKind, OptionSpec};
pub use plan::{Plan, PoolHandle};
pub use record::{ClientRecord, EventRecord, MessageRecord, REASON_WORDS, SubscriptionRecord};
pub use stats::{Histogram, ModuleStats, RuleStats};
pub use tap::TapFilter;
