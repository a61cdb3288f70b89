//! What happened on one worker, counted.

use std::collections::BTreeMap;

/// Counts of one shard since it was made. They only grow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// CONNECTs answered with success.
    pub connections_accepted: u64,
    /// CONNECTs answered with a refusal.
    pub connections_refused: u64,
    /// PUBLISH packets taken from clients.
    pub publishes_received: u64,
    /// PUBLISH packets handed to connections for writing.
    pub publishes_sent: u64,
    /// Publishes that a rule refused, dropped or failed.
    pub publishes_refused: u64,
    /// Deliveries dropped because the receiver's queue or output was full.
    pub deliveries_dropped: u64,
    /// Deliveries not made because the receiver takes no packet of that size.
    pub deliveries_too_large: u64,
    /// Connections closed for breaking the protocol, by the kind of breach.
    pub protocol_errors: BTreeMap<&'static str, u64>,
    /// Connections closed because nothing came within the keep-alive time.
    pub keep_alive_timeouts: u64,
    /// Connections closed because their client id connected again.
    pub takeovers: u64,
    /// Times a publisher was not read because of a bound.
    pub reads_paused: u64,
}

impl Counters {
    pub(crate) fn protocol_error(&mut self, kind: &'static str) {
        *self.protocol_errors.entry(kind).or_default() += 1;
    }

    /// Adds another shard's counts to these.
    pub fn add(&mut self, other: &Self) {
        self.connections_accepted += other.connections_accepted;
        self.connections_refused += other.connections_refused;
        self.publishes_received += other.publishes_received;
        self.publishes_sent += other.publishes_sent;
        self.publishes_refused += other.publishes_refused;
        self.deliveries_dropped += other.deliveries_dropped;
        self.deliveries_too_large += other.deliveries_too_large;
        for (kind, count) in &other.protocol_errors {
            *self.protocol_errors.entry(kind).or_default() += count;
        }
        self.keep_alive_timeouts += other.keep_alive_timeouts;
        self.takeovers += other.takeovers;
        self.reads_paused += other.reads_paused;
    }
}
