//! What a module may ask of the broker. Each function is granted by its name:
//! `grants = ["broker.publish", "broker.lookup"]`.
//!
//! Nothing here waits, but for [`lookup`]: calls are put down, and carried out
//! when the batch is settled. What was put down before a panic is not carried
//! out. Each call fails, `Denied`, where it was not granted, and `Saturated`,
//! where too much is put down.
//!
//! ```
//! use hookwire_sdk::broker::{self, Publish};
//! use hookwire_sdk::prelude::*;
//! use hookwire_sdk::testing::{self, BrokerCall, Rule};
//!
//! /// Tells of readings that are too hot.
//! #[action(hook = "message.publish", interest("payload"))]
//! fn alert(_: &Context, message: &Message) -> Result<(), Fault> {
//!     let celsius: f64 = message.json()?;
//!     if celsius > 70.0 {
//!         broker::publish(&Publish::new("alerts/hot", message.topic.as_str()).qos(1))?;
//!     }
//!     Ok(())
//! }
//!
//! let rule = Rule::new(&alert::ACTION);
//! assert_eq!(rule.run(testing::message("ovens/1", "21.5")), Verdict::Proceed);
//! assert_eq!(testing::take_broker_calls(), []);
//! rule.run(testing::message("ovens/1", "71.5"));
//! assert_eq!(
//!     testing::take_broker_calls(),
//!     [BrokerCall::Publish(Publish::new("alerts/hot", "ovens/1").qos(1))]
//! );
//! ```

use std::time::Duration;

#[cfg(target_arch = "wasm32")]
use crate::bindings::hookwire::broker::broker as host;
/// A client as [`lookup`] finds it.
///
/// ```
/// use hookwire_sdk::broker::{self, ClientState};
/// use hookwire_sdk::testing;
///
/// testing::set_client(ClientState {
///     subscriptions: vec![("commands/#".to_owned(), 1)],
///     queued: 12,
///     ..testing::client_state("c1")
/// });
/// let client = broker::lookup("c1").unwrap().expect("the client has a session");
/// let listens = client.subscriptions.iter().any(|(filter, _)| filter.starts_with("commands/"));
/// assert!(listens && client.queued < 100);
/// ```
pub use crate::bindings::hookwire::broker::broker::ClientState;
use crate::bindings::hookwire::broker::broker::{Outgoing, Subscribing};
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::doubles::broker as host;
use crate::{Attribute, Fault, RestoredSubscription};

/// A message on its way to the broker: QoS 0 and not retained, unless it is
/// said otherwise.
///
/// ```
/// use std::time::Duration;
///
/// use hookwire_sdk::broker::Publish;
///
/// let message = Publish::new("alerts/hot", "71.5")
///     .qos(1)
///     .retain()
///     .expiry(Duration::from_secs(3600))
///     .user_property("unit", "C");
/// assert_eq!(message.expiry_s, Some(3600));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// A topic name.
    pub topic: String,
    /// The application's bytes.
    pub payload: Vec<u8>,
    /// QoS it is published with.
    pub qos: u8,
    /// Whether the broker keeps it as the topic's last value.
    pub retain: bool,
    /// Seconds until it is worth nothing any more.
    pub expiry_s: Option<u32>,
    /// User properties, in order.
    pub user_properties: Vec<Attribute>,
}

impl Publish {
    /// A message with QoS 0.
    ///
    /// ```
    /// use hookwire_sdk::broker::Publish;
    ///
    /// let message = Publish::new("ovens/1/state", b"off");
    /// assert_eq!((message.qos, message.retain), (0, false));
    /// ```
    pub fn new(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            qos: 0,
            retain: false,
            expiry_s: None,
            user_properties: Vec::new(),
        }
    }

    /// Publishes with that QoS: 0, 1 or 2.
    ///
    /// ```
    /// # use hookwire_sdk::broker::Publish;
    /// assert_eq!(Publish::new("alerts/hot", "71.5").qos(2).qos, 2);
    /// ```
    #[must_use]
    pub fn qos(mut self, qos: u8) -> Self {
        self.qos = qos;
        self
    }

    /// The broker keeps it as the topic's last value; with an empty payload the
    /// topic has none any more.
    ///
    /// ```
    /// # use hookwire_sdk::broker::Publish;
    /// let forget = Publish::new("ovens/1/state", "").retain();
    /// assert!(forget.retain && forget.payload.is_empty());
    /// ```
    #[must_use]
    pub fn retain(mut self) -> Self {
        self.retain = true;
        self
    }

    /// After that time, in whole seconds, it is worth nothing any more.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hookwire_sdk::broker::Publish;
    /// let command = Publish::new("ovens/1/set", "off").expiry(Duration::from_millis(2_500));
    /// assert_eq!(command.expiry_s, Some(2));
    /// ```
    #[must_use]
    pub fn expiry(mut self, time: Duration) -> Self {
        self.expiry_s = Some(u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
        self
    }

    /// Adds a user property.
    ///
    /// ```
    /// # use hookwire_sdk::broker::Publish;
    /// let reading = Publish::new("ovens/1", "71.5").user_property("unit", "C");
    /// assert_eq!(reading.user_properties, [("unit".to_owned(), "C".to_owned())]);
    /// ```
    #[must_use]
    pub fn user_property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.user_properties.push((name.into(), value.into()));
        self
    }

    /// Calls `send` with the message as the interface has it.
    fn sent<T>(&self, send: impl FnOnce(Outgoing<'_>) -> T) -> T {
        let user_properties: Vec<(&str, &str)> = self
            .user_properties
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        send(Outgoing {
            topic: &self.topic,
            payload: &self.payload,
            qos: self.qos,
            retain: self.retain,
            expiry_s: self.expiry_s,
            user_properties: &user_properties,
            extras: &[],
        })
    }
}

