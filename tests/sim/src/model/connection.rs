//! How connections begin and end.

use hookwire_mqtt::{ProtocolVersion, ReasonCode};

use super::Model;
use super::rule::Rule;
use super::state::{At, Connection, Span, Stage};
use crate::history::{ConnectionNo, Side};
use crate::packet::{ConnAck, Connect};
use crate::tally::Count;

impl Model {
    pub(super) fn opened(&mut self, no: ConnectionNo, connect: &Connect) {
        let now = self.now;
        let client = (!connect.client_id.is_empty()).then(|| self.client(&connect.client_id));
        debug_assert_eq!(no, self.connections.len(), "connections count from 0");
        self.connections
            .push(Connection::new(connect.clone(), client, now));
        self.open.insert(no);
        if let Some(will) = &connect.will {
            let message = self.will_of(no, client, will);
            self.connections[no].will = message;
        }
        let has_denied_will = self.connections[no]
            .will
            .is_some_and(|will| self.is_denied(will));
        if may_be_refused(connect) || has_denied_will {
            self.add_cause(no, now);
        }
        let Some(client) = client else {
            return;
        };
        let is_waiting = |other: &ConnectionNo| {
            let other = &self.connections[*other];
            other.client == Some(client) && other.stage == Stage::Opened
        };
        if self
            .open
            .iter()
            .any(|other| *other != no && is_waiting(other))
        {
            // The old one may be served later, and take the new one's place.
            self.connections[no].may_be_overtaken = true;
            self.add_cause(no, now);
        }
        if let Some(old) = self.clients[client].newest.replace(no)
            && self.connections[old].is_open()
        {
            self.left_behind(old);
        }
        if connect.clean_start {
            self.clients[client].asked_clean = Some(now);
        }
        if self.is_over_bounds(client) && self.configuration.overflow_closes {
            self.add_cause(no, now);
        }
    }

    /// The client opened another connection and looks at the old one no more.
    fn left_behind(&mut self, old: ConnectionNo) {
        let now = self.now;
        self.count(Count::TakeOver);
        self.add_cause(old, now);
        if self.connections[old].stage == Stage::Opened
            && let Some(client) = self.connections[old].client
        {
            self.doubt_session(old, client);
        }
    }

    pub(super) fn connack(&mut self, no: ConnectionNo, ack: &ConnAck) {
        if ack.reason.is_error() {
            return self.refused(no, ack);
        }
        let connect = self.connections[no].connect.clone();
        let assigned = ack.assigned_client_id.as_deref();
        let is_due = connect.version.is_v5() && connect.client_id.is_empty();
        if assigned.is_some() != is_due {
            self.violate(Rule::AssignedClientId, || format!("#{no}: {assigned:?}"));
        }
        let client = match (self.connections[no].client, assigned) {
            (Some(client), _) => client,
            (None, Some(assigned)) => self.client(&assigned.into()),
            // Without a name of its own it is nobody else's.
            (None, None) => self.client(&format!("\0{no}").into()),
        };
        self.clients[client].newest.get_or_insert(no);
        let connection = &mut self.connections[no];
        connection.client = Some(client);
        connection.stage = Stage::Accepted;
        connection.accepted = Some(self.now);
        connection.is_resumed =
            ack.session_present || connect.version == ProtocolVersion::V31 && !connect.clean_start;
        // What an AUTH led to.
        connection.auths = 0;
        connection.keep_alive_s = ack.server_keep_alive_s.unwrap_or(connect.keep_alive_s);
        let old = self.clients[client].connection.replace(no);
        if let Some(old) = old.filter(|old| self.connections[*old].is_open()) {
            self.connections[old].is_superseded = true;
            self.lose_connection(old);
        }
        self.begin_session(no, client, ack);
    }

    fn refused(&mut self, no: ConnectionNo, ack: &ConnAck) {
        self.count(Count::Refused);
        let now = self.now;
        let connection = &self.connections[no];
        let took_long = now.ms - connection.opened.ms >= self.configuration.authentication_ms;
        let is_allowed = connection.has_other_cause || took_long;
        if !is_allowed || ack.session_present {
            self.violate(Rule::RefusedWithoutCause, || {
                format!("#{no}: {}", ack.reason)
            });
        }
        // A clean start may have ended the session before rules were asked what
        // the next one begins with.
        let connection = &self.connections[no];
        if connection.connect.clean_start
            && let Some(client) = connection.client
        {
            self.doubt_session(no, client);
        }
        let connection = &mut self.connections[no];
        connection.stage = Stage::Refused;
        connection.is_breached = true;
        self.add_cause(no, now);
    }

