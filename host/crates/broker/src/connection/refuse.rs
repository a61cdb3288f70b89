//! Connections that get no further than CONNECT, and what they are told.

use std::sync::Arc;

use hookwire_mqtt::{ConnAck, Connect, ReasonCode};

use super::arrival::Step;
use super::{Connection, ConnectionKey, Farewell, Stage};
use crate::hooks::{Hook, Hooks};
use crate::shard::Shard;
use crate::time::Now;

impl<H: Hooks> Shard<H> {
    /// Refuses a connection that has no CONNACK yet.
    pub(super) fn refuse(&mut self, now: Now, key: ConnectionKey, farewell: Farewell) {
        self.counters.connections_refused += 1;
        self.touch(key);
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        connection.stage = Stage::Closing;
        connection.arrival = None;
        let client = Arc::clone(&connection.client);
        let reason = refusal_packet(connection, farewell);
        self.counters.packets_sent += 1;
        self.tell_client_code(now, Hook::ClientConnack, &client, "", reason);
    }

    /// Refuses a connection whose CONNACK was not let go, and nothing of what stands
    /// behind it.
    pub(crate) fn refuse_after_all(&mut self, now: Now, key: ConnectionKey, farewell: Farewell) {
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        connection.output.clear();
        let client = Arc::clone(&connection.client);
        let reason = refusal_packet(connection, farewell);
        self.counters.connections_refused += 1;
        self.tell_client_code(now, Hook::ClientConnack, &client, "", reason);
    }

    /// The CONNACK for a client that may not connect, and that waited long enough.
    /// It is counted, and no rule hears of it: their queues are what is full.
    pub fn refuse_unheard(&mut self, connect: &Connect) -> Vec<u8> {
        self.counters.packets_received += 1;
        self.counters.packets_sent += 1;
        self.counters.connections_refused += 1;
        let encoded = |text: Option<&str>| {
            let mut ack = ConnAck::refusal(ReasonCode::ServerUnavailable);
            ack.properties.reason_string = text.map(str::to_owned);
            let mut out = Vec::new();
            ack.encode(connect.version, &mut out);
            out
        };
        let most = connect.maximum_packet_bytes.unwrap_or(u32::MAX);
        let text = "what happened to this client before still waits for a rule or its store";
        let explained = connect
            .request_problem_information
            .then(|| encoded(Some(text)));
        explained
            .filter(|bytes| bytes.len() <= usize::try_from(most).unwrap_or(usize::MAX))
            .unwrap_or_else(|| encoded(None))
    }

    /// Ends a connection that was not served yet: with CONNACK where something
    /// is to be said, because DISCONNECT may only follow one [MQTT-3.14.0-1].
    pub(crate) fn turn_away(&mut self, now: Now, key: ConnectionKey, farewell: Option<Farewell>) {
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        connection.stage = Stage::Closing;
        connection.arrival = None;
        let clientid = Arc::clone(&connection.client.clientid);
        if self.arriving.get(&clientid) == Some(&key) {
            self.arriving.remove(&clientid);
        }
        match farewell {
            Some(farewell) => self.refuse(now, key, farewell),
            None => self.touch(key),
        }
    }

    /// Gives up a connection whose rules take too long.
    pub(crate) fn check_arrival(&mut self, now: Now, key: ConnectionKey) {
        let Some(arrival) = self
            .connection(key)
            .and_then(|connection| connection.arrival.as_ref())
        else {
            return;
        };
        let deadline_ms = arrival.deadline_ms;
        if now.mono_ms < deadline_ms {
            return self.arm_connection(deadline_ms, key);
        }
        let farewell = match arrival.step {
            Step::Session => Farewell::new(
                ReasonCode::ServerUnavailable,
                "what rules have of the session did not come in time",
            ),
            _ => Farewell::new(ReasonCode::ServerBusy, "authentication took too long"),
        };
        self.counters.authentication_timeouts += 1;
        self.turn_away(now, key, Some(farewell));
    }
}

/// Appends CONNACK with a refusal; answers the reason code that it has.
fn refusal_packet(connection: &mut Connection, farewell: Farewell) -> ReasonCode {
    let reason = sayable(farewell.reason);
    let mut ack = ConnAck::refusal(reason);
    ack.properties.server_reference = farewell.server_reference;
    connection.append_explained(farewell.text, |text, version, out| {
        ack.properties.reason_string = text;
        ack.encode(version, out);
    });
    reason
}

/// The reason, if CONNACK can say it.
fn sayable(reason: ReasonCode) -> ReasonCode {
    match reason {
        reason if reason.is_error() && ConnAck::allows(reason) => reason,
        // Worth another try.
        ReasonCode::ServerShuttingDown | ReasonCode::SessionTakenOver => {
            ReasonCode::ServerUnavailable
        }
        ReasonCode::AdministrativeAction => ReasonCode::NotAuthorized,
        _ => ReasonCode::UnspecifiedError,
    }
}

pub(super) fn taken_over() -> Farewell {
    Farewell::new(
        ReasonCode::SessionTakenOver,
        "this client id connected again",
    )
}
