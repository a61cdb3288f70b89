//! Composition: settings to a running broker, in the order in which each part
//! needs the one before. A broker that cannot be whole does not start.

mod workers;

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use hookwire_broker::{IdGenerator, ListenerInfo};
use hookwire_driver_sqlite::{SqliteOptions, SqlitePool};
use hookwire_net::{GreetingCounters, Listener, ListenerSettings, WorkerReport};
use hookwire_rules::{Cache, House, HouseBounds, Plan, PoolHandle};
use hookwire_settings::{Problem, Settings};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cli::Failure;
use crate::control::{self, Control, Source, Wanted};
use crate::data_dir::DataDir;
use crate::modules::{self, Modules};
use crate::pools::{self, OpenedPool};
use crate::shutdown::{self, Signals};
use workers::{node_number, start_workers, worker_count};

/// A running broker.
pub(crate) struct Broker {
    pub(crate) threads: Vec<JoinHandle<WorkerReport>>,
    /// Listeners and other tasks that end when `stop` turns true.
    pub(crate) tasks: JoinSet<()>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) signals: Signals,
    /// What can be changed while it runs.
    pub(crate) control: Arc<Control>,
    /// Where spooled events and dead letters are.
    pub(crate) house: Arc<SqlitePool>,
    /// Held until everything in it is closed.
    pub(crate) data: Arc<DataDir>,
}

/// Starts everything, unless the settings have `problems` or their modules find
/// more; when it returns, clients can connect.
pub(crate) async fn start(
    source: Source,
    settings: Settings,
    problems: Vec<Problem>,
    data: &Path,
) -> Result<Broker, Failure> {
    let (data, modules) = load(&settings, problems, data)?;
    let not_before_ms = data.take_id_mark()?;
    say_versions(&settings, &modules);
    let pools = open_pools(&settings, &data).await?;
    let plan = bind_plan(&settings, &modules, &pools)?;
    let (house_pool, house) = open_house(&data, &settings).await?;
    let listeners = bind_listeners(&settings).await?;
    let count = worker_count(&settings);
    let started = start_workers(&settings, count, &plan, &house, not_before_ms)?;
    tell_started(&started, &plan).await;
    let control = Control::new(control::Parts {
        runtime: modules.runtime,
        data: Arc::clone(&data),
        house,
        workers: started.workers,
        rules: started.rules,
        greetings: GreetingCounters::default(),
        source,
        stamps: modules.stamps,
        running: control::Running {
            wanted: Wanted::of(settings.clone()),
            modules: modules.loaded,
            before: HashMap::new(),
            left: HashMap::new(),
            pools,
            plan,
        },
    });
    let (stop, stopping) = watch::channel(false);
    let mut tasks = start_tasks(&control, not_before_ms, &stopping)?;
    // Whoever reads that it listens may stop it at once.
    let signals = Signals::listen()?;
    for (number, (listener, line)) in (count..).zip(listeners) {
        let ids = IdGenerator::new(node_number(&settings.node), number, not_before_ms);
        let (workers, greetings) = (control.workers.clone(), control.greetings.clone());
        tasks.spawn(listener.serve(workers, ids, greetings, stopping.clone()));
        say(&line);
    }
    Ok(Broker {
        threads: started.threads,
        tasks,
        stop,
        signals,
        control,
        house: house_pool,
        data,
    })
}

/// Takes the data directory and loads the modules, where neither the settings nor
/// they have problems. Blocks: compiling takes its time.
fn load(
    settings: &Settings,
    problems: Vec<Problem>,
    data: &Path,
) -> Result<(Arc<DataDir>, Modules), Failure> {
    if !problems.is_empty() {
        // Nothing is made on disk for a configuration that does not hold.
        let modules = tokio::task::block_in_place(|| modules::load(settings, None))?;
        modules.check(settings, problems)?;
    }
    shutdown::outlive_file_limits()?;
    let data = Arc::new(DataDir::hold(data)?);
    let cache = open_cache(&data);
    let modules = tokio::task::block_in_place(|| modules::load(settings, cache))?;
    tokio::task::block_in_place(|| modules.check(settings, Vec::new()))?;
    Ok((data, modules))
}

/// Opens the pools of the settings, and says what is in them.
async fn open_pools(settings: &Settings, data: &DataDir) -> Result<Vec<OpenedPool>> {
    let opened = pools::open_missing(settings, &[], data).await?;
    for pool in &opened {
        for line in pools::lines(pool, data).await {
            say(&line);
        }
    }
    pools::warn_of_short_retention(settings);
    Ok(opened)
}

/// Has the modules accept their rules, and says which there are.
fn bind_plan(
    settings: &Settings,
    modules: &Modules,
    pools: &[OpenedPool],
) -> Result<Arc<Plan>, Failure> {
    let handles: HashMap<String, PoolHandle> = pools.iter().map(OpenedPool::handle).collect();
    let plan = tokio::task::block_in_place(|| {
        Plan::bind(&modules.runtime, settings, &modules.loaded, &handles, None)
    })?;
    warn_of(&plan);
    say_rules(settings);
    Ok(plan)
}

