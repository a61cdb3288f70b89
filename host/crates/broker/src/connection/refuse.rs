//! Connections that get no further than CONNECT, and what they are told.

use std::sync::Arc;

use hookwire_mqtt::{ConnAck, ReasonCode};

use super::{ConnectionKey, Farewell, Stage};
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
        let reason = sayable(farewell.reason);
        let mut ack = ConnAck::refusal(reason);
        ack.properties.server_reference = farewell.server_reference;
        connection.append_explained(farewell.text, |text, version, out| {
            ack.properties.reason_string = text;
            ack.encode(version, out);
        });
        self.counters.packets_sent += 1;
        self.tell_client_code(now, Hook::ClientConnack, &client, "", reason);
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
        self.counters.authentication_timeouts += 1;
        let farewell = Farewell::new(ReasonCode::ServerBusy, "authentication took too long");
        self.turn_away(now, key, Some(farewell));
    }
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
