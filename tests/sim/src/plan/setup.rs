//! The configuration of one run: workers, bounds, clients, topics, and what is
//! done how often. Bounds are small, so that they are reached; and each run
//! leaves some features out, so that others are met more often together.

use std::rc::Rc;

use hookwire_mqtt::ProtocolVersion;

use super::Kind;
use crate::model::Configuration;
use crate::policy::{
    Asks, DENIED_FILTERS, DENIED_TOPICS, MARKED_TOPICS, REFUSED_FILTERS, UNDELIVERED_TOPICS,
};
use crate::random::Random;

/// What a run is made of beside its operations.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Everything else follows from it.
    pub seed: u64,
    /// Shards.
    pub workers: u16,
    /// Those who do something.
    pub clients: Vec<ClientSetup>,
    /// The broker's bounds.
    pub bounds: Bounds,
    /// How members of shared subscriptions are chosen.
    pub strategy: Strategy,
    /// Rules decide about messages on these topics.
    pub rules_filter: Rc<str>,
    /// Rules are told of acknowledgements on these topics.
    pub acked_filter: Option<Rc<str>>,
    /// The one method of enhanced authentication.
    pub authentication_method: Option<Rc<str>>,
    /// Whether every CONNECT is authenticated.
    pub checks_passwords: bool,
    /// What else rules are asked.
    pub asks: Asks,
    /// Names that are published to.
    pub topics: Vec<Rc<str>>,
    /// Filters that are subscribed to, shared ones among them.
    pub filters: Vec<Rc<str>>,
    /// How often each kind of operation is done.
    pub weights: Vec<u32>,
    /// How often a client's packet arrives at once, of a hundred.
    pub prompt_percent: u32,
    /// Milliseconds between ticks of the shards, at most.
    pub tick_ms: u64,
    /// Milliseconds that an operation takes.
    pub operation_ms: u64,
    /// Whether the wall clock is set now and then.
    pub sets_wall_clock: bool,
    /// Highest QoS published with.
    pub max_qos: u8,
    /// How many publishes are retained, of a hundred.
    pub retained_percent: u32,
    /// How many publishes expire, of a hundred.
    pub expiry_percent: u32,
    /// How many publishes are delayed, of a hundred.
    pub delayed_percent: u32,
    /// How many CONNECTs have a will, of a hundred.
    pub will_percent: u32,
    /// How many CONNECTs start clean, of a hundred.
    pub clean_percent: u32,
    /// How many CONNECTs take no packet above a small size, of a hundred.
    pub small_packets_percent: u32,
    /// How many CONNECTs have a keep-alive, of a hundred.
    pub keep_alive_percent: u32,
}

/// A client of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSetup {
    /// Empty when it is assigned one each time.
    pub id: Rc<str>,
    /// What it speaks.
    pub version: ProtocolVersion,
}

/// See the fields of the same names in the core.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "they have the core's names, and meaning")]
pub struct Bounds {
    pub max_packet_bytes: u32,
    pub receive_maximum: u16,
    pub max_inflight: u16,
    pub max_queued_messages: usize,
    pub max_queued_bytes: usize,
    pub overflow: Overflow,
    pub queues_qos0: bool,
    pub max_output_bytes: usize,
    pub max_keep_alive_s: u16,
    pub max_session_expiry_s: u32,
    pub max_topic_aliases: u16,
    pub max_retained_messages: usize,
    pub max_retained_bytes: usize,
    pub authentication_ms: u64,
}

/// What happens when a client's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they have the core's names, and meaning")]
pub enum Overflow {
    DropNewest,
    DropOldest,
    Disconnect,
}

/// How the member of a shared subscription is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they have the core's names, and meaning")]
pub enum Strategy {
    RoundRobin,
    Random,
    Sticky,
    HashClient,
    HashTopic,
    LeastInflight,
}

/// Whether some runs set the wall clock.
const SETS_WALL_CLOCK: bool = false;

const TOPICS: &[&str] = &[
    "a", "a/b", "a/b/c", "a/c", "b", "b/c", "/", "a//b", "$x/a", "h/a", "h/b", "h/b/c",
];

