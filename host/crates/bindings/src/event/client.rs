//! Events about a client: how it is connected, who it says it is, what it wants.

use hookwire_broker::{
    Access as BrokerAccess, Authentication, AuthenticationStep, ClientInfo, ConnectionInfo,
    Operation,
};
use hookwire_mqtt::ProtocolVersion;
use wasmtime::component::{ComponentType, Lower};

use super::Attribute;

/// How a client is connected.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub struct Connection<'a> {
    /// Name of the listener.
    pub listener: &'a str,
    /// Its own address.
    pub peer: &'a str,
    /// 3, 4 or 5.
    pub protocol: u8,
    /// Whether it is encrypted.
    pub tls: bool,
    /// Common name of its certificate.
    pub certificate: Option<&'a str>,
    /// Prefix of its topics.
    #[component(name = "mount-point")]
    pub mount_point: Option<&'a str>,
    /// Keep Alive.
    #[component(name = "keep-alive-s")]
    pub keep_alive_s: u16,
    /// Clean Start.
    #[component(name = "clean-start")]
    pub clean_start: bool,
    /// As granted.
    #[component(name = "session-expiry-s")]
    pub session_expiry_s: u32,
    /// Those of CONNECT.
    #[component(name = "user-properties")]
    pub user_properties: &'a [Attribute<'a>],
    /// What this version has no field for.
    pub extras: &'a [Attribute<'a>],
}

/// The parts of a connection's view that have to be made.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionText<'a> {
    /// Its address.
    pub peer: &'a str,
    /// User properties of CONNECT.
    pub user_properties: &'a [Attribute<'a>],
}

impl<'a> Connection<'a> {
    /// The view of a connection that a guest is given.
    #[must_use]
    pub fn new(info: &'a ConnectionInfo, text: ConnectionText<'a>) -> Self {
        Self {
            listener: &info.listener.name,
            peer: text.peer,
            protocol: match info.version {
                ProtocolVersion::V31 => 3,
                ProtocolVersion::V311 => 4,
                ProtocolVersion::V5 => 5,
            },
            tls: info.listener.tls,
            certificate: info.certificate.as_deref(),
            mount_point: info.listener.mount_point.as_deref(),
            keep_alive_s: info.keep_alive_s,
            clean_start: info.clean_start,
            session_expiry_s: info.session_expiry_s,
            user_properties: text.user_properties,
            extras: &[],
        }
    }
}

/// What happened to a client.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub struct Client<'a> {
    /// Client identifier.
    pub clientid: &'a str,
    /// User name of CONNECT, if there was one.
    pub username: Option<&'a str>,
    /// How it is connected, for actions that ask.
    pub connection: Option<Connection<'a>>,
    /// What CONNACK says.
    #[component(name = "reason-code")]
    pub reason_code: u8,
    /// Why it went, or its session ended.
    pub reason: &'a str,
    /// Wall clock, milliseconds since the Unix epoch.
    #[component(name = "at-ms")]
    pub at_ms: u64,
    /// What this version has no field for.
    pub extras: &'a [Attribute<'a>],
}

impl<'a> Client<'a> {
    /// A client to which nothing has happened.
    #[must_use]
    pub fn new(info: &'a ClientInfo, connection: Option<Connection<'a>>, at_ms: u64) -> Self {
        Self {
            clientid: &info.clientid,
            username: info.username.as_deref(),
            connection,
            reason_code: 0,
            reason: "",
            at_ms,
            extras: &[],
        }
    }
}

/// One step of authentication.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub struct Credentials<'a> {
    /// Who wants to be known.
    pub client: Client<'a>,
    /// `connect`, `continue` or `again`.
    pub step: &'a str,
    /// Password of CONNECT.
    pub password: Option<&'a [u8]>,
    /// Method of an enhanced authentication.
    pub method: Option<&'a str>,
    /// What the method defines.
    pub data: Option<&'a [u8]>,
    /// What this version has no field for.
    pub extras: &'a [Attribute<'a>],
}

impl<'a> Credentials<'a> {
    /// The view of a step.
    #[must_use]
    pub fn new(step: &'a Authentication, client: Client<'a>) -> Self {
        Self {
            client,
            step: match step.step {
                AuthenticationStep::Connect => "connect",
                AuthenticationStep::Continue => "continue",
                AuthenticationStep::Again => "again",
            },
            password: step.password.as_deref(),
            method: step.method.as_deref(),
            data: step.data.as_deref(),
            extras: &[],
        }
    }
}

/// What a client wants to do.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub struct Access<'a> {
    /// Who.
    pub client: Client<'a>,
    /// `publish`, `publish-will` or `subscribe`.
    pub operation: &'a str,
    /// Topic or filter.
    pub topic: &'a str,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Retain flag.
    pub retain: bool,
    /// What this version has no field for.
    pub extras: &'a [Attribute<'a>],
}

impl<'a> Access<'a> {
    /// The view of a wish.
    #[must_use]
    pub fn new(access: &'a BrokerAccess, client: Client<'a>) -> Self {
        Self {
            client,
            operation: match access.operation {
                Operation::Publish => "publish",
                Operation::PublishWill => "publish-will",
                Operation::Subscribe => "subscribe",
            },
            topic: &access.topic,
            qos: access.qos.as_u8(),
            retain: access.retain,
            extras: &[],
        }
    }
}
