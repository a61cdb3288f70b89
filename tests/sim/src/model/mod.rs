//! A model of the standard that sees packets alone, and holds a history
//! against it, event by event.
//!
//! It cannot know when the broker read what a client sent, or wrote what a
//! client received. So it works with intervals: what was sent was read at some
//! time from then on, and before an answer to it came or the network was at
//! rest. A rule is broken when no order of things within the intervals keeps
//! it. The more often the network comes to rest, the sharper it sees.

mod acknowledge;
mod connection;
mod delivery;
mod exchange;
mod expiry;
mod explain;
mod message;
mod owed;
mod publish;
mod queue;
mod rest;
mod retained;
mod rule;
mod session;
mod state;
mod subscribe;
mod topics;
mod will;

use std::collections::BTreeSet;
use std::rc::Rc;

use foldhash::HashMap;
use hookwire_mqtt::QoS;

pub use rule::Rule;

use crate::history::{ConnectionNo, Event, What};
use crate::packet::Packet;
use crate::tally::{Count, Tally};
use message::Message;
use retained::Retained;
use state::{At, Client, ClientNo, Connection, MessageNo, Stage};
use topics::{FilterNo, TopicNo, Topics};

/// What the model knows of how the broker is configured.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Rules decide about messages whose topic this filter matches.
    pub rules_filter: Rc<str>,
    /// What is published there is denied; `none` for nothing.
    pub denied_topics: Rc<str>,
    /// Subscriptions to these, shared or not, are denied.
    pub denied_filters: Vec<Rc<str>>,
    /// What is published there is delivered to nobody; `none` for nothing.
    pub undelivered_topics: Rc<str>,
    /// What is published there is changed on its way to a client.
    pub marked_topics: Rc<str>,
    /// Unacknowledged messages to one client, at most.
    pub max_inflight: u16,
    /// Messages that may wait for one client before some are dropped.
    pub max_queued_messages: usize,
    /// Bytes of those messages.
    pub max_queued_bytes: usize,
    /// Whether a client whose queue is full is closed.
    pub overflow_closes: bool,
    /// Whether QoS 0 messages wait in the queue too.
    pub queues_qos0: bool,
    /// Longest time that a session outlives its connection, in seconds.
    pub max_session_expiry_s: u32,
    /// Largest keep-alive granted to MQTT 5 clients, in seconds; 0 for any.
    pub max_keep_alive_s: u16,
    /// Retained messages kept, and bytes of them, before some may be refused.
    pub max_retained_messages: usize,
    /// See [`Configuration::max_retained_messages`].
    pub max_retained_bytes: usize,
    /// How long an authentication may take before the client is refused.
    pub authentication_ms: u64,
    /// How late the broker may notice that a time has come, in milliseconds.
    pub slack_ms: u64,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            rules_filter: "h/#".into(),
            denied_topics: "none".into(),
            denied_filters: Vec::new(),
            undelivered_topics: "none".into(),
            marked_topics: "none".into(),
            max_inflight: u16::MAX,
            max_queued_messages: usize::MAX,
            max_queued_bytes: usize::MAX,
            overflow_closes: false,
            queues_qos0: false,
            max_session_expiry_s: u32::MAX,
            max_keep_alive_s: 0,
            max_retained_messages: usize::MAX,
            max_retained_bytes: usize::MAX,
            authentication_ms: 10_000,
            slack_ms: 1_500,
        }
    }
}

/// A rule that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// The number of the event that showed it, from 1.
    pub event: u64,
    /// What was seen.
    pub text: String,
}