const FILTERS: &[&str] = &[
    "#",
    "+",
    "a",
    "a/#",
    "a/+",
    "a/b",
    "+/b",
    "+/+",
    "a/b/#",
    "b/c",
    "/",
    "a/+/b",
    "$x/#",
    "+/a",
    "h/#",
    "h/+",
    "h/a",
    "h/b/#",
    "+/+/c",
    "h/+/replaced",
];

const SHARED: &[&str] = &[
    "$share/g/a/#",
    "$share/g/a/b",
    "$share/k/a/#",
    "$share/g/#",
    "$share/g/h/#",
    "$queue/a/+",
    "$queue/h/a",
    "$share/k/+/b",
];

/// Of several filters a client sends one that is none, now and then.
const INVALID: &[&str] = &["a#", "$share/g", "a/#/b"];

const IDS: &[&str] = &[
    "c0",
    "c1",
    "c2",
    "c3",
    "c4",
    "c5",
    "c6",
    "a client with spaces",
    "a-client-id-of-more-than-twenty-three-characters",
    "Ünicode/+#",
    "refused",
];

impl Setup {
    /// Draws everything from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let dice = &mut random;
        let workers = dice.between(1, 3) as u16;
        let bounds = Bounds::draw(dice);
        let clients = clients(dice);
        let with = |dice: &mut Random, percent: u32, amounts: &[u32]| {
            if dice.percent(percent) {
                dice.pick(amounts)
            } else {
                0
            }
        };
        let has_authentication = dice.percent(20);
        Self {
            seed,
            workers,
            clients,
            bounds,
            strategy: dice.pick(&[
                Strategy::RoundRobin,
                Strategy::Random,
                Strategy::Sticky,
                Strategy::HashClient,
                Strategy::HashTopic,
                Strategy::LeastInflight,
            ]),
            rules_filter: if dice.percent(75) { "h/#" } else { "none" }.into(),
            acked_filter: dice.percent(30).then(|| "a/#".into()),
            authentication_method: has_authentication.then(|| "sim".into()),
            checks_passwords: dice.percent(15),
            asks: asks(seed),
            topics: some(dice, TOPICS, 3, TOPICS.len()),
            filters: filters(dice),
            weights: weights(dice),
            prompt_percent: dice.pick(&[0, 30, 80, 95, 100]),
            tick_ms: dice.pick(&[100, 250, 1_000]),
            operation_ms: dice.pick(&[0, 0, 1, 7]),
            sets_wall_clock: dice.percent(15) && SETS_WALL_CLOCK,
            max_qos: dice.pick(&[0, 1, 2, 2, 2, 2]),
            retained_percent: with(dice, 70, &[5, 20, 50]),
            expiry_percent: with(dice, 60, &[10, 50]),
            delayed_percent: with(dice, 40, &[3, 15]),
            will_percent: with(dice, 80, &[30, 90]),
            clean_percent: dice.pick(&[0, 20, 50, 100]),
            small_packets_percent: with(dice, 30, &[10, 50]),
            keep_alive_percent: with(dice, 60, &[30, 100]),
        }
    }

    /// What the model is told of it.
    #[must_use]
    pub fn configuration(&self) -> Configuration {
        let bounds = &self.bounds;
        let asks = self.asks;
        let if_asked = |is_asked, filter: &str| if is_asked { filter } else { "none" }.into();
        let mut denied_filters: Vec<Rc<str>> = Vec::new();
        if asks.access {
            denied_filters.extend(DENIED_FILTERS.iter().map(|filter| (*filter).into()));
        }
        if asks.filters {
            denied_filters.extend(REFUSED_FILTERS.iter().map(|filter| (*filter).into()));
        }
        Configuration {
            denied_topics: if_asked(asks.access, DENIED_TOPICS),
            denied_filters,
            undelivered_topics: if_asked(asks.deliver, UNDELIVERED_TOPICS),
            marked_topics: if_asked(asks.deliver, MARKED_TOPICS),
            rules_filter: Rc::clone(&self.rules_filter),
            max_inflight: bounds.max_inflight,
            max_queued_messages: bounds.max_queued_messages,
            max_queued_bytes: bounds.max_queued_bytes,
            overflow_closes: bounds.overflow == Overflow::Disconnect,
            queues_qos0: bounds.queues_qos0,
            max_session_expiry_s: bounds.max_session_expiry_s,
            max_keep_alive_s: bounds.max_keep_alive_s,
            max_retained_messages: bounds.max_retained_messages,
            max_retained_bytes: bounds.max_retained_bytes,
            authentication_ms: bounds.authentication_ms,
            // A slot of the wheel, a tick, and one operation.
            slack_ms: 250 + self.tick_ms + self.operation_ms + 1,
        }
    }
}

