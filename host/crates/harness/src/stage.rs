//! What a run stands on: stores in a folder of their own, and the plan.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_broker::Hook;
use hookwire_driver::SqlPool;
use hookwire_driver_sqlite::{OpenError, SqliteOptions, SqlitePool};
use hookwire_rules::{House, HouseBounds, Plan, PoolHandle};
use hookwire_settings::{At, Located, Problem, Settings};
use tempfile::TempDir;
use tokio::runtime::Runtime as Tokio;

use crate::fixture::{Fixture, StoreSetup};
use crate::harness::Harness;
use crate::limits::Limits;
use crate::statements::statements;
use crate::store::{Journal, Watched};

/// The tables that the broker itself makes in every SQLite pool.
const TABLES: &str = include_str!("../../../../etc/sql/sqlite-emqx3.sql");

/// Stores, opened, and rules, bound.
pub(crate) struct Stage {
    pub(crate) plan: Arc<Plan>,
    pub(crate) pools: HashMap<String, Arc<Watched>>,
    pub(crate) house: Arc<House>,
    pub(crate) journal: Arc<Journal>,
    /// Holds the actions' notes until the run fills in the rest.
    pub(crate) limits: Limits,
    /// Drivers live here; ended before the folder goes.
    service: Option<Tokio>,
    _folder: TempDir,
}

impl Stage {
    /// Sets a fixture up. `behind` stands between a rule and its SQLite store.
    pub(crate) fn set(
        harness: &Harness,
        fixture: &Fixture,
        behind: impl Fn(Arc<dyn SqlPool>) -> Arc<dyn SqlPool>,
    ) -> Result<Self, Vec<Problem>> {
        let failed = |what: String| {
            vec![Problem {
                at: fixture.start.clone(),
                message: what,
            }]
        };
        harness.clock.set(fixture.starts_at_ms);
        harness.world.forget();
        for module in &fixture.settings.modules {
            harness.runtime.forget(&module.name.value);
        }
        let modules = harness.modules(fixture)?;
        let folder = TempDir::with_prefix("hookwire-fixture-")
            .map_err(|error| failed(format!("there is no place for stores: {error}")))?;
        let service = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("fixture-stores")
            .enable_all()
            .build()
            .map_err(|error| failed(format!("no thread for stores: {error}")))?;
        let journal = Arc::new(Journal::default());
        let mut pools = HashMap::new();
        for setup in &fixture.stores {
            let store = if fixture.is_bundled {
                service.block_on(open_guarded(folder.path(), setup))?
            } else {
                service.block_on(open(folder.path(), setup))?
            };
            let name = &setup.name.value;
            let watched = Watched::new(name, behind(store), Arc::clone(&journal));
            pools.insert(name.clone(), watched);
        }
        let house = service
            .block_on(open_house(folder.path()))
            .map_err(failed)?;
        let handles = pools.iter().map(|(name, pool)| {
            let pool: Arc<dyn SqlPool> = Arc::clone(pool) as _;
            (name.clone(), PoolHandle::Sql(pool))
        });
        let handles = handles.collect();
        let settings = &fixture.settings;
        let plan = Plan::bind(&harness.runtime, settings, &modules, &handles, None)?;
        let mut limits = Limits::default();
        for (name, module) in &modules {
            limits.note_actions(module, actions_on_publish(settings, name));
        }
        Ok(Self {
            plan,
            pools,
            house,
            journal,
            limits,
            service: Some(service),
            _folder: folder,
        })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(service) = self.service.take() {
            service.shutdown_background();
        }
    }
}

fn actions_on_publish<'s>(settings: &'s Settings, module: &str) -> impl Iterator<Item = &'s str> {
    let rules = settings.rules.iter();
    rules
        .filter(move |rule| rule.module.value == module)
        .filter(|rule| Hook::by_name(&rule.hook.value) == Some(Hook::MessagePublish))
        .map(|rule| rule.action.value.as_str())
}

/// How long a statement of a set-up may take that came with a component.
const SETUP_DEADLINE: Duration = Duration::from_secs(5);

/// As [`open`], where the set-up is a stranger's: its statements are those that
/// rules may run, and triggers, each before a deadline.
async fn open_guarded(folder: &Path, setup: &StoreSetup) -> Result<Arc<SqlitePool>, Vec<Problem>> {
    let alone = StoreSetup {
        setup: None,
        ..setup.clone()
    };
    if let Some(Located { value, at }) = &setup.setup {
        let tables = open(folder, &alone).await?;
        tables.close().await;
        let options = SqliteOptions {
            max_statement: None,
            allows_triggers: true,
            ..SqliteOptions::new(file_of(folder, setup))
        };
        let opened = SqlitePool::open(options).await;
        let pool = opened.map_err(|error| problem(setup, at, &cause(&error)))?;
        for statement in statements(value) {
            let deadline = Instant::now() + SETUP_DEADLINE;
            let ran = pool.exec_many(statement.trim().into(), vec![Vec::new()], deadline);
            let failed = match ran.await {
                Ok(ran) => ran.failed.into_iter().next().map(|row| row.fault),
                Err(fault) => Some(fault),
            };
            if let Some(fault) = failed {
                return Err(problem(setup, at, &format!("setup: {fault}")));
            }
        }
        pool.close().await;
        let done = StoreSetup {
            setup_file: None,
            ..alone
        };
        return open(folder, &done).await;
    }
    open(folder, &alone).await
}

fn file_of(folder: &Path, setup: &StoreSetup) -> PathBuf {
    folder.join(format!("{}.db", setup.name.value))
}

fn problem(setup: &StoreSetup, at: &At, why: &str) -> Vec<Problem> {
    vec![Problem {
        at: at.clone(),
        message: format!("pool \"{}\": {why}", setup.name.value),
    }]
}

async fn open(folder: &Path, setup: &StoreSetup) -> Result<Arc<SqlitePool>, Vec<Problem>> {
    let options = |schema: String| SqliteOptions {
        schema: Some(schema),
        ..SqliteOptions::new(file_of(folder, setup))
    };
    let problem = |at: &At, why: String| problem(setup, at, &why);
    let mut statements = Vec::new();
    if let Some(Located { value: file, at }) = &setup.setup_file {
        let text = std::fs::read_to_string(file).map_err(|error| {
            problem(
                at,
                format!("setup_file: cannot read {}: {error}", file.display()),
            )
        })?;
        statements.push(("setup_file", text, at));
    }
    if let Some(Located { value, at }) = &setup.setup {
        statements.push(("setup", value.clone(), at));
    }
    for (key, text, at) in statements {
        // Run once, and not again when the driver opens the file anew.
        let opened = SqlitePool::open(options(format!("{TABLES}\n{text}"))).await;
        let first = opened.map_err(|error| problem(at, format!("{key}: {}", cause(&error))))?;
        first.close().await;
    }
    let pool = SqlitePool::open(options(TABLES.to_owned())).await;
    let failed = |error: OpenError| problem(&setup.name.at, cause(&error));
    pool.map_err(failed)
}

/// What a store says, without where its file lies.
fn cause(error: &OpenError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    source.unwrap_or_else(|| error.to_string())
}

async fn open_house(folder: &Path) -> Result<Arc<House>, String> {
    let options = SqliteOptions {
        schema: Some(House::SCHEMA.to_owned()),
        ..SqliteOptions::new(folder.join("dead-letters.sqlite"))
    };
    let pool = SqlitePool::open(options)
        .await
        .map_err(|error| error.to_string())?;
    let opened = House::open(pool, HouseBounds::default()).await;
    opened.map_err(|fault| fault.to_string())
}