/// The model. Give it the events in order; see [`Model::violations`] after each.
#[derive(Debug)]
pub struct Model {
    configuration: Configuration,
    rules_filter: FilterNo,
    denied_topics: FilterNo,
    undelivered_topics: FilterNo,
    marked_topics: FilterNo,
    now: At,
    topics: Topics,
    clients: Vec<Client>,
    client_numbers: HashMap<Rc<str>, ClientNo>,
    connections: Vec<Connection>,
    /// Connections that are not closed.
    open: BTreeSet<ConnectionNo>,
    messages: HashMap<MessageNo, Message>,
    next_empty: MessageNo,
    /// Topics to which empty messages were published.
    empties: BTreeSet<TopicNo>,
    next_version: u64,
    retained: Retained,
    /// Messages that the server may not have read.
    untaken: Vec<MessageNo>,
    /// Messages that may not have been matched with subscriptions.
    unmatched: Vec<MessageNo>,
    /// Wills and delayed messages that have yet to be published.
    scheduled: Vec<MessageNo>,
    /// Messages that a member of a shared subscription has to receive.
    owed_shared: BTreeSet<(MessageNo, FilterNo)>,
    /// When a member of a shared subscription last may have lost messages.
    shared_losses: HashMap<FilterNo, u64>,
    violations: Vec<Violation>,
    tally: Tally,
}

