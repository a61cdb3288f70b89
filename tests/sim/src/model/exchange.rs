//! Deliveries with a packet id, from PUBLISH to the last acknowledgement, over
//! as many connections as it takes.

use hookwire_mqtt::{AckKind, QoS};

use super::Model;
use super::rule::Rule;
use super::state::{ClientNo, Exchange, MessageNo, Step};
use crate::history::ConnectionNo;
use crate::packet::{Ack, Publish};
use crate::tally::Count;

impl Model {
    /// Notes a PUBLISH above QoS 0; whether it is one that was received before.
    pub(super) fn exchange(
        &mut self,
        no: ConnectionNo,
        client: ClientNo,
        publish: &Publish,
        message: MessageNo,
    ) -> bool {
        let known = self.clients[client].session.exchange(publish.id);
        let is_again = match known {
            Some(known) if known.message == message && known.connection != no => {
                // A free id may be used for the same message once more.
                publish.dup || known.is_open()
            }
            // Nothing is sent again on one connection.
            Some(known) if known.message == message && publish.dup => {
                self.violate(Rule::SentAgain, || format!("#{no}: {publish}"));
                return true;
            }
            _ => false,
        };
        if is_again {
            self.sent_again_by_server(no, client, publish);
        } else {
            self.sent_first(no, client, publish, message);
        }
        self.check_window(no, publish);
        is_again
    }

    fn check_window(&mut self, no: ConnectionNo, publish: &Publish) {
        let connection = &mut self.connections[no];
        connection.open_ids.insert(publish.id);
        let (open, window) = (
            connection.open_ids.len(),
            connection.window(self.configuration.max_inflight),
        );
        if open > window {
            self.violate(Rule::Window, || {
                format!("#{no}: {open} messages where {window} are allowed: {publish}")
            });
        }
    }

    fn sent_again_by_server(&mut self, no: ConnectionNo, client: ClientNo, publish: &Publish) {
        self.count(Count::DeliveryAgain);
        if !publish.dup {
            self.violate(Rule::DupMissing, || format!("#{no}: {publish}"));
        }
        let connection = &mut self.connections[no];
        let last_order = connection.resent_order;
        let Some(known) = self.clients[client].session.exchange(publish.id) else {
            return;
        };
        let is_surely_received = match known.step {
            Step::Delivered => false,
            Step::Received { is_confirmed } => is_confirmed,
            Step::Released => true,
            Step::Finished { had_pubrec } => had_pubrec,
        };
        let is_right_qos = known.qos == publish.qos;
        // Another session may have the message under the same id, by a
        // subscription of its own.
        let is_of_another = known.is_in_doubt && !is_right_qos;
        let order = known.order;
        let is_in_order = order > last_order || known.is_in_doubt;
        known.qos = publish.qos;
        known.connection = no;
        known.step = Step::Delivered;
        known.is_in_doubt = false;
        connection.resent_order = order.max(last_order);
        if is_surely_received && publish.qos == QoS::ExactlyOnce && !is_of_another {
            self.violate(Rule::Qos2Twice, || format!("#{no}: {publish}"));
        }
        if !is_right_qos && !is_of_another {
            self.violate(Rule::QosGranted, || format!("#{no}: sent again: {publish}"));
        }
        if !is_in_order {
            self.violate(Rule::ResendFirst, || {
                format!("#{no}: out of order: {publish}")
            });
        }
    }

    fn sent_first(
        &mut self,
        no: ConnectionNo,
        client: ClientNo,
        publish: &Publish,
        message: MessageNo,
    ) {
        let session = &mut self.clients[client].session;
        let in_use = session
            .exchanges
            .iter()
            .position(|exchange| exchange.id == publish.id);
        if let Some(index) = in_use {
            let known = session.exchanges.remove(index);
            if known.is_open() {
                self.violate(Rule::IdInUse, || {
                    format!("#{no}: {publish}, of message {}", known.message)
                });
            }
        }
        let session = &mut self.clients[client].session;
        let unsent = session.exchanges.iter().find(|exchange| {
            exchange.step == Step::Delivered && exchange.connection != no && exchange.is_open()
        });
        let unsent = unsent.map(|exchange| exchange.message);
        if let Some(unsent) = unsent {
            self.violate(Rule::ResendFirst, || {
                format!("#{no}: {publish} before message {unsent} again")
            });
        }
        self.check_dup(no, publish, message);
        let session = &mut self.clients[client].session;
        session.next_order += 1;
        session.exchanges.push(Exchange {
            id: publish.id,
            message,
            qos: publish.qos,
            step: Step::Delivered,
            connection: no,
            order: session.next_order,
            received_order: 0,
            is_in_doubt: false,
        });
    }