    pub(super) fn closed(&mut self, no: ConnectionNo, by: Side) {
        if by == Side::Server {
            self.connections[no].closed_by_server = true;
            self.count(Count::ClosedByServer);
            if self.closing_cause(no).is_none() {
                self.note_silent();
            }
            if self.closing_cause(no).is_none() {
                let client = self.connections[no].client;
                let waiting = client.map(|client| {
                    let session = &self.clients[client].session;
                    (session.waiting_messages, session.waiting_bytes)
                });
                self.violate(Rule::ClosedWithoutCause, || {
                    format!("#{no}, for which at most {waiting:?} messages and bytes wait")
                });
            }
        }
        self.lose_connection(no);
        let connection = &mut self.connections[no];
        connection.stage = Stage::Closed;
        connection.pubacks.clear();
        connection.pubrecs.clear();
        self.open.remove(&no);
        self.snapshot_retained(no);
    }

    /// The connection is lost, for what depends on it: session and will. Only
    /// the first time counts.
    fn lose_connection(&mut self, no: ConnectionNo) {
        if std::mem::replace(&mut self.connections[no].is_lost, true) {
            return;
        }
        let now = self.now;
        let cause = self.closing_cause(no);
        let from = cause.filter(|cause| cause.ms <= now.ms).unwrap_or(now);
        let connection = &self.connections[no];
        match (connection.stage, connection.client) {
            (Stage::Accepted, Some(client)) => {
                self.leave_session(no, client, from);
                self.call_will(no, from);
            }
            // The CONNECT may have been served although nobody read the answer.
            (Stage::Opened, client) => {
                if let Some(client) = client.filter(|_| self.is_newest(no)) {
                    self.doubt_session(no, client);
                }
                self.call_will(no, from);
            }
            _ => {}
        }
    }

    pub(super) fn sent_disconnect(
        &mut self,
        no: ConnectionNo,
        reason: ReasonCode,
        session_expiry_s: Option<u32>,
    ) {
        let now = self.now;
        let connection = &mut self.connections[no];
        // Not through `add_cause`, which notes causes other than this one.
        connection.cause.get_or_insert(now);
        connection.disconnect = Some(reason);
        let most = self.configuration.max_session_expiry_s;
        connection.disconnect_expiry_s = session_expiry_s.map(|seconds| seconds.min(most));
    }

    pub(super) fn received_auth(&mut self, no: ConnectionNo, method: Option<&str>) {
        let connection = &mut self.connections[no];
        let wanted = connection.connect.authentication_method.as_deref();
        let is_expected = connection.stage == Stage::Opened || connection.auths > 0;
        let is_right = wanted.is_some() && method == wanted && is_expected;
        connection.auths = connection.auths.saturating_sub(1);
        if !is_right {
            self.violate(Rule::Authentication, || format!("#{no}: method {method:?}"));
        }
    }

    /// From now on the server may close the connection.
    pub(super) fn add_cause(&mut self, no: ConnectionNo, at: At) {
        let connection = &mut self.connections[no];
        let is_first = !std::mem::replace(&mut connection.has_other_cause, true);
        connection.cause.get_or_insert(at);
        // Long before anybody sees the end of the connection, its will may wait
        // for others, and be too much for them.
        if is_first && let Some(will) = connection.will {
            self.expect_at_sessions(will);
        }
    }

    /// Notes connections that the server may have closed for their silence.
    pub(super) fn note_silent(&mut self) {
        for no in self.open.clone() {
            let connection = &self.connections[no];
            let silent_ms = connection
                .silent_at_ms(self.configuration.max_keep_alive_s)
                .filter(|silent_ms| *silent_ms <= self.now.ms);
            if let Some(ms) = silent_ms.filter(|_| !connection.has_other_cause) {
                let seq = connection.opened.seq;
                self.add_cause(no, At { seq, ms });
            }
        }
    }

