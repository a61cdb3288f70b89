//! Retained messages. Publishes of several clients may be under way at once, so
//! for each topic there are all the messages that may be the current one.

use std::collections::BTreeMap;

use hookwire_mqtt::{QoS, RetainHandling};

use super::Model;
use super::message::{Message, Origin};
use super::state::{ClientNo, MessageNo};
use super::topics::TopicNo;
use crate::history::ConnectionNo;

/// What the topic of a retained message takes at most, beside the message.
const TOPIC_BYTES: usize = 1_000;

/// A retained publish, and when it was made at the server.
#[derive(Debug, Clone)]
struct Write {
    message: MessageNo,
    clears: bool,
    bytes: usize,
    /// After this.
    from: u64,
    /// Before this.
    by: Option<u64>,
    /// Whether it surely was.
    is_certain: bool,
    /// Whether it may have been made long ago, and replaced since.
    may_be_old: bool,
}

/// All topics' retained publishes that may be current.
#[derive(Debug, Default)]
pub(super) struct Retained {
    writes: BTreeMap<TopicNo, Vec<Write>>,
}

impl Retained {
    /// A retained message is on its way.
    pub(super) fn write(&mut self, message: &Message, from: u64) {
        self.writes.entry(message.topic).or_default().push(Write {
            message: message.number,
            clears: message.payload.is_empty(),
            bytes: message.held_bytes + TOPIC_BYTES,
            from,
            by: None,
            is_certain: false,
            may_be_old: false,
        });
    }

    /// A QoS 2 message is sent again: if it was not taken the first time, it is now.
    pub(super) fn write_again(&mut self, message: &Message) {
        let writes = self.writes.entry(message.topic).or_default();
        let known = writes
            .iter_mut()
            .find(|write| write.message == message.number);
        match known {
            Some(known) => known.by = None,
            None => {
                self.write(message, message.sent.seq);
                for write in self.open_of(message.number) {
                    write.may_be_old = true;
                }
            }
        }
    }

    /// The message was taken over by now; whether it is kept may depend on room.
    fn settle(&mut self, message: MessageNo, now: u64, has_room: bool) {
        for write in self.open_of(message) {
            write.by = Some(now);
            write.is_certain = (has_room || write.clears) && !write.may_be_old;
        }
    }

    /// The message goes no further.
    pub(super) fn refuse(&mut self, message: MessageNo) {
        for writes in self.writes.values_mut() {
            writes.retain(|write| write.message != message || write.by.is_some());
        }
    }

    /// The will is not published.
    pub(super) fn cancel(&mut self, message: MessageNo) {
        for writes in self.writes.values_mut() {
            writes.retain(|write| write.message != message);
        }
    }

    fn open_of(&mut self, message: MessageNo) -> impl Iterator<Item = &mut Write> {
        self.writes
            .values_mut()
            .flatten()
            .filter(move |write| write.message == message && write.by.is_none())
    }

    /// Messages that may be the topic's retained one at some time in between;
    /// and whether that is one for certain, which may be none at all.
    fn current(&self, topic: TopicNo, from: u64, to: u64) -> (Vec<MessageNo>, bool) {
        let Some(writes) = self.writes.get(&topic) else {
            return (Vec::new(), true);
        };
        let is_replaced = |write: &Write, before: u64| {
            writes.iter().any(|newer| {
                let follows = write.by.is_some_and(|by| newer.from > by);
                newer.is_certain && follows && newer.by.is_some_and(|by| by < before)
            })
        };
        let possible = || {
            let begun = writes.iter().filter(|write| write.from < to);
            begun.filter(|write| !is_replaced(write, from))
        };
        let messages = possible()
            .filter(|write| !write.clears)
            .map(|write| write.message)
            .collect();
        let settled = |write: &Write| write.is_certain && write.by.is_some_and(|by| by < from);
        let is_certain = match possible().count() {
            0 => true,
            1 => possible().all(settled),
            _ => false,
        };
        (messages, is_certain)
    }

    /// Messages and bytes that may be kept at once, at most.
    fn size(&self) -> (usize, usize) {
        let all = self.writes.values().flatten().filter(|write| !write.clears);
        all.fold((0, 0), |(messages, bytes), write| {
            (messages + 1, bytes + write.bytes)
        })
    }

    /// All is calm: what is not `waiting` was made, or never will be. `is_sure`
    /// tells which.
    fn calm(
        &mut self,
        now: u64,
        waiting: impl Fn(MessageNo) -> bool,
        is_sure: impl Fn(MessageNo) -> bool,
    ) {
        for writes in self.writes.values_mut() {
            for write in writes.iter_mut() {
                if write.by.is_none() && !waiting(write.message) {
                    write.by = Some(now);
                    write.is_certain = is_sure(write.message) && !write.may_be_old;
                }
            }
            let certain: Vec<u64> = writes
                .iter()
                .filter(|write| write.is_certain && write.by.is_some())
                .map(|write| write.from)
                .collect();
            writes.retain(|write| {
                let is_replaced = write
                    .by
                    .is_some_and(|by| certain.iter().any(|from| *from > by));
                !is_replaced
            });
        }
        self.writes.retain(|_, writes| {
            let only_cleared = writes
                .iter()
                .all(|write| write.clears && write.is_certain && write.by.is_some());
            !only_cleared
        });
    }
}

