//! Typed answers of `session.created`.

use super::{IntoVerdict, Verdict};

/// What a new session begins with, on `session.created`.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// Subscribes every client to its own commands.
/// #[action(hook = "session.created")]
/// fn commands(_: &Context, client: &Client) -> Restoration {
///     Restoration::new().subscribe(format!("commands/{}", client.clientid), 1)
/// }
///
/// let rule = Rule::new(&commands::ACTION);
/// let Verdict::Restore(begin) = rule.run(testing::client("c1")) else {
///     panic!("nothing was restored");
/// };
/// assert_eq!(begin.subscriptions[0].filter, "commands/c1");
/// assert!(!begin.is_present);
/// ```
pub use crate::bindings::exports::hookwire::rule::actions::Restoration;

/// One subscription of a [`Restoration`], with its options.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// A member of a chat does not hear itself.
/// #[action(hook = "session.created")]
/// fn chat(_: &Context, _: &Client) -> Vec<RestoredSubscription> {
///     vec![RestoredSubscription { no_local: true, ..RestoredSubscription::new("chat/#", 1) }]
/// }
///
/// let Verdict::Restore(begin) = Rule::new(&chat::ACTION).run(testing::client("c1")) else {
///     panic!("nothing was restored");
/// };
/// assert!(begin.subscriptions[0].no_local);
/// assert_eq!(begin.subscriptions[0].qos, 1);
/// ```
pub use crate::bindings::exports::hookwire::rule::actions::RestoredSubscription;

/// One QoS 2 exchange of a [`Restoration`].
///
/// ```
/// # use hookwire_sdk::{Restoration, RestoredExchange};
/// let begin = Restoration::new()
///     .present()
///     .exchange(RestoredExchange::new("out", 7, "sent", "2PguFrHsrzEvIIBdctmb"));
/// assert_eq!(begin.exchanges[0].packet_id, 7);
/// ```
pub use crate::bindings::exports::hookwire::rule::actions::RestoredExchange;

impl Restoration {
    /// Nothing yet.
    ///
    /// ```
    /// # use hookwire_sdk::Restoration;
    /// assert!(Restoration::new().subscriptions.is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a subscription by its filter and maximum QoS.
    ///
    /// ```
    /// # use hookwire_sdk::Restoration;
    /// let begin = Restoration::new().subscribe("commands/c1", 1).subscribe("news/#", 0);
    /// assert_eq!(begin.subscriptions.len(), 2);
    /// ```
    #[must_use]
    pub fn subscribe(self, filter: impl Into<String>, qos: u8) -> Self {
        self.with(RestoredSubscription::new(filter, qos))
    }

    /// Adds a subscription with options of its own.
    ///
    /// ```
    /// # use hookwire_sdk::{Restoration, RestoredSubscription};
    /// let own = RestoredSubscription { no_local: true, ..RestoredSubscription::new("room/#", 1) };
    /// assert!(Restoration::new().with(own).subscriptions[0].no_local);
    /// ```
    #[must_use]
    pub fn with(mut self, subscription: RestoredSubscription) -> Self {
        self.subscriptions.push(subscription);
        self
    }

    /// Adds a QoS 2 exchange that was under way.
    ///
    /// ```
    /// # use hookwire_sdk::{Restoration, RestoredExchange};
    /// let received = RestoredExchange::new("in", 1, "received", "2PguFrHsrzEvIIBdctmb");
    /// assert_eq!(Restoration::new().exchange(received).exchanges.len(), 1);
    /// ```
    #[must_use]
    pub fn exchange(mut self, exchange: RestoredExchange) -> Self {
        self.exchanges.push(exchange);
        self
    }

    /// All of the session's state is here: the client is told Session Present.
    ///
    /// ```
    /// # use hookwire_sdk::Restoration;
    /// assert!(Restoration::new().subscribe("news/#", 0).present().is_present);
    /// ```
    #[must_use]
    pub fn present(mut self) -> Self {
        self.is_present = true;
        self
    }
}

impl Default for Restoration {
    /// Nothing: the session begins empty.
    fn default() -> Self {
        Self {
            subscriptions: Vec::new(),
            is_present: false,
            exchanges: Vec::new(),
            extras: Vec::new(),
        }
    }
}

impl RestoredSubscription {
    /// A subscription with the options that a plain SUBSCRIBE has.
    ///
    /// ```
    /// # use hookwire_sdk::RestoredSubscription;
    /// let subscription = RestoredSubscription {
    ///     no_local: true,
    ///     identifier: Some(7),
    ///     ..RestoredSubscription::new("alerts/#", 1)
    /// };
    /// assert_eq!(subscription.retain_handling, 0);
    /// ```
    pub fn new(filter: impl Into<String>, qos: u8) -> Self {
        Self {
            filter: filter.into(),
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: 0,
            identifier: None,
            extras: Vec::new(),
        }
    }
}

impl RestoredExchange {
    /// An exchange by its direction, packet id, state and message id.
    ///
    /// ```
    /// # use hookwire_sdk::RestoredExchange;
    /// let sent = RestoredExchange::new("out", 7, "sent", "2PguFrHsrzEvIIBdctmb");
    /// assert_eq!(sent.state, "sent");
    /// ```
    pub fn new(
        direction: impl Into<String>,
        packet_id: u16,
        state: impl Into<String>,
        message_id: impl Into<String>,
    ) -> Self {
        Self {
            direction: direction.into(),
            packet_id,
            message_id: message_id.into(),
            state: state.into(),
            extras: Vec::new(),
        }
    }
}

impl From<Restoration> for Verdict {
    fn from(restoration: Restoration) -> Self {
        Self::Restore(restoration)
    }
}

impl IntoVerdict for Restoration {
    fn into_verdict(self) -> Verdict {
        self.into()
    }
}

/// Subscriptions alone; an empty list proceeds.
impl IntoVerdict for Vec<RestoredSubscription> {
    fn into_verdict(self) -> Verdict {
        if self.is_empty() {
            return Verdict::Proceed;
        }
        Verdict::Restore(Restoration {
            subscriptions: self,
            ..Restoration::default()
        })
    }
}
