//! The clients of one worker, and the doors through which the outside steps it.

use std::sync::Arc;

use foldhash::HashMap;
use hookwire_mqtt::ReasonCode;
use slab::Slab;

use crate::calls::call_bytes;
use crate::connection::{CloseReason, Connection, ConnectionKey, Farewell, Stage};
use crate::counters::Counters;
use crate::delayed::Delayed;
use crate::drops::Withheld;
use crate::faults::Planted;
use crate::filter_index::FilterIndex;
use crate::hooks::{Answered, BrokerCall, Decided, Hooks, Ticket};
use crate::id::IdGenerator;
use crate::limits::Limits;
use crate::link::{Link, Mail, WorkerId};
use crate::retained::RetainedMessages;
use crate::routes::RouteTable;
use crate::session::{Granted, Session, SessionKey};
use crate::sys::{Node, Speaker};
use crate::time::Now;
use crate::timers::Timer;
use crate::topic_cache::TopicCache;
use crate::transit::Frames;
use crate::wheel::Wheel;

/// Whether the caller should go on with a connection's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Decode and hand over the next packet.
    Continue,
    /// The packet was not taken: hand it over again, and nothing behind it
    /// before, when [`Shard::take_resumed`] names the connection.
    Later,
    /// Throw the rest away: the connection is closing.
    Close,
}

/// What a shard is made of, beside its hooks.
#[derive(Debug)]
pub struct ShardSetup {
    /// Its number, below `workers`.
    pub worker: WorkerId,
    /// How many share `routes` and `retained`.
    pub workers: WorkerId,
    /// The bounds of its clients.
    pub limits: Limits,
    /// Where messages go.
    pub routes: Arc<RouteTable>,
    /// What new subscribers get.
    pub retained: Arc<RetainedMessages>,
    /// Makes its message ids.
    pub ids: IdGenerator,
    /// What speaks under `$SYS`, if anything does.
    pub node: Option<Arc<Node>>,
}

/// One worker's clients. See the crate's own page for how it is driven.
#[derive(Debug)]
pub struct Shard<H> {
    pub(crate) worker: WorkerId,
    pub(crate) limits: Limits,
    pub(crate) hooks: H,
    pub(crate) ids: IdGenerator,
    pub(crate) counters: Counters,
    pub(crate) connections: Slab<Connection>,
    pub(crate) sessions: Slab<Session>,
    pub(crate) clients: HashMap<Arc<str>, SessionKey>,
    pub(crate) routes: Arc<RouteTable>,
    pub(crate) subscriptions: FilterIndex<Subscriber>,
    /// Grows with every change of `subscriptions`.
    pub(crate) subscriptions_generation: u64,
    pub(crate) topics: TopicCache,
    pub(crate) links: Vec<Link>,
    pub(crate) frames: Frames,
    pub(crate) wheel: Wheel<Timer>,
    pub(crate) retained: Arc<RetainedMessages>,
    pub(crate) delayed: Delayed,
    /// The connection of each client id that is to be served next.
    pub(crate) arriving: HashMap<Arc<str>, ConnectionKey>,
    /// Closed connections of each client id with publishes in the rules.
    pub(crate) leaving: HashMap<Arc<str>, usize>,
    /// Connections to be closed at the end of the step: what closing sets off
    /// must not come in the middle of it.
    pub(crate) closings: Vec<(ConnectionKey, CloseReason, Farewell)>,
    /// Sessions to which nothing is sent until the lanes have room.
    pub(crate) held: Vec<SessionKey>,
    /// Sessions with a page that is asked for again in a while.
    pub(crate) fetch_later: Vec<SessionKey>,
    /// Sessions with positions that rules are told of soon.
    pub(crate) moved: Vec<SessionKey>,
    /// When no session has [`Session::recent`] messages any more.
    pub(crate) recent_until_ms: u64,
    /// For properties of one PUBLISH.
    pub(crate) scratch: Vec<u8>,
    /// What somebody should know; see [`Shard::take_warnings`].
    pub(crate) warnings: Vec<String>,
    pub(crate) planted: Planted,
    pub(crate) speaker: Speaker,
    generation: u32,
    pub(crate) dirty: Vec<ConnectionKey>,
    pub(crate) paused: Vec<ConnectionKey>,
    pub(crate) resumed: Vec<ConnectionKey>,
    pub(crate) buffers: Vec<Vec<u8>>,
    decided: Vec<Decided>,
    pub(crate) answers: Vec<Answered>,
    pub(crate) calls: Vec<BrokerCall>,
    /// Whether some listener lets its clients do nothing that no rule speaks of.
    pub(crate) denies_unlisted: bool,
    /// Questions asked so far; see [`Shard::ask`].
    pub(crate) asked: u64,
    /// What publishes for rules and administrators, by the name it goes by.
    pub(crate) senders: HashMap<Arc<str>, ConnectionKey>,
    /// Whether some connection waits for room in a lane.
    pub(crate) paused_for_room: bool,
    /// Clients whose full lanes were told of what was dropped in this step.
    pub(crate) crowded: Vec<Arc<str>>,
    /// Mail of other workers that is not credited before such lanes have room.
    pub(crate) withheld: Vec<Withheld>,
    pub(crate) stopping: bool,
    /// Whether some output grew so far that it should be written before more is taken.
    pub(crate) output_is_pressing: bool,
}

