//! What waits for a client: it leaves when the window, the output and the lanes
//! have room, in this order: what is sent again, what rules decided about when
//! the client went, retained messages, the queue.

use hookwire_mqtt::{PacketId, QoS, ReasonCode};

use super::outbound::Outgoing;
use super::{CloseReason, ConnectionKey, Farewell};
use crate::faults::Fault;
use crate::hooks::{Hooks, RuleSet};
use crate::limits::QueueOverflow;
use crate::session::{Delivery, Line, QueueBounds, Queued, Session, SessionKey};
use crate::shard::Shard;
use crate::time::Now;
use crate::transit::Transit;

/// The next thing to send, and under which packet id if it was sent before.
struct Next {
    delivery: Delivery,
    again: Option<PacketId>,
}

/// The packet id that a delivery above QoS 0 goes by.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    /// One that is free.
    NewId,
    /// The one it was sent by on an earlier connection.
    Again(PacketId),
    /// The one that rules have kept for it.
    Reserved(PacketId),
    /// The one that rules had kept for it, and that it may have been sent by.
    ReservedAgain(PacketId),
}

impl<H: Hooks> Shard<H> {
    /// Puts a delivery behind what waits already, within the bounds.
    pub(crate) fn enqueue(&mut self, now: Now, key: SessionKey, delivery: Delivery) {
        let bounds = QueueBounds {
            messages: self.limits.max_queued_messages,
            bytes: self.limits.max_queued_bytes,
            overflow: self.limits.queue_overflow,
        };
        let Some(session) = self.session_mut(key) else {
            return;
        };
        session.barriers.parked += u64::from(session.fetching.is_some());
        let is_full = session
            .queue
            .is_full_for(delivery.message.held_bytes(), bounds);
        let has_covered = delivery.is_covered || session.queue.has_covered();
        if is_full && has_covered && self.fall_behind(now, key) && delivery.is_covered {
            return;
        }
        let Some(session) = self.session_mut(key) else {
            return;
        };
        // What is past its time holds no place against what is not.
        let expired = session.queue.expire(now.wall_ms);
        let queued = session.queue.push(delivery, bounds);
        session.report_load();
        let connection = session.connection;
        self.counters.deliveries_expired += expired.len() as u64;
        for delivery in expired {
            self.dropped_message(now, Some(key), &delivery.message, "expired");
        }
        match queued {
            Queued::Waits { dropped } => {
                self.counters.dropped_queue_full += dropped.len() as u64;
                for delivery in dropped {
                    self.dropped_message(now, Some(key), &delivery.message, "queue-full");
                }
            }
            Queued::Full(delivery) => {
                self.counters.dropped_queue_full += 1;
                self.dropped_message(now, Some(key), &delivery.message, "queue-full");
                if bounds.overflow == QueueOverflow::Disconnect
                    && let Some(connection) = connection
                {
                    let text = "the queue of messages to this client is full";
                    let farewell = Farewell::new(ReasonCode::QuotaExceeded, text);
                    self.closings
                        .push((connection, CloseReason::TooSlow, farewell));
                }
            }
        }
    }

    /// Closes the connections that were listed for it in this step, and those
    /// that this lists in turn.
    pub(crate) fn close_listed(&mut self, now: Now) {
        while let Some((key, reason, farewell)) = self.closings.pop() {
            self.close(now, key, reason, Some(farewell));
        }
    }

    /// Sends what waits, as far as there is room.
    pub(crate) fn send_waiting(&mut self, now: Now, session_key: SessionKey) {
        let max_output_bytes = self.limits.max_output_bytes;
        self.release_decided(now, session_key);
        loop {
            let Some(session) = self.session(session_key) else {
                return;
            };
            let Some(key) = session.connection.filter(|_| !session.is_held) else {
                return;
            };
            if !session.has_waiting() {
                return;
            }
            let Some(connection) = self.live(key) else {
                return;
            };
            if connection.is_withheld {
                // What would follow CONNACK fills the output, and waits for itself.
                return self.go_on_fetching(now, session_key);
            }
            if connection.output.len() > max_output_bytes {
                connection.is_starved = true;
                return;
            }
            let takes_newest = self.planted.is(Fault::WrongOrder);
            let next = self
                .session_mut(session_key)
                .and_then(|session| next(session, takes_newest));
            let Some(next) = next else {
                return self.go_on_fetching(now, session_key);
            };
            self.send_next(now, session_key, key, next);
        }
    }

