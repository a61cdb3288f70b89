//! The packets that follow a PUBLISH above QoS 0, in both directions, section
//! 4.3 of the standard.

use std::sync::Arc;

use hookwire_mqtt::{Ack, AckKind, Publish, QoS, ReasonCode, TopicName};

use super::inbound::Breach;
use super::{ConnectionKey, Pending, Receipt};
use crate::faults::Fault;
use crate::hooks::{Hook, Hooks, RuleSet, Verdict};
use crate::message::Message;
use crate::session::{Acknowledged, Session, SessionKey, Step};
use crate::shard::Shard;
use crate::time::Now;

impl<H: Hooks> Shard<H> {
    /// The client acknowledged a QoS 1 delivery: it leaves the window, its event
    /// goes to the rules, and what waits follows.
    pub(super) fn on_puback(&mut self, now: Now, key: ConnectionKey, ack: &Ack) {
        let Some(session_key) = self.session_of(key) else {
            return;
        };
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        match session
            .inflight
            .acknowledge(ack.packet_id, QoS::AtLeastOnce)
        {
            Acknowledged::Message(delivery) => {
                session.report_load();
                let has_waiting = session.has_waiting();
                if self.hooks.wants(Hook::MessageAcked) {
                    self.acked(session_key, &delivery.message, ack);
                }
                self.delivery_done(session_key, &delivery);
                if has_waiting {
                    self.send_waiting(now, session_key);
                }
            }
            Acknowledged::Unknown => self.counters.acknowledgements_unknown += 1,
            Acknowledged::WrongKind => self.wrong_kind(now, key),
        }
    }

    /// The client has a QoS 2 delivery, or refused it.
    pub(super) fn on_pubrec(&mut self, now: Now, key: ConnectionKey, ack: &Ack) {
        let Some(session_key) = self.session_of(key) else {
            return;
        };
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        let id = ack.packet_id;
        if ack.reason.is_error() {
            // The exchange ends here, and the id is free [MQTT-4.3.3-4].
            match session.inflight.acknowledge(id, QoS::ExactlyOnce) {
                Acknowledged::Message(delivery) => {
                    if delivery.is_covered {
                        self.keep_completed(session_key, key, id, delivery.message.id);
                    }
                    self.delivery_done(session_key, &delivery);
                    self.send_waiting(now, session_key);
                }
                Acknowledged::Unknown => self.counters.acknowledgements_unknown += 1,
                Acknowledged::WrongKind => self.wrong_kind(now, key),
            }
            return;
        }
        match session.inflight.receive(id) {
            Acknowledged::Message(delivery) => {
                self.release_kept(session_key, key, id, &delivery);
                if self.hooks.wants(Hook::MessageAcked) {
                    self.acked(session_key, &delivery.message, ack);
                }
                self.delivery_done(session_key, &delivery);
            }
            Acknowledged::Unknown if session.inflight.is_released(id) => {
                if session.kept.awaits(Step::Release(id)) {
                    return;
                }
                self.send_ack(key, AckKind::PubRel, &Ack::success(id));
            }
            Acknowledged::Unknown => {
                self.counters.acknowledgements_unknown += 1;
                let unknown = Ack::with_reason(id, ReasonCode::PacketIdentifierNotFound);
                self.send_ack(key, AckKind::PubRel, &unknown);
            }
            Acknowledged::WrongKind => self.wrong_kind(now, key),
        }
    }

    /// A QoS 2 delivery is over.
    pub(super) fn on_pubcomp(&mut self, now: Now, key: ConnectionKey, ack: &Ack) {
        let Some(session_key) = self.session_of(key) else {
            return;
        };
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        if session.inflight.complete(ack.packet_id) {
            session.report_load();
            if let Some(message) = session.kept.completed(ack.packet_id) {
                self.keep_completed(session_key, key, ack.packet_id, message);
            }
            self.send_waiting(now, session_key);
        } else {
            self.counters.acknowledgements_unknown += 1;
        }
    }

