//! CONNECT: what can be refused at sight, and who its client is.

use std::net::SocketAddr;
use std::sync::Arc;

use hookwire_mqtt::{Connect, ProtocolVersion, PublishProperties, ReasonCode, Will};

use super::arrival::Step;
use super::authenticate::EnhancedAuthentication;
use super::{Arrival, Connection, ConnectionKey, Farewell, Stage};
use crate::delayed::DELAYED_PREFIX;
use crate::hooks::{ClientInfo, ConnectionInfo, Hooks, ListenerInfo};
use crate::shard::Shard;
use crate::time::Now;

/// Where a CONNECT came from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The listener that took the connection.
    pub listener: Arc<ListenerInfo>,
    /// The client's own address.
    pub peer: Option<SocketAddr>,
    /// Common name of the certificate that the client showed.
    pub certificate: Option<Arc<str>>,
    /// Whether the client brought no id and the caller assigned one.
    pub id_was_assigned: bool,
}

/// Characters of a client id in MQTT 3.1.
const MQTT31_CLIENT_ID_CHARS: usize = 23;

impl<H: Hooks> Shard<H> {
    /// Takes a new connection by its CONNECT. The client id is not empty unless
    /// the client may not leave it empty: the caller, who had to know the id to
    /// find this shard, assigned one, and says so.
    ///
    /// The answer, CONNACK with success or with a refusal, is in the output when
    /// it is known: at once, or when the rules have let the client in and its
    /// earlier publishes are settled.
    pub fn connect(&mut self, now: Now, mut connect: Connect, origin: Origin) -> ConnectionKey {
        self.counters.packets_received += 1;
        let refusal = self.refusal(&connect);
        let id_was_assigned = origin.id_was_assigned;
        let denies_unlisted = origin.listener.denies_unlisted_access;
        self.denies_unlisted |= denies_unlisted;
        let client = Arc::new(self.client_info(&mut connect, origin));
        let method: Option<Arc<str>> = connect.authentication_method.as_deref().map(Arc::from);
        let maximum_packet_bytes = connect
            .maximum_packet_bytes
            .and_then(|bytes| usize::try_from(bytes).ok());
        let key = self.insert_connection(Connection {
            stage: Stage::Arriving,
            version: connect.version,
            authentication: method.map(|method| Box::new(EnhancedAuthentication::begun(method))),
            denies_unlisted,
            last_seen_ms: now.mono_ms,
            maximum_packet_bytes: maximum_packet_bytes.unwrap_or(usize::MAX),
            wants_problem_information: connect.request_problem_information,
            asked_for_expiry: connect.session_expiry_interval_s > 0,
            arrival: Some(Box::new(Arrival {
                connect,
                id_was_assigned,
                deadline_ms: now.mono_ms + self.limits.authentication_ms,
                authentication_data: None,
                step: Step::Connect,
                awaits: None,
            })),
            ..Connection::detached(client)
        });
        match refusal {
            Some((reason, text)) => self.refuse(now, key, Farewell::new(reason, text)),
            None => self.arrive(now, key, Step::Connect),
        }
        self.close_listed(now);
        key
    }

    fn client_info(&self, connect: &mut Connect, origin: Origin) -> ClientInfo {
        let connection = ConnectionInfo {
            listener: origin.listener,
            peer: origin.peer,
            version: connect.version,
            certificate: origin.certificate,
            keep_alive_s: connect.keep_alive_s,
            clean_start: connect.clean_start,
            session_expiry_s: self.session_expiry_s(connect),
            user_properties: std::mem::take(&mut connect.user_properties).into(),
        };
        ClientInfo {
            clientid: Arc::from(connect.client_id.as_str()),
            username: connect.username.as_deref().map(Arc::from),
            connection: Some(Arc::new(connection)),
        }
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