/// Publishes a message, which passes the rules like any other; its sender is
/// `$rule/MODULE/WORKER`, with the number of the worker. One that rules published in answer to one another eight
/// times over is dropped.
///
/// ```
/// # use hookwire_sdk::broker::{self, Publish};
/// use hookwire_sdk::FaultKind;
///
/// broker::publish(&Publish::new("alerts/hot", "71.5").qos(1)).unwrap();
///
/// let fault = broker::publish(&Publish::new("alerts/+", "71.5")).unwrap_err();
/// assert_eq!(fault.kind, FaultKind::Invalid);
/// ```
///
/// # Errors
/// `Invalid` where the topic is no topic name or the QoS none; `Denied`;
/// `Saturated`.
pub fn publish(message: &Publish) -> Result<(), Fault> {
    message.sent(host::publish)
}

/// Sends a message to one client, whatever it subscribes to; where it has no
/// session, nothing happens.
///
/// ```
/// # use hookwire_sdk::broker::{self, Publish};
/// # use hookwire_sdk::prelude::*;
/// /// Greets a client that connects.
/// #[action(hook = "client.connected")]
/// fn greet(_: &Context, client: &Client) -> Result<(), Fault> {
///     broker::deliver(&client.clientid, &Publish::new("greetings", "welcome"))
/// }
/// # use hookwire_sdk::testing::{self, Rule};
/// # Rule::new(&greet::ACTION).run(testing::client("c1"));
/// # assert_eq!(testing::take_broker_calls().len(), 1);
/// ```
///
/// # Errors
/// As for [`publish`].
pub fn deliver(clientid: &str, message: &Publish) -> Result<(), Fault> {
    message.sent(|message| host::deliver(clientid, message))
}

/// Subscribes on a client's behalf; where it has no session, nothing happens.
///
/// ```
/// use hookwire_sdk::{RestoredSubscription, broker};
///
/// broker::subscribe("c1", &RestoredSubscription::new("commands/c1", 1)).unwrap();
/// ```
///
/// # Errors
/// `Invalid` where the filter is none; `Denied`; `Saturated`.
pub fn subscribe(clientid: &str, subscription: &RestoredSubscription) -> Result<(), Fault> {
    let subscribing = Subscribing {
        filter: &subscription.filter,
        qos: subscription.qos,
        no_local: subscription.no_local,
        retain_as_published: subscription.retain_as_published,
        retain_handling: subscription.retain_handling,
        identifier: subscription.identifier,
        extras: &[],
    };
    host::subscribe(clientid, subscribing)
}

/// Ends a client's subscription, named by its filter.
///
/// ```
/// use hookwire_sdk::broker;
/// use hookwire_sdk::testing::{self, BrokerCall};
///
/// broker::unsubscribe("c1", "commands/c1").unwrap();
/// let calls = testing::take_broker_calls();
/// assert!(matches!(&calls[0], BrokerCall::Unsubscribe { filter, .. } if filter == "commands/c1"));
/// ```
///
/// # Errors
/// `Denied`; `Saturated`.
pub fn unsubscribe(clientid: &str, filter: &str) -> Result<(), Fault> {
    host::unsubscribe(clientid, filter)
}

/// Ends a client's connection with a [reason code](crate::reason_code).
///
/// ```
/// use hookwire_sdk::{broker, reason_code};
///
/// broker::disconnect("c1", reason_code::ADMINISTRATIVE_ACTION, "maintenance").unwrap();
/// ```
///
/// # Errors
/// `Invalid` where the code is below 0x80; `Denied`; `Saturated`.
pub fn disconnect(clientid: &str, reason_code: u8, reason: &str) -> Result<(), Fault> {
    host::disconnect(clientid, reason_code, reason)
}

/// What is known of a client; none where it has no session on this node.
///
/// ```
/// use hookwire_sdk::{broker, testing};
///
/// testing::set_client(testing::client_state("c1"));
/// assert!(broker::lookup("c1").unwrap().is_some_and(|client| client.connected));
/// assert_eq!(broker::lookup("c2").unwrap(), None);
/// ```
///
/// # Errors
/// `Denied`; `Unavailable`, where the client's worker does not answer in time.
pub fn lookup(clientid: &str) -> Result<Option<ClientState>, Fault> {
    host::lookup(clientid)
}
