//! The Wasm rule runtime: engine, loader, lanes, dispatch.
//!
//! A [`Runtime`] compiles modules; a [`Plan`] binds the rules of the settings
//! to their actions, or says everything that is wrong; each worker runs the
//! plan as [`WorkerRules`], the core's `Hooks`. A guest touches only what it
//! was granted, gives way to its worker every millisecond, ends at its
//! deadline, and takes nothing with it when it traps.

mod host;
mod house;
mod lane;
mod module;
mod plan;
mod stats;
mod throttle;
mod worker;

pub use host::clock::GuestClock;
pub use host::stand_in::{HttpRequest, HttpResponse, StandIn};
pub use house::letters::DeadLetter;
pub use house::record::{
    ClientRecord, EventRecord, MessageRecord, REASON_WORDS, SubscriptionRecord,
};
pub use house::spool::Spooled;
pub use house::{House, HouseBounds, HouseStats};
pub use lane::priority::step_back_to_load;
pub use module::cache::Cache;
pub use module::engine::{ModuleFigures, Runtime, RuntimeError};
pub use module::figures::{Metric, bucket_bound};
pub use module::interest::{Interest, MessageKinds};
pub use module::loader::{ContentHash, LoadError, LoadFailure, LoadedModule};
pub use module::manifest::{Action, Manifest, PoolInterface};
#[cfg(feature = "native-actions")]
pub use module::native::{NativeActions, NativeFuture, NativeHost, NativeModule, NativePool};
pub use module::options::{OptionKind, OptionSpec};
pub use plan::{Plan, PoolHandle};
pub use stats::{Histogram, ModuleStats, RuleStats};
pub use worker::dispatch::{WorkerRules, WorkerRulesError};
pub use worker::inbox::{AdoptError, Readied, RulesHandle};
pub use worker::tap::TapFilter;
