//! The spine: what happens to every message, in this order, wherever it came
//! from: the rules decide, it is retained, matched, delivered, and acknowledged.
//!
//! Clients' publishes, wills, and what rules and administrators publish enter at
//! the top. Mail of other workers enters below the rules, so that a rule sees a
//! message once.

use std::sync::Arc;

use hookwire_mqtt::{Publish, QoS, ReasonCode, TopicName};

use crate::connection::{CloseReason, ConnectionKey, Farewell, Pending, Receipt};
use crate::delayed::{self, DELAYED_PREFIX};
use crate::faults::Fault;
use crate::hooks::{Hooks, PublishFacts, Refusal, RuleSet, Stores, Ticket, Verdict};
use crate::message::Message;
use crate::shard::Shard;
use crate::time::Now;
use crate::topic_cache::TopicEntry;
use crate::transit::Transit;

/// A PUBLISH of a client, checked, with its topic found.
pub(crate) struct Incoming<'a> {
    pub(crate) publish: &'a Publish<'a>,
    /// The topic that the packet names, or that its alias stands for.
    pub(crate) topic: TopicName<'a>,
    /// Whether the payload is what its format indicator says, or nobody asks.
    pub(crate) is_in_its_format: bool,
}

impl Incoming<'_> {
    /// Whether it simply goes to its topic.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_in_its_format && !self.topic.is_reserved()
    }
}

impl<H: Hooks> Shard<H> {
    /// The top of the spine for a client's own publish, already checked.
    /// Without a verdict the rules of its topic give one.
    #[inline]
    pub(crate) fn publish(
        &mut self,
        now: Now,
        key: ConnectionKey,
        publish: &Publish<'_>,
        entry: &TopicEntry,
        delay_ms: Option<u64>,
        verdict: Option<Verdict>,
    ) {
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
        // It was read, so they have room again.
        connection.crowded.clear();
        let properties = publish.properties.forwardable();
        let client = Arc::clone(&connection.client);
        let receipt = Receipt::of(publish.qos, publish.packet_id);
        let mut transit = Transit {
            id,
            topic: &entry.topic,
            payload: publish.payload,
            sender: &client.clientid,
            qos: publish.qos,
            retain: publish.retain,
            at_ms: now.wall_ms,
            expires_at_ms: Message::expiry(publish.properties, now.wall_ms),
            properties: &properties,
            packet_id: publish
                .packet_id
                .filter(|_| publish.qos == QoS::ExactlyOnce),
            stored: Stores::NONE,
            deliver_rules: RuleSet::NONE,
            kept: None,
        };
        let is_simple = !wanted && delay_ms.is_none() && verdict.is_none();
        if is_simple && connection.pipeline.is_empty() {
            let is_matched = self.route(now, Some(key), entry, &mut transit);
            return self.acknowledge(key, receipt, taken(is_matched));
        }
        let rules = (wanted && verdict.is_none()).then_some(entry.publish_rules);
        self.line_up(
            key,
            rules,
            Pending {
                message: Some(transit.shared()),
                receipt,
                delay_ms: delay_ms.unwrap_or_default(),
                has_rules: wanted,
                verdict,
            },
        );
        if rules.is_none() {
            self.release(now, key);
        }
    }

