//! From the plan's setup to shards with its bounds, at the first moment.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use hookwire_broker::{
    Fault, IdGenerator, Limits, Now, QueueOverflow, RetainedMessages, RouteTable, Shard,
    ShardSetup, SharedStrategy,
};
use hookwire_mqtt::TopicFilter;

use super::World;
use super::hooks::{Answers, Desk, ScriptedHooks};
use crate::plan::{Overflow, Setup, Strategy};

impl World {
    /// Shards without clients.
    #[must_use]
    pub fn new(setup: &Setup, fault: Option<Fault>) -> Self {
        let now = Now {
            mono_ms: 1_000,
            wall_ms: 1_700_000_000_000,
        };
        Self::starting(setup, fault, now, 0)
    }

    /// The same, at another moment, with ids from so many milliseconds on.
    pub(super) fn starting(
        setup: &Setup,
        fault: Option<Fault>,
        now: Now,
        ids_from_ms: u64,
    ) -> Self {
        let workers = setup.workers;
        let count = usize::from(workers);
        let routes = Arc::new(RouteTable::new(strategy(setup.strategy)));
        let bounds = &setup.bounds;
        let retained = Arc::new(RetainedMessages::new(
            bounds.max_retained_messages,
            bounds.max_retained_bytes,
        ));
        let mut desk = Desk::new(count, filter(&setup.rules_filter));
        desk.acked_filter = setup.acked_filter.as_deref().map(filter);
        desk.method = setup.authentication_method.as_deref().map(str::to_owned);
        desk.checks_passwords = setup.checks_passwords;
        desk.asks = setup.asks;
        let desk = Rc::new(RefCell::new(desk));
        let answers: Vec<Rc<RefCell<Answers>>> = (0..count).map(|_| Rc::default()).collect();
        let shards = (0..workers)
            .map(|worker| {
                let hooks = ScriptedHooks {
                    worker,
                    desk: Rc::clone(&desk),
                    answers: Rc::clone(&answers[usize::from(worker)]),
                };
                let setup = ShardSetup {
                    worker,
                    workers,
                    limits: limits(setup),
                    routes: Arc::clone(&routes),
                    retained: Arc::clone(&retained),
                    ids: IdGenerator::new(0, worker, ids_from_ms),
                    node: None,
                };
                let mut shard = Shard::new(setup, hooks, now);
                if let Some(fault) = fault {
                    shard.plant(fault);
                }
                shard
            })
            .collect();
        Self {
            shards,
            desk,
            answers,
            routes,
            retained,
            sockets: Vec::new(),
            by_key: vec![Vec::new(); count],
            dirty: BTreeSet::new(),
            active: BTreeSet::new(),
            waiting: BTreeSet::new(),
            links: (0..count)
                .map(|_| (0..count).map(|_| VecDeque::new()).collect())
                .collect(),
            max_packet_bytes: bounds.max_packet_bytes as usize,
            tick_ms: setup.tick_ms,
            ticked_ms: now.mono_ms,
            now,
            assigned: 0,
        }
    }
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::new(text).expect("the simulation's own filters are filters")
}

fn strategy(strategy: Strategy) -> SharedStrategy {
    match strategy {
        Strategy::RoundRobin => SharedStrategy::RoundRobin,
        Strategy::Random => SharedStrategy::Random,
        Strategy::Sticky => SharedStrategy::Sticky,
        Strategy::HashClient => SharedStrategy::HashClient,
        Strategy::HashTopic => SharedStrategy::HashTopic,
        Strategy::LeastInflight => SharedStrategy::LeastInflight,
    }
}

fn limits(setup: &Setup) -> Limits {
    let bounds = &setup.bounds;
    Limits {
        max_packet_bytes: bounds.max_packet_bytes,
        receive_maximum: bounds.receive_maximum,
        max_inflight: bounds.max_inflight,
        max_queued_messages: bounds.max_queued_messages,
        max_queued_bytes: bounds.max_queued_bytes,
        queue_overflow: match bounds.overflow {
            Overflow::DropNewest => QueueOverflow::DropNewest,
            Overflow::DropOldest => QueueOverflow::DropOldest,
            Overflow::Disconnect => QueueOverflow::Disconnect,
        },
        queue_qos0: bounds.queues_qos0,
        max_output_bytes: bounds.max_output_bytes,
        max_keep_alive_s: bounds.max_keep_alive_s,
        max_session_expiry_s: bounds.max_session_expiry_s,
        max_topic_aliases: bounds.max_topic_aliases,
        authentication_ms: bounds.authentication_ms,
        max_kept_access: setup.asks.max_kept,
        ..Limits::default()
    }
}
