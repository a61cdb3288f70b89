//! From CONNECT to CONNACK: authentication, the end of earlier connections of
//! the client, and the session, found or made.

use std::sync::Arc;

use hookwire_mqtt::{ConnAck, ConnAckProperties, Connect, Packet, ReasonCode};

use super::inbound::Breach;
use super::{AliasesOut, CloseReason, ConnectionKey, Farewell, Stage};
use crate::hooks::{ClientEvent, ClientInfo, Event, Hook, Hooks};
use crate::session::{Session, SessionKey};
use crate::shard::{Flow, Shard};
use crate::sys::Presence;
use crate::time::Now;

/// A CONNECT that is not answered yet.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) connect: Connect,
    pub(crate) id_was_assigned: bool,
    /// When it is given up, on the steady clock.
    pub(crate) deadline_ms: u64,
    /// What an enhanced authentication ended with, for CONNACK.
    pub(crate) authentication_data: Option<Vec<u8>>,
}

impl<H: Hooks> Shard<H> {
    /// A packet that came before CONNACK. It waits, unless the client chose an
    /// enhanced authentication, which leaves it AUTH and DISCONNECT alone
    /// [MQTT-3.1.2-30].
    pub(super) fn packet_while_arriving(
        &mut self,
        now: Now,
        key: ConnectionKey,
        packet: Packet<'_>,
    ) -> Flow {
        let is_enhanced = self
            .connection(key)
            .is_some_and(|connection| connection.authentication.is_some());
        match packet {
            Packet::Auth(auth) => self.on_auth(now, key, *auth),
            Packet::Disconnect(_) if is_enhanced => self.close(now, key, CloseReason::Normal, None),
            _ if is_enhanced => self.breach(
                now,
                key,
                &Breach {
                    kind: "packet during authentication",
                    reason: ReasonCode::ProtocolError,
                    text: "nothing but AUTH and DISCONNECT may come before CONNACK",
                },
            ),
            _ => {
                self.pause(key);
                return Flow::Later;
            }
        }
        self.open_or_close(key)
    }

    /// The client is who it says: earlier connections of its id end, and once
    /// their publishes are settled it is served.
    pub(super) fn admit(&mut self, now: Now, key: ConnectionKey) {
        let Some(client) = self
            .connection(key)
            .map(|connection| Arc::clone(&connection.client))
        else {
            return;
        };
        let clientid = Arc::clone(&client.clientid);
        if let Some(other) = self.arriving.insert(clientid, key)
            && other != key
        {
            self.close(now, other, CloseReason::TakenOver, Some(taken_over()));
        }
        self.take_over(now, &client);
        self.begin_if_alone(now, &client.clientid);
    }

    /// Serves the connection that arrives with this client id, unless publishes
    /// of an earlier one are still with the rules: the order of a client's
    /// publishes holds over its connections.
    pub(crate) fn begin_if_alone(&mut self, now: Now, clientid: &str) {
        if !self.leaving.contains_key(clientid)
            && let Some(key) = self.arriving.remove(clientid)
        {
            self.begin(now, key);
        }
    }

    /// Finds or makes the session, and answers CONNECT.
    fn begin(&mut self, now: Now, key: ConnectionKey) {
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        let Some(arrival) = connection.arrival.take() else {
            return;
        };
        let client = Arc::clone(&connection.client);
        let method = connection
            .authentication
            .as_ref()
            .map(|enhanced| enhanced.method.to_string());
        let Arrival {
            mut connect,
            id_was_assigned,
            authentication_data,
            ..
        } = *arrival;
        let will = connect.will.take();
        let (session, session_present) = self.session_for(now, key, &client, &connect);
        let keep_alive_s = self.keep_alive_s(&connect);
        let mut granted = self.granted(&connect, keep_alive_s);
        granted.assigned_client_id = id_was_assigned.then(|| connect.client_id.clone());
        granted.authentication_method = method;
        granted.authentication_data = authentication_data;
        let aliases = connect
            .topic_alias_maximum
            .min(self.limits.max_topic_aliases);
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        connection.stage = Stage::Live;
        connection.session = Some(session);
        connection.will = will;
        connection.aliases_out = AliasesOut::up_to(aliases);
        connection.keep_alive_ms = u64::from(keep_alive_s) * 1_500;
        connection.last_seen_ms = now.mono_ms;
        let mut ack = ConnAck {
            session_present,
            reason: ReasonCode::Success,
            properties: granted,
        };
        let takes = connection.maximum_packet_bytes;
        self.append_packet(key, |version, out| {
            let before = out.len();
            ack.encode(version, out);
            if out.len() - before > takes {
                // What the client can do without, or will be told when it matters.
                ack.properties.topic_alias_maximum = None;
                ack.properties.response_information = None;
                ack.properties.receive_maximum = None;
                ack.properties.maximum_packet_bytes = None;
                out.truncate(before);
                ack.encode(version, out);
            }
        });
        if keep_alive_s > 0 {
            self.arm_connection(now.mono_ms + u64::from(keep_alive_s) * 1_500, key);
        }
        self.counters.connections_accepted += 1;
        let presence = Presence::Connected {
            version: connect.version,
            keep_alive_s,
            clean_start: connect.clean_start,
        };
        self.tell_presence(now, &client, presence);
        if self.hooks.wants(Hook::ClientConnected) {
            self.hooks.submit_event(Event::Client(ClientEvent {
                hook: Hook::ClientConnected,
                client,
                reason_code: ReasonCode::Success,
                reason: "",
                at_ms: now.wall_ms,
            }));
        }
        if session_present {
            self.resend_releases(session, key);
            self.send_waiting(now, session);
        }
        self.resume_if_free(key);
    }

