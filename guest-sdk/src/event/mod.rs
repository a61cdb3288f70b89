//! From the host's events to the types an action names, and what those tell.

mod message;
mod run;

/// The event of an action on hooks whose events are of several types.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// Logs whom it is about.
/// #[action(hook = "client.connected", hook = "message.publish")]
/// fn whom(_: &Context, event: &Event) {
///     match event {
///         Event::Client(client) => log_info!("{}", client.clientid),
///         Event::Message(message) => log_info!("{}", message.sender),
///         _ => {}
///     }
/// }
///
/// Rule::new(&whom::ACTION).run(testing::client("c1"));
/// assert_eq!(testing::take_log()[0].1, "c1");
/// ```
pub use crate::bindings::hookwire::types::events::Event;

/// The event of `client.connect`, `client.connected` and the other hooks about a
/// client or its session.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// Tells who went without saying so.
/// #[action(hook = "client.disconnected")]
/// fn lost(_: &Context, client: &Client) {
///     if client.reason == "keep-alive" {
///         log_warn!("{} is silent", client.clientid);
///     }
/// }
///
/// let silent = Client { reason: "keep-alive".to_owned(), ..testing::client("c1") };
/// Rule::new(&lost::ACTION).run(silent);
/// assert_eq!(testing::take_log()[0].1, "c1 is silent");
/// ```
pub use crate::bindings::hookwire::types::events::Client;

/// How a client is connected, for actions with the interest `connection`.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// Only clients of MQTT 5 are served.
/// #[action(hook = "client.connect", interest("connection"))]
/// fn modern(_: &Context, client: &Client) -> Verdict {
///     match &client.connection {
///         Some(connection) if connection.protocol < 5 => {
///             Verdict::deny(reason_code::IMPLEMENTATION_SPECIFIC_ERROR, "MQTT 5 is needed")
///         }
///         _ => Verdict::Proceed,
///     }
/// }
///
/// let mut client = testing::client("c1");
/// client.connection = Some(testing::connection());
/// assert_eq!(Rule::new(&modern::ACTION).run(client), Verdict::Proceed);
/// ```
pub use crate::bindings::hookwire::types::events::Connection;

/// The event of `client.authenticate`.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// A client's user name is its client id.
/// #[action(hook = "client.authenticate")]
/// fn own_name(_: &Context, who: &Credentials) -> Authentication {
///     match who.client.username.as_deref() == Some(&who.client.clientid) {
///         true => Authentication::Defer,
///         false => Authentication::Deny("a borrowed name".to_owned()),
///     }
/// }
///
/// let rule = Rule::new(&own_name::ACTION);
/// assert_eq!(rule.run(testing::credentials("c1", "c1", "secret")), Verdict::defer());
/// assert_ne!(rule.run(testing::credentials("c1", "c2", "secret")), Verdict::defer());
/// ```
pub use crate::bindings::hookwire::types::events::Credentials;

/// The event of `client.authorize`.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// Nobody subscribes to everything.
/// #[action(hook = "client.authorize")]
/// fn not_all(_: &Context, access: &Access) -> Authorization {
///     match access.is_subscribe() && access.topic == "#" {
///         true => Authorization::Deny("name what you need".to_owned()),
///         false => Authorization::Defer,
///     }
/// }
///
/// let rule = Rule::new(&not_all::ACTION);
/// assert_eq!(rule.run(testing::access("c1", "subscribe", "a/#")), Verdict::defer());
/// assert_ne!(rule.run(testing::access("c1", "subscribe", "#")), Verdict::defer());
/// ```
pub use crate::bindings::hookwire::types::events::Access;

/// The event of `client.subscribe` and the other hooks about a subscription.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// Statistics are sent with QoS 0.
/// #[action(hook = "client.subscribe")]
/// fn cheap(_: &Context, subscription: &Subscription) -> Verdict {
///     match subscription.filter.starts_with("stats/") && subscription.qos > 0 {
///         true => Replacement::new().qos(0).into(),
///         false => Verdict::Proceed,
///     }
/// }
///
/// let rule = Rule::new(&cheap::ACTION);
/// assert_eq!(rule.run(testing::subscription("c1", "a/#")), Verdict::Proceed);
/// assert_eq!(
///     rule.run(testing::subscription("c1", "stats/#")),
///     Replacement::new().qos(0).into()
/// );
/// ```
pub use crate::bindings::hookwire::types::events::Subscription;

/// The event of `message.publish`.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// A retained command would be given again to whoever subscribes later.
/// #[action(hook = "message.publish", interest("retain"))]
/// fn no_retained_commands(_: &Context, message: &Message) -> Verdict {
///     match message.topic.starts_with("commands/") {
///         true => Verdict::deny(reason_code::RETAIN_NOT_SUPPORTED, "commands are not retained"),
///         false => Verdict::Proceed,
///     }
/// }
///
/// let command = Message { retain: true, ..testing::message("commands/1", "off") };
/// assert!(matches!(Rule::new(&no_retained_commands::ACTION).run(command), Verdict::Deny(_)));
/// ```
pub use crate::bindings::hookwire::types::events::Message;

