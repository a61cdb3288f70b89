//! `message.deliver`: rules decide about what is about to leave for a client.
//! Where no rule matches, nothing of this is in a message's way.

use std::sync::Arc;

use hookwire_mqtt::QoS;

use super::{CloseReason, ConnectionKey, Farewell};
use crate::faults::Fault;
use crate::hooks::{DeliveryOutcome, DeliveryRequest, Hooks, Question, RuleSet};
use crate::session::{Delivery, SessionKey};
use crate::shard::Shard;
use crate::time::Now;

impl<H: Hooks> Shard<H> {
    /// Puts a delivery behind those that rules decide about, and asks about it
    /// if rules match its topic. While their lanes have no room for more of this
    /// client, nothing more is sent to it.
    pub(super) fn decide_delivery(
        &mut self,
        session_key: SessionKey,
        key: ConnectionKey,
        rules: RuleSet,
        delivery: Delivery,
    ) {
        let Some(session) = self.session(session_key) else {
            return;
        };
        let (number, outcome) = if rules == RuleSet::NONE {
            (self.next_question(), Some(DeliveryOutcome::Proceed))
        } else {
            let request = DeliveryRequest {
                client: Arc::clone(&session.client),
                message: Arc::clone(&delivery.message),
                qos: delivery.qos,
            };
            (self.ask(key, rules, Question::Deliver(request)), None)
        };
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        session.deciding.push(number, delivery, outcome);
        session.report_load();
        if rules != RuleSet::NONE {
            self.hold_without_room(session_key);
        }
    }

    /// An answer of `message.deliver`, if the delivery is still to be made.
    pub(super) fn delivery_answered(
        &mut self,
        now: Now,
        key: ConnectionKey,
        number: u64,
        outcome: DeliveryOutcome,
    ) {
        let Some(session_key) = self.live(key).and_then(|connection| connection.session) else {
            return;
        };
        let is_awaited = self
            .session_mut(session_key)
            .is_some_and(|session| session.deciding.decide(number, outcome));
        if is_awaited {
            self.send_waiting(now, session_key);
        }
    }

    /// Sends what is decided, in order, for as long as the output has room.
    pub(super) fn release_decided(&mut self, now: Now, session_key: SessionKey) {
        let max_output_bytes = self.limits.max_output_bytes;
        loop {
            let Some(session) = self.session(session_key) else {
                return;
            };
            if session.deciding.is_empty() {
                return;
            }
            let Some(key) = session.connection else {
                return;
            };
            let Some(connection) = self.live(key) else {
                return;
            };
            if connection.output.len() > max_output_bytes {
                connection.is_starved = true;
                return;
            }
            let decided = self
                .session_mut(session_key)
                .and_then(|session| session.deciding.release());
            let Some((delivery, outcome)) = decided else {
                return;
            };
            self.carry_out(now, session_key, key, delivery, outcome);
        }
    }

    fn carry_out(
        &mut self,
        now: Now,
        session_key: SessionKey,
        key: ConnectionKey,
        mut delivery: Delivery,
        outcome: DeliveryOutcome,
    ) {
        match outcome {
            DeliveryOutcome::Proceed => {}
            DeliveryOutcome::Replace(other) => delivery.message = other,
            DeliveryOutcome::Drop(_) if self.planted.is(Fault::DropIgnored) => {}
            DeliveryOutcome::Drop(word) => {
                self.counters.deliveries_dropped_by_rule += 1;
                return self.dropped_message(now, Some(session_key), &delivery.message, word);
            }
            DeliveryOutcome::Disconnect(refusal) => {
                // The message is not to blame: it waits for the client's return.
                if let Some(session) = self.session_mut(session_key) {
                    session.deciding.put_back(delivery);
                }
                let farewell = Farewell::new(refusal.reason, refusal.text);
                return self.close(now, key, CloseReason::Refused, Some(farewell));
            }
        }
        if delivery.message.is_expired(now.wall_ms) && !self.planted.is(Fault::ExpiredDelivered) {
            self.counters.deliveries_expired += 1;
            return self.dropped_message(now, Some(session_key), &delivery.message, "expired");
        }
        self.send_delivery(now, session_key, key, delivery, None, false);
    }

    /// The client is gone: what was not sent waits before everything else, but
    /// for QoS 0, which waits for nobody who is away.
    pub(crate) fn recall_deciding(&mut self, now: Now, session_key: SessionKey) {
        let queue_qos0 = self.limits.queue_qos0;
        let mut kept = Vec::new();
        loop {
            let taken = self.session_mut(session_key).and_then(|session| {
                let undecided = session.deciding.pop();
                undecided.or_else(|| Some((session.deciding.pop_returned()?, None)))
            });
            let Some((delivery, outcome)) = taken else {
                break;
            };
            if delivery.is_covered && !matches!(outcome, Some(DeliveryOutcome::Drop(_))) {
                // It stays in the store.
                if let Some(session) = self.session_mut(session_key) {
                    session.positions.unsent(&delivery.message);
                }
            } else if let Some(DeliveryOutcome::Drop(word)) = outcome {
                self.counters.deliveries_dropped_by_rule += 1;
                self.dropped_message(now, Some(session_key), &delivery.message, word);
            } else if delivery.qos == QoS::AtMostOnce && !queue_qos0 {
                self.counters.dropped_offline += 1;
                self.dropped_message(now, Some(session_key), &delivery.message, "offline");
            } else {
                kept.push(delivery);
            }
            if self.planted.is(Fault::DecidedLost) {
                kept.clear();
            }
        }
        if let Some(session) = self.session_mut(session_key) {
            session.deciding.set_returned(kept.into());
            session.report_load();
        }
    }
}