    /// The session of a client that connects, and whether it was there before.
    fn session_for(
        &mut self,
        now: Now,
        key: ConnectionKey,
        client: &Arc<ClientInfo>,
        connect: &Connect,
    ) -> (SessionKey, bool) {
        let window = connect.receive_maximum.min(self.limits.max_inflight);
        let expiry_interval_s = self.session_expiry_s(connect);
        let mut known = self.clients.get(&client.clientid).copied();
        if connect.clean_start
            && let Some(old) = known.take()
        {
            // It ends here, and takes its will with it [MQTT-3.1.2-4].
            self.end_session(now, old);
        }
        let is_known = known.is_some();
        let session_key = known.unwrap_or_else(|| {
            let session = Session::new(Arc::clone(client), key, window);
            let made = self.insert_session(session);
            self.clients.insert(Arc::clone(&client.clientid), made);
            made
        });
        let lifts_window = self.planted.is(crate::Fault::WindowExceeded);
        if let Some(session) = self.session_mut(session_key) {
            session.client = Arc::clone(client);
            session.connection = Some(key);
            session.expiry_interval_s = expiry_interval_s;
            session.ends_at_ms = None;
            // The client is back in time [MQTT-3.1.3-9].
            session.will = None;
            session.inflight.resume(window);
            if lifts_window {
                session.inflight.lift_window();
            }
            if let Some(load) = &session.load {
                load.set_online(true);
            }
        }
        (session_key, is_known)
    }

    fn session_expiry_s(&self, connect: &Connect) -> u32 {
        connect
            .session_expiry_interval_s
            .min(self.limits.max_session_expiry_s)
    }

    /// What this server grants and lacks, for MQTT 5 clients.
    fn granted(&self, connect: &Connect, keep_alive_s: u16) -> ConnAckProperties {
        let expiry = self.session_expiry_s(connect);
        let aliases = self.limits.max_topic_aliases;
        let information = self.limits.response_information.as_ref();
        ConnAckProperties {
            session_expiry_interval_s: (expiry != connect.session_expiry_interval_s)
                .then_some(expiry),
            receive_maximum: Some(self.limits.receive_maximum),
            maximum_packet_bytes: Some(self.limits.max_packet_bytes),
            topic_alias_maximum: (aliases > 0).then_some(aliases),
            server_keep_alive_s: (keep_alive_s != connect.keep_alive_s).then_some(keep_alive_s),
            response_information: information
                .filter(|_| connect.request_response_information)
                .cloned(),
            ..ConnAckProperties::default()
        }
    }

    fn keep_alive_s(&self, connect: &Connect) -> u16 {
        let max = self.limits.max_keep_alive_s;
        let asked = connect.keep_alive_s;
        if connect.version.is_v5() && max > 0 && (asked == 0 || asked > max) {
            max
        } else {
            asked
        }
    }

    /// Closes the connection that has this client id already [MQTT-3.1.4-3].
    fn take_over(&mut self, now: Now, client: &ClientInfo) {
        let Some(&session) = self.clients.get(&client.clientid) else {
            return;
        };
        let Some(old) = self
            .session_mut(session)
            .and_then(|session| session.connection)
        else {
            return;
        };
        self.counters.takeovers += 1;
        self.close(now, old, CloseReason::TakenOver, Some(taken_over()));
    }

    /// Refuses a connection that has no CONNACK yet.
    pub(super) fn refuse(&mut self, key: ConnectionKey, farewell: Farewell) {
        self.counters.connections_refused += 1;
        self.touch(key);
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        connection.stage = Stage::Closing;
        connection.arrival = None;
        self.counters.packets_sent += 1;
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        let mut ack = ConnAck::refusal(sayable(farewell.reason));
        ack.properties.server_reference = farewell.server_reference;
        connection.append_explained(farewell.text, |text, version, out| {
            ack.properties.reason_string = text;
            ack.encode(version, out);
        });
    }

    /// Ends a connection that was not served yet: with CONNACK where something
    /// is to be said, because DISCONNECT may only follow one [MQTT-3.14.0-1].
    pub(crate) fn turn_away(&mut self, key: ConnectionKey, farewell: Option<Farewell>) {
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        connection.stage = Stage::Closing;
        let clientid = Arc::clone(&connection.client.clientid);
        if self.arriving.get(&clientid) == Some(&key) {
            self.arriving.remove(&clientid);
        }
        match farewell {
            Some(farewell) => self.refuse(key, farewell),
            None => self.touch(key),
        }
    }

    /// Gives up a connection whose authentication takes too long.
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
        self.turn_away(key, Some(farewell));
    }
}

/// The reason, if CONNACK can say it.
fn sayable(reason: ReasonCode) -> ReasonCode {
    match reason {
        reason if ConnAck::allows(reason) => reason,
        // Worth another try.
        ReasonCode::ServerShuttingDown | ReasonCode::SessionTakenOver => {
            ReasonCode::ServerUnavailable
        }
        ReasonCode::AdministrativeAction => ReasonCode::NotAuthorized,
        _ => ReasonCode::UnspecifiedError,
    }
}

fn taken_over() -> Farewell {
    Farewell::new(
        ReasonCode::SessionTakenOver,
        "this client id connected again",
    )
}
