//! Events as `handle` takes them, borrowed from what the broker holds.
//!
//! The macro's own event types own their strings and payloads. These do not, so
//! that a message is copied once only: into the guest's memory. They must mirror
//! `hookwire:types/events` field by field; the check is made when a module's
//! `handle` is looked up, and a mismatch fails there.

use hookwire_broker::{
    Access as BrokerAccess, Authentication, AuthenticationStep, ClientInfo, ConnectionInfo,
    Exchange as BrokerExchange, ExchangeStep, FetchRequest, Message as BrokerMessage, Operation,
    SubscriptionInfo,
};
use hookwire_mqtt::ProtocolVersion;
use wasmtime::component::{ComponentType, Lower, TypedFunc};

use crate::lower::Calls;
use crate::wit::exports::hookwire::rule::actions::Settled;

/// `handle`, typed over borrowed events. A call may pass any shorter lifetime.
pub type Handle = TypedFunc<(&'static [Event<'static>], Calls<'static>), (Vec<Settled>,)>;

/// A name and a value.
pub type Attribute<'a> = (&'a str, &'a str);

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

/// A subscription.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub struct Subscription<'a> {
    /// Whose.
    pub client: Client<'a>,
    /// As the client wrote it.
    pub filter: &'a str,
    /// Maximum QoS.
    pub qos: u8,
    /// No Local.
    #[component(name = "no-local")]
    pub no_local: bool,
    /// Retain As Published.
    #[component(name = "retain-as-published")]
    pub retain_as_published: bool,
    /// 0, 1 or 2.
    #[component(name = "retain-handling")]
    pub retain_handling: u8,
    /// Subscription Identifier.
    pub identifier: Option<u32>,
    /// Whether the session did not have it before.
    #[component(name = "is-new")]
    pub is_new: bool,
    /// User properties of the packet.
    #[component(name = "user-properties")]
    pub user_properties: &'a [Attribute<'a>],
    /// What this version has no field for.
    pub extras: &'a [Attribute<'a>],
}

impl<'a> Subscription<'a> {
    /// The view of a subscription.
    #[must_use]
    pub fn new(
        subscription: &'a SubscriptionInfo,
        client: Client<'a>,
        user_properties: &'a [Attribute<'a>],
    ) -> Self {
        Self {
            client,
            filter: &subscription.filter,
            qos: subscription.qos.as_u8(),
            no_local: subscription.no_local,
            retain_as_published: subscription.retain_as_published,
            retain_handling: subscription.retain_handling,
            identifier: subscription.identifier,
            is_new: subscription.is_new,
            user_properties,
            extras: &[],
        }
    }
}

/// A message.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The message id's 20 characters, or whatever another writer of a store calls it.
    pub id: &'a str,
    /// Topic name.
    pub topic: &'a str,
    /// Empty when no called rule needs it.
    pub payload: &'a [u8],
    /// Client id of the publisher.
    pub sender: &'a str,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Retain flag.
    pub retain: bool,
    /// When it entered the broker, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// When it is worth nothing any more, milliseconds since the Unix epoch.
    pub expires_at_ms: Option<u64>,
    /// In the order sent.
    pub user_properties: &'a [Attribute<'a>],
    /// What this version has no field for.
    pub extras: &'a [Attribute<'a>],
}

/// The parts of a message that the broker keeps in another form, and whether
/// the payload is to be copied at all.
#[derive(Debug, Clone, Copy)]
pub struct MessageText<'a> {
    /// [`hookwire_broker::MessageId::to_text`], as text, or the foreign id.
    pub id: &'a str,
    /// Decoded from the message's properties.
    pub user_properties: &'a [Attribute<'a>],
    /// [`crate::extras::of_message`], borrowed.
    pub extras: &'a [Attribute<'a>],
    /// Whether any called rule needs the payload.
    pub payload: bool,
}

impl<'a> Message<'a> {
    /// The view of a message that a guest is given.
    #[must_use]
    pub fn new(message: &'a BrokerMessage, text: MessageText<'a>) -> Self {
        Self {
            id: text.id,
            topic: &message.topic,
            payload: if text.payload { &message.payload } else { &[] },
            sender: &message.sender,
            qos: message.qos.as_u8(),
            retain: message.retain,
            at_ms: message.at_ms,
            expires_at_ms: (message.expires_at_ms != BrokerMessage::NEVER)
                .then_some(message.expires_at_ms),
            user_properties: text.user_properties,
            extras: text.extras,
        }
    }
}