    /// DUP on what the client never saw: it was sent on an earlier connection
    /// and lost, or this is wrong.
    fn check_dup(&mut self, no: ConnectionNo, publish: &Publish, message: MessageNo) {
        let connection = &mut self.connections[no];
        if !publish.dup {
            connection.saw_new = true;
            return;
        }
        let (is_resumed, saw_new) = (connection.is_resumed, connection.saw_new);
        // It may have gone to the old connection until the new one was served.
        let served = connection.accepted.map_or(0, |accepted| accepted.seq);
        let is_later = self
            .messages
            .get(&message)
            .is_some_and(|message| message.sent.seq > served);
        if !is_resumed || is_later {
            self.violate(Rule::DupUnexpected, || format!("#{no}: {publish}"));
        } else if saw_new {
            self.violate(Rule::ResendFirst, || {
                format!("#{no}: behind what is new: {publish}")
            });
        } else {
            self.count(Count::DeliveryAgain);
        }
    }

    /// The client acknowledges a delivery.
    pub(super) fn sent_answer(&mut self, no: ConnectionNo, ack: Ack) {
        let Some(client) = self.connections[no].client else {
            return;
        };
        let is_last = ack.kind != AckKind::PubRec || ack.reason.is_error();
        if is_last {
            self.connections[no].open_ids.remove(&ack.id);
        }
        let session = &mut self.clients[client].session;
        session.next_order += 1;
        let order = session.next_order;
        let Some(exchange) = session.exchange(ack.id) else {
            return;
        };
        exchange.step = match ack.kind {
            AckKind::PubRec if !ack.reason.is_error() => {
                exchange.received_order = order;
                Step::Received {
                    is_confirmed: false,
                }
            }
            AckKind::PubComp => Step::Finished { had_pubrec: true },
            _ => Step::Finished { had_pubrec: false },
        };
    }

    pub(super) fn received_pubrel(&mut self, no: ConnectionNo, ack: Ack) {
        let Some(client) = self.connections[no].client else {
            return;
        };
        let last_order = self.connections[no].released_order;
        let exchange = self.clients[client].session.exchange(ack.id);
        let is_due = exchange.as_ref().is_some_and(|exchange| {
            let is_after_pubrec = match exchange.step {
                Step::Received { .. } | Step::Finished { had_pubrec: true } => true,
                Step::Released => exchange.connection != no,
                Step::Delivered | Step::Finished { .. } => false,
            };
            is_after_pubrec || exchange.is_in_doubt
        });
        let Some(exchange) = exchange.filter(|_| is_due) else {
            // What the client has forgotten with its session may be in doubt.
            if self.clients[client].session.is_in_doubt {
                return;
            }
            return self.violate(Rule::PubRelUnexpected, || format!("#{no}: {ack:?}"));
        };
        let is_resent = exchange.connection != no;
        let order = exchange.received_order;
        let is_in_order = order > last_order || exchange.is_in_doubt;
        exchange.step = Step::Released;
        exchange.connection = no;
        self.connections[no].released_order = order.max(last_order);
        if is_resent {
            self.count(Count::PubRelAgain);
        }
        if !is_in_order {
            self.violate(Rule::PubRelOrder, || format!("#{no}: {ack:?}"));
        }
    }

    /// Everything that the client sent on this connection was read.
    pub(super) fn confirm_exchanges(&mut self, no: ConnectionNo, client: ClientNo) {
        let exchanges = &mut self.clients[client].session.exchanges;
        exchanges.retain_mut(|exchange| {
            if exchange.connection != no {
                return true;
            }
            if let Step::Received { is_confirmed } = &mut exchange.step {
                *is_confirmed = true;
            }
            !matches!(exchange.step, Step::Finished { .. })
        });
    }

    /// All is calm: what was to be sent again has been, and PUBRELs have come.
    pub(super) fn check_resent(&mut self, no: ConnectionNo, client: ClientNo, has_room: bool) {
        let exchanges = &mut self.clients[client].session.exchanges;
        if has_room {
            exchanges.retain(|exchange| !matches!(exchange.step, Step::Finished { .. }));
        }
        let is_unreleased = |exchange: &&Exchange| {
            let waits = matches!(exchange.step, Step::Received { .. });
            exchange.connection == no && waits && exchange.is_open()
        };
        if let Some(unreleased) = exchanges.iter().find(is_unreleased) {
            let text = format!("#{no}: PUBREC {} waits for PUBREL", unreleased.id);
            return self.violate(Rule::NotAnswered, || text);
        }
        let unsent = exchanges.iter().find(|exchange| {
            let is_due = match exchange.step {
                // Without its PUBREC the server has to send PUBLISH.
                Step::Delivered
                | Step::Received {
                    is_confirmed: false,
                } => has_room,
                Step::Received { .. } | Step::Released => true,
                Step::Finished { .. } => false,
            };
            exchange.connection != no && is_due && exchange.is_open()
        });
        if let Some(unsent) = unsent {
            let text = format!("#{no}: id {} of message {}", unsent.id, unsent.message);
            self.violate(Rule::NotResent, || text);
        }
    }
}
