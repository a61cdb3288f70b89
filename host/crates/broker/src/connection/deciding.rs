//! `message.deliver`: rules decide about what is about to leave for a client.
//! Where no rule matches, nothing of this is in a message's way.

use std::sync::Arc;

use hookwire_mqtt::QoS;

use super::waiting::By;
use super::{CloseReason, ConnectionKey, Farewell};
use crate::faults::Fault;
use crate::hooks::{DeliveryOutcome, DeliveryRequest, Hooks, Question, RuleSet};
use crate::session::{Delivery, Keeping, SessionKey};
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
        let keeping_rules = self.keeping_rules_of(session_key, &delivery);
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
        let keeping = if keeping_rules == RuleSet::NONE {
            Keeping::Not
        } else {
            Keeping::Wanted
        };
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        session.deciding.push(number, delivery, outcome, keeping);
        self.keep_decided(session_key, key, number);
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
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
            self.keep_decided(session_key, key, number);
            self.send_waiting(now, session_key);
        }
    }

    /// Has rules keep that a decided delivery is sent, if they have to. What the
    /// store hands over again goes by the packet id that it had.
    fn keep_decided(&mut self, session_key: SessionKey, key: ConnectionKey, number: u64) {
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        let Some(delivery) = session.deciding.for_keeping(number) else {
            return;
        };
        let delivery = delivery.clone();
        let known = session.kept.take_id(delivery.message.id);
        if let Some((id, true)) = known {
            return session.deciding.keep(number, Keeping::Again(id));
        }
        let id = known.map_or_else(|| session.inflight.reserve(), |(id, _)| id);
        let rules = self.keeping_rules_of(session_key, &delivery);
        // Without rules there is nothing to wait for.
        let asked = (rules != RuleSet::NONE)
            .then(|| self.keep_sent(session_key, key, rules, id, &delivery))
            .flatten();
        let keeping = asked.map_or(Keeping::Kept(id), |asked| Keeping::Asked(asked, id));
        if let Some(session) = self.session_mut(session_key) {
            session.deciding.keep(number, keeping);
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
            let Some(decided) = decided else {
                return;
            };
            self.carry_out(now, session_key, key, decided);
        }
    }

    fn carry_out(
        &mut self,
        now: Now,
        session_key: SessionKey,
        key: ConnectionKey,
        (mut delivery, outcome, keeping): (Delivery, DeliveryOutcome, Keeping),
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
                    session.deciding.put_back(delivery, keeping);
                }
                let farewell = Farewell::new(refusal.reason, refusal.text);
                return self.close(now, key, CloseReason::Refused, Some(farewell));
            }
        }
        if delivery.message.is_expired(now.wall_ms) && !self.planted.is(Fault::ExpiredDelivered) {
            self.counters.deliveries_expired += 1;
            if let Some((id, session)) = keeping.id().zip(self.session_mut(session_key)) {
                session.inflight.unreserve(id);
            }
            return self.dropped_message(now, Some(session_key), &delivery.message, "expired");
        }
        let by = match keeping {
            Keeping::Not | Keeping::Wanted | Keeping::Asked(..) => By::NewId,
            Keeping::Kept(id) => By::Reserved(id),
            Keeping::Again(id) => By::ReservedAgain(id),
        };
        self.send_delivery(now, session_key, key, delivery, by);
    }

    /// The client is gone: what was not sent waits before everything else, but
    /// for QoS 0, which waits for nobody who is away.
    pub(crate) fn recall_deciding(&mut self, now: Now, session_key: SessionKey) {
        let queue_qos0 = self.limits.queue_qos0;
        let mut kept = Vec::new();
        loop {
            let taken = self.session_mut(session_key).and_then(|session| {
                let undecided = session.deciding.pop();
                undecided.or_else(|| Some((session.deciding.pop_returned()?, None, Keeping::Not)))
            });
            let Some((delivery, outcome, keeping)) = taken else {
                break;
            };
            if delivery.is_covered && !matches!(outcome, Some(DeliveryOutcome::Drop(_))) {
                // It stays in the store.
                if let Some(session) = self.session_mut(session_key) {
                    session.positions.unsent(&delivery.message);
                    if let Some(id) = keeping.id() {
                        let is_kept = !matches!(keeping, Keeping::Asked(..));
                        session.kept.goes_by(delivery.message.id, id, is_kept);
                    }
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
