//! Sessions: whether there is one, and when it ends.

use super::Model;
use super::rule::Rule;
use super::state::{At, ClientNo, Session, Span, Stage};
use crate::history::ConnectionNo;
use crate::packet::{ConnAck, Connect};
use crate::tally::Count;

impl Model {
    /// CONNACK said yes: the client goes on with its session, or has a new one.
    pub(super) fn begin_session(&mut self, no: ConnectionNo, client: ClientNo, ack: &ConnAck) {
        let connect = self.connections[no].connect.clone();
        let expected = self.expected_present(client, &connect);
        // MQTT 3.1 has no such flag.
        let has_flag = connect.version != hookwire_mqtt::ProtocolVersion::V31;
        let is_present = match expected {
            Some(is_present) if !has_flag => is_present,
            // The flag would say; without it, nothing is sure any more.
            None if !has_flag => {
                self.put_in_doubt(client);
                self.clients[client].session.exists
            }
            _ => ack.session_present,
        };
        if has_flag && expected.is_some_and(|expected| expected != ack.session_present) {
            self.violate(Rule::SessionPresent, || {
                format!("#{no}: {} where {expected:?} is due", ack.session_present)
            });
        }
        self.answer_wills(client, no, is_present);
        if is_present {
            self.count(Count::Resumed);
        } else {
            self.end_session(client);
        }
        let expiry_s = self.granted_expiry_s(&connect, ack);
        let (now, most_bytes) = (self.now, self.connections[no].max_packet_bytes());
        let session = &mut self.clients[client].session;
        session.exists = true;
        session.away = None;
        session.expiry_s = (expiry_s, expiry_s);
        session.packet_limits.push((now.seq, most_bytes));
        if has_flag {
            session.is_in_doubt = false;
        }
        self.forget_what_is_too_large(no, client);
        if self.is_over_bounds(client) {
            self.may_overflow(client);
        }
    }

    fn granted_expiry_s(&self, connect: &Connect, ack: &ConnAck) -> u32 {
        let most = self.configuration.max_session_expiry_s;
        if connect.version.is_v5() {
            ack.session_expiry_s.unwrap_or(connect.session_expiry_s)
        } else if connect.clean_start {
            0
        } else {
            most
        }
    }

    /// Whether the server must find a session; None if that cannot be known.
    fn expected_present(&self, client: ClientNo, connect: &Connect) -> Option<bool> {
        let session = &self.clients[client].session;
        if connect.clean_start {
            return Some(false);
        }
        if session.is_in_doubt {
            return None;
        }
        if !session.exists {
            return Some(false);
        }
        let end = session.end(self.configuration.slack_ms)?;
        let asked = self.connections[self.clients[client].connection?].opened;
        if self.now.ms < end.least_ms {
            Some(true)
        } else if asked.ms > end.most_ms || session.expiry_s.1 == 0 {
            Some(false)
        } else {
            None
        }
    }

    /// The connection of a session ended, at this time at the earliest.
    pub(super) fn leave_session(&mut self, no: ConnectionNo, client: ClientNo, from: At) {
        let away = self.ended(from);
        let asked_s = self.connections[no].disconnect_expiry_s;
        let is_read = self.disconnect_was_read(no);
        let session = &mut self.clients[client].session;
        session.away = Some(away);
        if let Some(asked_s) = asked_s {
            let (least, most) = session.expiry_s;
            session.expiry_s = if is_read {
                (asked_s, asked_s)
            } else {
                (least.min(asked_s), most.max(asked_s))
            };
        }
        self.drop_owed_shared_of(client);
        self.pass_on(client);
        if self.connections[no].may_be_overtaken {
            self.put_in_doubt(client);
            self.clients[client].session.expiry_s.0 = 0;
        }
    }

    /// The session, if there was one, is over.
    pub(super) fn end_session(&mut self, client: ClientNo) {
        if self.clients[client].session.exists && self.clients[client].session.away.is_some() {
            self.count(Count::SessionExpired);
        }
        self.drop_owed_shared_of(client);
        self.pass_on(client);
        let session = &mut self.clients[client].session;
        let generation = session.generation + 1;
        *session = Session {
            generation,
            ..Session::default()
        };
    }

    /// A CONNECT went without an answer: what it did to the session is unknown.
    pub(super) fn doubt_session(&mut self, no: ConnectionNo, client: ClientNo) {
        let connect = self.connections[no].connect.clone();
        let asked_s = if connect.version.is_v5() {
            connect.session_expiry_s
        } else if connect.clean_start {
            0
        } else {
            u32::MAX
        };
        let asked_s = asked_s.min(self.configuration.max_session_expiry_s);
        let away = self.ended(self.connections[no].opened);
        self.put_in_doubt(client);
        let session = &mut self.clients[client].session;
        let known = session.expiry_s;
        session.expiry_s = (known.0.min(asked_s), known.1.max(asked_s));
        session.away = Some(match session.away {
            Some(known) => Span {
                least_ms: known.least_ms.min(away.least_ms),
                most_ms: away.most_ms,
            },
            None => away,
        });
    }

    fn put_in_doubt(&mut self, client: ClientNo) {
        let now = self.now;
        self.drop_owed_shared_of(client);
        let session = &mut self.clients[client].session;
        session.is_in_doubt = true;
        session.doubted = now.seq;
        session.owed.clear();
        session.owed_retained.clear();
        for version in &mut session.versions {
            version.acknowledged = None;
        }
        for exchange in &mut session.exchanges {
            exchange.is_in_doubt = true;
        }
    }

    /// Whether the session may be over, though the client does not know.
    pub(super) fn may_have_ended(&self, client: ClientNo) -> bool {
        let state = &self.clients[client];
        let asked_s = state
            .connection
            .and_then(|no| self.connections[no].disconnect_expiry_s);
        let seconds = state.session.expiry_s.0.min(asked_s.unwrap_or(u32::MAX));
        let from_ms = match (state.session.away, state.connection) {
            (Some(away), _) => Some(away.least_ms),
            (None, Some(no)) => self.closing_cause(no).map(|cause| cause.ms),
            (None, None) => None,
        };
        // So may a newer connection have been, and have ended by now.
        let newest = state.newest.filter(|no| {
            self.connections[*no].stage == Stage::Opened && state.connection != Some(*no)
        });
        if newest.is_some_and(|no| self.closing_cause(no).is_some()) {
            return true;
        }
        // A CONNECT that ends it may have been served.
        let opened = state
            .connection
            .map_or(0, |no| self.connections[no].opened.seq);
        if state.asked_clean.is_some_and(|asked| asked.seq > opened) {
            return true;
        }
        let most_ms = u64::from(seconds) * 1_000;
        let lasts_ms = if seconds == u32::MAX {
            u64::MAX
        } else {
            most_ms
        };
        from_ms.is_some_and(|from_ms| from_ms.saturating_add(lasts_ms) <= self.now.ms)
    }

    /// What is due and cannot be sent to this client is not due any more.
    fn forget_what_is_too_large(&mut self, no: ConnectionNo, client: ClientNo) {
        let most = self.connections[no].max_packet_bytes();
        if most == usize::MAX {
            return;
        }
        let messages = &self.messages;
        let fits = |number: &u32| {
            messages
                .get(number)
                .is_some_and(|message| message.packet_bytes <= most)
        };
        let session = &mut self.clients[client].session;
        session.owed.retain(fits);
        session.owed_retained.retain(|(number, _)| fits(number));
        for exchange in &mut session.exchanges {
            exchange.is_in_doubt |= !fits(&exchange.message);
        }
    }
}
