//! Composition: settings to a running broker, in the order in which each part
//! needs the one before. A broker that cannot be whole does not start.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use hookwire_broker::{
    DenyAction, IdGenerator, Limits, ListenerInfo, Node, QueueOverflow, RetainedMessages,
    RouteTable, Shard, ShardSetup, SharedStrategy, WorkerId,
};
use hookwire_driver_sqlite::{SqliteOptions, SqlitePool};
use hookwire_net::{
    Clock, GreetingCounters, Listener, ListenerSettings, WorkerHandle, WorkerReport, WorkerSetup,
    serve_worker, wall_ms,
};
use hookwire_rules::{Cache, House, HouseBounds, Plan, PoolHandle, RulesHandle, WorkerRules};
use hookwire_settings::{Mqtt, Problem, Settings};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cli::Failure;
use crate::control::{self, Control, Source, Wanted};
use crate::data_dir::DataDir;
use crate::modules;
use crate::pools::{self, OpenedPool};
use crate::shutdown::Signals;

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
    if !problems.is_empty() {
        // Nothing is made on disk for a configuration that does not hold.
        let modules = tokio::task::block_in_place(|| modules::load(&settings, None))?;
        modules.check(&settings, problems)?;
    }
    let data = Arc::new(DataDir::hold(data)?);
    let cache = open_cache(&data);
    let modules = tokio::task::block_in_place(|| modules::load(&settings, cache))?;
    tokio::task::block_in_place(|| modules.check(&settings, Vec::new()))?;
    let not_before_ms = data.take_id_mark()?;
    say(&format!(
        "hookwire {}, node {}",
        env!("CARGO_PKG_VERSION"),
        settings.node
    ));
    say_modules(&modules);
    let opened = pools::open_missing(&settings, &[], &data).await?;
    for pool in &opened {
        say(&pools::line(pool, &data));
    }
    let handles: HashMap<String, PoolHandle> = opened.iter().map(OpenedPool::handle).collect();
    let plan = tokio::task::block_in_place(|| {
        Plan::bind(&modules.runtime, &settings, &modules.loaded, &handles, None)
    })?;
    say_rules(&settings);
    let (house_pool, house) = open_house(&data).await?;
    let listeners = bind_listeners(&settings).await?;
    let count = worker_count(&settings);
    let started = start_workers(&settings, count, &plan, &house, not_before_ms)?;
    let (stop, stopping) = watch::channel(false);
    let greetings = GreetingCounters::default();
    let mut tasks = JoinSet::new();
    tasks.spawn(keep_id_mark(
        Arc::clone(&data),
        not_before_ms,
        stopping.clone(),
    ));
    let control = Control::new(control::Parts {
        runtime: modules.runtime,
        data: Arc::clone(&data),
        house: Arc::clone(&house),
        workers: started.workers.clone(),
        rules: started.rules.clone(),
        greetings: greetings.clone(),
        source,
        running: control::Running {
            wanted: Wanted::of(settings.clone()),
            modules: modules.loaded,
            before: HashMap::new(),
            pools: opened,
            plan,
        },
    });
    let socket = hookwire_admin::bind(&data.file(Path::new("")))
        .context("cannot listen for commands in the data directory")?;
    let administration = hookwire_admin::serve(socket, Arc::clone(&control));
    tasks.spawn(until_stopped(administration, stopping.clone()));
    let spool = house.replay_spool(started.rules.clone());
    tasks.spawn(until_stopped(spool, stopping.clone()));
    let files = crate::watch::watch(Arc::clone(&control));
    tasks.spawn(until_stopped(files, stopping.clone()));
    // Whoever reads that it listens may stop it at once.
    let signals = Signals::listen()?;
    for (number, (listener, line)) in (count..).zip(listeners) {
        let ids = IdGenerator::new(node_number(&settings.node), number, not_before_ms);
        let workers = started.workers.clone();
        tasks.spawn(listener.serve(workers, ids, greetings.clone(), stopping.clone()));
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

async fn open_house(data: &DataDir) -> Result<(Arc<SqlitePool>, Arc<House>)> {
    let file = data.file(Path::new("house.db"));
    let options = SqliteOptions {
        schema: Some(House::SCHEMA.to_owned()),
        ..SqliteOptions::new(&file)
    };
    let pool = SqlitePool::open(options).await.with_context(|| {
        format!(
            "the file of spooled events and dead letters, {}, cannot be opened",
            file.display()
        )
    })?;
    let house = House::open(Arc::clone(&pool) as _, HouseBounds::default());
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

/// The workers, on their threads.
struct Started {
    workers: Vec<WorkerHandle>,
    rules: Vec<RulesHandle>,
    threads: Vec<JoinHandle<WorkerReport>>,
}

/// Starts a thread for each worker; returns when all of them have their rules.
fn start_workers(
    settings: &Settings,
    count: WorkerId,
    plan: &Arc<Plan>,
    house: &Arc<House>,
    not_before_ms: u64,
) -> Result<Started> {
    let mqtt = &settings.mqtt;
    let routes = Arc::new(RouteTable::new(strategy(mqtt)));
    let retained = Arc::new(RetainedMessages::new(
        mqtt.max_retained_messages,
        mqtt.max_retained_bytes,
    ));
    let speaks_as = Arc::new(Node::new(
        &settings.node,
        env!("CARGO_PKG_VERSION"),
        usize::from(count),
        wall_ms(),
        mqtt.sys_interval_s,
    ));
    let handles: Vec<WorkerHandle> = (0..count).map(|_| WorkerHandle::default()).collect();
    let node = node_number(&settings.node);
    let (mut rules, mut threads) = (Vec::new(), Vec::new());
    for worker in 0..count {
        let start = WorkerStart {
            worker,
            peers: handles.clone(),
            routes: Arc::clone(&routes),
            retained: Arc::clone(&retained),
            speaks_as: Arc::clone(&speaks_as),
            limits: limits(&settings.mqtt),
            ids: IdGenerator::new(node, worker, not_before_ms),
            plan: Arc::clone(plan),
            house: Arc::clone(house),
            max_packet_bytes: settings.mqtt.max_packet_bytes,
        };
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(format!("worker-{worker}"))
            .spawn(move || start.run(&ready))
            .context("cannot start a worker thread")?;
        let started = is_ready
            .recv()
            .map_err(|_| anyhow!("worker {worker} died at its start"))?;
        rules.push(started.with_context(|| format!("worker {worker} cannot start"))?);
        threads.push(thread);
    }
    say(&format!("{count} workers"));
    Ok(Started {
        workers: handles,
        rules,
        threads,
    })
}

/// Everything that a worker's thread needs to begin.
struct WorkerStart {
    worker: WorkerId,
    peers: Vec<WorkerHandle>,
    routes: Arc<RouteTable>,
    retained: Arc<RetainedMessages>,
    speaks_as: Arc<Node>,
    limits: Limits,
    ids: IdGenerator,
    plan: Arc<Plan>,
    house: Arc<House>,
    max_packet_bytes: usize,
}

impl WorkerStart {
    fn run(self, ready: &std::sync::mpsc::Sender<Result<RulesHandle>>) -> WorkerReport {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => {
                drop(ready.send(Err(error.into())));
                return WorkerReport::default();
            }
        };
        let local = tokio::task::LocalSet::new();
        runtime.block_on(local.run_until(async move {
            let rules = match WorkerRules::new(self.plan, usize::from(self.worker), self.house) {
                Ok(rules) => rules,
                Err(error) => {
                    drop(ready.send(Err(error.into())));
                    return WorkerReport::default();
                }
            };
            let mut clock = Clock::start();
            let workers = WorkerId::try_from(self.peers.len()).unwrap_or(WorkerId::MAX);
            let now = clock.now();
            let setup = ShardSetup {
                worker: self.worker,
                workers,
                limits: self.limits,
                routes: self.routes,
                retained: self.retained,
                node: Some(self.speaks_as),
                ids: self.ids,
            };
            let handle = rules.handle();
            let shard = Shard::new(setup, rules, now);
            drop(ready.send(Ok(handle)));
            serve_worker(WorkerSetup {
                shard,
                clock,
                worker: self.worker,
                peers: self.peers,
                max_packet_bytes: self.max_packet_bytes,
            })
            .await
        }))
    }
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

fn worker_count(settings: &Settings) -> WorkerId {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let count = settings.workers.unwrap_or_else(cores);
    WorkerId::try_from(count.clamp(1, MAX_WORKERS)).unwrap_or(1)
}

const MAX_WORKERS: usize = 256;

fn limits(mqtt: &Mqtt) -> Limits {
    Limits {
        max_packet_bytes: u32::try_from(mqtt.max_packet_bytes).unwrap_or(u32::MAX),
        receive_maximum: mqtt.receive_maximum,
        max_inflight: mqtt.max_inflight,
        max_queued_messages: mqtt.max_queued_messages,
        max_queued_bytes: mqtt.max_queued_bytes,
        queue_overflow: match mqtt.queue_overflow {
            hookwire_settings::QueueOverflow::DropNewest => QueueOverflow::DropNewest,
            hookwire_settings::QueueOverflow::DropOldest => QueueOverflow::DropOldest,
            hookwire_settings::QueueOverflow::Disconnect => QueueOverflow::Disconnect,
        },
        queue_qos0: mqtt.queue_qos0,
        max_output_bytes: mqtt.max_output_bytes,
        max_keep_alive_s: mqtt.max_keep_alive_s,
        max_session_expiry_s: match mqtt.max_session_expiry_s {
            0 => u32::MAX,
            seconds => seconds,
        },
        max_topic_aliases: mqtt.max_topic_aliases,
        authentication_ms: u64::try_from(mqtt.authentication_timeout.as_millis())
            .unwrap_or(u64::MAX),
        max_kept_access: mqtt.max_kept_access,
        deny_action: match mqtt.deny_action {
            hookwire_settings::DenyAction::Ignore => DenyAction::Ignore,
            hookwire_settings::DenyAction::Disconnect => DenyAction::Disconnect,
        },
        max_delayed_messages: mqtt.max_delayed_messages,
        max_delayed_bytes: mqtt.max_delayed_bytes,
        check_payload_format: mqtt.check_payload_format,
        short_client_ids_in_mqtt31: mqtt.short_client_ids_in_mqtt31,
        response_information: mqtt.response_information.clone(),
        server_reference: mqtt.server_reference.clone(),
    }
}

fn strategy(mqtt: &Mqtt) -> SharedStrategy {
    match mqtt.shared_strategy {
        hookwire_settings::SharedStrategy::RoundRobin => SharedStrategy::RoundRobin,
        hookwire_settings::SharedStrategy::Random => SharedStrategy::Random,
        hookwire_settings::SharedStrategy::Sticky => SharedStrategy::Sticky,
        hookwire_settings::SharedStrategy::HashClient => SharedStrategy::HashClient,
        hookwire_settings::SharedStrategy::HashTopic => SharedStrategy::HashTopic,
        hookwire_settings::SharedStrategy::LeastInflight => SharedStrategy::LeastInflight,
    }
}

/// A number for the node's name, part of its message ids.
fn node_number(node: &str) -> u16 {
    let mut hasher = std::hash::DefaultHasher::new();
    node.hash(&mut hasher);
    (hasher.finish() & u64::from(u16::MAX)) as u16
}

fn say_modules(modules: &modules::Modules) {
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

/// A line for the person who started the broker; logs go elsewhere.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    drop(writeln!(stdout, "{line}").and_then(|()| stdout.flush()));
}
