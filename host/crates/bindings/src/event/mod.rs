//! Events as `handle` takes them, borrowed from what the broker holds.
//!
//! The macro's own event types own their strings and payloads. These do not, so
//! that a message is copied once only: into the guest's memory. They must mirror
//! `hookwire:types/events` field by field; the check is made when a module's
//! `handle` is looked up, and a mismatch fails there.

mod client;
mod session;

use hookwire_broker::Message as BrokerMessage;
use wasmtime::component::{ComponentType, Lower, TypedFunc};

use crate::lower::Calls;
use crate::wit::exports::hookwire::rule::actions::Settled;
pub use client::{Access, Client, Connection, ConnectionText, Credentials};
pub use session::{Exchange, Fetch, Subscription};

/// `handle`, typed over borrowed events. A call may pass any shorter lifetime.
pub type Handle = TypedFunc<(&'static [Event<'static>], Calls<'static>), (Vec<Settled>,)>;

/// A name and a value.
pub type Attribute<'a> = (&'a str, &'a str);

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
