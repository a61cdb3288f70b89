//! What clients publish.

use std::rc::Rc;

use hookwire_mqtt::QoS;

use super::Model;
use super::message::{FIRST_EMPTY, Message, Origin};
use super::state::{ClientNo, MessageNo, Publishing};
use crate::history::{ConnectionNo, Outcome};
use crate::packet::Publish;
use crate::stamp::{Decision, Stamp, replaced};
use crate::tally::Count;

/// Bytes that the server may add to a PUBLISH: its fixed header, a packet id, an
/// alias, an expiry interval, and some subscription identifiers.
const ADDED_BYTES: usize = 60;
/// What a message costs in a queue beside its own bytes.
const HELD_BYTES: usize = 64;

impl Model {
    pub(super) fn sent_publish(&mut self, no: ConnectionNo, publish: &Publish) {
        let topic = self.topic_sent(no, publish);
        let connection = &self.connections[no];
        let client = connection.client;
        let stamp = Stamp::read(&publish.payload);
        let session = client.map(|client| &self.clients[client].session);
        // An empty message has its packet id alone to be known by.
        let known = stamp.map(|stamp| stamp.message).or_else(|| {
            let publishing = session.and_then(|session| session.publishing.get(&publish.id));
            publishing.map(|publishing| publishing.message)
        });
        let is_known = |number: &MessageNo| self.messages.contains_key(number);
        let number = match known.filter(|number| publish.dup && is_known(number)) {
            Some(message) => {
                self.sent_again(no, message);
                message
            }
            None => {
                let (origin, topic) = origin_and_topic(&topic);
                let Some(number) = self.new_message(no, client, publish, &topic, origin) else {
                    return;
                };
                self.enter(number);
                number
            }
        };
        if self.is_denied(number) {
            self.refuse(number);
        }
        let connection = &mut self.connections[no];
        match publish.qos {
            QoS::AtMostOnce => return,
            QoS::AtLeastOnce => connection.pubacks.push_back((publish.id, number)),
            QoS::ExactlyOnce => connection.pubrecs.push_back((publish.id, number)),
        }
        if let Some(client) = client {
            self.clients[client].session.publishing.insert(
                publish.id,
                Publishing {
                    message: number,
                    is_released: false,
                },
            );
        }
    }

    /// The topic that a client's PUBLISH names, by alias or by name.
    fn topic_sent(&mut self, no: ConnectionNo, publish: &Publish) -> Rc<str> {
        let aliases = &mut self.connections[no].client_aliases;
        let Some(alias) = publish.alias else {
            return Rc::clone(&publish.topic);
        };
        if publish.topic.is_empty() {
            let known = aliases.get(&alias).cloned();
            self.count(Count::PublishByAlias);
            return known.unwrap_or_else(|| "".into());
        }
        aliases.insert(alias, Rc::clone(&publish.topic));
        Rc::clone(&publish.topic)
    }

    fn sent_again(&mut self, no: ConnectionNo, number: MessageNo) {
        let now = self.now;
        let session = self.connections[no]
            .client
            .map(|client| &self.clients[client].session);
        let (generation, doubted) = session.map_or((0, now.seq), |session| {
            (session.generation, session.doubted)
        });
        if let Some(message) = self.messages.get_mut(&number) {
            message.sends += 1;
            // A server that has forgotten the session has forgotten the message.
            let is_over = doubted > message.last_sent || generation != message.generation;
            message.lives += u32::from(is_over);
            message.generation = generation;
            message.last_sent = now.seq;
            message.connection = no;
            message.matched_by = None;
            message.taken_by_ms = None;
            message.released_by_ms = None;
            match message.qos {
                _ if !message.retain => {}
                QoS::ExactlyOnce => self.retained.write_again(message),
                _ => self.retained.write(message, now.seq),
            }
            let is_delayed = matches!(message.origin, Origin::Delayed { .. });
            if is_delayed && !self.scheduled.contains(&number) {
                // Its time begins anew.
                self.scheduled.push(number);
            }
            self.untaken.push(number);
            self.unmatched.push(number);
            self.expect_at_sessions(number);
        }
        self.count(Count::PublishAgain);
    }

