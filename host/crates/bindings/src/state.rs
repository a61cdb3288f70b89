//! What a guest is told of a client that it asks for.

use hookwire_broker::{ClientState, ConnectionInfo};
use hookwire_mqtt::ProtocolVersion;

use crate::wit::hookwire::broker::broker;
use crate::wit::hookwire::types::events;

/// The client's state, as far as guests are told.
#[must_use]
pub fn to_guest(state: &ClientState) -> broker::ClientState {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let subscriptions = state.subscriptions.iter();
    broker::ClientState {
        clientid: state.client.clientid.to_string(),
        username: state.client.username.as_deref().map(str::to_owned),
        connected: state.is_connected,
        connection: state.client.connection.as_deref().map(connection),
        connected_at_ms: state.connected_at_ms,
        subscriptions: subscriptions
            .map(|subscription| (subscription.filter.to_string(), subscription.qos.as_u8()))
            .collect(),
        inflight: count(state.inflight),
        queued: count(state.queued),
        extras: Vec::new(),
    }
}

fn connection(info: &ConnectionInfo) -> events::Connection {
    events::Connection {
        listener: info.listener.name.clone(),
        peer: info.peer.map(|peer| peer.to_string()).unwrap_or_default(),
        protocol: match info.version {
            ProtocolVersion::V31 => 3,
            ProtocolVersion::V311 => 4,
            ProtocolVersion::V5 => 5,
        },
        tls: info.listener.tls,
        certificate: info.certificate.as_deref().map(str::to_owned),
        mount_point: info.listener.mount_point.clone(),
        keep_alive_s: info.keep_alive_s,
        clean_start: info.clean_start,
        session_expiry_s: info.session_expiry_s,
        user_properties: info.user_properties.to_vec(),
        extras: Vec::new(),
    }
}
