//! Events as `handle` takes them, borrowed from what the broker holds.
//!
//! The macro's own event types own their strings and payloads. These do not, so
//! that a message is copied once only: into the guest's memory. They must mirror
//! `hookwire:types/events` field by field; the check is made when a module's
//! `handle` is looked up, and a mismatch fails there.

use hookwire_broker::{ClientEvent, ClientInfo, Message as BrokerMessage};
use wasmtime::component::{ComponentType, Lower, TypedFunc};

use crate::wit::exports::hookwire::rule::actions::{Call, Settled};

/// `handle`, typed over borrowed events. A call may pass any shorter lifetime.
pub type Handle = TypedFunc<(&'static [Event<'static>], &'static [Call]), (Vec<Settled>,)>;

/// A name and a value.
pub type Attribute<'a> = (&'a str, &'a str);

/// What happened to a client.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub struct Client<'a> {
    /// Client identifier.
    pub clientid: &'a str,
    /// User name of CONNECT, if there was one.
    pub username: Option<&'a str>,
    /// Why it went; empty unless the hook is `client.disconnected`.
    pub reason: &'a str,
    /// Wall clock, milliseconds since the Unix epoch.
    #[component(name = "at-ms")]
    pub at_ms: u64,
    /// What this version has no field for.
    pub extras: &'a [Attribute<'a>],
}

impl<'a> From<&'a ClientEvent> for Client<'a> {
    fn from(event: &'a ClientEvent) -> Self {
        Self {
            clientid: &event.client.clientid,
            username: event.client.username.as_deref(),
            reason: event.reason,
            at_ms: event.at_ms,
            extras: &[],
        }
    }
}

/// A message.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub struct Message<'a> {
    /// The message id's 20 characters.
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
    #[component(name = "at-ms")]
    pub at_ms: u64,
    /// In the order sent.
    #[component(name = "user-properties")]
    pub user_properties: &'a [Attribute<'a>],
    /// What this version has no field for.
    pub extras: &'a [Attribute<'a>],
}

/// The parts of a message that the broker keeps in another form, and whether
/// the payload is to be copied at all.
#[derive(Debug, Clone, Copy)]
pub struct MessageText<'a> {
    /// [`hookwire_broker::MessageId::to_text`], as text.
    pub id: &'a str,
    /// Decoded from the message's properties.
    pub user_properties: &'a [Attribute<'a>],
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
            user_properties: text.user_properties,
            extras: &[],
        }
    }
}

/// A message that one client acknowledged.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub struct Delivery<'a> {
    /// The client that acknowledged.
    pub clientid: &'a str,
    /// What it acknowledged.
    pub message: Message<'a>,
}

impl<'a> Delivery<'a> {
    /// `message`, acknowledged by `client`.
    #[must_use]
    pub fn new(client: &'a ClientInfo, message: Message<'a>) -> Self {
        Self {
            clientid: &client.clientid,
            message,
        }
    }
}

/// One event of a batch.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(variant)]
pub enum Event<'a> {
    /// `client.*`
    #[component(name = "client")]
    Client(Client<'a>),
    /// `message.publish`
    #[component(name = "message")]
    Message(Message<'a>),
    /// `message.acked`
    #[component(name = "delivery")]
    Delivery(Delivery<'a>),
    /// A shape this version does not know; the host sends none.
    #[component(name = "other")]
    Other(&'a [Attribute<'a>]),
}
