//! Events about what a session has: subscriptions, what is fetched for them, QoS 2
//! exchanges.

use hookwire_broker::{Exchange as BrokerExchange, ExchangeStep, FetchRequest, SubscriptionInfo};
use wasmtime::component::{ComponentType, Lower};

use super::{Attribute, Client};

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
