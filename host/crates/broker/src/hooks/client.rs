//! Who a client is, and what happens to it.

use std::net::SocketAddr;
use std::sync::Arc;

use hookwire_mqtt::{ProtocolVersion, ReasonCode};

use super::Hook;
use crate::message::Message;

/// Who a client is, as far as rules are told with every event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientInfo {
    /// The client identifier, given or assigned.
    pub clientid: Arc<str>,
    /// User name of CONNECT.
    pub username: Option<Arc<str>>,
    /// How it is, or was, connected. None for what the broker itself sends.
    pub connection: Option<Arc<ConnectionInfo>>,
}

/// How a client is connected, for rules that ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The listener that took it.
    pub listener: Arc<ListenerInfo>,
    /// Its own address.
    pub peer: Option<SocketAddr>,
    /// Version of MQTT it speaks.
    pub version: ProtocolVersion,
    /// Common name of the certificate that it showed.
    pub certificate: Option<Arc<str>>,
    /// Keep Alive of CONNECT, in seconds.
    pub keep_alive_s: u16,
    /// Clean Start, or Clean Session, of CONNECT.
    pub clean_start: bool,
    /// Session Expiry Interval as granted, in seconds; `u32::MAX` is for ever.
    pub session_expiry_s: u32,
    /// User properties of CONNECT, in the order sent.
    pub user_properties: Box<[(String, String)]>,
}

/// What holds for all clients of one listener.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListenerInfo {
    /// Its name in the settings.
    pub name: String,
    /// Whether its connections are encrypted.
    pub tls: bool,
    /// Prefix of its clients' topics.
    pub mount_point: Option<String>,
    /// Whether a client may connect whom no rule of `client.authenticate` knows.
    pub denies_unknown_clients: bool,
    /// Whether a client may do what no rule of `client.authorize` speaks of.
    pub denies_unlisted_access: bool,
}

/// Something that happened, and that nobody waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// `node.started`
    Node(NodeEvent),
    /// To a client or its session.
    Client(ClientEvent),
    /// `session.subscribed`, `session.unsubscribed`.
    Subscription(SubscriptionEvent),
    /// `message.dropped`
    Dropped(DroppedEvent),
}

/// Something happened to the broker as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeEvent {
    /// Which hook it is for.
    pub hook: Hook,
    /// Wall clock, milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// `client.connack`, `client.connected`, `client.disconnected`,
/// `session.resumed`, `session.discarded`, `session.takenover` or
/// `session.terminated`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientEvent {
    /// Which hook it is for.
    pub hook: Hook,
    /// The client.
    pub client: Arc<ClientInfo>,
    /// What CONNACK says (`client.connack`), or DISCONNECT said
    /// (`client.disconnected`); success on other hooks.
    pub reason_code: ReasonCode,
    /// Why it went or ended (`normal`, `keep-alive`, `expired`, ...); empty for
    /// other hooks.
    pub reason: &'static str,
    /// Wall clock, milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// A subscription was made, renewed, or is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionEvent {
    /// Which hook it is for.
    pub hook: Hook,
    /// Whose it is.
    pub client: Arc<ClientInfo>,
    /// What it is, as granted.
    pub subscription: SubscriptionInfo,
    /// Wall clock, milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// A subscription, asked for or granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionInfo {
    /// The filter as the client wrote it, `$share/GROUP/` included.
    pub filter: Arc<str>,
    /// Maximum QoS.
    pub qos: hookwire_mqtt::QoS,
    /// No Local.
    pub no_local: bool,
    /// Retain As Published.
    pub retain_as_published: bool,
    /// Retain Handling: 0, 1 or 2.
    pub retain_handling: u8,
    /// Subscription Identifier.
    pub identifier: Option<u32>,
    /// Whether the session did not have it before.
    pub is_new: bool,
}

/// A message that goes no further.
#[derive(Debug, Clone, PartialEq)]
pub struct DroppedEvent {
    /// Whom it would have been sent to; none where nobody subscribes to it.
    pub client: Option<Arc<ClientInfo>>,
    /// The message.
    pub message: Arc<Message>,
    /// Why: `no-subscriber`, `queue-full`, `expired`, `too-large`, `denied`, ...
    pub reason: &'static str,
    /// Wall clock, milliseconds since the Unix epoch.
    pub at_ms: u64,
}