/// A message and a client it was meant for.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub struct Delivery<'a> {
    /// The receiver; empty for nobody.
    pub clientid: &'a str,
    /// Its user name.
    pub username: Option<&'a str>,
    /// QoS it is sent with.
    pub qos: u8,
    /// Why it goes no further.
    pub reason: &'a str,
    /// The message.
    pub message: Message<'a>,
    /// What this version has no field for.
    pub extras: &'a [Attribute<'a>],
}

/// What is stored for a subscription is wanted.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub struct Fetch<'a> {
    /// Whose.
    pub client: Client<'a>,
    /// Its filter.
    pub filter: &'a str,
    /// Maximum QoS.
    pub qos: u8,
    /// Where the page before ended.
    pub cursor: Option<&'a str>,
    /// Whether the client has just subscribed.
    pub begins: bool,
    /// Messages wanted at most.
    #[component(name = "max-messages")]
    pub max_messages: u32,
    /// What this version has no field for.
    pub extras: &'a [Attribute<'a>],
}

impl<'a> Fetch<'a> {
    /// The view of a request.
    #[must_use]
    pub fn new(request: &'a FetchRequest, client: Client<'a>) -> Self {
        Self {
            client,
            filter: &request.filter,
            qos: request.qos.as_u8(),
            cursor: request.cursor.as_deref(),
            begins: request.begins,
            max_messages: u32::try_from(request.max_messages).unwrap_or(u32::MAX),
            extras: &[],
        }
    }
}

/// A QoS 2 exchange comes to a step that the other side may rely on.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub struct Exchange<'a> {
    /// Whose.
    pub client: Client<'a>,
    /// `in` or `out`.
    pub direction: &'a str,
    /// Packet id of the exchange.
    #[component(name = "packet-id")]
    pub packet_id: u16,
    /// Id of the message sent to the client.
    #[component(name = "message-id")]
    pub message_id: &'a str,
    /// Its topic, where the state is `sent`.
    pub topic: &'a str,
    /// `sent`, `received` or `completed`.
    pub state: &'a str,
    /// What this version has no field for.
    pub extras: &'a [Attribute<'a>],
}

impl<'a> Exchange<'a> {
    /// The view of an exchange; `message_id` is its message's, as text.
    #[must_use]
    pub fn new(exchange: &'a BrokerExchange, client: Client<'a>, message_id: &'a str) -> Self {
        let (direction, state) = match &exchange.step {
            ExchangeStep::Released => ("in", "completed"),
            ExchangeStep::Sent { .. } => ("out", "sent"),
            ExchangeStep::Received(_) => ("out", "received"),
            ExchangeStep::Completed(_) => ("out", "completed"),
        };
        let topic = match &exchange.step {
            ExchangeStep::Sent { topic, .. } => topic,
            _ => "",
        };
        Self {
            client,
            direction,
            packet_id: exchange.packet_id.get(),
            message_id: exchange.step.message().map_or("", |_| message_id),
            topic,
            state,
            extras: &[],
        }
    }
}

/// What happened to the broker as a whole.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub struct Node<'a> {
    /// Its name.
    pub name: &'a str,
    /// Wall clock, milliseconds since the Unix epoch.
    #[component(name = "at-ms")]
    pub at_ms: u64,
    /// What this version has no field for.
    pub extras: &'a [Attribute<'a>],
}

/// One event of a batch.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(variant)]
pub enum Event<'a> {
    /// What happened to a client or session.
    #[component(name = "client")]
    Client(Client<'a>),
    /// `client.authenticate`
    #[component(name = "credentials")]
    Credentials(Credentials<'a>),
    /// `client.authorize`
    #[component(name = "access")]
    Access(Access<'a>),
    /// What is about a subscription.
    #[component(name = "subscription")]
    Subscription(Subscription<'a>),
    /// `message.publish`
    #[component(name = "message")]
    Message(Message<'a>),
    /// `message.deliver`, `message.acked`, `message.position`, `message.dropped`
    #[component(name = "delivery")]
    Delivery(Delivery<'a>),
    /// `session.fetch`
    #[component(name = "fetch")]
    Fetch(Fetch<'a>),
    /// `session.exchange`
    #[component(name = "exchange")]
    Exchange(Exchange<'a>),
    /// `node.started`
    #[component(name = "node")]
    Node(Node<'a>),
    /// A shape this version does not know; the host sends none.
    #[component(name = "other")]
    Other(&'a [Attribute<'a>]),
}
