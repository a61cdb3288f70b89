//! Several shards, stepped by hand: clients that speak packets, hooks that
//! answer when the test says so, and mail that travels when the test says so.

mod answers;
mod carry;
mod got;
mod hooks;
mod send;
mod store;
mod words;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use hookwire_broker::{
    ConnectionKey, Counters, Flow, Holdings, IdGenerator, Limits, ListenerInfo, Node, Now, Origin,
    RetainedMessages, RouteTable, Shard, ShardSetup, SharedStrategy, worker_of,
};
use hookwire_mqtt::{ConnAckProperties, Connect, Packet, ProtocolVersion, decode};

pub(crate) use got::Got;
use got::describe;
use hooks::{Answers, Script, ScriptedHooks};
pub(crate) use words::question as question_text;

pub(crate) struct Client {
    pub(crate) worker: usize,
    pub(crate) key: ConnectionKey,
    pub(crate) version: ProtocolVersion,
    received: Vec<u8>,
    pub(crate) paused: bool,
    pub(crate) closed: bool,
}

pub(crate) struct World {
    pub(crate) shards: Vec<Shard<ScriptedHooks>>,
    answers: Vec<Rc<RefCell<Answers>>>,
    pub(crate) script: Rc<RefCell<Script>>,
    pub(crate) routes: Arc<RouteTable>,
    pub(crate) retained: Arc<RetainedMessages>,
    pub(crate) clients: Vec<Client>,
    pub(crate) now: Now,
    /// The listener that all come by.
    pub(crate) listener: Arc<ListenerInfo>,
    /// Mail is carried by `settle` only when this is set.
    pub(crate) carry_mail: bool,
    /// Sockets take nothing while this is set.
    pub(crate) stop_writing: bool,
    unwritten: Vec<(usize, ConnectionKey)>,
}

/// Wall clock at the beginning.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

/// Small bounds, so that tests reach them.
pub(crate) fn limits() -> Limits {
    Limits {
        receive_maximum: 4,
        max_inflight: 2,
        max_queued_messages: 3,
        max_output_bytes: 10_000,
        ..Limits::default()
    }
}

impl World {
    pub(crate) fn new(workers: u16) -> Self {
        Self::with(workers, &limits())
    }

    pub(crate) fn with(workers: u16, limits: &Limits) -> Self {
        Self::made_of(workers, limits, None, SharedStrategy::RoundRobin)
    }

    /// One worker, whose shared subscriptions choose in this way.
    pub(crate) fn choosing(strategy: SharedStrategy) -> Self {
        Self::made_of(1, &limits(), None, strategy)
    }

    /// A world whose broker speaks under `$SYS`.
    pub(crate) fn speaking(workers: u16, node: Node) -> Self {
        let node = Arc::new(node);
        Self::made_of(workers, &limits(), Some(&node), SharedStrategy::RoundRobin)
    }

    fn made_of(
        workers: u16,
        limits: &Limits,
        node: Option<&Arc<Node>>,
        strategy: SharedStrategy,
    ) -> Self {
        let routes = Arc::new(RouteTable::new(strategy));
        let retained = Arc::new(RetainedMessages::new(100, 1_000_000));
        let script = Rc::new(RefCell::new(Script::default()));
        let now = Now {
            mono_ms: 0,
            wall_ms: START_MS,
        };
        let answers: Vec<Rc<RefCell<Answers>>> = (0..workers).map(|_| Rc::default()).collect();
        let shards = (0..workers)
            .map(|worker| {
                let hooks = ScriptedHooks {
                    worker,
                    script: Rc::clone(&script),
                    answers: Rc::clone(&answers[usize::from(worker)]),
                };
                let setup = ShardSetup {
                    worker,
                    workers,
                    limits: limits.clone(),
                    routes: Arc::clone(&routes),
                    retained: Arc::clone(&retained),
                    ids: IdGenerator::new(0, worker, 0),
                    node: node.cloned(),
                };
                Shard::new(setup, hooks, now)
            })
            .collect();
        Self {
            shards,
            answers,
            script,
            routes,
            retained,
            clients: Vec::new(),
            now,
            listener: Arc::default(),
            carry_mail: true,
            stop_writing: false,
            unwritten: Vec::new(),
        }
    }

