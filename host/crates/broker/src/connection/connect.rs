//! CONNECT and its answer.

use std::sync::Arc;

use hookwire_mqtt::{ConnAck, ConnAckProperties, Connect, ProtocolVersion, QoS, ReasonCode};

use super::{CloseReason, Connection, ConnectionKey, Farewell, Pipeline, Stage};
use crate::hooks::{ClientEvent, ClientHook, ClientInfo, Hooks};
use crate::output::Output;
use crate::session::{Inflight, Session};
use crate::shard::Shard;
use crate::time::Now;

impl<H: Hooks> Shard<H> {
    /// Takes a new connection by its CONNECT. The client id is not empty unless
    /// the client may not leave it empty: the caller, who had to know the id to
    /// find this shard, assigned one, and says so.
    ///
    /// The answer, CONNACK with success or with a refusal, is in the output.
    pub fn connect(&mut self, now: Now, connect: Connect, id_was_assigned: bool) -> ConnectionKey {
        let client = Arc::new(ClientInfo {
            clientid: Arc::from(connect.client_id.as_str()),
            username: connect.username.as_deref().map(Arc::from),
        });
        let refusal = self.refusal(&connect);
        let keep_alive_s = self.keep_alive_s(&connect);
        let key = self.insert_connection(
            now,
            Connection {
                generation: 0,
                stage: if refusal.is_some() {
                    Stage::Closing
                } else {
                    Stage::Live
                },
                version: connect.version,
                client: Arc::clone(&client),
                session: None,
                keep_alive_ms: u64::from(keep_alive_s) * 1_500,
                last_seen_ms: now.mono_ms,
                maximum_packet_bytes: connect
                    .maximum_packet_bytes
                    .and_then(|bytes| usize::try_from(bytes).ok())
                    .unwrap_or(usize::MAX),
                wants_problem_information: connect.request_problem_information,
                asked_for_expiry: connect.session_expiry_interval_s > 0,
                will: None,
                pipeline: Pipeline::default(),
                is_fail_stopped: false,
                output: Output::default(),
                dirty: false,
                paused: false,
                is_listed_paused: false,
                blocked_on: None,
            },
        );
        self.touch(key);
        if let Some((reason, text)) = refusal {
            self.refuse(key, reason, text);
            return key;
        }
        self.take_over(now, &client);
        let assigned = id_was_assigned.then(|| connect.client_id.clone());
        let granted = self.granted(&connect, keep_alive_s, assigned);
        let window = connect.receive_maximum.min(self.limits.max_inflight);
        let session = self.insert_session(Session {
            generation: 0,
            client: Arc::clone(&client),
            connection: key,
            subscriptions: foldhash::HashMap::default(),
            inflight: Inflight::new(window),
            queue: std::collections::VecDeque::new(),
        });
        self.clients.insert(Arc::clone(&client.clientid), session);
        if let Some(connection) = self.connection_mut(key) {
            connection.session = Some(session);
            connection.will = connect.will;
            let version = connection.version;
            let ack = ConnAck {
                session_present: false,
                reason: ReasonCode::Success,
                properties: granted,
            };
            ack.encode(version, connection.output.tail());
        }
        self.counters.connections_accepted += 1;
        if self.hooks.wants_client(ClientHook::Connected) {
            self.hooks.submit_client(ClientEvent {
                hook: ClientHook::Connected,
                client,
                reason: "",
                at_ms: now.wall_ms,
            });
        }
        key
    }

    fn refusal(&self, connect: &Connect) -> Option<(ReasonCode, &'static str)> {
        let v5 = connect.version == ProtocolVersion::V5;
        if connect.client_id.is_empty() {
            let text = "an empty client id needs clean session";
            return Some((ReasonCode::ClientIdentifierNotValid, text));
        }
        if connect.authentication_method.is_some() {
            let text = "this listener has no enhanced authentication";
            return Some((ReasonCode::BadAuthenticationMethod, text));
        }
        let will = connect.will.as_ref().filter(|_| v5)?;
        if will.qos == QoS::ExactlyOnce {
            return Some((ReasonCode::QoSNotSupported, "a will has QoS 0 or 1 here"));
        }
        will.retain.then_some((
            ReasonCode::RetainNotSupported,
            "this server retains nothing",
        ))
    }

    fn refuse(&mut self, key: ConnectionKey, reason: ReasonCode, text: &str) {
        self.counters.connections_refused += 1;
        if let Some(connection) = self.connection_mut(key) {
            let mut ack = ConnAck::refusal(reason);
            connection.append_explained(text.to_owned(), |text, version, out| {
                ack.properties.reason_string = text;
                ack.encode(version, out);
            });
        }
    }

    /// Closes the connection that has this client id already [MQTT-3.1.4-3].
    fn take_over(&mut self, now: Now, client: &ClientInfo) {
        let Some(&session) = self.clients.get(&client.clientid) else {
            return;
        };
        let Some(old) = self.session_mut(session).map(|session| session.connection) else {
            return;
        };
        self.counters.takeovers += 1;
        let farewell = Farewell::new(
            ReasonCode::SessionTakenOver,
            "this client id connected again",
        );
        self.close(now, old, CloseReason::TakenOver, Some(farewell));
    }

    fn keep_alive_s(&self, connect: &Connect) -> u16 {
        let max = self.limits.max_keep_alive_s;
        let asked = connect.keep_alive_s;
        if connect.version == ProtocolVersion::V5 && max > 0 && (asked == 0 || asked > max) {
            max
        } else {
            asked
        }
    }

    /// What this server grants and lacks, for MQTT 5 clients.
    fn granted(
        &self,
        connect: &Connect,
        keep_alive_s: u16,
        assigned_client_id: Option<String>,
    ) -> ConnAckProperties {
        ConnAckProperties {
            session_expiry_interval_s: (connect.session_expiry_interval_s > 0).then_some(0),
            receive_maximum: Some(self.limits.receive_maximum),
            maximum_qos: Some(QoS::AtLeastOnce),
            retain_available: Some(false),
            maximum_packet_bytes: Some(self.limits.max_packet_bytes),
            assigned_client_id,
            subscription_identifiers_available: Some(false),
            shared_subscription_available: Some(false),
            server_keep_alive_s: (keep_alive_s != connect.keep_alive_s).then_some(keep_alive_s),
            ..ConnAckProperties::default()
        }
    }
}