    /// The client forgets a QoS 2 publish of its own: its packet id is free.
    pub(super) fn on_pubrel(&mut self, key: ConnectionKey, ack: &Ack) {
        let Some(connection) = self.live(key) else {
            return;
        };
        let id = ack.packet_id;
        // Before PUBREC there is nothing to release.
        let is_undecided = connection.pipeline.has_exactly_once(id);
        connection.pipeline.forget_again(id);
        let session = connection.session;
        let has_it = |session: &Session| !is_undecided && session.received.contains(&id);
        let session = session.filter(|session| self.session(*session).is_some_and(has_it));
        match session {
            Some(session) if self.complete_kept(session, key, id) => {}
            Some(session) => self.complete(session, key, id),
            None => {
                self.counters.acknowledgements_unknown += 1;
                let unknown = Ack::with_reason(id, ReasonCode::PacketIdentifierNotFound);
                self.send_ack(key, AckKind::PubComp, &unknown);
            }
        }
    }

    /// Whether a QoS 2 PUBLISH is one that was taken before: then it is answered
    /// as before, and goes no further [MQTT-4.3.3-10].
    pub(super) fn is_sent_again(&mut self, key: ConnectionKey, publish: &Publish<'_>) -> bool {
        let Some((id, session)) = publish.packet_id.zip(self.session_of(key)) else {
            return false;
        };
        let takes_again = self.planted.is(Fault::Qos2Twice);
        let Some(session) = self.session_mut(session) else {
            return false;
        };
        let is_known = !session.received.insert(id);
        let is_new = !is_known || session.kept.is_another(id, publish.dup);
        session.kept.forget_taken(id);
        let Some(connection) = self.live(key) else {
            return true;
        };
        if is_new || takes_again {
            connection.unacknowledged = connection.unacknowledged.saturating_add(u16::from(is_new));
            return false;
        }
        // While the rules have it, its PUBREC is still to come.
        if connection.pipeline.has_exactly_once(id) || connection.pipeline.has_again(id) {
            return true;
        }
        if connection.pipeline.is_empty() {
            self.send_ack(key, AckKind::PubRec, &Ack::success(id));
        } else {
            // Behind those of the publishes before it [MQTT-4.6.0-3].
            connection.pipeline.push(Pending {
                message: None,
                receipt: Receipt::of(QoS::ExactlyOnce, Some(id)),
                delay_ms: 0,
                has_rules: false,
                verdict: Some(Verdict::Proceed),
            });
        }
        true
    }

    /// Tells `message.acked` rules. While their lanes have no room for more of
    /// this client, nothing more is sent to it.
    fn acked(&mut self, session_key: SessionKey, message: &Arc<Message>, ack: &Ack) {
        let client = self
            .session(session_key)
            .map(|session| Arc::clone(&session.client));
        let Some(client) = client.filter(|_| !ack.reason.is_error()) else {
            return;
        };
        let Ok(topic) = TopicName::new(&message.topic) else {
            return;
        };
        let rules = self.topic_entry(topic).acked_rules;
        if rules == RuleSet::NONE {
            return;
        }
        self.hooks.submit_acked(rules, &client, Arc::clone(message));
        self.hold_without_room(session_key);
    }

    /// Sends nothing more to a session whose client's lanes have no room.
    pub(super) fn hold_without_room(&mut self, session_key: SessionKey) {
        let Some(session) = self.session(session_key) else {
            return;
        };
        if !self.hooks.has_room(&session.client.clientid)
            && let Some(session) = self.session_mut(session_key)
            && !std::mem::replace(&mut session.is_held, true)
        {
            self.held.push(session_key);
        }
    }

    /// Sends again to the sessions that waited for room in the lanes.
    pub(crate) fn release_held(&mut self, now: Now) {
        for key in std::mem::take(&mut self.held) {
            let Some(session) = self.session(key).filter(|session| session.is_held) else {
                continue;
            };
            if !self.hooks.has_room(&session.client.clientid) {
                self.held.push(key);
                continue;
            }
            if let Some(session) = self.session_mut(key) {
                session.is_held = false;
            }
            self.send_waiting(now, key);
        }
    }

    fn wrong_kind(&mut self, now: Now, key: ConnectionKey) {
        let breach = Breach {
            kind: "acknowledgement of another QoS",
            reason: ReasonCode::ProtocolError,
            text: "the acknowledgement is not that of the message's QoS",
        };
        self.breach(now, key, &breach);
    }

    pub(super) fn session_of(&mut self, key: ConnectionKey) -> Option<SessionKey> {
        self.live(key)?.session
    }

    pub(super) fn send_ack(&mut self, key: ConnectionKey, kind: AckKind, ack: &Ack) {
        self.append_packet(key, |version, out| ack.encode(kind, version, out));
    }
}