/// What goes on beside workers and listeners until the broker stops.
fn start_tasks(
    control: &Arc<Control>,
    not_before_ms: u64,
    stopping: &watch::Receiver<bool>,
) -> Result<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    tasks.spawn(keep_id_mark(
        Arc::clone(&control.data),
        not_before_ms,
        stopping.clone(),
    ));
    let socket = hookwire_admin::bind(&control.data.file(Path::new("")))
        .context("cannot listen for commands in the data directory")?;
    let administration = hookwire_admin::serve(socket, Arc::clone(control));
    tasks.spawn(until_stopped(administration, stopping.clone()));
    let spool = Arc::clone(&control.house).replay_spool(control.rules.clone());
    tasks.spawn(until_stopped(spool, stopping.clone()));
    let files = crate::watch::watch(Arc::clone(control));
    tasks.spawn(until_stopped(files, stopping.clone()));
    Ok(tasks)
}

/// Runs the rules of `node.started`. A broker whose store cannot be had then serves
/// all the same; what was not written is told.
async fn tell_started(started: &workers::Started, plan: &Plan) {
    let Some(rules) = started.rules.first() else {
        return;
    };
    for (rule, fault) in rules.node_started(plan, hookwire_net::wall_ms()).await {
        tracing::error!(
            rule,
            fault = fault.message,
            code = fault.code,
            "a rule of node.started failed"
        );
    }
}

/// A broker without a cache compiles at each start, and serves all the same.
fn open_cache(data: &DataDir) -> Option<Arc<Cache>> {
    let directory = data.file(Path::new("cache"));
    Cache::open(&directory)
        .inspect_err(|error| {
            let directory = directory.display();
            tracing::warn!(%error, %directory, "cannot keep compiled modules");
        })
        .ok()
}

async fn open_house(data: &DataDir, settings: &Settings) -> Result<(Arc<SqlitePool>, Arc<House>)> {
    let file = data.file(Path::new("house.db"));
    let options = SqliteOptions {
        schema: Some(House::SCHEMA.to_owned()),
        // What was written down is read, however large an event is.
        max_result_bytes: usize::MAX,
        max_statement: None,
        max_check: Some(pools::MAX_CHECK),
        ..SqliteOptions::new(&file)
    };
    let pool = SqlitePool::open(options).await.with_context(|| {
        format!(
            "the file of spooled events and dead letters, {}, cannot be opened",
            file.display()
        )
    })?;
    let house = House::open(Arc::clone(&pool) as _, HouseBounds::of(settings));
    let house = house
        .await
        .map_err(|fault| anyhow!("{}: {} ({})", file.display(), fault.message, fault.code))?;
    Ok((pool, house))
}

/// Runs a task to its end, or to the broker's.
async fn until_stopped(task: impl Future<Output = ()>, mut stop: watch::Receiver<bool>) {
    // Cancel-safe: nothing that these tasks hold is lost with them.
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        () = task => {}
    }
}

async fn bind_listeners(settings: &Settings) -> Result<Vec<(Listener, String)>> {
    let mut listeners = Vec::new();
    for listener in &settings.listeners {
        let bound = Listener::bind(ListenerSettings {
            info: Arc::new(ListenerInfo {
                name: listener.name.clone(),
                tls: false,
                mount_point: None,
                denies_unknown_clients: !listener.allow_unknown_clients,
                denies_unlisted_access: !listener.allow_unlisted_access,
            }),
            address: listener.address,
            connect_timeout: listener.connect_timeout,
            max_greeting: listener.max_greeting,
            max_packet_bytes: settings.mqtt.max_packet_bytes,
        })
        .await
        .with_context(|| {
            format!(
                "listener \"{}\" cannot listen on {}",
                listener.name, listener.address
            )
        })?;
        let line = format!(
            "listening on {} (tcp, {})",
            bound.local_addr()?,
            listener.name
        );
        listeners.push((bound, line));
    }
    Ok(listeners)
}

/// Moves the mark of message ids on until the broker stops.
async fn keep_id_mark(data: Arc<DataDir>, not_before_ms: u64, mut stop: watch::Receiver<bool>) {
    loop {
        // Cancel-safe: a watch and a timer hold nothing.
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(crate::data_dir::MARK_EVERY) => {}
        }
        if let Err(error) = tokio::task::block_in_place(|| data.move_id_mark(not_before_ms)) {
            tracing::error!(
                error = format!("{error:#}"),
                "cannot move the mark of message ids"
            );
        }
    }
}

fn say_versions(settings: &Settings, modules: &Modules) {
    say(&format!(
        "hookwire {}, node {}",
        env!("CARGO_PKG_VERSION"),
        settings.node
    ));
    let mut loaded: Vec<_> = modules.loaded.iter().collect();
    loaded.sort_by_key(|(name, _)| *name);
    for (name, module) in loaded {
        let compiled = match module.compile_time() {
            Some(took) => format!("compiled in {} ms", took.as_millis()),
            None => "compiled before".to_owned(),
        };
        say(&format!("module {name}: {}, {compiled}", module.hash()));
    }
}

fn say_rules(settings: &Settings) {
    for rule in &settings.rules {
        let pool = rule
            .pool
            .as_ref()
            .map_or(String::new(), |pool| format!(", pool {}", pool.value));
        say(&format!(
            "rule {}: {} on {} -> {}.{}{pool}",
            rule.name.value,
            rule.hook.value,
            rule.topic.value,
            rule.module.value,
            rule.action.value,
        ));
    }
}

/// Logs what modules warn of.
pub(crate) fn warn_of(plan: &Plan) {
    for warning in plan.warnings() {
        tracing::warn!("{warning}");
    }
}

/// A line for the person who started the broker; logs go elsewhere.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    drop(writeln!(stdout, "{line}").and_then(|()| stdout.flush()));
}
