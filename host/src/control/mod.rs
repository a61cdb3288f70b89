//! A running broker, as an administrator changes it and looks into it.
//!
//! One change at a time; who looks in sees what runs, and waits for no change. A change is prepared beside what runs: modules are
//! compiled and described, pools opened, rules bound, instances made. What goes
//! wrong there is said, and everything stays as it was; only then the workers go
//! over.

mod apply;
mod clients;
mod letters;
mod metrics;
mod modules;
mod record;
mod spool;
mod wanted;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use hookwire_admin::{Administration, Changes, Recording, Refusal, Request, Tap};
use hookwire_net::{GreetingCounters, WorkerHandle};
use hookwire_rules::{ContentHash, House, LoadedModule, Plan, RulesHandle, Runtime};
use hookwire_settings::Settings;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::data_dir::DataDir;
use crate::pools::OpenedPool;
use crate::watch::Stamps;

pub(crate) use wanted::{Source, Wanted};

/// A broker's changeable parts.
pub(crate) struct Control {
    pub(crate) runtime: Runtime,
    pub(crate) data: Arc<DataDir>,
    pub(crate) house: Arc<House>,
    pub(crate) workers: Vec<WorkerHandle>,
    pub(crate) rules: Vec<RulesHandle>,
    pub(crate) greetings: GreetingCounters,
    source: Source,
    /// What the broker started with: some of it holds until it ends.
    started: Settings,
    /// The files of modules as they were read last.
    pub(crate) stamps: Stamps,
    running: std::sync::RwLock<Arc<Running>>,
    /// Held by the one change that is under way.
    changing: Mutex<()>,
    /// Whether the broker stops: no change begins any more, and none goes on for long.
    stops: AtomicBool,
    reloads: AtomicU64,
    failed_reloads: AtomicU64,
}

/// What runs now.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) wanted: Wanted,
    /// By the names of their blocks.
    pub(crate) modules: HashMap<String, LoadedModule>,
    /// What those served before that have changed.
    pub(crate) before: HashMap<String, LoadedModule>,
    /// What modules served that were rolled back.
    pub(crate) left: HashMap<String, ContentHash>,
    pub(crate) pools: Vec<OpenedPool>,
    pub(crate) plan: Arc<Plan>,
}

/// What a [`Control`] is made of.
pub(crate) struct Parts {
    pub(crate) runtime: Runtime,
    pub(crate) data: Arc<DataDir>,
    pub(crate) house: Arc<House>,
    pub(crate) workers: Vec<WorkerHandle>,
    pub(crate) rules: Vec<RulesHandle>,
    pub(crate) greetings: GreetingCounters,
    pub(crate) source: Source,
    pub(crate) stamps: Stamps,
    pub(crate) running: Running,
}