    /// Connects with clean session; returns the client's number.
    pub(crate) fn connect(&mut self, version: ProtocolVersion, id: &str) -> usize {
        let client = self.connect_with(Connect::new(version, id));
        let got = self.got(client);
        assert!(
            matches!(&got[..], [Got::Other(ack)] if ack.contains("Success")),
            "{got:?}"
        );
        client
    }

    pub(crate) fn connect_with(&mut self, connect: Connect) -> usize {
        let worker = worker_of(&connect.client_id, self.shards.len());
        let version = connect.version;
        let origin = Origin {
            listener: Arc::clone(&self.listener),
            ..Origin::default()
        };
        let key = self.shards[worker].connect(self.now, connect, origin);
        self.clients.push(Client {
            worker,
            key,
            version,
            received: Vec::new(),
            paused: false,
            closed: false,
        });
        self.settle();
        self.clients.len() - 1
    }

    pub(crate) fn send(&mut self, client: usize, packet: Packet<'_>) -> Flow {
        let Client { worker, key, .. } = self.clients[client];
        let flow = self.shards[worker].packet(self.now, key, packet);
        self.clients[client].paused = flow == Flow::Later;
        self.settle();
        flow
    }

    /// What CONNACK granted; nothing else may have been written.
    pub(crate) fn granted(&mut self, client: usize) -> ConnAckProperties {
        let client = &mut self.clients[client];
        let bytes = std::mem::take(&mut client.received);
        match decode(&bytes, client.version, usize::MAX) {
            Ok(Some((Packet::ConnAck(ack), _))) => ack.properties,
            other => panic!("no CONNACK: {other:?}"),
        }
    }

    pub(crate) fn holdings(&self) -> Holdings {
        let mut sum = Holdings::default();
        for shard in &self.shards {
            sum.add(&shard.holdings());
        }
        sum
    }

    pub(crate) fn drop_socket(&mut self, client: usize) {
        let Client { worker, key, .. } = self.clients[client];
        self.clients[client].closed = true;
        self.shards[worker].socket_closed(self.now, key);
        self.settle();
    }

    pub(crate) fn advance_ms(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.wall_ms += ms;
        for shard in &mut self.shards {
            shard.tick(self.now);
        }
        self.settle();
    }

    /// Bytes that the client got since the last call of `got`.
    pub(crate) fn received_bytes(&self, client: usize) -> usize {
        self.clients[client].received.len()
    }

    /// What the client got since the last call.
    pub(crate) fn got(&mut self, client: usize) -> Vec<Got> {
        let client = &mut self.clients[client];
        let bytes = std::mem::take(&mut client.received);
        let mut rest = &bytes[..];
        let mut got = Vec::new();
        while let Some((packet, used)) = decode(rest, client.version, usize::MAX).unwrap() {
            got.push(describe(&packet));
            rest = &rest[used..];
        }
        assert!(rest.is_empty(), "half a packet was written");
        got
    }

    /// The payloads of the PUBLISH packets among what the client got.
    pub(crate) fn payloads(&mut self, client: usize) -> Vec<String> {
        self.got(client)
            .into_iter()
            .filter_map(|got| match got {
                Got::Publish { payload, .. } => Some(payload),
                Got::Other(_) => None,
            })
            .collect()
    }

    pub(crate) fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for shard in &self.shards {
            sum.add(shard.counters());
        }
        sum
    }

    /// Nothing of any client is left in any shard.
    pub(crate) fn assert_empty(&self) {
        assert!(self.routes.is_empty(), "routes are left");
        for shard in &self.shards {
            // Places on the wheel are void, and leave it in time.
            let holdings = Holdings {
                timers: 0,
                ..shard.holdings()
            };
            assert_eq!(holdings, Holdings::default());
        }
    }
}
