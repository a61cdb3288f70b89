//! `session.exchange`: rules keep a QoS 2 exchange at each step that the other
//! side may rely on, and MQTT goes on when they have answered. Where there are
//! none, nothing of this is in an exchange's way.

use std::sync::Arc;

use hookwire_mqtt::{Ack, AckKind, PacketId, QoS, ReasonCode};

use super::{CloseReason, ConnectionKey, Farewell, Receipt};
use crate::faults::Fault;
use crate::hooks::{
    Exchange, ExchangeStep, Hook, Hooks, Question, Refusal, RestoredExchange, RuleSet,
};
use crate::session::{Delivery, Session, SessionKey, Step};
use crate::shard::Shard;
use crate::time::Now;

impl<H: Hooks> Shard<H> {
    /// The rules that keep exchanges of a session; none where it ends with its
    /// connection.
    fn keeping_rules(&mut self, key: SessionKey) -> RuleSet {
        let is_lasting = |session: &Session| session.expiry_interval_s > 0;
        if self.session(key).is_some_and(is_lasting) {
            self.hooks.match_client(Hook::SessionExchange)
        } else {
            RuleSet::NONE
        }
    }

    /// The rules that keep the exchange by which a delivery goes: what no store
    /// has cannot be sent again after the broker's end.
    pub(super) fn keeping_rules_of(&mut self, key: SessionKey, delivery: &Delivery) -> RuleSet {
        let is_kept = delivery.qos == QoS::ExactlyOnce && delivery.is_covered;
        if is_kept && !self.planted.is(Fault::SentUnkept) {
            self.keeping_rules(key)
        } else {
            RuleSet::NONE
        }
    }

    /// Asks rules to keep a step.
    fn keep(
        &mut self,
        session_key: SessionKey,
        key: ConnectionKey,
        rules: RuleSet,
        packet_id: PacketId,
        step: ExchangeStep,
    ) -> Option<u64> {
        let client = Arc::clone(&self.session(session_key)?.client);
        let exchange = Exchange {
            client,
            packet_id,
            step,
        };
        Some(self.ask(key, rules, Question::Exchange(exchange)))
    }

    /// Asks rules to keep that a delivery is about to be sent by a packet id that is
    /// reserved for it; the number of the question.
    pub(super) fn keep_sent(
        &mut self,
        session_key: SessionKey,
        key: ConnectionKey,
        rules: RuleSet,
        id: PacketId,
        delivery: &Delivery,
    ) -> Option<u64> {
        let step = ExchangeStep::Sent {
            message: delivery.message.id,
            topic: Arc::clone(&delivery.message.topic),
        };
        self.keep(session_key, key, rules, id, step)
    }

    /// PUBREC came for a delivery: PUBREL follows, when rules have kept that.
    pub(super) fn release_kept(
        &mut self,
        session_key: SessionKey,
        key: ConnectionKey,
        id: PacketId,
        delivery: &Delivery,
    ) {
        let mut rules = self.keeping_rules_of(session_key, delivery);
        if let Some(session) = self.session_mut(session_key) {
            if rules != RuleSet::NONE {
                session.kept.received(id, delivery.message.id);
            } else if session.kept.awaits_release() {
                rules = self.keeping_rules(session_key);
            }
        }
        if rules == RuleSet::NONE {
            return self.send_ack(key, AckKind::PubRel, &Ack::success(id));
        }
        self.keep_received(session_key, key, rules, id, delivery.message.id);
    }

    fn keep_received(
        &mut self,
        session_key: SessionKey,
        key: ConnectionKey,
        rules: RuleSet,
        id: PacketId,
        message: crate::message::MessageId,
    ) {
        let step = ExchangeStep::Received(message);
        if let Some(number) = self.keep(session_key, key, rules, id, step)
            && let Some(session) = self.session_mut(session_key)
        {
            session.kept.ask(number, Step::Release(id));
        }
    }

    /// An exchange is over: PUBCOMP came, or PUBREC with an error.
    pub(super) fn keep_completed(
        &mut self,
        session_key: SessionKey,
        key: ConnectionKey,
        id: PacketId,
        message: crate::message::MessageId,
    ) {
        let rules = self.keeping_rules(session_key);
        if rules != RuleSet::NONE {
            let step = ExchangeStep::Completed(message);
            self.keep(session_key, key, rules, id, step);
        }
    }

