//! The spine: what happens to every message, in this order, wherever it came
//! from: the rules decide, it is matched, delivered, and acknowledged.
//!
//! Clients' publishes and wills enter at the top. Mail of other workers enters
//! below the rules, at [`Shard::deliver_local`], so that a rule sees a message once.

use std::rc::Rc;
use std::sync::Arc;

use hookwire_mqtt::{PacketId, Publish, QoS, TopicName, Will};

use crate::connection::{CloseReason, ConnectionKey, Farewell, Pending};
use crate::hooks::{Hooks, PublishFacts, Refusal, RuleSet, Ticket, Verdict};
use crate::message::Message;
use crate::shard::Shard;
use crate::time::Now;
use crate::topic_cache::{Stamp, Target, TopicEntry};
use crate::transit::Transit;

impl<H: Hooks> Shard<H> {
    /// The top of the spine for a client's own publish, already checked.
    pub(crate) fn publish(&mut self, now: Now, key: ConnectionKey, publish: &Publish<'_>) {
        let entry = self.topic_entry(publish.topic);
        let facts = PublishFacts {
            qos: publish.qos,
            retain: publish.retain,
            payload_bytes: publish.payload.len(),
        };
        let wanted = self.hooks.wants_publish(entry.publish_rules, facts);
        let id = self.ids.next(now.wall_ms);
        let Some(connection) = self.live(key) else {
            return;
        };
        let properties = publish.properties.forwardable();
        let client = Arc::clone(&connection.client);
        let mut transit = Transit {
            id,
            topic: &entry.topic,
            payload: publish.payload,
            sender: &client.clientid,
            qos: publish.qos,
            retain: publish.retain,
            at_ms: now.wall_ms,
            properties: &properties,
            kept: None,
        };
        if !wanted && connection.pipeline.is_empty() {
            self.route(key, &entry, &mut transit);
            self.acknowledge(key, publish.packet_id, None);
            return;
        }
        let rules = wanted.then_some(entry.publish_rules);
        self.line_up(key, rules, transit.shared(), publish.packet_id);
    }

    /// The top of the spine for the will of a connection that just closed.
    pub(crate) fn publish_will(&mut self, now: Now, key: ConnectionKey, will: Will) {
        let Ok(topic) = TopicName::new(&will.topic) else {
            return;
        };
        let entry = self.topic_entry(topic);
        let id = self.ids.next(now.wall_ms);
        let facts = PublishFacts {
            qos: will.qos,
            retain: will.retain,
            payload_bytes: will.payload.len(),
        };
        let wanted = self.hooks.wants_publish(entry.publish_rules, facts);
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        let message = Arc::new(Message {
            id,
            topic: Arc::clone(&entry.topic),
            payload: will.payload.into(),
            sender: Arc::clone(&connection.client.clientid),
            qos: will.qos,
            retain: will.retain,
            at_ms: now.wall_ms,
            properties: will.properties.into(),
        });
        let rules = wanted.then_some(entry.publish_rules);
        self.line_up(key, rules, message, None);
        self.release(now, key);
    }

    /// Puts a message at the end of its publisher's pipeline, and before the
    /// rules that want it; without any it is decided already.
    fn line_up(
        &mut self,
        key: ConnectionKey,
        rules: Option<RuleSet>,
        message: Arc<Message>,
        packet_id: Option<PacketId>,
    ) {
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        let ticket = Self::ticket(key, connection.pipeline.next_sequence());
        connection.pipeline.push(Pending {
            message: Arc::clone(&message),
            packet_id,
            verdict: rules.is_none().then_some(Verdict::Proceed),
        });
        if let Some(rules) = rules {
            self.hooks.submit_publish(rules, ticket, message);
        }
    }

    /// A verdict arrived: what it frees leaves, in order.
    pub(crate) fn settle(&mut self, now: Now, ticket: Ticket, verdict: Verdict) {
        let key = Self::ticket_key(ticket);
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        connection.pipeline.decide(ticket.sequence, verdict);
        self.release(now, key);
    }

    fn release(&mut self, now: Now, key: ConnectionKey) {
        while let Some(connection) = self.connection_mut(key)
            && let Some((pending, verdict)) = connection.pipeline.release()
        {
            self.conclude(now, key, &pending, verdict);
        }
        self.resume_if_free(key);
        self.free_if_done(key);
    }