/// Drawn from dice of their own, so that what else a seed draws does not depend
/// on it.
fn asks(seed: u64) -> Asks {
    let mut dice = Random::new(!seed);
    Asks {
        connect: dice.percent(15),
        session: dice.percent(25),
        access: dice.percent(35),
        filters: dice.percent(25),
        deliver: dice.percent(35),
        keep_ms: dice.pick(&[None, Some(0), Some(500), Some(20_000)]),
        max_kept: dice.pick(&[0, 1, 3, 256]),
    }
}

impl Bounds {
    fn draw(dice: &mut Random) -> Self {
        Self {
            max_packet_bytes: dice.pick(&[300, 4_096, 100_000]),
            receive_maximum: dice.pick(&[1, 3, 10, 100]),
            max_inflight: dice.pick(&[1, 2, 5, 20, 100]),
            max_queued_messages: dice.pick(&[1, 5, 50, 10_000, 10_000]),
            max_queued_bytes: dice.pick(&[500, 5_000, 10_000_000, 10_000_000]),
            overflow: dice.pick(&[
                Overflow::DropNewest,
                Overflow::DropOldest,
                Overflow::Disconnect,
            ]),
            queues_qos0: dice.percent(25),
            max_output_bytes: dice.pick(&[100, 2_000, 100_000]),
            max_keep_alive_s: dice.pick(&[0, 0, 5]),
            max_session_expiry_s: dice.pick(&[20, u32::MAX, u32::MAX]),
            max_topic_aliases: dice.pick(&[0, 2, 10]),
            max_retained_messages: dice.pick(&[3, 1_000, 1_000]),
            max_retained_bytes: dice.pick(&[1_000, 1_000_000, 1_000_000]),
            authentication_ms: 10_000,
        }
    }
}

fn clients(dice: &mut Random) -> Vec<ClientSetup> {
    let count = dice.between(2, 9) as usize;
    let versions = dice.pick(&[
        &[ProtocolVersion::V5][..],
        &[ProtocolVersion::V311],
        &[ProtocolVersion::V5, ProtocolVersion::V311],
        &[
            ProtocolVersion::V5,
            ProtocolVersion::V5,
            ProtocolVersion::V311,
            ProtocolVersion::V31,
        ],
    ]);
    let mut clients: Vec<ClientSetup> = some(dice, IDS, count, count)
        .into_iter()
        .map(|id| ClientSetup {
            id,
            version: dice.pick(versions),
        })
        .collect();
    if dice.percent(20) {
        let version = dice.pick(versions);
        clients.push(ClientSetup {
            id: "".into(),
            version,
        });
    }
    clients
}

fn filters(dice: &mut Random) -> Vec<Rc<str>> {
    let mut filters = some(dice, FILTERS, 3, 14);
    if dice.percent(60) {
        filters.extend(some(dice, SHARED, 1, 4));
    }
    if dice.percent(20) {
        filters.extend(some(dice, INVALID, 1, 1));
    }
    filters
}

/// Between `least` and `most` of them, in their order.
fn some(dice: &mut Random, all: &[&str], least: usize, most: usize) -> Vec<Rc<str>> {
    let count = dice.between(least as u64, most as u64) as usize;
    let mut left: Vec<usize> = (0..all.len()).collect();
    while left.len() > count {
        left.remove(dice.below(left.len()));
    }
    left.into_iter().map(|index| all[index].into()).collect()
}

/// The usual weights, of which some are left out and some are more.
fn weights(dice: &mut Random) -> Vec<u32> {
    let essential = [Kind::Connect, Kind::Publish, Kind::Subscribe, Kind::Calm];
    let weigh = |(index, kind): (usize, &Kind)| {
        let usual = Kind::WEIGHTS[index] * 10;
        match dice.below(10) {
            0 if !essential.contains(kind) => 0,
            1 => usual / 4,
            2 => usual * 3,
            _ => usual,
        }
    };
    Kind::ALL.iter().enumerate().map(weigh).collect()
}