    /// Why the server may have closed the connection, the earliest there is.
    pub(super) fn closing_cause(&self, no: ConnectionNo) -> Option<At> {
        let connection = &self.connections[no];
        let silent = connection
            .silent_at_ms(self.configuration.max_keep_alive_s)
            .filter(|silent_ms| *silent_ms <= self.now.ms)
            .map(|ms| At {
                // Where in the history is not known, but not before it was opened.
                seq: connection.opened.seq,
                ms,
            });
        // An authentication that takes too long.
        let late_ms = connection.opened.ms + self.configuration.authentication_ms;
        let late = (connection.stage == Stage::Opened && late_ms <= self.now.ms).then_some(At {
            seq: connection.opened.seq,
            ms: late_ms,
        });
        let silent = silent.or(late);
        match (connection.cause, silent) {
            (Some(cause), Some(silent)) if silent.ms < cause.ms => Some(silent),
            (cause, silent) => cause.or(silent),
        }
    }

    /// Holds a connection against what has to be true when all is calm.
    pub(super) fn check_calm_connection(&mut self, no: ConnectionNo) {
        let now_ms = self.now.ms;
        let slack_ms = self.configuration.slack_ms;
        let is_newest = self.is_newest(no);
        let connection = &mut self.connections[no];
        if connection.stage == Stage::Opened && !is_newest {
            return self.check_calm_orphan(no);
        }
        let has_to_end = connection.is_breached
            || connection.is_superseded
            || connection.disconnect.is_some()
            || connection.got_disconnect;
        if has_to_end {
            return self.violate(Rule::NotClosed, || format!("#{no}"));
        }
        let calm_since_ms = *connection.calm_since_ms.get_or_insert(now_ms);
        let silent_ms = now_ms - calm_since_ms;
        let allowed_ms = u64::from(connection.keep_alive_s) * 1_500;
        if allowed_ms > 0 && silent_ms > allowed_ms + slack_ms {
            self.violate(Rule::KeepAlive, || {
                format!("#{no}: {silent_ms} ms of silence")
            });
        }
        // Nobody reads what comes on a connection that the client left behind.
        if !is_newest {
            return;
        }
        let connection = &self.connections[no];
        let is_answered = connection.stage != Stage::Opened
            && connection.pubacks.is_empty()
            && connection.pubrecs.is_empty()
            && connection.pubcomps.is_empty()
            && connection.subscribes.is_empty()
            && connection.unsubscribes.is_empty()
            && connection.pings == 0
            && connection.auths == 0;
        if !is_answered {
            let text = format!(
                "#{no}: {:?}, waits for PUBACK {:?}, PUBREC {:?}, PUBCOMP {:?}, \
                 SUBACK {}, UNSUBACK {}, PINGRESP {}, AUTH {}",
                connection.stage,
                connection.pubacks,
                connection.pubrecs,
                connection.pubcomps,
                connection.subscribes.len(),
                connection.unsubscribes.len(),
                connection.pings,
                connection.auths,
            );
            self.violate(Rule::NotAnswered, || text);
        }
    }

    /// A connection that its client left behind before CONNACK. Where another one
    /// took its place it ends, at the latest when authentication takes too long.
    fn check_calm_orphan(&mut self, no: ConnectionNo) {
        let connection = &self.connections[no];
        let allowed_ms = self.configuration.authentication_ms + self.configuration.slack_ms;
        let client = connection.client.map(|client| &self.clients[client]);
        let is_replaced = client
            .and_then(|client| client.connection)
            .is_some_and(|other| {
                let accepted = self.connections[other].accepted;
                let since_ms = accepted.map_or(0, |accepted| accepted.ms);
                self.connections[other].is_open()
                    && other > no
                    && self.now.ms.saturating_sub(since_ms) > allowed_ms
            });
        if is_replaced {
            self.violate(Rule::NotClosed, || format!("#{no}"));
        }
    }

    /// Whether the client opened no other connection since.
    pub(super) fn is_newest(&self, no: ConnectionNo) -> bool {
        let client = self.connections[no].client;
        client.is_none_or(|client| self.clients[client].newest == Some(no))
    }

    /// From when until now the connection may have ended.
    pub(super) fn ended(&self, from: At) -> Span {
        Span {
            least_ms: from.ms.min(self.now.ms),
            most_ms: self.now.ms,
        }
    }
}

/// Whether the server may have something against a CONNECT: no id for a session
/// that stays, a method that it may not have, or what the rules have against
/// some ids.
fn may_be_refused(connect: &Connect) -> bool {
    let id = &connect.client_id;
    (id.is_empty() && !connect.clean_start)
        || connect.authentication_method.is_some()
        || id.starts_with("refused")
}
