//! What an action decides, for one event or for a batch.

mod answer;
mod authentication;
mod authorization;
mod batch;
mod page;
mod replacement;
mod restoration;

use std::time::Duration;

use crate::Fault;

/// Leave for a client, on `client.authenticate` and `client.authorize`.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// Asks again every minute whether a client may use a topic.
/// #[action(hook = "client.authorize")]
/// fn for_a_minute(_: &Context, _: &Access) -> Verdict {
///     Verdict::allow_with(Allowance::default().keep(std::time::Duration::from_secs(60)))
/// }
///
/// let rule = Rule::new(&for_a_minute::ACTION);
/// let Verdict::Allow(leave) = rule.run(testing::access("c1", "publish", "a")) else {
///     panic!("the client was not allowed to publish");
/// };
/// assert_eq!(leave.keep_ms, Some(60_000));
/// ```
pub use crate::bindings::exports::hookwire::rule::actions::Allowance;

/// What a client is told that is refused or disconnected.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// #[action(hook = "client.connect")]
/// fn closed(_: &Context, _: &Client) -> Verdict {
///     Verdict::deny(reason_code::SERVER_BUSY, "come back at eight")
/// }
///
/// let Verdict::Deny(denial) = Rule::new(&closed::ACTION).run(testing::client("c1")) else {
///     panic!("the client was let in");
/// };
/// assert_eq!((denial.reason_code, denial.reason.as_str()), (0x89, "come back at eight"));
/// ```
pub use crate::bindings::exports::hookwire::rule::actions::Denial;

/// What an action answers about one event.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// /// Whole messages, commands from the panel alone, and no guesses.
/// #[action(hook = "message.publish", interest("payload"))]
/// fn gate(_: &Context, message: &Message) -> Verdict {
///     match message.text() {
///         Err(fault) => Verdict::Failed(fault),
///         Ok("") => Verdict::Drop,
///         Ok("off") if message.sender != "panel" => {
///             Verdict::deny(reason_code::NOT_AUTHORIZED, "only the panel turns things off")
///         }
///         Ok(_) => Verdict::Proceed,
///     }
/// }
///
/// let rule = Rule::new(&gate::ACTION);
/// assert_eq!(rule.run(testing::message("ovens/1", "")), Verdict::Drop);
/// assert!(matches!(rule.run(testing::message("ovens/1", "off")), Verdict::Deny(_)));
/// assert!(matches!(rule.run(testing::message("ovens/1", [0xFF])), Verdict::Failed(_)));
/// ```
pub use crate::bindings::exports::hookwire::rule::actions::Verdict;

pub use answer::{IntoVerdict, IntoVerdicts};
pub use authentication::Authentication;
pub use authorization::Authorization;
pub use batch::Verdicts;
pub use page::Page;
pub use replacement::Replacement;
pub use restoration::{Restoration, RestoredExchange, RestoredSubscription};

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
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Rule};
    /// #[action(hook = "client.authenticate")]
    /// fn guests(_: &Context, who: &Credentials) -> Verdict {
    ///     match who.client.username.as_deref() {
    ///         Some("guest") => Verdict::allow(),
    ///         _ => Verdict::defer(),
    ///     }
    /// }
    ///
    /// let rule = Rule::new(&guests::ACTION);
    /// assert_eq!(rule.run(testing::credentials("c1", "guest", "")), Verdict::allow());
    /// ```
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
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Rule};
    /// #[action(hook = "client.authenticate")]
    /// fn twice(_: &Context, who: &Credentials) -> Verdict {
    ///     match who.step.as_str() {
    ///         "continue" => Verdict::allow(),
    ///         _ => Verdict::challenge("say it again"),
    ///     }
    /// }
    ///
    /// let verdict = Rule::new(&twice::ACTION).run(testing::credentials("c1", "user", "secret"));
    /// assert_eq!(verdict, Verdict::Challenge(b"say it again".to_vec()));
    /// ```
    pub fn challenge(data: impl Into<Vec<u8>>) -> Self {
        Self::Challenge(data.into())
    }

    /// Begins the session with this. For `session.created`.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// let verdict = Verdict::restore(Restoration::new().subscribe("news/#", 0));
    /// assert!(matches!(verdict, Verdict::Restore(begin) if begin.subscriptions[0].qos == 0));
    /// ```
    #[must_use]
    pub fn restore(restoration: Restoration) -> Self {
        Self::Restore(restoration)
    }

    /// Goes on with the message, or on `client.subscribe` the subscription,
    /// changed.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// let verdict = Verdict::replace(Replacement::new().retain(false));
    /// assert_eq!(verdict, Replacement::new().retain(false).into());
    /// ```
    #[must_use]
    pub fn replace(replacement: Replacement) -> Self {
        Self::Replace(replacement)
    }
}

impl Denial {
    /// A refusal with an MQTT 5 reason code (0x80 or above) and a text for a
    /// person, which is sent to clients that want it.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// use hookwire_sdk::Denial;
    ///
    /// let denial = Denial::new(reason_code::BANNED, "until noon");
    /// assert_eq!(Verdict::Deny(denial), Verdict::deny(0x8A, "until noon"));
    /// ```
    pub fn new(reason_code: u8, reason: impl Into<String>) -> Self {
        Self {
            reason_code,
            reason: reason.into(),
            extras: Vec::new(),
        }
    }

    /// The broker may keep an answer of `client.authorize` for that long. Without it
    /// the broker asks each time: a refusal ends when what it is about does.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hookwire_sdk::prelude::*;
    /// use hookwire_sdk::Denial;
    ///
    /// let denial = Denial::new(reason_code::BANNED, "banned").keep(Duration::from_secs(60));
    /// assert_eq!(denial.extras, [("keep-ms".to_owned(), "60000".to_owned())]);
    /// assert!(matches!(Verdict::Deny(denial), Verdict::Deny(_)));
    /// ```
    #[must_use]
    pub fn keep(mut self, time: Duration) -> Self {
        self.extras.retain(|(name, _)| name != "keep-ms");
        let time = crate::milliseconds(time).to_string();
        self.extras.push(("keep-ms".to_owned(), time));
        self
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
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// let leave = Allowance::default().data("server proof");
    /// assert_eq!(leave.data.as_deref(), Some(&b"server proof"[..]));
    /// ```
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// The broker may keep an answer of `client.authorize` for that long;
    /// [`Duration::ZERO`]: it asks each time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hookwire_sdk::prelude::*;
    /// assert_eq!(Allowance::default().keep_ms, None);
    /// assert_eq!(Allowance::default().keep(Duration::ZERO).keep_ms, Some(0));
    /// ```
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

impl From<Fault> for Verdict {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}