    fn send_next(&mut self, now: Now, session_key: SessionKey, key: ConnectionKey, next: Next) {
        let Next { delivery, again } = next;
        let is_late =
            delivery.message.is_expired(now.wall_ms) && !self.planted.is(Fault::ExpiredDelivered);
        if again.is_none() && is_late {
            self.counters.deliveries_expired += 1;
            self.dropped_message(now, Some(session_key), &delivery.message, "expired");
            return;
        }
        if again.is_none()
            && delivery.is_covered
            && let Some(session) = self.session_mut(session_key)
        {
            session
                .positions
                .sent(Line::of(&delivery.message), delivery.message.id);
            if session.kept.take(delivery.message.id) {
                // The client has it since before the broker ended.
                return self.position_done(session_key, &delivery.message);
            }
        }
        if again.is_none() {
            let rules = self.deliver_rules(&delivery.message.topic);
            let is_behind = self
                .session(session_key)
                .is_some_and(|session| !session.deciding.is_empty());
            let is_kept = self.keeping_rules_of(session_key, &delivery) != RuleSet::NONE;
            if rules != RuleSet::NONE || is_behind || is_kept {
                self.decide_delivery(session_key, key, rules, delivery);
                return self.release_decided(now, session_key);
            }
        }
        let by = again.map_or(By::NewId, By::Again);
        self.send_delivery(now, session_key, key, delivery, by);
    }

    /// Sends a delivery, under the id that it had or under a new one.
    pub(super) fn send_delivery(
        &mut self,
        now: Now,
        session_key: SessionKey,
        key: ConnectionKey,
        delivery: Delivery,
        by: By,
    ) {
        let is_again = matches!(by, By::Again(_) | By::ReservedAgain(_));
        self.counters.publishes_sent_again += u64::from(is_again);
        let dup = is_again && !self.planted.is(Fault::DupLost);
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        let message = std::sync::Arc::clone(&delivery.message);
        let is_done = delivery.is_covered && delivery.qos == QoS::AtMostOnce;
        let identifiers = delivery.identifiers.clone();
        let (qos, retain) = (delivery.qos, delivery.retain);
        let packet_id = match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => Some(match by {
                By::NewId => session.inflight.send(delivery),
                By::Again(id) => id,
                By::Reserved(id) | By::ReservedAgain(id) => {
                    session.inflight.send_by(id, delivery);
                    id
                }
            }),
        };
        let outgoing = Outgoing {
            qos,
            packet_id,
            dup,
            retain,
            identifiers: identifiers.as_deref(),
        };
        self.send_or_forget(
            now,
            session_key,
            key,
            &mut Transit::of(&message),
            outgoing,
            false,
        );
        if is_done {
            self.position_done(session_key, &message);
        }
    }
}

/// Takes the next thing to send, if the window has room for it.
fn next(session: &mut Session, takes_newest: bool) -> Option<Next> {
    if session.inflight.is_resending() {
        let (id, delivery) = session.inflight.resend()?;
        return Some(Next {
            delivery,
            again: Some(id),
        });
    }
    let has_room = session.has_window(QoS::AtLeastOnce);
    let has_room_at_most_once = session.has_window(QoS::AtMostOnce);
    let fits = |qos: QoS| match qos {
        QoS::AtMostOnce => has_room_at_most_once,
        QoS::AtLeastOnce | QoS::ExactlyOnce => has_room,
    };
    let returned = session.deciding.returned().and_then(|all| all.front());
    let delivery = if let Some(first) = returned {
        fits(first.qos).then(|| session.deciding.pop_returned())??
    } else if let Some(qos) = session.backlog.next_qos() {
        fits(qos).then(|| session.backlog.pop())??
    } else if let Some(fetching) = &mut session.fetching {
        // Retained messages are still to come, and are older.
        if !session.lookups.is_empty() {
            return None;
        }
        let qos = fetching.first()?.qos;
        fits(qos).then(|| fetching.pop())??
    } else {
        let qos = session.queue.next_qos()?;
        let taken = fits(qos).then(|| match takes_newest {
            false => session.queue.pop(),
            true => session.queue.pop_newest(),
        });
        taken??
    };
    Some(Next {
        delivery,
        again: None,
    })
}
