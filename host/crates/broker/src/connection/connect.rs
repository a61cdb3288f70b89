//! CONNECT: what can be refused at sight, then authentication.

use std::sync::Arc;

use hookwire_mqtt::{Connect, ProtocolVersion, PublishProperties, ReasonCode, Will};

use super::authenticate::EnhancedAuthentication;
use super::{Arrival, Connection, ConnectionKey, Farewell, Stage};
use crate::delayed::DELAYED_PREFIX;
use crate::hooks::{AuthenticationStep, ClientInfo, Hook, Hooks};
use crate::shard::Shard;
use crate::time::Now;

/// Characters of a client id in MQTT 3.1.
const MQTT31_CLIENT_ID_CHARS: usize = 23;

impl<H: Hooks> Shard<H> {
    /// Takes a new connection by its CONNECT. The client id is not empty unless
    /// the client may not leave it empty: the caller, who had to know the id to
    /// find this shard, assigned one, and says so.
    ///
    /// The answer, CONNACK with success or with a refusal, is in the output when
    /// it is known: at once, or when the hooks have authenticated the client and
    /// its earlier publishes are settled.
    pub fn connect(&mut self, now: Now, connect: Connect, id_was_assigned: bool) -> ConnectionKey {
        self.counters.packets_received += 1;
        let client = Arc::new(ClientInfo {
            clientid: Arc::from(connect.client_id.as_str()),
            username: connect.username.as_deref().map(Arc::from),
            connection: None,
        });
        let refusal = self.refusal(&connect);
        let method: Option<Arc<str>> = connect.authentication_method.as_deref().map(Arc::from);
        let deadline_ms = now.mono_ms + self.limits.authentication_ms;
        let maximum_packet_bytes = connect
            .maximum_packet_bytes
            .and_then(|bytes| usize::try_from(bytes).ok());
        let key = self.insert_connection(Connection {
            stage: Stage::Arriving,
            version: connect.version,
            authentication: method
                .clone()
                .map(|method| Box::new(EnhancedAuthentication::begun(method))),
            last_seen_ms: now.mono_ms,
            maximum_packet_bytes: maximum_packet_bytes.unwrap_or(usize::MAX),
            wants_problem_information: connect.request_problem_information,
            asked_for_expiry: connect.session_expiry_interval_s > 0,
            arrival: Some(Box::new(Arrival {
                connect,
                id_was_assigned,
                deadline_ms,
                authentication_data: None,
            })),
            ..Connection::detached(client)
        });
        if let Some((reason, text)) = refusal {
            self.refuse(key, Farewell::new(reason, text));
        } else if self.hooks.wants(Hook::ClientAuthenticate) {
            self.arm_connection(deadline_ms, key);
            self.submit_authentication(key, AuthenticationStep::Connect, None);
        } else if method.is_some() {
            let text = "this server has no such authentication method";
            self.refuse(
                key,
                Farewell::new(ReasonCode::BadAuthenticationMethod, text),
            );
        } else {
            self.admit(now, key);
        }
        self.close_listed(now);
        key
    }

    fn refusal(&self, connect: &Connect) -> Option<(ReasonCode, &'static str)> {
        if connect.client_id.is_empty() {
            let text = "an empty client id needs clean session";
            return Some((ReasonCode::ClientIdentifierNotValid, text));
        }
        if self.limits.short_client_ids_in_mqtt31
            && connect.version == ProtocolVersion::V31
            && connect.client_id.chars().count() > MQTT31_CLIENT_ID_CHARS
        {
            let text = "a client id of MQTT 3.1 has 23 characters at most";
            return Some((ReasonCode::ClientIdentifierNotValid, text));
        }
        let will = connect.will.as_ref()?;
        if will.topic.starts_with("$SYS/") {
            let text = "topics under $SYS are this server's own";
            return Some((ReasonCode::TopicNameInvalid, text));
        }
        if will.topic.starts_with(DELAYED_PREFIX) && crate::delayed::parse(&will.topic).is_err() {
            let text = "a delayed topic is $delayed/SECONDS/TOPIC";
            return Some((ReasonCode::TopicNameInvalid, text));
        }
        (self.limits.check_payload_format && !is_in_its_format(will)).then_some((
            ReasonCode::PayloadFormatInvalid,
            "the will's payload is not UTF-8",
        ))
    }
}

fn is_in_its_format(will: &Will) -> bool {
    let properties = PublishProperties::from_validated(&will.properties);
    !properties.payload_format_utf8() || std::str::from_utf8(&will.payload).is_ok()
}
