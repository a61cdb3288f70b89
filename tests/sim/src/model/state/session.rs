//! A session: its subscriptions, its deliveries, and what waits for it.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;
use hookwire_mqtt::QoS;

use super::{ClientNo, Exchange, MessageNo, Span, Version};
use crate::model::topics::TopicNo;

/// A session, or that there is none: then nothing is in it.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Counts the sessions of the client.
    pub(crate) generation: u32,
    /// Whether the client was told of it.
    pub(crate) exists: bool,
    /// Whether a CONNECT without an answer may have changed it.
    pub(crate) is_in_doubt: bool,
    /// When that was last so.
    pub(crate) doubted: u64,
    /// Seconds that it outlives its connection, at least and at most.
    pub(crate) expiry_s: (u32, u32),
    /// When its connection ended; None while there is one.
    pub(crate) away: Option<Span>,
    /// Every version of every subscription that may still matter.
    pub(crate) versions: Vec<Version>,
    /// Deliveries with a packet id, in the order first received.
    pub(crate) exchanges: Vec<Exchange>,
    /// Messages received, and how often.
    pub(crate) seen: HashMap<MessageNo, Seen>,
    /// Per publisher, topic, QoS published and QoS delivered: when the last
    /// message received was sent.
    pub(crate) order: HashMap<(ClientNo, TopicNo, QoS, QoS), u64>,
    /// Messages that it has to receive.
    pub(crate) owed: BTreeSet<MessageNo>,
    /// Retained messages that it has to receive, each with the subscription.
    pub(crate) owed_retained: Vec<(MessageNo, u64)>,
    /// Retained messages received, each with the subscriptions that it may have
    /// been sent for.
    pub(crate) retained_copies: Vec<(TopicNo, Vec<u64>)>,
    /// Messages that may wait for it at the server.
    pub(crate) waiting: BTreeMap<MessageNo, Waiting>,
    pub(crate) waiting_messages: usize,
    pub(crate) waiting_bytes: usize,
    /// What may have been passed on to it by other members of shared
    /// subscriptions: messages and bytes.
    pub(crate) passed_on: (usize, usize),
    /// Messages sent up to here may have been dropped from a full queue.
    pub(crate) overflowed: u64,
    /// Since when its client takes packets of how many bytes at most.
    pub(crate) packet_limits: Vec<(u64, usize)>,
    /// The client's own QoS 1 and 2 publishes, by packet id.
    pub(crate) publishing: HashMap<u16, Publishing>,
    pub(crate) next_order: u64,
}

/// A message that may wait at the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// With QoS 0, and with a packet id.
    copies: [usize; 2],
    /// Of each.
    bytes: usize,
}

/// A QoS 1 or 2 publish of a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Publishing {
    pub(crate) message: MessageNo,
    pub(crate) is_released: bool,
}

/// How often a message was received.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) live: u32,
    pub(crate) retained: u32,
}

impl Session {
    /// When it ends, if its client stays away.
    pub(crate) fn end(&self, slack_ms: u64) -> Option<Span> {
        let away = self.away?;
        let after = |from_ms: u64, seconds: u32| match seconds {
            u32::MAX => u64::MAX,
            seconds => from_ms.saturating_add(u64::from(seconds) * 1_000),
        };
        Some(Span {
            least_ms: after(away.least_ms, self.expiry_s.0),
            most_ms: after(away.most_ms, self.expiry_s.1).saturating_add(slack_ms),
        })
    }

    pub(crate) fn exchange(&mut self, id: u16) -> Option<&mut Exchange> {
        self.exchanges.iter_mut().find(|exchange| exchange.id == id)
    }

    pub(crate) fn version(&mut self, number: u64) -> Option<&mut Version> {
        self.versions
            .iter_mut()
            .find(|version| version.number == number)
    }

    /// Notes that so many copies of a message may wait at the server, without
    /// and with a packet id.
    pub(crate) fn add_waiting(&mut self, message: MessageNo, copies: [usize; 2], bytes: usize) {
        let entry = self.waiting.entry(message).or_insert(Waiting {
            copies: [0; 2],
            bytes,
        });
        for (known, more) in entry.copies.iter_mut().zip(copies) {
            *known += more;
            self.waiting_messages += more;
            self.waiting_bytes += more * entry.bytes;
        }
    }

    /// A copy of a message was received.
    pub(crate) fn remove_waiting(&mut self, message: MessageNo, qos: QoS) {
        if let Some(entry) = self.waiting.get_mut(&message) {
            let copies = &mut entry.copies[usize::from(qos > QoS::AtMostOnce)];
            if *copies > 0 {
                *copies -= 1;
                self.waiting_messages -= 1;
                self.waiting_bytes -= entry.bytes;
            }
        }
    }

    /// No copy of a message waits.
    pub(crate) fn forget_waiting(&mut self, message: MessageNo) {
        if let Some(entry) = self.waiting.remove(&message) {
            let copies: usize = entry.copies.iter().sum();
            self.waiting_messages -= copies;
            self.waiting_bytes -= copies * entry.bytes;
        }
    }

    /// The largest packet that the client took at all times since.
    pub(crate) fn max_packet_bytes(&self, since: u64) -> usize {
        let limits = &self.packet_limits;
        let begun = limits.partition_point(|(from, _)| *from <= since);
        let in_force = &limits[begun.saturating_sub(1)..];
        let smallest = in_force.iter().map(|(_, bytes)| *bytes).min();
        smallest.unwrap_or(usize::MAX)
    }

    pub(crate) fn clear_waiting(&mut self) {
        self.waiting.clear();
        self.waiting_messages = 0;
        self.waiting_bytes = 0;
        self.passed_on = (0, 0);
    }
}