impl Control {
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            runtime: parts.runtime,
            data: parts.data,
            house: parts.house,
            workers: parts.workers,
            rules: parts.rules,
            greetings: parts.greetings,
            source: parts.source,
            started: parts.running.wanted.settings.clone(),
            stamps: parts.stamps,
            running: std::sync::RwLock::new(Arc::new(parts.running)),
            changing: Mutex::new(()),
            stops: AtomicBool::new(false),
            reloads: AtomicU64::new(0),
            failed_reloads: AtomicU64::new(0),
        })
    }

    /// What runs.
    pub(crate) fn running(&self) -> Arc<Running> {
        let running = self.running.read();
        Arc::clone(&running.unwrap_or_else(PoisonError::into_inner))
    }

    /// No change begins any more, and one that runs a component's fixtures gives up.
    pub(crate) fn stop_changes(&self) {
        self.stops.store(true, Ordering::Release);
    }

    /// Waits until no change is under way.
    pub(crate) async fn changes_ended(&self) {
        drop(self.changing.lock().await);
    }

    /// Reads the configuration and all modules again, as `ctl reload` does, and
    /// says in the log what came of it.
    pub(crate) async fn reload(&self, why: &str) {
        match self.change(apply::Change::Everything).await {
            Ok(changes) => say_changes(why, &changes),
            Err(refusal) => say_refusal(why, &refusal),
        }
    }

    /// The loaded modules that are files, with their paths.
    pub(crate) fn watched_files(&self) -> Vec<(String, PathBuf)> {
        let running = self.running();
        let blocks = running.wanted.settings.modules.iter();
        blocks
            .filter(|block| running.modules.contains_key(&block.name.value))
            .filter_map(|block| Some((block.name.value.clone(), block.path.clone()?)))
            .collect()
    }

    /// A module's file has changed.
    pub(crate) async fn reload_file(&self, module: &str) {
        let why = format!("the file of {module} has changed");
        match self.change(apply::Change::Module(module.to_owned())).await {
            Ok(changes) => say_changes(&why, &changes),
            Err(refusal) => say_refusal(&why, &refusal),
        }
    }

    async fn change(&self, change: apply::Change) -> Result<Changes, Refusal> {
        let _one = self.changing.lock().await;
        if self.stops.load(Ordering::Acquire) {
            return Err(Refusal::new("the broker stops"));
        }
        let mut running = Running::clone(&self.running());
        let changed = self.apply(&mut running, change).await;
        match &changed {
            Ok(_) => {
                let mut shown = self.running.write().unwrap_or_else(PoisonError::into_inner);
                *shown = Arc::new(running);
                self.reloads.fetch_add(1, Ordering::Relaxed)
            }
            Err(_) => self.failed_reloads.fetch_add(1, Ordering::Relaxed),
        };
        changed
    }

    /// A change that an administrator asked for.
    async fn asked(&self, what: &str, change: apply::Change) -> Result<Value, Refusal> {
        let changed = self.change(change).await;
        match &changed {
            Ok(changes) => say_changes(what, changes),
            Err(refusal) => say_refusal(what, refusal),
        }
        to_value(&changed?)
    }
}

fn say_changes(why: &str, changes: &Changes) {
    for line in &changes.changed {
        tracing::info!("{why}: {line}");
    }
    for line in &changes.needs_restart {
        tracing::warn!("{why}: {line}: takes a restart");
    }
    if changes.changed.is_empty() && changes.needs_restart.is_empty() {
        tracing::info!("{why}: nothing has changed");
    }
}

fn say_refusal(why: &str, refusal: &Refusal) {
    tracing::error!("{why}: {refusal}; everything stays as it was");
    for problem in &refusal.problems {
        tracing::error!("{why}: {problem}");
    }
}

fn to_value(answer: &impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(answer).map_err(|error| Refusal::new(error.to_string()))
}

impl Administration for Control {
    async fn answer(&self, request: Request) -> Result<Value, Refusal> {
        match request {
            Request::Modules => to_value(&self.list_modules()),
            Request::Load { name, file } => {
                let what = format!("load {name}");
                self.asked(&what, apply::Change::Load { name, file }).await
            }
            Request::Unload { name } => {
                let what = format!("unload {name}");
                self.asked(&what, apply::Change::Unload(name)).await
            }
            Request::ReloadModule { name } => {
                let what = format!("reload {name}");
                self.asked(&what, apply::Change::Module(name)).await
            }
            Request::Rollback { name } => {
                let what = format!("rollback {name}");
                self.asked(&what, apply::Change::Rollback(name)).await
            }
            Request::Reload => self.asked("reload", apply::Change::Everything).await,
            Request::Metrics => to_value(&self.metrics().await),
            Request::Clients { after, limit } => to_value(&self.clients(after, limit).await),
            Request::Client { clientid } => to_value(&self.client(clientid).await),
            Request::Kick { clientid } => to_value(&self.kick(clientid).await),
            Request::DeadLetters { after, limit } => {
                to_value(&self.dead_letters(after, limit).await?)
            }
            Request::ReplayDeadLetters { ids } => to_value(&self.replay(ids).await?),
            Request::PurgeDeadLetters { ids } => to_value(&self.purge(ids).await?),
            Request::Spool => to_value(&self.spool().await?),
            Request::PurgeSpool { rule } => to_value(&self.purge_spool(&rule).await?),
            Request::Record(_) => Err(Refusal::new("a recording has no single answer")),
        }
    }

    async fn record(&self, tap: Tap) -> Result<Recording, Refusal> {
        self.tap(tap).await
    }
}
