//! What a shard can be asked about itself: for metrics, and for checks that
//! nothing is left behind.

use crate::connection::ConnectionKey;
use crate::counters::Counters;
use crate::hooks::{Hooks, ReadSide, SourceState};
use crate::session::{Fetching, SessionKey};
use crate::shard::Shard;

/// Positions of one client that are shown at most.
const MAX_POSITIONS: usize = 50;

/// How much a shard holds at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Connections in any stage.
    pub connections: usize,
    /// Sessions whose client is there.
    pub online: usize,
    /// Sessions.
    pub sessions: usize,
    /// Subscriptions of those sessions, shared ones among them.
    pub subscriptions: usize,
    /// The shared ones among them.
    pub shared_subscriptions: usize,
    /// Messages sent to clients and not acknowledged to the end.
    pub inflight: usize,
    /// Messages that wait for clients.
    pub queued: usize,
    /// Bytes of those, about.
    pub queued_bytes: usize,
    /// Messages that wait for their time under `$delayed`.
    pub delayed: usize,
    /// Packet ids of QoS 2 publishes between PUBLISH and PUBREL.
    pub received: usize,
    /// Wills that wait.
    pub wills: usize,
    /// Places on the wheel.
    pub timers: usize,
}

impl Holdings {
    /// Adds another shard's.
    pub fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        self.online += other.online;
        self.sessions += other.sessions;
        self.subscriptions += other.subscriptions;
        self.shared_subscriptions += other.shared_subscriptions;
        self.inflight += other.inflight;
        self.queued += other.queued;
        self.queued_bytes += other.queued_bytes;
        self.delayed += other.delayed;
        self.received += other.received;
        self.wills += other.wills;
        self.timers += other.timers;
    }
}

impl<H: Hooks> Shard<H> {
    /// Counts what is held. Walks over all sessions.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        let mut holdings = Holdings {
            connections: self.connections.len(),
            sessions: self.sessions.len(),
            delayed: self.delayed.len(),
            timers: self.wheel.len(),
            ..Holdings::default()
        };
        for (_, session) in &self.sessions {
            holdings.online += usize::from(session.connection.is_some());
            holdings.subscriptions += session.subscriptions.len();
            let shared = session.subscriptions.keys();
            holdings.shared_subscriptions +=
                shared.filter(|filter| filter.shared().is_some()).count();
            holdings.inflight += session.inflight.len();
            holdings.queued += session.waiting();
            holdings.queued_bytes += session.queue.bytes();
            holdings.received += session.received.len();
            holdings.wills += usize::from(session.will.is_some());
        }
        holdings
    }

    /// What a session reads from stores.
    pub(crate) fn read_side(&self, key: SessionKey) -> Option<ReadSide> {
        let session = self.session(key)?;
        let fetching = session.fetching.as_deref();
        let sources = session.sources.list.iter().map(|known| {
            let mut open = fetching.iter().flat_map(|fetching| fetching.sources());
            let open = open.find(|(source, _)| source.reads_for(&known.filter, known.rule));
            let rule = self.hooks.rule_names(known.rule.rules).into_iter().next();
            SourceState {
                filter: known.filter.as_str().into(),
                rule: rule.unwrap_or_default(),
                is_open: open.is_some(),
                is_asked: open.is_some_and(|(_, is_asked)| is_asked),
                cursor: open.and_then(|(source, _)| source.cursor.clone()),
                floor: known.floor.clone(),
            }
        });
        let mut sources: Vec<_> = sources.collect();
        sources.sort_by(|one, other| one.filter.cmp(&other.filter));
        let (positions, more_positions) = session.positions.shown(MAX_POSITIONS);
        Some(ReadSide {
            barrier_since_ms: fetching.map(Fetching::since_ms),
            barriers: session.barriers.raised,
            parked: session.barriers.parked,
            page_left: fetching.map_or(0, Fetching::len),
            retained: session.lookups.count(),
            begins_anew: fetching.is_some_and(Fetching::has_missed),
            sources,
            positions,
            more_positions,
        })
    }

    /// The connection on which the client of this id is served.
    #[must_use]
    pub fn connection_of(&self, client_id: &str) -> Option<ConnectionKey> {
        self.session(*self.clients.get(client_id)?)?.connection
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Publishes that were read and not yet released.
    #[must_use]
    pub fn unreleased(&self) -> usize {
        self.connections
            .iter()
            .map(|(_, connection)| connection.pipeline.len())
            .sum()
    }
}
