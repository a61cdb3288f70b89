//! Packets as the history keeps them: owned, small, and compared field by field.

mod words;

use std::rc::Rc;

use hookwire_mqtt::{AckKind, ProtocolVersion, QoS, ReasonCode, RetainHandling};

/// A CONNECT, as far as the simulation uses it.
#[derive(Debug, Clone, PartialEq)]
pub struct Connect {
    /// The version that the connection speaks.
    pub version: ProtocolVersion,
    /// Empty when the server is to assign one.
    pub client_id: Rc<str>,
    /// MQTT 3's Clean Session.
    pub clean_start: bool,
    /// In seconds; 0 for none.
    pub keep_alive_s: u16,
    /// How long the session outlives the connection, in seconds.
    pub session_expiry_s: u32,
    /// Unacknowledged publishes that the client takes.
    pub receive_maximum: u16,
    /// The largest packet that the client takes, in bytes.
    pub maximum_packet_bytes: Option<u32>,
    /// The highest topic alias that the client takes.
    pub topic_alias_maximum: u16,
    /// Whether the client takes reason strings with any packet.
    pub problem_information: bool,
    /// Published when the client is lost.
    pub will: Option<Will>,
    /// The method of an enhanced authentication.
    pub authentication_method: Option<Rc<str>>,
}

impl Connect {
    /// A clean start with the standard's defaults.
    #[must_use]
    pub fn new(version: ProtocolVersion, client_id: &str) -> Self {
        Self {
            version,
            client_id: client_id.into(),
            clean_start: true,
            keep_alive_s: 0,
            session_expiry_s: 0,
            receive_maximum: u16::MAX,
            maximum_packet_bytes: None,
            topic_alias_maximum: 0,
            problem_information: true,
            will: None,
            authentication_method: None,
        }
    }
}

/// The will of a CONNECT.
#[derive(Debug, Clone, PartialEq)]
pub struct Will {
    /// Where to.
    pub topic: Rc<str>,
    /// Carries a [`crate::stamp::Stamp`].
    pub payload: Rc<[u8]>,
    /// QoS to publish it with.
    pub qos: QoS,
    /// Whether to keep it.
    pub retain: bool,
    /// How long after the connection it is published, in seconds.
    pub delay_s: u32,
    /// How long it is worth anything, in seconds.
    pub expiry_s: Option<u32>,
    /// What else travels with it.
    pub extras: Option<Rc<Extras>>,
}

/// Properties of a PUBLISH that nobody on the way may change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extras {
    /// Payload Format Indicator 1.
    pub is_utf8: bool,
    /// Content Type.
    pub content_type: Option<String>,
    /// Response Topic.
    pub response_topic: Option<String>,
    /// Correlation Data.
    pub correlation_data: Option<Vec<u8>>,
    /// User Properties, in order.
    pub user_properties: Vec<(String, String)>,
}

/// A PUBLISH.
#[derive(Debug, Clone, PartialEq)]
pub struct Publish {
    /// Whether it may have been sent before.
    pub dup: bool,
    /// How surely it is to arrive.
    pub qos: QoS,
    /// From a client: keep it. From a server: it was kept.
    pub retain: bool,
    /// Empty when a topic alias alone says it.
    pub topic: Rc<str>,
    /// 0 for QoS 0.
    pub id: u16,
    /// Topic Alias.
    pub alias: Option<u16>,
    /// Message Expiry Interval, in seconds.
    pub expiry_s: Option<u32>,
    /// Subscription Identifiers, in order.
    pub identifiers: Vec<u32>,
    /// What else travels with it.
    pub extras: Option<Rc<Extras>>,
    /// Carries a [`crate::stamp::Stamp`], or is empty.
    pub payload: Rc<[u8]>,
}

impl Publish {
    /// A PUBLISH with no flag and no property.
    #[must_use]
    pub fn new(topic: &str, qos: QoS, id: u16, payload: &[u8]) -> Self {
        Self {
            dup: false,
            qos,
            retain: false,
            topic: topic.into(),
            id,
            alias: None,
            expiry_s: None,
            identifiers: Vec::new(),
            extras: None,
            payload: payload.into(),
        }
    }
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// Which of the four.
    pub kind: AckKind,
    /// That of the PUBLISH.
    pub id: u16,
    /// Success before MQTT 5.
    pub reason: ReasonCode,
    /// Whether it has a reason string or user properties.
    pub is_explained: bool,
}

