//! The promise, checked from what clients send and receive, and from what is
//! committed.

use std::collections::BTreeMap;
use std::rc::Rc;

use foldhash::HashMap;
use hookwire_mqtt::{AckKind, QoS};

use super::known::{Known, Message};
use super::promise::{Breach, Promise};
use crate::packet::{Ack, ConnAck, Packet, Publish};
use crate::stamp::Stamp;
use crate::world::Arrived;

/// See the module.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) breaches: Vec<Breach>,
    messages: HashMap<u32, Message>,
    clients: Vec<Known>,
    /// What clients are subscribed to when they have a new session.
    proxies: BTreeMap<usize, Rc<str>>,
    /// Counts commits, SUBACKs and new sessions, to tell which was first.
    clock: u64,
    pub(super) acknowledged: u64,
    pub(super) delivered: u64,
    pub(super) again: u64,
    pub(super) resumed: u64,
}

impl Check {
    pub(super) fn new(clients: usize, proxies: BTreeMap<usize, Rc<str>>) -> Self {
        Self {
            breaches: Vec::new(),
            messages: HashMap::default(),
            clients: (0..clients).map(|_| Known::default()).collect(),
            proxies,
            clock: 0,
            acknowledged: 0,
            delivered: 0,
            again: 0,
            resumed: 0,
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        !self.breaches.is_empty()
    }

    fn breach(&mut self, promise: Promise, text: String) {
        self.breaches.push(Breach { promise, text });
    }

    pub(super) fn undecodable(&mut self, client: usize, error: &str) {
        self.breach(Promise::Packets, format!("client {client} got {error}"));
    }

    /// A message came to the store.
    pub(super) fn arrived(&mut self, arrived: Arrived) {
        if arrived.is_stored {
            self.stored(arrived.message);
        }
        if arrived.is_refused
            && let Some(message) = self.messages.get_mut(&arrived.message)
        {
            message.was_refused = true;
            message.was_given_up |= arrived.is_given_up;
        }
    }

    /// A message was committed.
    pub(super) fn stored(&mut self, message: u32) {
        self.clock += 1;
        if let Some(message) = self.messages.get_mut(&message) {
            message.rows += 1;
            message.stored_at.get_or_insert(self.clock);
        }
    }

    pub(super) fn connecting(&mut self, client: usize, starts_clean: bool) {
        self.disconnected(client);
        let known = &mut self.clients[client];
        known.starts_clean = starts_clean;
        if starts_clean {
            // Whether or not it hears of it, its session may be a new one.
            known.begin_anew();
        }
    }

    pub(super) fn disconnected(&mut self, client: usize) {
        let known = &mut self.clients[client];
        known.here.clear();
        known.subscribing.clear();
        known.acknowledging.clear();
        known.unacknowledged.clear();
    }

    /// The broker knows no more than the store.
    pub(super) fn crashed(&mut self) {
        for known in &mut self.clients {
            known.settled.clear();
            for has_crashed in known.unsure_ids.values_mut() {
                *has_crashed = true;
            }
        }
    }

    /// Everything arrived that was under way.
    pub(super) fn calm(&mut self) {
        for known in &mut self.clients {
            let taken = known.acknowledging.drain();
            known.settled.extend(taken);
        }
    }

    pub(super) fn sent(&mut self, client: usize, packet: &Packet) {
        match packet {
            Packet::Publish(publish) => self.publishing(client, publish),
            Packet::Subscribe { id, entries, .. } => {
                if let Some(entry) = entries.first() {
                    let filter = Rc::clone(&entry.filter);
                    self.clients[client].subscribing.insert(*id, filter);
                }
            }
            Packet::Unsubscribe { filters, .. } => {
                let (known, messages) = (&mut self.clients[client], &self.messages);
                for filter in filters {
                    known.subscriptions.remove(filter);
                    known.subscribing.retain(|_, asked| asked != filter);
                    known.forget_deliveries(|number| {
                        let message = messages.get(&number);
                        message.is_some_and(|message| message.is_of(filter))
                    });
                }
            }
            Packet::Ack(ack) => self.acknowledging(client, *ack),
            _ => {}
        }
    }

    fn publishing(&mut self, client: usize, publish: &Publish) {
        let Some(stamp) = Stamp::read(&publish.payload) else {
            return;
        };
        let known = &mut self.clients[client];
        known.publishing.insert(publish.id, stamp.message);
        if publish.topic.starts_with("s/") {
            self.messages.entry(stamp.message).or_insert(Message {
                stamp,
                topic: Rc::clone(&publish.topic),
                rows: 0,
                stored_at: None,
                is_acknowledged: false,
                was_refused: false,
                was_given_up: false,
            });
        }
    }

    fn acknowledging(&mut self, client: usize, ack: Ack) {
        let known = &mut self.clients[client];
        match ack.kind {
            AckKind::PubAck => {
                if let Some(message) = known.unacknowledged.remove(&ack.id) {
                    known.acknowledging.insert(message);
                    known.acknowledged.insert(message);
                }
            }
            AckKind::PubRec => {
                known.acknowledged.extend(known.held.get(&ack.id));
            }
            AckKind::PubComp => {
                known.held.remove(&ack.id);
            }
            _ => {}
        }
    }

    pub(super) fn received(&mut self, client: usize, packet: &Packet) {
        match packet {
            Packet::ConnAck(ack) => self.accepted(client, ack),
            Packet::Ack(ack) if matches!(ack.kind, AckKind::PubAck | AckKind::PubRec) => {
                self.answered(client, *ack);
            }
            Packet::SubAck { id, reasons, .. } => {
                self.clock += 1;
                let is_granted = reasons.first().is_some_and(|reason| !reason.is_error());
                let known = &mut self.clients[client];
                match known.subscribing.remove(id) {
                    Some(filter) if is_granted => {
                        known.subscriptions.entry(filter).or_insert(self.clock);
                    }
                    // It is told that it has none, whatever was before.
                    Some(filter) => {
                        known.subscriptions.remove(&filter);
                    }
                    None => {}
                }
            }
            Packet::Publish(publish) => self.delivered(client, publish),
            _ => {}
        }
    }

    fn accepted(&mut self, client: usize, ack: &ConnAck) {
        if ack.reason.is_error() {
            return;
        }
        let known = &mut self.clients[client];
        let is_expected = known.has_session && !known.starts_clean;
        if ack.session_present {
            self.resumed += 1;
        } else {
            known.begin_anew();
            self.clock += 1;
            let proxy = self.proxies.get(&client).cloned();
            known.subscriptions.extend(proxy.zip(Some(self.clock)));
        }
        known.has_session = true;
        if is_expected && !ack.session_present {
            let text = format!("client {client} had a session, and is told that it has none");
            self.breach(Promise::SessionPresent, text);
        }
    }

    fn answered(&mut self, client: usize, ack: Ack) {
        let message = self.clients[client].publishing.remove(&ack.id);
        let Some(message) = message.and_then(|number| self.messages.get_mut(&number)) else {
            return;
        };
        let unsure = &mut self.clients[client].unsure_ids;
        if ack.reason.is_error() {
            unsure.insert(ack.id, false);
            return;
        }
        let may_be_taken = ack.kind == AckKind::PubRec && unsure.remove(&ack.id) == Some(true);
        if message.was_given_up {
            // It is a dead letter, even where an earlier call that was given up stored it.
            return;
        }
        self.acknowledged += u64::from(!message.is_acknowledged);
        message.is_acknowledged = true;
        if message.rows == 0 && !may_be_taken {
            let text = format!("{} was acknowledged, and is not stored", message.stamp);
            self.breach(Promise::AcknowledgedIsStored, text);
        }
    }

    fn delivered(&mut self, client: usize, publish: &Publish) {
        let Some(stamp) = Stamp::read(&publish.payload) else {
            return;
        };
        let number = stamp.message;
        let known = &mut self.clients[client];
        if publish.qos == QoS::ExactlyOnce {
            match known.held.insert(publish.id, number) {
                Some(held) if held == number => return,
                // It is lost: what is not stored ends with the broker.
                Some(held) if !self.messages.contains_key(&held) => {}
                Some(held) => {
                    let text = format!(
                        "client {client} got {stamp} by packet id {}, by which it holds message {held}",
                        publish.id
                    );
                    return self.breach(Promise::Once, text);
                }
                None => {}
            }
        }
        // What is not stored is none of this.
        let Some(message) = self.messages.get(&number) else {
            return;
        };
        if publish.qos == QoS::AtLeastOnce {
            known.unacknowledged.insert(publish.id, number);
        }
        let times = known.deliveries.entry(number).or_default();
        *times += 1;
        let is_owed = known
            .subscriptions
            .iter()
            .any(|(filter, since)| message.is_owed(filter, *since));
        if *times == 1 && is_owed {
            known.firsts.push(number);
        }
        self.delivered += 1;
        self.again += u64::from(*times > 1);
        let here = known.here.entry(number).or_default();
        *here += 1;
        let is_once = match publish.qos {
            QoS::ExactlyOnce => {
                let times = known.exactly_once.entry(number).or_default();
                *times += 1;
                *times <= message.rows
            }
            _ => *here <= message.rows && (!known.settled.contains(&number) || message.rows > 1),
        };
        if !is_once {
            let text = format!(
                "client {client} got {stamp}, which is stored {} times, {times} times at {:?}",
                message.rows, publish.qos
            );
            self.breach(Promise::Once, text);
        }
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self) {
        let mut breaches = Vec::new();
        for (number, known) in self.clients.iter().enumerate() {
            breaches.extend(known.subscribing.values().map(|filter| Breach {
                promise: Promise::SubscribeIsAnswered,
                text: format!("client {number} got no SUBACK for {filter}"),
            }));
            for (filter, since) in &known.subscriptions {
                let all = self.messages.values();
                let owed = all.filter(|m| m.is_acknowledged && m.is_owed(filter, *since));
                let lost = owed.filter(|m| !known.acknowledged.contains(&m.stamp.message));
                breaches.extend(lost.map(|message| Breach {
                    promise: Promise::StoredIsDelivered,
                    text: format!(
                        "client {number} never got {} on {}, or had no chance to acknowledge it",
                        message.stamp, message.topic
                    ),
                }));
            }
            breaches.extend(self.disorder(number, known));
        }
        self.breaches.extend(breaches);
    }

    /// The first message that a client got behind a later one.
    fn disorder(&self, client: usize, known: &Known) -> Option<Breach> {
        let mut newest: HashMap<(u16, &str), u32> = HashMap::default();
        let acknowledged = known.firsts.iter().filter_map(|number| {
            let message = self.messages.get(number)?;
            (message.is_acknowledged && !message.was_refused).then_some(message)
        });
        for message in acknowledged {
            let stamp = message.stamp;
            let newest = newest.entry((stamp.publisher, &message.topic)).or_default();
            if stamp.sequence < *newest {
                return Some(Breach {
                    promise: Promise::InOrder,
                    text: format!(
                        "client {client} got {stamp} on {} behind number {newest}",
                        message.topic
                    ),
                });
            }
            *newest = stamp.sequence;
        }
        None
    }
}