/// One subscription in the worker's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subscriber {
    pub(crate) session: SessionKey,
    pub(crate) granted: Granted,
}

impl<H: Hooks> Shard<H> {
    /// An empty shard.
    pub fn new(setup: ShardSetup, hooks: H, now: Now) -> Self {
        Self {
            worker: setup.worker,
            limits: setup.limits,
            hooks,
            ids: setup.ids,
            counters: Counters::default(),
            connections: Slab::new(),
            sessions: Slab::new(),
            clients: HashMap::default(),
            routes: setup.routes,
            subscriptions: FilterIndex::default(),
            subscriptions_generation: 0,
            topics: TopicCache::default(),
            links: (0..setup.workers).map(|_| Link::default()).collect(),
            frames: Frames::default(),
            wheel: Wheel::new(now.mono_ms),
            retained: setup.retained,
            delayed: Delayed::default(),
            arriving: HashMap::default(),
            leaving: HashMap::default(),
            closings: Vec::new(),
            held: Vec::new(),
            fetch_later: Vec::new(),
            moved: Vec::new(),
            recent_until_ms: 0,
            scratch: Vec::new(),
            warnings: Vec::new(),
            planted: Planted::default(),
            speaker: Speaker::of(setup.node),
            generation: 0,
            dirty: Vec::new(),
            paused: Vec::new(),
            resumed: Vec::new(),
            buffers: Vec::new(),
            decided: Vec::new(),
            answers: Vec::new(),
            calls: Vec::new(),
            denies_unlisted: false,
            asked: 0,
            senders: HashMap::default(),
            paused_for_room: false,
            crowded: Vec::new(),
            withheld: Vec::new(),
            stopping: false,
            output_is_pressing: false,
        }
    }

    /// Whether this client may connect now; if not, it is worth asking again
    /// whenever verdicts were taken.
    pub fn may_connect(&self, client_id: &str) -> bool {
        self.hooks.may_connect(client_id)
    }

    /// How long a client may be asked to wait before CONNECT is answered.
    pub fn arrival_ms(&self) -> u64 {
        self.limits.authentication_ms
    }

    /// The socket of a connection ended or failed. Its key is dead afterwards.
    pub fn socket_closed(&mut self, now: Now, key: ConnectionKey) {
        self.close(now, key, CloseReason::SocketClosed, None);
        self.close_listed(now);
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        connection.stage = Stage::Gone;
        connection.output.clear();
        self.free_if_done(key);
    }

    /// Mail from another shard, in the order it was sent.
    pub fn receive(&mut self, now: Now, from: WorkerId, mail: Vec<Mail>) {
        let mut credited = false;
        for piece in mail {
            self.crowded.clear();
            match piece {
                Mail::Publish(message) => {
                    self.deliver_mail(now, &message, false);
                    self.took_mail(from, &message);
                }
                Mail::Late(message) => {
                    self.deliver_mail(now, &message, true);
                    self.took_mail(from, &message);
                }
                Mail::Shared(message, dispatch) => {
                    self.deliver_shared_mail(now, &message, &dispatch);
                    self.took_mail(from, &message);
                }
                Mail::Call(call) => {
                    self.took_bytes(from, call_bytes(&call));
                    self.carry_out_here(now, call);
                }
                Mail::Credit(bytes) => {
                    if let Some(link) = self.links.get_mut(usize::from(from)) {
                        link.credited(bytes);
                        credited = true;
                    }
                }
            }
        }
        self.close_listed(now);
        if credited {
            self.resume_all_free();
        }
    }

