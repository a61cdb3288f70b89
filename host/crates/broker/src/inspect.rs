//! What a shard can be asked about itself: for metrics, and for checks that
//! nothing is left behind.

use crate::connection::ConnectionKey;
use crate::counters::Counters;
use crate::hooks::Hooks;
use crate::shard::Shard;

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