impl Ack {
    /// All is well.
    #[must_use]
    pub fn new(kind: AckKind, id: u16) -> Self {
        Self {
            kind,
            id,
            reason: ReasonCode::Success,
            is_explained: false,
        }
    }
}

/// One entry of a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// A topic filter, or what is none.
    pub filter: Rc<str>,
    /// The highest QoS to deliver with.
    pub qos: QoS,
    /// Not what this client publishes itself.
    pub no_local: bool,
    /// Keep the retain flag as published.
    pub retain_as_published: bool,
    /// Which retained messages to send now.
    pub retain_handling: RetainHandling,
}

impl Entry {
    /// With every option as MQTT 3.1.1 has it.
    #[must_use]
    pub fn new(filter: &str, qos: QoS) -> Self {
        Self {
            filter: filter.into(),
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::SendAtSubscribe,
        }
    }
}

/// A CONNACK: what the server grants, and whether it takes the client at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnAck {
    /// The server has a session of this client.
    pub session_present: bool,
    /// Whether the client is accepted.
    pub reason: ReasonCode,
    /// Session Expiry Interval, where it is not what was asked for.
    pub session_expiry_s: Option<u32>,
    /// Receive Maximum.
    pub receive_maximum: Option<u16>,
    /// Maximum QoS, where it is not 2.
    pub maximum_qos: Option<QoS>,
    /// Whether retained messages are kept.
    pub retain_available: Option<bool>,
    /// Maximum Packet Size.
    pub maximum_packet_bytes: Option<u32>,
    /// The identifier of a client that sent an empty one.
    pub assigned_client_id: Option<String>,
    /// The highest topic alias that the client may use.
    pub topic_alias_maximum: Option<u16>,
    /// Whether SUBSCRIBE may carry a subscription identifier.
    pub identifiers_available: Option<bool>,
    /// Whether `$share` filters are granted.
    pub shared_available: Option<bool>,
    /// The keep-alive to use instead of what was asked for, in seconds.
    pub server_keep_alive_s: Option<u16>,
}

/// A packet that a client sent or received.
#[derive(Debug, Clone, PartialEq)]
pub enum Packet {
    /// The answer to CONNECT.
    ConnAck(Box<ConnAck>),
    /// A message.
    Publish(Publish),
    /// One of the four acknowledgements of a message.
    Ack(Ack),
    /// A client wants messages.
    Subscribe {
        /// Repeated by the SUBACK.
        id: u16,
        /// Goes with every message delivered for these filters.
        identifier: Option<u32>,
        /// What to subscribe to.
        entries: Vec<Entry>,
    },
    /// The answer to SUBSCRIBE.
    SubAck {
        /// That of the SUBSCRIBE.
        id: u16,
        /// One for each filter.
        reasons: Vec<ReasonCode>,
        /// Whether it has a reason string or user properties.
        is_explained: bool,
    },
    /// A client wants no more messages.
    Unsubscribe {
        /// Repeated by the UNSUBACK.
        id: u16,
        /// Compared with those subscribed to.
        filters: Vec<Rc<str>>,
    },
    /// The answer to UNSUBSCRIBE.
    UnsubAck {
        /// That of the UNSUBSCRIBE.
        id: u16,
        /// One for each filter; none before MQTT 5.
        reasons: Vec<ReasonCode>,
        /// Whether it has a reason string or user properties.
        is_explained: bool,
    },
    /// A client shows that it lives.
    PingReq,
    /// The answer to PINGREQ.
    PingResp,
    /// The connection ends on purpose.
    Disconnect {
        /// Why.
        reason: ReasonCode,
        /// A client's last word on how long its session stays, in seconds.
        session_expiry_s: Option<u32>,
    },
    /// A step of enhanced authentication.
    Auth {
        /// To go on, to begin anew, or success.
        reason: ReasonCode,
        /// That of CONNECT.
        method: Option<Rc<str>>,
    },
    /// Bytes of a client that break the protocol, by the name of the breach.
    Breach(&'static str),
}