/// The event of `session.fetch` and `session.retained`: messages that are stored for a subscription are
/// wanted, page by page.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// Everybody finds a word of welcome, once.
/// #[action(hook = "session.fetch")]
/// fn welcome(_: &Context, fetch: &Fetch) -> Page {
///     match fetch.begins && fetch.filter == "news/#" {
///         true => Page::of(vec![testing::message("news/welcome", "hello")]),
///         false => Page::default(),
///     }
/// }
///
/// let rule = Rule::new(&welcome::ACTION);
/// let begins = Fetch { begins: true, ..testing::fetch("c1", "news/#") };
/// let Verdict::Page(page) = rule.run(begins) else {
///     panic!("no page");
/// };
/// assert_eq!(page.messages[0].topic, "news/welcome");
/// assert_eq!(rule.run(testing::fetch("c1", "news/#")), Page::default().into());
/// ```
pub use crate::bindings::hookwire::types::events::Fetch;

/// The event of `session.exchange`: a QoS 2 exchange moves on when the action has
/// answered.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// Counts messages that reached their receiver exactly once.
/// #[action(hook = "session.exchange")]
/// fn completed(_: &Context, exchange: &Exchange) {
///     if exchange.direction == "out" && exchange.state == "completed" {
///         log_info!("{} has {}", exchange.client.clientid, exchange.message_id);
///     }
/// }
///
/// Rule::new(&completed::ACTION).run(testing::exchange("c1", "out", "completed"));
/// assert_eq!(testing::take_log()[0].1, "c1 has 2PguFrHsrzEvIIBdctmb");
/// ```
pub use crate::bindings::hookwire::types::events::Exchange;

/// The event of `node.started`.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// Says when the broker began.
/// #[action(hook = "node.started")]
/// fn began(_: &Context, node: &Node) {
///     log_info!("{} began at {}", node.name, node.at_ms);
/// }
///
/// Rule::new(&began::ACTION).run(testing::node("hookwire@127.0.0.1"));
/// assert!(testing::take_log()[0].1.starts_with("hookwire@127.0.0.1 began"));
/// ```
pub use crate::bindings::hookwire::types::events::Node;

/// The event of `message.deliver`, `message.acked`, `message.position` and
/// `message.dropped`.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// A publisher does not get its own messages back.
/// #[action(hook = "message.deliver")]
/// fn no_echo(_: &Context, delivery: &Delivery) -> Verdict {
///     match delivery.clientid == delivery.message.sender {
///         true => Verdict::Drop,
///         false => Verdict::Proceed,
///     }
/// }
///
/// let rule = Rule::new(&no_echo::ACTION);
/// let to = |clientid| rule.run(testing::delivery(clientid, testing::message("a", "")));
/// assert_eq!(to("publisher"), Verdict::Drop);
/// assert_eq!(to("c1"), Verdict::Proceed);
/// ```
pub use crate::bindings::hookwire::types::events::Delivery;

pub use run::{run_batch, run_single};

/// What an event can be about.
pub trait Subject: Sized {
    /// The event's content, if it has this shape.
    fn of(event: &Event) -> Option<&Self>;
}

impl Subject for Event {
    fn of(event: &Event) -> Option<&Self> {
        Some(event)
    }
}

macro_rules! subjects {
    ($($subject:ident),+) => {$(
        impl Subject for $subject {
            fn of(event: &Event) -> Option<&Self> {
                match event {
                    Event::$subject(subject) => Some(subject),
                    _ => None,
                }
            }
        }

        impl From<$subject> for Event {
            fn from(subject: $subject) -> Self {
                Self::$subject(subject)
            }
        }
    )+};
}

subjects!(
    Client,
    Credentials,
    Access,
    Subscription,
    Message,
    Delivery,
    Fetch,
    Exchange,
    Node
);

impl Access {
    /// Whether the client wants to publish, be it its will.
    ///
    /// ```
    /// # use hookwire_sdk::testing;
    /// assert!(testing::access("c1", "publish", "a").is_publish());
    /// assert!(testing::access("c1", "publish-will", "a").is_publish());
    /// assert!(!testing::access("c1", "subscribe", "a").is_publish());
    /// ```
    #[must_use]
    pub fn is_publish(&self) -> bool {
        self.operation == "publish" || self.operation == "publish-will"
    }

    /// Whether the client wants to subscribe.
    ///
    /// ```
    /// # use hookwire_sdk::testing;
    /// assert!(testing::access("c1", "subscribe", "a/#").is_subscribe());
    /// assert!(!testing::access("c1", "publish", "a").is_subscribe());
    /// ```
    #[must_use]
    pub fn is_subscribe(&self) -> bool {
        self.operation == "subscribe"
    }
}

impl Subscription {
    /// The first user property of that name in SUBSCRIBE or UNSUBSCRIBE.
    ///
    /// ```
    /// # use hookwire_sdk::testing;
    /// let mut subscription = testing::subscription("c1", "orders/#");
    /// subscription.user_properties.push(("tenant".to_owned(), "north".to_owned()));
    /// assert_eq!(subscription.user_property("tenant"), Some("north"));
    /// assert_eq!(subscription.user_property("region"), None);
    /// ```
    #[must_use]
    pub fn user_property(&self, name: &str) -> Option<&str> {
        first(&self.user_properties, name)
    }
}

fn first<'p>(properties: &'p [(String, String)], name: &str) -> Option<&'p str> {
    properties
        .iter()
        .find(|(property, _)| property == name)
        .map(|(_, value)| value.as_str())
}