impl Model {
    /// As [`Retained::current`], with the wills of connections that may have
    /// ended without their clients having noticed.
    fn current_retained(&self, topic: TopicNo, from: u64, to: u64) -> (Vec<MessageNo>, bool) {
        let (mut messages, mut is_certain) = self.retained.current(topic, from, to);
        for &no in &self.open {
            let will = self.connections[no].will;
            let will = will.and_then(|will| self.messages.get(&will));
            if let Some(will) = will
                && will.retain
                && will.topic == topic
                && self.closing_cause(no).is_some()
            {
                messages.push(will.number);
                is_certain = false;
            }
        }
        (messages, is_certain)
    }

    /// SUBACK: the subscription was served, so what it may be sent is known.
    pub(super) fn retained_at_suback(&mut self, no: ConnectionNo, client: ClientNo, number: u64) {
        let now = self.now;
        let is_full = self.retained_may_be_full();
        let max_bytes = self.connections[no].max_packet_bytes();
        let session = &self.clients[client].session;
        let Some(version) = session
            .versions
            .iter()
            .find(|version| version.number == number)
        else {
            return;
        };
        let mut all = Vec::new();
        let mut due = Vec::new();
        if !version.is_shared && version.retain_handling != RetainHandling::DoNotSend {
            let is_asked =
                version.retain_handling == RetainHandling::SendAtSubscribe || version.is_surely_new;
            for topic in 0..self.topics.names() {
                if !self.topics.matches(version.filter, topic) {
                    continue;
                }
                let (messages, is_certain) = self.current_retained(topic, version.from, now.seq);
                let is_certain = is_certain && !self.topics.matches(self.undelivered_topics, topic);
                if let ([message], true, true, false) =
                    (&messages[..], is_certain, is_asked, is_full)
                    && let Some(known) = self.messages.get(message)
                {
                    let has_come = session
                        .retained_copies
                        .iter()
                        .any(|(known, versions)| *known == topic && versions.contains(&number));
                    let is_own = version.no_local && known.publisher == Some(client);
                    let is_due = known.qos.min(version.qos) > QoS::AtMostOnce
                        && !has_come
                        && !is_own
                        && !known.may_be_expired(now.ms)
                        && known.packet_bytes <= max_bytes;
                    if is_due {
                        due.push((*message, number));
                    }
                }
                all.extend(messages);
            }
        }
        let session = &mut self.clients[client].session;
        if let Some(version) = session.version(number) {
            version.retained = Some(all);
        }
        session.owed_retained.extend(due);
    }

    /// The message was surely taken over by now.
    pub(super) fn settle_retained(&mut self, message: MessageNo) {
        let has_room = !self.retained_may_be_full();
        self.retained.settle(message, self.now.seq, has_room);
    }

    fn retained_may_be_full(&self) -> bool {
        let (messages, bytes) = self.retained.size();
        messages >= self.configuration.max_retained_messages
            || bytes >= self.configuration.max_retained_bytes
    }

    /// The connection is gone: what its unanswered SUBSCRIBEs may be sent later
    /// is what was retained until now.
    pub(super) fn snapshot_retained(&mut self, no: ConnectionNo) {
        let now = self.now;
        let Some(client) = self.connections[no].client else {
            return;
        };
        for pending in std::mem::take(&mut self.connections[no].subscribes) {
            for number in pending.versions {
                let Some(version) = self.clients[client].session.version(number) else {
                    continue;
                };
                let (filter, from) = (version.filter, version.from);
                let mut all = Vec::new();
                for topic in 0..self.topics.names() {
                    if self.topics.matches(filter, topic) {
                        all.extend(self.current_retained(topic, from, now.seq).0);
                    }
                }
                if let Some(version) = self.clients[client].session.version(number) {
                    version.retained = Some(all);
                }
            }
        }
        self.connections[no].unsubscribes.clear();
    }

    /// Whether the message may have been the retained one when this subscription
    /// was made.
    pub(super) fn was_retained(&self, client: ClientNo, index: usize, message: MessageNo) -> bool {
        let version = &self.clients[client].session.versions[index];
        match (&version.retained, self.messages.get(&message)) {
            (Some(retained), _) => retained.contains(&message),
            (None, Some(known)) => {
                let (messages, _) = self.current_retained(known.topic, version.from, self.now.seq);
                messages.contains(&message)
            }
            (None, None) => false,
        }
    }

    pub(super) fn calm_retained(&mut self) {
        let now = self.now;
        let is_full = self.retained_may_be_full();
        let (messages, connections) = (&self.messages, &self.connections);
        let scheduled = &self.scheduled;
        // A QoS 2 message may be kept as late as at PUBREL.
        let waiting = |number| {
            let message: Option<&Message> = messages.get(&number);
            let is_unreleased = message.is_some_and(|message| {
                let is_served = connections[message.connection].is_open();
                message.qos == QoS::ExactlyOnce && !message.is_accepted && is_served
            });
            is_unreleased || scheduled.contains(&number)
        };
        let is_sure = |number| {
            let message: Option<&Message> = messages.get(&number);
            message.is_some_and(|message| {
                let is_served = connections[message.connection].is_open();
                let is_plain = message.origin == Origin::Publish;
                message.is_accepted || (is_plain && is_served && message.may_pass() && !is_full)
            })
        };
        self.retained.calm(now.seq, waiting, is_sure);
    }
}
