//! The client's own publishes: what it is answered, and in which order.

use hookwire_mqtt::{AckKind, QoS};

use super::Model;
use super::message::Origin;
use super::rule::Rule;
use super::state::MessageNo;
use crate::history::{ConnectionNo, Outcome};
use crate::packet::Ack;

impl Model {
    /// PUBACK, PUBREC or PUBCOMP for a publish of the client, or PUBREL for a
    /// delivery to it.
    pub(super) fn received_ack(&mut self, no: ConnectionNo, ack: Ack) {
        match ack.kind {
            AckKind::PubRel => self.received_pubrel(no, ack),
            AckKind::PubComp => self.received_pubcomp(no, ack),
            AckKind::PubAck | AckKind::PubRec => self.received_answer(no, ack),
        }
    }

    fn received_answer(&mut self, no: ConnectionNo, ack: Ack) {
        let connection = &mut self.connections[no];
        let waiting = if ack.kind == AckKind::PubAck {
            &mut connection.pubacks
        } else {
            &mut connection.pubrecs
        };
        let Some(place) = waiting.iter().position(|(id, _)| *id == ack.id) else {
            return self.violate(Rule::AnswersNothing, || format!("#{no}: {ack:?}"));
        };
        let Some((_, number)) = waiting.remove(place) else {
            return;
        };
        if place > 0 {
            let first = waiting.front().copied();
            self.violate(Rule::AckOrder, || {
                format!("#{no}: {ack:?} before that of {first:?}")
            });
        }
        self.check_answer(no, number, ack);
        let is_over = ack.kind == AckKind::PubAck || ack.reason.is_error();
        if is_over && let Some(client) = self.connections[no].client {
            self.clients[client].session.publishing.remove(&ack.id);
        }
        if ack.reason.is_error() {
            self.refuse(number);
        } else if ack.kind == AckKind::PubAck {
            self.accept(number);
        }
    }

    /// Holds an answer against what the rules said.
    fn check_answer(&mut self, no: ConnectionNo, number: MessageNo, ack: Ack) {
        let now_ms = self.now.ms;
        let is_v5 = self.connections[no].is_v5();
        let Some(message) = self.messages.get_mut(&number) else {
            return;
        };
        message.acknowledgements += 1;
        message.taken_by_ms.get_or_insert(now_ms);
        message.released_by_ms.get_or_insert(now_ms);
        let (verdicts, acknowledgements) = (message.verdicts, message.acknowledgements);
        if !message.is_hooked {
            return;
        }
        let outcome = message.outcome;
        if acknowledgements > verdicts && !message.passed {
            return self.violate(Rule::AckBeforeVerdict, || {
                format!("#{no}: {ack:?} for message {number}")
            });
        }
        let is_right = match outcome {
            Some(Outcome::Passes) => true,
            Some(Outcome::Dropped) => !ack.reason.is_error(),
            // MQTT 3 has no way to say no to one message.
            Some(Outcome::Denied) => ack.reason.is_error() == is_v5,
            Some(Outcome::Failed) => is_v5 && ack.reason.is_error(),
            Some(Outcome::Disconnects) | None => false,
        };
        if !is_right
            && !self
                .messages
                .get(&number)
                .is_some_and(|message| message.passed)
        {
            self.violate(Rule::AckOutcome, || {
                format!("#{no}: {ack:?} for message {number}, where the rules said {outcome:?}")
            });
        }
    }

    fn received_pubcomp(&mut self, no: ConnectionNo, ack: Ack) {
        let connection = &mut self.connections[no];
        let waiting = &mut connection.pubcomps;
        let Some(place) = waiting.iter().position(|id| *id == ack.id) else {
            return self.violate(Rule::AnswersNothing, || format!("#{no}: {ack:?}"));
        };
        waiting.remove(place);
        let client = connection.client;
        let known = client.and_then(|client| {
            let publishing = &mut self.clients[client].session.publishing;
            publishing.remove(&ack.id)
        });
        if let Some(publishing) = known {
            self.accept(publishing.message);
        }
    }

    /// An acknowledgement that the client sent.
    pub(super) fn sent_ack(&mut self, no: ConnectionNo, ack: Ack) {
        if ack.kind != AckKind::PubRel {
            return self.sent_answer(no, ack);
        }
        let connection = &mut self.connections[no];
        connection.pubcomps.push(ack.id);
        if let Some(client) = connection.client
            && let Some(publishing) = self.clients[client].session.publishing.get_mut(&ack.id)
        {
            publishing.is_released = true;
        }
    }

    /// The server took a message over: whoever was subscribed gets it.
    fn accept(&mut self, number: MessageNo) {
        let Some(message) = self.messages.get_mut(&number) else {
            return;
        };
        if !message.may_pass() || message.is_accepted {
            return;
        }
        message.is_accepted = true;
        if matches!(message.origin, Origin::Delayed { .. }) {
            return;
        }
        let is_owed = message.qos > QoS::AtMostOnce;
        self.settle_retained(number);
        if is_owed {
            self.owe(number);
        }
    }
}