    pub(crate) fn took_bytes(&mut self, from: WorkerId, bytes: usize) {
        if let Some(link) = self.links.get_mut(usize::from(from)) {
            link.took(bytes);
        }
    }

    /// Takes what the hooks decided and answered since the last call, releases
    /// publishes in order, does what rules want of the broker, and reads again from clients that waited for room.
    pub fn take_verdicts(&mut self, now: Now) {
        let mut decided = std::mem::take(&mut self.decided);
        self.hooks.take_decided(&mut decided);
        for Decided {
            ticket,
            verdict,
            stored,
        } in decided.drain(..)
        {
            self.settle(now, ticket, verdict, stored);
        }
        self.decided = decided;
        self.take_answers(now);
        self.take_calls(now);
        if self.paused_for_room {
            self.resume_all_free();
        }
        if !self.withheld.is_empty() {
            self.credit_withheld();
        }
        if !self.held.is_empty() {
            self.release_held(now);
        }
        self.close_listed(now);
    }

    /// Reads no client any more; what was read goes on to its end.
    pub fn stop_reading(&mut self) {
        self.stopping = true;
    }

    /// Closes every connection because the broker stops.
    pub fn close_all(&mut self, now: Now) {
        let keys: Vec<ConnectionKey> = self.keys().collect();
        for key in keys {
            let mut farewell = Farewell::new(ReasonCode::ServerShuttingDown, "the broker stops");
            if let Some(reference) = &self.limits.server_reference {
                farewell.reason = ReasonCode::UseAnotherServer;
                farewell.server_reference = Some(reference.clone());
            }
            self.close(now, key, CloseReason::ServerStops, Some(farewell));
        }
    }

    /// The hooks this shard was given.
    pub fn hooks(&mut self) -> &mut H {
        &mut self.hooks
    }

    /// Plants a fault, for a simulation that has to find it.
    #[cfg(feature = "planted-faults")]
    pub fn plant(&mut self, fault: crate::Fault) {
        self.planted.fault = Some(fault);
    }

    /// Takes what somebody who looks after the broker should know.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    pub(crate) fn insert_connection(&mut self, connection: Connection) -> ConnectionKey {
        self.generation = self.generation.wrapping_add(1);
        let entry = self.connections.vacant_entry();
        let key = ConnectionKey {
            index: u32::try_from(entry.key()).unwrap_or(u32::MAX),
            generation: self.generation,
        };
        entry.insert(Connection {
            generation: self.generation,
            ..connection
        });
        key
    }

    pub(crate) fn insert_session(&mut self, session: Session) -> SessionKey {
        self.generation = self.generation.wrapping_add(1);
        let entry = self.sessions.vacant_entry();
        let key = SessionKey {
            index: u32::try_from(entry.key()).unwrap_or(u32::MAX),
            generation: self.generation,
        };
        entry.insert(Session {
            generation: self.generation,
            ..session
        });
        key
    }

    pub(crate) fn connection(&self, key: ConnectionKey) -> Option<&Connection> {
        self.connections
            .get(key.index as usize)
            .filter(|connection| connection.generation == key.generation)
    }

    pub(crate) fn connection_mut(&mut self, key: ConnectionKey) -> Option<&mut Connection> {
        self.connections
            .get_mut(key.index as usize)
            .filter(|connection| connection.generation == key.generation)
    }

    pub(crate) fn live(&mut self, key: ConnectionKey) -> Option<&mut Connection> {
        self.connection_mut(key)
            .filter(|connection| connection.is_live())
    }

    pub(crate) fn session(&self, key: SessionKey) -> Option<&Session> {
        self.sessions
            .get(key.index as usize)
            .filter(|session| session.generation == key.generation)
    }

    pub(crate) fn session_mut(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.sessions
            .get_mut(key.index as usize)
            .filter(|session| session.generation == key.generation)
    }

    fn keys(&self) -> impl Iterator<Item = ConnectionKey> + '_ {
        self.connections
            .iter()
            .map(|(index, connection)| ConnectionKey {
                index: u32::try_from(index).unwrap_or(u32::MAX),
                generation: connection.generation,
            })
    }

    pub(crate) fn ticket(key: ConnectionKey, sequence: u64) -> Ticket {
        Ticket {
            key: u64::from(key.generation) << 32 | u64::from(key.index),
            sequence,
        }
    }

    pub(crate) fn ticket_key(ticket: Ticket) -> ConnectionKey {
        ConnectionKey {
            index: (ticket.key & u64::from(u32::MAX)) as u32,
            generation: (ticket.key >> 32) as u32,
        }
    }
}