impl Model {
    /// Before anything happened.
    #[must_use]
    pub fn new(configuration: Configuration) -> Self {
        let mut topics = Topics::default();
        Self {
            rules_filter: topics.filter(&configuration.rules_filter),
            denied_topics: topics.filter(&configuration.denied_topics),
            undelivered_topics: topics.filter(&configuration.undelivered_topics),
            marked_topics: topics.filter(&configuration.marked_topics),
            configuration,
            now: At { seq: 0, ms: 0 },
            topics,
            clients: Vec::new(),
            client_numbers: HashMap::default(),
            connections: Vec::new(),
            open: BTreeSet::new(),
            messages: HashMap::default(),
            next_empty: message::FIRST_EMPTY,
            empties: BTreeSet::new(),
            next_version: 0,
            retained: Retained::default(),
            untaken: Vec::new(),
            unmatched: Vec::new(),
            scheduled: Vec::new(),
            owed_shared: BTreeSet::new(),
            shared_losses: HashMap::default(),
            violations: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Rules broken so far.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// What was seen so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes the next event.
    pub fn observe(&mut self, event: &Event) {
        self.now = At {
            seq: self.now.seq + 1,
            ms: event.at_ms,
        };
        match &event.what {
            What::Opened {
                connection,
                connect,
            } => self.opened(*connection, connect),
            What::Sent { connection, packet } => self.sent(*connection, packet),
            What::Received {
                connection,
                packet,
                bytes,
            } => self.received(*connection, packet, *bytes),
            What::Closed { connection, by } => self.closed(*connection, *by),
            What::Verdict { message, outcome } => self.verdict(*message, *outcome),
            What::Rest { is_calm, undrained } => self.rest(*is_calm, undrained),
        }
    }

    /// Bytes came that are no packet of the client's version.
    pub fn undecodable(&mut self, connection: ConnectionNo, error: &str) {
        self.violate(Rule::Undecodable, || format!("#{connection}: {error}"));
    }

    /// A shard says that something is left.
    pub fn leak(&mut self, text: String) {
        self.violate(Rule::Leak, || text);
    }

    fn sent(&mut self, no: ConnectionNo, packet: &Packet) {
        let now = self.now;
        let connection = &mut self.connections[no];
        connection.last_sent_ms = now.ms;
        connection.calm_since_ms = None;
        match packet {
            Packet::Publish(publish) => self.sent_publish(no, publish),
            Packet::Ack(ack) => self.sent_ack(no, *ack),
            Packet::Subscribe {
                id,
                identifier,
                entries,
            } => self.sent_subscribe(no, *id, *identifier, entries),
            Packet::Unsubscribe { id, filters } => self.sent_unsubscribe(no, *id, filters),
            Packet::PingReq => connection.pings += 1,
            Packet::Auth { .. } => connection.auths += 1,
            Packet::Disconnect {
                reason,
                session_expiry_s,
            } => self.sent_disconnect(no, *reason, *session_expiry_s),
            Packet::Breach(_)
            | Packet::ConnAck(_)
            | Packet::SubAck { .. }
            | Packet::UnsubAck { .. }
            | Packet::PingResp => {
                connection.is_breached = true;
                self.add_cause(no, now);
            }
        }
    }

    fn received(&mut self, no: ConnectionNo, packet: &Packet, bytes: usize) {
        let connection = &self.connections[no];
        if bytes > connection.max_packet_bytes() {
            let most = connection.max_packet_bytes();
            self.violate(Rule::TooLarge, || {
                format!("#{no}: {bytes} bytes where {most} are allowed: {packet}")
            });
        }
        let connection = &self.connections[no];
        let is_first = connection.stage == Stage::Opened;
        let is_before_connack = matches!(packet, Packet::ConnAck(_) | Packet::Auth { .. });
        if is_first != is_before_connack && !matches!(packet, Packet::Auth { .. }) {
            return self.violate(Rule::FirstPacket, || format!("#{no}: {packet}"));
        }
        if !may_be_sent_by_server(packet, connection.is_v5()) || connection.got_disconnect {
            return self.violate(Rule::PacketKind, || format!("#{no}: {packet}"));
        }
        let is_explained = match packet {
            Packet::Ack(ack) => ack.is_explained,
            Packet::SubAck { is_explained, .. } | Packet::UnsubAck { is_explained, .. } => {
                *is_explained
            }
            _ => false,
        };
        if is_explained && !connection.connect.problem_information {
            self.violate(Rule::Explained, || format!("#{no}: {packet}"));
        }
        match packet {
            Packet::ConnAck(ack) => self.connack(no, ack),
            Packet::Publish(publish) => self.received_publish(no, publish),
            Packet::Ack(ack) => self.received_ack(no, *ack),
            Packet::SubAck { id, reasons, .. } => self.suback(no, *id, reasons),
            Packet::UnsubAck { id, reasons, .. } => self.unsuback(no, *id, reasons),
            Packet::PingResp => self.pingresp(no),
            Packet::Auth { method, .. } => self.received_auth(no, method.as_deref()),
            Packet::Disconnect { .. } => self.connections[no].got_disconnect = true,
            Packet::Subscribe { .. }
            | Packet::Unsubscribe { .. }
            | Packet::PingReq
            | Packet::Breach(_) => {}
        }
    }

    fn pingresp(&mut self, no: ConnectionNo) {
        match self.connections[no].pings.checked_sub(1) {
            Some(left) => self.connections[no].pings = left,
            None => self.violate(Rule::AnswersNothing, || format!("#{no}: PINGRESP")),
        }
    }

    /// Number of the client with this id.
    fn client(&mut self, id: &Rc<str>) -> ClientNo {
        if let Some(&number) = self.client_numbers.get(id) {
            return number;
        }
        self.clients.push(Client::default());
        let number = self.clients.len() - 1;
        self.client_numbers.insert(Rc::clone(id), number);
        number
    }

    fn violate(&mut self, rule: Rule, text: impl FnOnce() -> String) {
        self.violations.push(Violation {
            rule,
            event: self.now.seq,
            text: text(),
        });
    }

    fn count(&mut self, count: Count) {
        self.tally.add(count);
    }
}

fn may_be_sent_by_server(packet: &Packet, is_v5: bool) -> bool {
    match packet {
        Packet::Subscribe { .. }
        | Packet::Unsubscribe { .. }
        | Packet::PingReq
        | Packet::Breach(_) => false,
        Packet::Disconnect { .. } | Packet::Auth { .. } => is_v5,
        Packet::ConnAck(_)
        | Packet::Publish(_)
        | Packet::Ack(_)
        | Packet::SubAck { .. }
        | Packet::UnsubAck { .. }
        | Packet::PingResp => true,
    }
}

/// The lower of two.
fn lower(one: QoS, other: QoS) -> QoS {
    one.min(other)
}
