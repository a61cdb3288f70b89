//! Wills: called when a connection is lost, published after their delay, unless
//! the session is resumed before.

use hookwire_mqtt::{QoS, ReasonCode};

use super::Model;
use super::message::{Message, Origin, WillState};
use super::state::{At, ClientNo, Connection, MessageNo, Span, Stage};
use crate::history::ConnectionNo;
use crate::packet::{Publish, Will};
use crate::tally::Count;

impl Model {
    /// The will of a CONNECT, as a message that may be published one day.
    pub(super) fn will_of(
        &mut self,
        no: ConnectionNo,
        client: Option<ClientNo>,
        will: &Will,
    ) -> Option<MessageNo> {
        let publish = Publish {
            retain: will.retain,
            expiry_s: will.expiry_s,
            extras: will.extras.clone(),
            ..Publish::new(&will.topic, will.qos, 0, &will.payload)
        };
        let delay_s = will.delay_s;
        let origin = Origin::Will(WillState::Armed { delay_s });
        let number = self.new_message(no, client, &publish, &will.topic, origin)?;
        if let Some(message) = self.messages.get_mut(&number) {
            message.sends = 0;
        }
        Some(number)
    }

    /// The connection was lost, at this time at the earliest: its will is called,
    /// unless DISCONNECT took it away.
    pub(super) fn call_will(&mut self, no: ConnectionNo, from: At) {
        let now = self.now;
        let slack_ms = self.configuration.slack_ms;
        let connection = &mut self.connections[no];
        let Some(number) = connection.will.take() else {
            return;
        };
        let was_accepted = connection.stage == Stage::Accepted;
        let is_given_up = connection.disconnect == Some(ReasonCode::Success);
        let client = connection.client;
        let asked_s = connection.disconnect_expiry_s.unwrap_or(u32::MAX);
        let (least_s, most_s) = client
            .filter(|_| was_accepted)
            .map_or((0, u32::MAX), |client| {
                self.clients[client].session.expiry_s
            });
        let expiry_s = (least_s.min(asked_s), most_s);
        let Some(Message { origin, .. }) = self.messages.get(&number) else {
            return;
        };
        let Origin::Will(WillState::Armed { delay_s }) = *origin else {
            return;
        };
        let after = |from_ms: u64, seconds: u32| {
            from_ms.saturating_add(u64::from(delay_s.min(seconds)) * 1_000)
        };
        let due = Span {
            least_ms: after(from.ms.min(now.ms), expiry_s.0),
            most_ms: after(now.ms, expiry_s.1) + slack_ms,
        };
        let is_certain = was_accepted && !is_given_up;
        let is_cancelled = is_given_up && was_accepted && self.disconnect_was_read(no);
        if let Some(message) = self.messages.get_mut(&number) {
            message.sends = 1;
            message.sent.ms = from.ms.min(now.ms);
            message.matched_from = from.seq.min(now.seq);
            message.origin = Origin::Will(if is_cancelled {
                WillState::Cancelled
            } else {
                WillState::Called {
                    due,
                    is_certain,
                    is_delayed: delay_s > 0,
                }
            });
        }
        if is_cancelled {
            return;
        }
        self.schedule(number, from);
        if let Some(client) = client {
            self.clients[client].wills.push(number);
        }
    }

    /// Whether the server surely read the DISCONNECT of this connection: it is
    /// the only reason it had to close it.
    pub(super) fn disconnect_was_read(&self, no: ConnectionNo) -> bool {
        let connection = &self.connections[no];
        let silent_ms = connection
            .silent_at_ms(self.configuration.max_keep_alive_s)
            .unwrap_or(u64::MAX);
        connection.closed_by_server
            && !connection.is_breached
            && !connection.has_other_cause
            && silent_ms > self.now.ms
    }

    /// The client is back: wills whose delay is not over are cancelled if the
    /// session goes on, and published at once if it ended.
    pub(super) fn answer_wills(&mut self, client: ClientNo, no: ConnectionNo, is_present: bool) {
        let now = self.now;
        let slack_ms = self.configuration.slack_ms;
        let asked = self.connections[no].opened;
        // A CONNECT without an answer may have ended the session before.
        let is_in_doubt = self.clients[client].session.is_in_doubt;
        for number in std::mem::take(&mut self.clients[client].wills) {
            let Some(message) = self.messages.get_mut(&number) else {
                continue;
            };
            let Origin::Will(WillState::Called {
                due,
                is_certain,
                is_delayed,
            }) = message.origin
            else {
                continue;
            };
            if !is_delayed || due.most_ms < asked.ms {
                continue;
            }
            message.origin = Origin::Will(if !is_present {
                WillState::Called {
                    due: Span {
                        least_ms: due.least_ms.min(asked.ms),
                        most_ms: now.ms + slack_ms,
                    },
                    is_certain,
                    is_delayed,
                }
            } else if now.ms < due.least_ms && !is_in_doubt {
                WillState::Cancelled
            } else {
                WillState::Called {
                    due,
                    is_certain: false,
                    is_delayed,
                }
            });
            if message.origin == Origin::Will(WillState::Cancelled) {
                message.sends = 0;
                self.retained.cancel(number);
                self.count(Count::WillCancelled);
            }
        }
    }

    /// A will or a delayed message waits for its time.
    pub(super) fn schedule(&mut self, number: MessageNo, from: At) {
        let Some(message) = self.messages.get(&number) else {
            return;
        };
        if message.retain {
            self.retained.write(message, from.seq);
        }
        self.scheduled.push(number);
        self.unmatched.push(number);
        self.expect_at_sessions(number);
    }

    /// Wills and delayed messages whose time has come for certain.
    pub(super) fn publish_scheduled(&mut self) {
        let now = self.now;
        let slack_ms = self.configuration.slack_ms;
        let mut left = Vec::new();
        for number in std::mem::take(&mut self.scheduled) {
            let Some(message) = self.messages.get_mut(&number) else {
                continue;
            };
            let is_certain = match message.origin {
                Origin::Will(WillState::Cancelled) => continue,
                Origin::Will(WillState::Called {
                    is_certain,
                    is_delayed,
                    due,
                }) => {
                    let (no, client) = (message.connection, message.publisher);
                    let is_asked = is_delayed && was_asked(&self.connections, no, client, due);
                    is_certain && !is_asked
                }
                _ => message.is_accepted,
            };
            let due = message.due(slack_ms);
            if due.is_none_or(|due| due.most_ms >= now.ms) {
                left.push(number);
                continue;
            }
            message.taken_by_ms = Some(now.ms);
            if is_certain && message.may_pass() {
                message.is_accepted = true;
                let is_worth_it = message.qos > QoS::AtMostOnce;
                self.settle_retained(number);
                if is_worth_it {
                    self.owe(number);
                }
            }
        }
        self.scheduled = left;
    }
}

/// Whether a CONNECT that was never answered may have resumed the session before
/// the will of connection `no` was due.
fn was_asked(
    connections: &[Connection],
    no: ConnectionNo,
    client: Option<ClientNo>,
    due: Span,
) -> bool {
    connections.iter().skip(no + 1).any(|connection| {
        let is_unanswered = connection.accepted.is_none() && connection.stage != Stage::Refused;
        connection.client == client && is_unanswered && connection.opened.ms <= due.most_ms
    })
}
