//! The workers: a thread each, with its shard and its rules.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use hookwire_broker::{
    DenyAction, IdGenerator, Limits, Node, QueueOverflow, RetainedMessages, RouteTable, Shard,
    ShardSetup, SharedStrategy, WorkerId,
};
use hookwire_net::{Clock, WorkerHandle, WorkerReport, WorkerSetup, serve_worker, wall_ms};
use hookwire_rules::{House, Plan, RulesHandle, WorkerRules};
use hookwire_settings::{Mqtt, Settings};

use super::say;

/// The workers, on their threads.
pub(super) struct Started {
    pub(super) workers: Vec<WorkerHandle>,
    pub(super) rules: Vec<RulesHandle>,
    pub(super) threads: Vec<JoinHandle<WorkerReport>>,
}

/// Starts a thread for each worker; returns when all of them have their rules.
pub(super) fn start_workers(
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
            let rules = match WorkerRules::new(&self.plan, usize::from(self.worker), self.house) {
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

pub(super) fn worker_count(settings: &Settings) -> WorkerId {
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
pub(super) fn node_number(node: &str) -> u16 {
    let mut hasher = std::hash::DefaultHasher::new();
    node.hash(&mut hasher);
    (hasher.finish() & u64::from(u16::MAX)) as u16
}
