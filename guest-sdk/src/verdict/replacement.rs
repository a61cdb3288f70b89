//! What a message or a subscription becomes.

use super::Verdict;

/// What goes on in place of a message, or of a subscription.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// Old devices speak Fahrenheit.
/// #[action(hook = "message.publish", interest("payload"))]
/// fn celsius(_: &Context, message: &Message) -> Result<Verdict, Fault> {
///     let Some(room) = message.topic.strip_prefix("fahrenheit/") else {
///         return Ok(Verdict::Proceed);
///     };
///     let fahrenheit: f64 = message.json()?;
///     let change = Replacement::new()
///         .topic(format!("celsius/{room}"))
///         .payload(format!("{:.1}", (fahrenheit - 32.0) / 1.8));
///     Ok(change.into())
/// }
///
/// let rule = Rule::new(&celsius::ACTION);
/// let Verdict::Replace(change) = rule.run(testing::message("fahrenheit/kitchen", "70")) else {
///     panic!("the message goes on as it is");
/// };
/// assert_eq!(change.topic.as_deref(), Some("celsius/kitchen"));
/// assert_eq!(change.payload.as_deref(), Some(&b"21.1"[..]));
/// assert_eq!(change.qos, None, "what is not named stays");
/// ```
pub use crate::bindings::exports::hookwire::rule::actions::Replacement;

impl Replacement {
    /// Changes nothing yet.
    ///
    /// ```
    /// # use hookwire_sdk::Replacement;
    /// assert_eq!(Replacement::new().topic, None);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another topic name; on `client.subscribe` another filter.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Rule};
    /// /// Every tenant has a room of its own.
    /// #[action(hook = "message.publish")]
    /// fn rooms(_: &Context, message: &Message) -> Replacement {
    ///     Replacement::new().topic(format!("tenants/{}/{}", message.sender, message.topic))
    /// }
    ///
    /// let verdict = Rule::new(&rooms::ACTION).run(testing::message("state", ""));
    /// assert_eq!(verdict, Replacement::new().topic("tenants/publisher/state").into());
    /// ```
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Another payload.
    ///
    /// ```
    /// # use hookwire_sdk::Replacement;
    /// let change = Replacement::new().payload("21.5");
    /// assert_eq!(change.payload.as_deref(), Some(&b"21.5"[..]));
    /// ```
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = Some(payload.into());
        self
    }

    /// Another QoS.
    ///
    /// ```
    /// # use hookwire_sdk::Replacement;
    /// assert_eq!(Replacement::new().qos(0).qos, Some(0));
    /// ```
    #[must_use]
    pub fn qos(mut self, qos: u8) -> Self {
        self.qos = Some(qos);
        self
    }

    /// Another retain flag.
    ///
    /// ```
    /// # use hookwire_sdk::Replacement;
    /// assert_eq!(Replacement::new().retain(true).retain, Some(true));
    /// ```
    #[must_use]
    pub fn retain(mut self, retain: bool) -> Self {
        self.retain = Some(retain);
        self
    }

    /// Other user properties, in place of all that the message has.
    ///
    /// ```
    /// # use hookwire_sdk::Replacement;
    /// let change = Replacement::new().user_properties([("unit", "C"), ("site", "north")]);
    /// assert_eq!(change.user_properties.unwrap().len(), 2);
    /// ```
    #[must_use]
    pub fn user_properties<N, V>(mut self, properties: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<String>,
    {
        let properties = properties.into_iter();
        let owned = properties.map(|(name, value)| (name.into(), value.into()));
        self.user_properties = Some(owned.collect());
        self
    }
}

impl From<Replacement> for Verdict {
    fn from(replacement: Replacement) -> Self {
        Self::Replace(replacement)
    }
}