    fn conclude(&mut self, now: Now, key: ConnectionKey, pending: &Pending, verdict: Verdict) {
        let stopped = self
            .connection(key)
            .is_some_and(|connection| connection.is_fail_stopped);
        if stopped && pending.packet_id.is_some() {
            self.counters.publishes_refused += 1;
            return;
        }
        match verdict {
            Verdict::Proceed => {
                self.route_message(key, &pending.message);
                self.acknowledge(key, pending.packet_id, None);
            }
            Verdict::Replace(message) => {
                self.route_message(key, &message);
                self.acknowledge(key, pending.packet_id, None);
            }
            Verdict::Drop => {
                self.counters.publishes_refused += 1;
                self.acknowledge(key, pending.packet_id, None);
            }
            Verdict::Deny(refusal) => {
                self.counters.publishes_refused += 1;
                self.acknowledge(key, pending.packet_id, Some(refusal));
            }
            Verdict::Disconnect(refusal) => {
                self.counters.publishes_refused += 1;
                let farewell = Farewell::new(refusal.reason, refusal.text);
                self.close(now, key, CloseReason::Refused, Some(farewell));
            }
            Verdict::Failed { refusal, .. } => {
                self.counters.publishes_refused += 1;
                self.not_stored(now, key, pending.packet_id, refusal);
            }
        }
    }

    /// Tells a publisher that its message was not stored. MQTT 5 has a reason
    /// code for it. An older client gets no acknowledgement and is closed, so
    /// that it sends the message again.
    fn not_stored(
        &mut self,
        now: Now,
        key: ConnectionKey,
        packet_id: Option<PacketId>,
        refusal: Refusal,
    ) {
        let Some(connection) = self.live(key) else {
            return;
        };
        if packet_id.is_none() || connection.version == hookwire_mqtt::ProtocolVersion::V5 {
            self.acknowledge(key, packet_id, Some(refusal));
        } else {
            // What follows is not routed: the client sends it again, behind this one.
            connection.is_fail_stopped = true;
            self.hooks.abandon(Self::ticket(key, 0).key);
            self.close(now, key, CloseReason::NotStored, None);
        }
    }

    fn route_message(&mut self, key: ConnectionKey, message: &Arc<Message>) {
        let Ok(topic) = TopicName::new(&message.topic) else {
            return;
        };
        let entry = self.topic_entry(topic);
        self.route(key, &entry, &mut Transit::of(message));
    }

    /// Hands a message that passed its rules to its receivers, here and elsewhere.
    fn route(&mut self, from: ConnectionKey, entry: &TopicEntry, transit: &mut Transit<'_>) {
        for &worker in &entry.remote {
            let Some(link) = self.links.get_mut(usize::from(worker)) else {
                continue;
            };
            link.send(transit.shared());
            if link.is_full()
                && let Some(connection) = self.connection_mut(from)
            {
                connection.blocked_on = Some(worker);
            }
        }
        self.deliver(&entry.local, transit);
    }

    /// The lower entrance: a message whose rules ran on another worker.
    pub(crate) fn deliver_local(&mut self, transit: &mut Transit<'_>) {
        if let Ok(topic) = TopicName::new(transit.topic) {
            let entry = self.topic_entry(topic);
            self.deliver(&entry.local, transit);
        }
    }

    fn deliver(&mut self, targets: &[Target], transit: &mut Transit<'_>) {
        let several = targets.len() > 1;
        if several {
            self.frames.start();
        }
        for &target in targets {
            let qos = transit.qos.min(target.qos);
            if qos == QoS::AtMostOnce {
                self.deliver_at_most_once(target, transit, several);
            } else {
                self.deliver_at_least_once(target, transit, several);
            }
        }
    }

    /// The topic's rules and receivers, from the cache if they are still true.
    pub(crate) fn topic_entry(&mut self, topic: TopicName<'_>) -> Rc<TopicEntry> {
        let mut stamp = Stamp {
            routes: self.routes.generation(),
            subscriptions: self.subscriptions_generation,
            rules: self.hooks.generation(),
        };
        if let Some(entry) = self.topics.get(topic.as_str(), stamp) {
            return entry;
        }
        let (mut remote, routes) = self.routes.destinations(topic);
        stamp.routes = routes;
        remote.retain(|worker| *worker != self.worker);
        let text = self.topics.topic_text(topic.as_str());
        let mut entry = TopicEntry::new(text, stamp);
        entry.publish_rules = self.hooks.match_publish(topic);
        entry.acked_rules = self.hooks.match_acked(topic);
        entry.remote = remote;
        self.subscriptions.matches(topic, |subscriber| {
            entry.add_local(Target {
                session: subscriber.session,
                qos: subscriber.qos,
                no_local: subscriber.no_local,
            });
        });
        self.topics.insert(entry)
    }
}