    /// A publish was not stored, as far as is known: if it was after all, its packet
    /// id is free all the same. Nobody waits for the answer.
    pub(crate) fn release_refused(&mut self, key: ConnectionKey, receipt: Option<Receipt>) {
        let Some(receipt) = receipt.filter(|receipt| receipt.is_exactly_once()) else {
            return;
        };
        let Some(session_key) = self.session_of(key) else {
            return;
        };
        let rules = self.keeping_rules(session_key);
        if rules != RuleSet::NONE {
            let id = receipt.packet_id;
            self.keep(session_key, key, rules, id, ExchangeStep::Released);
        }
    }

    /// PUBREL of a publish that was taken: whether PUBCOMP waits until rules have
    /// forgotten the exchange.
    pub(super) fn complete_kept(
        &mut self,
        session_key: SessionKey,
        key: ConnectionKey,
        id: PacketId,
    ) -> bool {
        let rules = self.keeping_rules(session_key);
        if rules == RuleSet::NONE {
            return false;
        }
        let is_asked = |session: &Session| session.kept.awaits(Step::Complete(id));
        if self.session(session_key).is_some_and(is_asked) {
            return true;
        }
        let Some(number) = self.keep(session_key, key, rules, id, ExchangeStep::Released) else {
            return false;
        };
        if let Some(session) = self.session_mut(session_key) {
            session.kept.ask(number, Step::Complete(id));
        }
        true
    }

    /// Rules have kept a step, or could not: then the client goes, and finds the
    /// exchange where it was when it is back.
    pub(super) fn exchange_answered(
        &mut self,
        now: Now,
        key: ConnectionKey,
        number: u64,
        kept: Result<(), Refusal>,
    ) {
        let Some(session_key) = self.live(key).and_then(|connection| connection.session) else {
            return;
        };
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        let step = session.kept.answered(number);
        let is_sent = step.is_none() && session.deciding.keeps(number);
        if let Err(refusal) = kept {
            if step.is_some() || is_sent {
                let farewell = Farewell::new(ReasonCode::ServerBusy, refusal.text);
                self.close(now, key, CloseReason::Refused, Some(farewell));
            }
            return;
        }
        match step {
            Some(Step::Release(id)) => self.send_ack(key, AckKind::PubRel, &Ack::success(id)),
            Some(Step::Complete(id)) => self.complete(session_key, key, id),
            None if is_sent => {
                if let Some(session) = self.session_mut(session_key) {
                    session.deciding.kept(number);
                }
                self.send_waiting(now, session_key);
            }
            None => {}
        }
    }

    /// Writes PUBCOMP: the packet id of the client's publish is free.
    pub(super) fn complete(&mut self, session: SessionKey, key: ConnectionKey, id: PacketId) {
        if let Some(session) = self.session_mut(session) {
            session.received.remove(&id);
        }
        if let Some(connection) = self.live(key) {
            connection.unacknowledged = connection.unacknowledged.saturating_sub(1);
        }
        self.send_ack(key, AckKind::PubComp, &Ack::success(id));
    }

    /// Sends PUBREL again for what the client has received [MQTT-4.4.0-1], or has
    /// rules keep that it has.
    pub(super) fn resend_releases(&mut self, session_key: SessionKey, key: ConnectionKey) {
        if self.planted.is(crate::Fault::PubRelLost) {
            return;
        }
        let rules = self.keeping_rules(session_key);
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        let released: Vec<_> = session.inflight.released().collect();
        let kept = released
            .into_iter()
            .map(|id| (id, session.kept.message(id)));
        for (id, message) in kept.collect::<Vec<_>>() {
            match message.filter(|_| rules != RuleSet::NONE) {
                Some(message) => self.keep_received(session_key, key, rules, id, message),
                None => self.send_ack(key, AckKind::PubRel, &Ack::success(id)),
            }
        }
    }
}

/// Gives a session back the exchanges that it had. Of QoS 2 messages that no store
/// has nothing is known: their packet ids are not met again soon.
pub(super) fn restore(now: Now, session: &mut Session, exchanges: Vec<RestoredExchange>) {
    session.inflight.begin_anywhere(now.wall_ms);
    for exchange in exchanges {
        match exchange {
            RestoredExchange::Taken(id) => {
                session.received.insert(id);
                session.kept.restore_taken(id);
            }
            RestoredExchange::Sent(id, message) => {
                session.inflight.reserve_id(id);
                session.kept.goes_by(message, id, true);
            }
            RestoredExchange::Received(id, message) => {
                session.inflight.restore_released(id);
                session.kept.received(id, message);
                session.kept.note(message);
            }
            RestoredExchange::Completed(message) => session.kept.note(message),
        }
    }
}