    /// The topic to route to and the delay before it, or why it goes nowhere; of
    /// a publish that is not plain.
    #[cold]
    pub(crate) fn destination<'a>(
        &self,
        incoming: &Incoming<'a>,
    ) -> (TopicName<'a>, Option<u64>, Option<Refusal>) {
        let topic = incoming.topic;
        let refused = |reason, text: &str| {
            let text = text.to_owned();
            (topic, None, Some(Refusal { reason, text }))
        };
        if !incoming.is_in_its_format {
            return refused(ReasonCode::PayloadFormatInvalid, "the payload is not UTF-8");
        }
        if topic.as_str().starts_with("$SYS/") {
            let text = "topics under $SYS are this server's own";
            return refused(ReasonCode::TopicNameInvalid, text);
        }
        if !topic.as_str().starts_with(DELAYED_PREFIX) {
            return (topic, None, None);
        }
        let bytes = incoming.publish.payload.len() + topic.as_str().len();
        match delayed::parse(topic.as_str()) {
            Ok(_) if !self.may_delay(bytes) => {
                refused(ReasonCode::QuotaExceeded, "too many messages are delayed")
            }
            Ok((topic, delay_ms)) => (topic, Some(delay_ms), None),
            Err(delayed::NotDelayed) => refused(
                ReasonCode::TopicNameInvalid,
                "a delayed topic is $delayed/SECONDS/TOPIC, of at most 4294967 seconds",
            ),
        }
    }

    /// Puts a message at the end of its publisher's pipeline, and before the
    /// rules that want it; without any it is decided already.
    pub(crate) fn line_up(
        &mut self,
        key: ConnectionKey,
        rules: Option<RuleSet>,
        mut pending: Pending,
    ) {
        let acks_early = self.planted.is(Fault::AckBeforeVerdict);
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        if pending
            .receipt
            .is_some_and(|receipt| !receipt.is_exactly_once())
        {
            connection.unacknowledged = connection.unacknowledged.saturating_add(1);
        }
        if rules.is_none() && pending.verdict.is_none() {
            pending.verdict = Some(Verdict::Proceed);
        }
        let early = if acks_early {
            pending.receipt.take()
        } else {
            None
        };
        let ticket = Self::ticket(key, connection.pipeline.next_sequence());
        let message = pending.message.clone();
        connection.pipeline.push(pending);
        self.acknowledge(key, early, ReasonCode::Success);
        if let Some((rules, message)) = rules.zip(message) {
            self.hooks.submit_publish(rules, ticket, message);
        }
    }

    /// A verdict arrived: what it frees leaves, in order.
    pub(crate) fn settle(&mut self, now: Now, ticket: Ticket, verdict: Verdict, stored: Stores) {
        let key = Self::ticket_key(ticket);
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        connection.pipeline.decide(ticket.sequence, verdict, stored);
        self.release(now, key);
    }

    pub(crate) fn release(&mut self, now: Now, key: ConnectionKey) {
        while let Some(connection) = self.connection_mut(key)
            && let Some((pending, verdict)) = connection.pipeline.release()
        {
            self.conclude(now, key, &pending, verdict);
        }
        self.resume_if_free(key);
        self.left_if_settled(now, key);
        self.free_if_done(key);
    }

    fn conclude(&mut self, now: Now, key: ConnectionKey, pending: &Pending, verdict: Verdict) {
        let receipt = pending.receipt;
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        if receipt.is_some_and(|receipt| !receipt.is_exactly_once()) {
            connection.unacknowledged = connection.unacknowledged.saturating_sub(1);
        }
        let Some(taken_message) = &pending.message else {
            return self.acknowledge(key, receipt, ReasonCode::Success);
        };
        if connection.is_fail_stopped && receipt.is_some() {
            self.counters.publishes_refused += 1;
            return self.forget_received(key, receipt);
        }
        let message = match verdict {
            Verdict::Proceed => Arc::clone(taken_message),
            Verdict::Replace(message) => message,
            refused => {
                self.counters.publishes_refused += 1;
                return self.conclude_refused(now, key, pending, refused);
            }
        };
        if pending.delay_ms > 0 {
            if self.delay(now, pending.delay_ms, message) {
                return self.acknowledge(key, receipt, ReasonCode::Success);
            }
            self.dropped_message(now, None, taken_message, "denied");
            let text = "too many messages are delayed".to_owned();
            let reason = ReasonCode::QuotaExceeded;
            return self.refuse_publish(key, receipt, Refusal { reason, text });
        }
        let is_matched = self.route_message(now, Some(key), &message);
        // A rule that saw it may be all that it is for.
        self.acknowledge(key, receipt, taken(is_matched || pending.has_rules));
    }

    fn conclude_refused(
        &mut self,
        now: Now,
        key: ConnectionKey,
        pending: &Pending,
        verdict: Verdict,
    ) {
        let receipt = pending.receipt;
        if let Some(message) = &pending.message {
            let is_sent_again = receipt.is_some()
                && self
                    .connection(key)
                    .is_some_and(|connection| !connection.version.is_v5());
            match verdict {
                Verdict::Drop => self.dropped_message(now, None, message, "rule"),
                Verdict::Failed {
                    is_refused: false, ..
                } if is_sent_again => {}
                Verdict::Failed { .. } => self.dropped_message(now, None, message, "not-stored"),
                _ => self.dropped_message(now, None, message, "denied"),
            }
        }
        match verdict {
            Verdict::Proceed | Verdict::Replace(_) | Verdict::Drop => {
                self.acknowledge(key, receipt, ReasonCode::Success);
            }
            Verdict::Deny(refusal) => self.refuse_publish(key, receipt, refusal),
            Verdict::Disconnect(refusal) => {
                self.forget_received(key, receipt);
                let farewell = Farewell::new(refusal.reason, refusal.text);
                self.close(now, key, CloseReason::Refused, Some(farewell));
            }
            Verdict::Failed {
                refusal,
                is_refused,
                ..
            } => self.not_stored(now, key, receipt, refusal, is_refused),
        }
    }

    /// Tells a publisher that its message was not stored. MQTT 5 has a reason
    /// code for it. An older client gets no acknowledgement and is closed, so
    /// that it sends the message again; as one does that is gone. A message that
    /// the store would refuse again, for ever, is a dead letter by now: it is
    /// acknowledged.
    fn not_stored(
        &mut self,
        now: Now,
        key: ConnectionKey,
        receipt: Option<Receipt>,
        refusal: Refusal,
        is_refused: bool,
    ) {
        let is_told = self
            .live(key)
            .is_some_and(|connection| connection.version.is_v5());
        if receipt.is_none() || is_told {
            self.release_refused(key, receipt);
            return self.refuse_publish(key, receipt, refusal);
        }
        if is_refused {
            return self.acknowledge(key, receipt, ReasonCode::Success);
        }
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        // What follows is not routed: the client sends it again, behind this one.
        connection.is_fail_stopped = true;
        self.forget_received(key, receipt);
        self.hooks.abandon(Self::ticket(key, 0).key);
        self.close(now, key, CloseReason::NotStored, None);
    }
}

/// What the publisher of a message is told that was taken.
fn taken(is_matched: bool) -> ReasonCode {
    if is_matched {
        ReasonCode::Success
    } else {
        ReasonCode::NoMatchingSubscribers
    }
}
