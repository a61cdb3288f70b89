//! Topics under `$SYS`, by which a broker speaks of itself: as Mosquitto's and
//! EMQX's users know them.
//!
//! Each worker lays its figures on the node's board; worker 0 adds them up and
//! publishes, at the interval set, what has changed. They enter at the top of
//! the spine, like every message, and are retained.

mod client;
mod load;
mod topics;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hookwire_mqtt::QoS;

use crate::counters::Counters;
use crate::hooks::{Hooks, Stores};
use crate::inspect::Holdings;
use crate::message::Message;
use crate::shard::Shard;
use crate::time::Now;
pub(crate) use client::Presence;
use load::Loads;

/// A node as it speaks of itself: its name, and the figures of its workers.
#[derive(Debug)]
pub struct Node {
    name: Arc<str>,
    version: &'static str,
    started_ms: u64,
    interval_ms: u64,
    board: Mutex<Vec<Figures>>,
}

/// What one worker, or all of them, has to say.
#[derive(Debug, Clone, Default)]
struct Figures {
    counters: Counters,
    holdings: Holdings,
    /// The most clients that were there at once; of all workers only roughly.
    most_online: usize,
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.counters.add(&other.counters);
        self.holdings.add(&other.holdings);
        self.most_online += other.most_online;
    }
}

/// One shard's part in it.
#[derive(Debug, Default)]
pub(crate) struct Speaker {
    node: Option<Arc<Node>>,
    /// When the figures are due, on the steady clock.
    lay_at_ms: u64,
    most_online: usize,
    /// When they are published; of worker 0.
    speak_at_ms: u64,
    loads: Loads,
    /// What each topic was last told.
    told: BTreeMap<String, String>,
}

/// How often figures are laid on the board, in milliseconds.
const LAY_MS: u64 = 1_000;

impl Node {
    /// A node of so many workers that began at `started_ms` of the wall clock,
    /// and speaks every `interval_s` seconds; 0: never.
    #[must_use]
    pub fn new(
        name: &str,
        version: &'static str,
        workers: usize,
        started_ms: u64,
        interval_s: u16,
    ) -> Self {
        Self {
            name: name.into(),
            version,
            started_ms,
            interval_ms: u64::from(interval_s) * 1_000,
            board: Mutex::new(vec![Figures::default(); workers]),
        }
    }

    fn lay(&self, worker: usize, figures: Figures) {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = board.get_mut(worker) {
            *place = figures;
        }
    }

    fn sum(&self) -> Figures {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sum = Figures::default();
        board.iter().for_each(|figures| sum.add(figures));
        sum
    }
}

impl Speaker {
    pub(crate) fn of(node: Option<Arc<Node>>) -> Self {
        Self {
            node: node.filter(|node| node.interval_ms > 0),
            ..Self::default()
        }
    }
}

impl<H: Hooks> Shard<H> {
    /// Lays this worker's figures on the board, and speaks if it is time.
    pub(crate) fn speak(&mut self, now: Now) {
        let Some(node) = self.speaker.node.clone() else {
            return;
        };
        if now.mono_ms >= self.speaker.lay_at_ms {
            self.speaker.lay_at_ms = now.mono_ms + LAY_MS;
            let holdings = self.holdings();
            let most_online = self.speaker.most_online.max(holdings.online);
            self.speaker.most_online = most_online;
            let figures = Figures {
                counters: self.counters.clone(),
                holdings,
                most_online,
            };
            node.lay(usize::from(self.worker), figures);
        }
        if self.worker == 0 && now.mono_ms >= self.speaker.speak_at_ms {
            self.speaker.speak_at_ms = now.mono_ms + node.interval_ms;
            self.publish_figures(now, &node);
        }
    }

    fn publish_figures(&mut self, now: Now, node: &Node) {
        let figures = node.sum();
        self.speaker.loads.take(now.mono_ms, &figures.counters);
        let told = topics::all(&topics::Report {
            name: &node.name,
            version: node.version,
            uptime_s: now.wall_ms.saturating_sub(node.started_ms) / 1_000,
            wall_ms: now.wall_ms,
            counters: &figures.counters,
            holdings: figures.holdings,
            most_online: figures.most_online,
            retained: (self.retained.len(), self.retained.bytes()),
            routes: self.routes.len(),
            loads: &self.speaker.loads,
        });
        for (topic, text) in told {
            if self.speaker.told.get(&topic) == Some(&text) {
                continue;
            }
            self.tell(now, node, &topic, text.clone(), true);
            self.speaker.told.insert(topic, text);
        }
    }

    /// Publishes one of the node's own messages.
    fn tell(&mut self, now: Now, node: &Node, topic: &str, text: String, retain: bool) {
        let message = Message {
            id: self.ids.next(now.wall_ms),
            topic: self.topics.topic_text(topic),
            payload: Bytes::from(text),
            sender: Arc::clone(&node.name),
            qos: QoS::AtMostOnce,
            retain,
            at_ms: now.wall_ms,
            expires_at_ms: Message::NEVER,
            properties: Bytes::new(),
            hops: 0,
            packet_id: None,
            foreign_id: None,
            stored: Stores::NONE,
        };
        self.publish_house(now, message);
    }
}
