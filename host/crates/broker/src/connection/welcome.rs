//! A client that may come in: its session, found or made, and CONNACK.

use std::sync::Arc;

use hookwire_mqtt::{ConnAck, ConnAckProperties, Connect, ReasonCode};

use super::arrival::Step;
use super::kept;
use super::{AliasesOut, Arrival, ConnectionKey, Stage};
use crate::hooks::{ClientInfo, Hook, Hooks, Restored, RestoredSession};
use crate::lifecycle::Ending;
use crate::session::{Session, SessionKey};
use crate::shard::Shard;
use crate::sys::Presence;
use crate::time::Now;

impl<H: Hooks> Shard<H> {
    /// Goes on with the client's session, or asks what a new one begins with.
    pub(super) fn begin(&mut self, now: Now, key: ConnectionKey) {
        let Some(connection) = self.connection(key) else {
            return;
        };
        let Some(arrival) = &connection.arrival else {
            return;
        };
        let known = self.clients.get(&connection.client.clientid).copied();
        match known {
            Some(old) if arrival.connect.clean_start => {
                // It ends here, and takes its will with it [MQTT-3.1.2-4].
                self.end_session(now, old, Ending::Discarded);
                self.arrive(now, key, Step::Session);
            }
            Some(_) => self.welcome(now, key, Restored::default()),
            None => self.arrive(now, key, Step::Session),
        }
    }

    /// Serves a client, and tells it so.
    pub(super) fn welcome(&mut self, now: Now, key: ConnectionKey, restored: Restored) {
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        let Some(arrival) = connection.arrival.take() else {
            return;
        };
        let client = Arc::clone(&connection.client);
        self.arriving.remove(&client.clientid);
        let (session, is_known) = self.session_for(now, key, &client, &arrival.connect);
        // A clean start is never told of a session [MQTT-3.2.2-2].
        let stored = restored
            .session
            .filter(|_| !is_known && !arrival.connect.clean_start);
        let is_present = is_known || stored.is_some();
        let keep_alive_s = self.keep_alive_s(&arrival.connect);
        let version = arrival.connect.version;
        let clean_start = arrival.connect.clean_start;
        self.serve(now, key, session, *arrival, is_present);
        self.counters.connections_accepted += 1;
        let presence = Presence::Connected {
            version,
            keep_alive_s,
            clean_start,
        };
        self.tell_presence(now, &client, presence);
        if is_present {
            self.tell_client(now, Hook::SessionResumed, &client, "");
        }
        self.tell_client(now, Hook::ClientConnack, &client, "");
        self.tell_client(now, Hook::ClientConnected, &client, "");
        // All before anything else is routed, so nothing is missed.
        if let Some(stored) = stored {
            self.restore(now, session, stored);
        }
        for subscription in restored.subscriptions {
            // What the client has subscribed to itself goes by its own options.
            if !self.has_subscription(session, &subscription.filter) {
                self.subscribe_for(now, session, subscription);
            }
        }
        self.withhold(session, key);
        if is_present {
            self.resend_releases(session, key);
        }
        if is_known {
            self.fetch_all(now, session);
        }
        self.send_waiting(now, session);
        self.resume_if_free(key);
    }

    /// Who was subscribed on its behalf may rely on that from CONNACK on, which waits
    /// until the places are kept in the stores.
    fn withhold(&mut self, session: SessionKey, key: ConnectionKey) {
        let fetching = self
            .session(session)
            .and_then(|session| session.fetching.as_ref());
        let is_awaited = fetching.is_some_and(|fetching| fetching.is_awaited());
        let is_awaited = is_awaited && !self.planted.is(crate::Fault::ConnAckEarly);
        if let Some(connection) = self.connection_mut(key) {
            connection.is_withheld = is_awaited;
        }
    }

    /// Gives a session back what it had before the broker began.
    fn restore(&mut self, now: Now, session: SessionKey, stored: RestoredSession) {
        for subscription in stored.subscriptions {
            self.subscribe_again(now, session, &subscription);
        }
        if let Some(session) = self.session_mut(session) {
            kept::restore(now, session, stored.exchanges);
        }
    }

    /// Turns an arrival into a connection that is served, and writes CONNACK.
    fn serve(
        &mut self,
        now: Now,
        key: ConnectionKey,
        session: SessionKey,
        arrival: Arrival,
        session_present: bool,
    ) {
        let Arrival {
            mut connect,
            id_was_assigned,
            authentication_data,
            ..
        } = arrival;
        let will = connect.will.take();
        let keep_alive_s = self.keep_alive_s(&connect);
        let mut granted = self.granted(&connect, keep_alive_s);
        let aliases = connect
            .topic_alias_maximum
            .min(self.limits.max_topic_aliases);
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        granted.assigned_client_id = id_was_assigned.then_some(connect.client_id);
        granted.authentication_method = connection
            .authentication
            .as_ref()
            .map(|enhanced| enhanced.method.to_string());
        granted.authentication_data = authentication_data;
        connection.stage = Stage::Live;
        connection.session = Some(session);
        connection.will = will;
        connection.aliases_out = AliasesOut::up_to(aliases);
        connection.keep_alive_ms = u64::from(keep_alive_s) * 1_500;
        connection.last_seen_ms = now.mono_ms;
        let takes = connection.maximum_packet_bytes;
        let mut ack = ConnAck {
            session_present,
            reason: ReasonCode::Success,
            properties: granted,
        };
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
        let known = self.clients.get(&client.clientid).copied();
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
            session.connected_at_ms = now.wall_ms;
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
        (session_key, known.is_some())
    }

    pub(super) fn session_expiry_s(&self, connect: &Connect) -> u32 {
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
}
