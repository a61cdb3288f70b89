//! What an action decides, for one event or for a batch.

mod answer;
mod authentication;
mod authorization;
mod batch;
mod restoration;

use std::time::Duration;

use crate::Fault;

pub use crate::bindings::exports::hookwire::rule::actions::{
    Allowance, Denial, Replacement, Restoration, RestoredSubscription, Verdict,
};
pub use answer::{IntoVerdict, IntoVerdicts};
pub use authentication::Authentication;
pub use authorization::Authorization;
pub use batch::Verdicts;

/// Constructors. Which verdicts fit depends on the hook: the README has a table.
impl Verdict {
    /// Refuses with an MQTT 5 reason code (0x80 or above) and a text for a person.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// let verdict = Verdict::deny(reason_code::QUOTA_EXCEEDED, "100 a minute are enough");
    /// assert!(matches!(verdict, Verdict::Deny(denial) if denial.reason_code == 0x97));
    /// ```
    pub fn deny(reason_code: u8, reason: impl Into<String>) -> Self {
        Self::Deny(Denial::new(reason_code, reason))
    }

    /// Closes the client's connection with an MQTT 5 reason code (0x80 or above).
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// let verdict = Verdict::disconnect(reason_code::ADMINISTRATIVE_ACTION, "banned");
    /// assert!(matches!(verdict, Verdict::Disconnect(_)));
    /// ```
    pub fn disconnect(reason_code: u8, reason: impl Into<String>) -> Self {
        Self::Disconnect(Denial::new(reason_code, reason))
    }

    /// Gives leave; later rules of the hook are not asked. For
    /// `client.authenticate` and `client.authorize`.
    #[must_use]
    pub fn allow() -> Self {
        Self::allow_with(Allowance::default())
    }

    /// Gives leave, with data for the client or a time for which it holds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hookwire_sdk::prelude::*;
    /// let verdict = Verdict::allow_with(Allowance::default().keep(Duration::from_secs(60)));
    /// assert!(matches!(verdict, Verdict::Allow(leave) if leave.keep_ms == Some(60_000)));
    /// ```
    #[must_use]
    pub fn allow_with(allowance: Allowance) -> Self {
        Self::Allow(allowance)
    }

    /// Leaves the decision to the next rule of the hook, and after the last to
    /// the listener's default. On `client.authenticate` and `client.authorize`
    /// that is what [`Verdict::Proceed`] means.
    ///
    /// ```
    /// # use hookwire_sdk::Verdict;
    /// assert_eq!(Verdict::defer(), Verdict::Proceed);
    /// ```
    #[must_use]
    pub fn defer() -> Self {
        Self::Proceed
    }

    /// Has the client answer `data` in AUTH, in an enhanced authentication.
    pub fn challenge(data: impl Into<Vec<u8>>) -> Self {
        Self::Challenge(data.into())
    }

    /// Begins the session with this. For `session.created`.
    #[must_use]
    pub fn restore(restoration: Restoration) -> Self {
        Self::Restore(restoration)
    }

    /// Goes on with the message, or on `client.subscribe` the subscription,
    /// changed.
    #[must_use]
    pub fn replace(replacement: Replacement) -> Self {
        Self::Replace(replacement)
    }
}

impl Denial {
    /// A refusal with an MQTT 5 reason code (0x80 or above) and a text for a
    /// person, which is sent to clients that want it.
    pub fn new(reason_code: u8, reason: impl Into<String>) -> Self {
        Self {
            reason_code,
            reason: reason.into(),
            extras: Vec::new(),
        }
    }
}

impl Default for Allowance {
    /// Leave without data that holds until rules change.
    fn default() -> Self {
        Self {
            data: None,
            keep_ms: None,
            extras: Vec::new(),
        }
    }
}

impl Allowance {
    /// Sends `data` to the client at the end of an enhanced authentication.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// The broker may keep an answer of `client.authorize` for that long;
    /// [`Duration::ZERO`]: it asks each time.
    #[must_use]
    pub fn keep(mut self, time: Duration) -> Self {
        self.keep_ms = Some(crate::milliseconds(time));
        self
    }
}

impl Default for Replacement {
    /// Changes nothing.
    fn default() -> Self {
        Self {
            topic: None,
            payload: None,
            qos: None,
            retain: None,
            user_properties: None,
            extras: Vec::new(),
        }
    }
}

/// What to change; what is not named stays.
///
/// ```
/// # use hookwire_sdk::prelude::*;
/// #[action(hook = "message.publish", interest("payload"))]
/// fn upper_case(_: &Context, message: &Message) -> Replacement {
///     Replacement::new()
///         .payload(message.payload.to_ascii_uppercase())
///         .user_properties([("seen", "yes")])
/// }
///
/// let rule = testing::Rule::new(&upper_case::ACTION);
/// let Verdict::Replace(change) = rule.run(testing::message("a", "hot")) else {
///     panic!("the message was not replaced");
/// };
/// assert_eq!(change.payload.as_deref(), Some(&b"HOT"[..]));
/// assert_eq!(change.topic, None);
/// # use hookwire_sdk::testing;
/// ```
impl Replacement {
    /// Changes nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another topic name; on `client.subscribe` another filter.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Another payload.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = Some(payload.into());
        self
    }

    /// Another QoS.
    #[must_use]
    pub fn qos(mut self, qos: u8) -> Self {
        self.qos = Some(qos);
        self
    }

    /// Another retain flag.
    #[must_use]
    pub fn retain(mut self, retain: bool) -> Self {
        self.retain = Some(retain);
        self
    }

    /// Other user properties, in place of all that the message has.
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

impl From<Fault> for Verdict {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}