    /// Makes a message known; None for one that says nothing of itself and is
    /// not an empty one.
    pub(super) fn new_message(
        &mut self,
        no: ConnectionNo,
        publisher: Option<ClientNo>,
        publish: &Publish,
        topic: &Rc<str>,
        origin: Origin,
    ) -> Option<MessageNo> {
        let stamp = Stamp::read(&publish.payload);
        let number = match stamp {
            Some(stamp) => stamp.message,
            None if publish.payload.is_empty() => self.next_empty,
            None => return None,
        };
        let name = self.topics.name(topic);
        let is_denied = self.topics.matches(self.denied_topics, name);
        if number >= FIRST_EMPTY {
            self.next_empty += 1;
            if !is_denied {
                self.empties.insert(name);
            }
        }
        // Rules let an empty message pass, and nobody tells when.
        let has_rules = stamp.is_some() && self.topics.matches(self.rules_filter, name);
        let is_hooked = has_rules || is_denied;
        let replacing =
            stamp.filter(|stamp| is_hooked && !is_denied && stamp.decision == Decision::Replace);
        let (topic, payload) = match replacing {
            Some(stamp) => replaced(stamp, topic, &publish.payload),
            None => (Rc::clone(topic), Rc::clone(&publish.payload)),
        };
        let own_bytes = topic.len() + payload.len() + properties_bytes(publish);
        let message = Message {
            number,
            publisher,
            origin,
            topic: self.topics.name(&topic),
            payload,
            qos: publish.qos,
            retain: publish.retain,
            expiry_s: publish.expiry_s,
            extras: publish.extras.clone(),
            held_bytes: own_bytes + HELD_BYTES,
            packet_bytes: own_bytes + ADDED_BYTES,
            is_hooked,
            // A denial is known before it is asked for, and stays.
            verdicts: if is_denied { u32::MAX } else { 0 },
            acknowledgements: 0,
            outcome: is_denied.then_some(Outcome::Denied),
            passed: false,
            sent: self.now,
            sends: 1,
            lives: 1,
            generation: publisher.map_or(0, |client| self.clients[client].session.generation),
            last_sent: self.now.seq,
            connection: no,
            taken_by_ms: None,
            released_by_ms: None,
            matched_from: self.now.seq,
            matched_by: None,
            is_accepted: false,
            copies: Vec::new(),
        };
        self.messages.insert(number, message);
        Some(number)
    }

    /// Whether nobody may publish where the message was published to.
    pub(super) fn is_denied(&mut self, number: MessageNo) -> bool {
        let topic = self.messages.get(&number).map(|message| message.topic);
        topic.is_some_and(|topic| self.topics.matches(self.denied_topics, topic))
    }

    /// A message is on its way into the server.
    fn enter(&mut self, number: MessageNo) {
        let now = self.now;
        self.untaken.push(number);
        let Some(message) = self.messages.get(&number) else {
            return;
        };
        if matches!(message.origin, Origin::Delayed { .. }) {
            self.schedule(number, now);
            return;
        }
        if message.retain {
            self.retained.write(message, now.seq);
        }
        self.unmatched.push(number);
        self.expect_at_sessions(number);
    }

    /// The rules answered.
    pub(super) fn verdict(&mut self, number: MessageNo, outcome: Outcome) {
        let now = self.now;
        let Some(message) = self.messages.get_mut(&number) else {
            return;
        };
        message.verdicts += 1;
        message.outcome = Some(outcome);
        message.passed |= outcome == Outcome::Passes;
        let (no, is_v5) = (
            message.connection,
            self.connections[message.connection].is_v5(),
        );
        match outcome {
            Outcome::Passes => {}
            Outcome::Dropped | Outcome::Denied => self.refuse(number),
            Outcome::Failed => {
                self.refuse(number);
                if !is_v5 {
                    self.add_cause(no, now);
                }
            }
            Outcome::Disconnects => {
                self.refuse(number);
                self.add_cause(no, now);
            }
        }
    }

    /// A message goes no further, at least this time.
    pub(super) fn refuse(&mut self, number: MessageNo) {
        self.retained.refuse(number);
        for client in &mut self.clients {
            client.session.forget_waiting(number);
        }
    }
}

/// What is published to `$delayed/SECONDS/TOPIC` is published to TOPIC later.
fn origin_and_topic(topic: &Rc<str>) -> (Origin, Rc<str>) {
    let parts = topic
        .strip_prefix("$delayed/")
        .and_then(|rest| rest.split_once('/'));
    match parts.and_then(|(seconds, topic)| Some((seconds.parse().ok()?, topic))) {
        Some((seconds, topic)) => (Origin::Delayed { seconds }, topic.into()),
        None => (Origin::Publish, Rc::clone(topic)),
    }
}

/// Bytes of the properties that travel, at most.
fn properties_bytes(publish: &Publish) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, |text| text.len() + 3);
    let extras = publish.extras.as_ref().map_or(0, |extras| {
        let users = extras.user_properties.iter();
        let users: usize = users
            .map(|(name, value)| name.len() + value.len() + 5)
            .sum();
        let data = extras.correlation_data.as_ref();
        2 + text(&extras.content_type)
            + text(&extras.response_topic)
            + data.map_or(0, |data| data.len() + 3)
            + users
    });
    extras + if publish.expiry_s.is_some() { 5 } else { 0 }
}
