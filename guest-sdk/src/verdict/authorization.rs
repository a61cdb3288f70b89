//! Typed answers of `client.authorize`.

use std::time::Duration;

use super::{Allowance, IntoVerdict, Verdict};
use crate::reason_code;

/// What an action on `client.authorize` answers.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing;
///
/// /// A client owns the topics below its client id.
/// #[action(hook = "client.authorize")]
/// fn own_topics(_: &Context, access: &Access) -> Authorization {
///     match access.topic.split_once('/') {
///         Some((owner, _)) if owner == access.client.clientid => Authorization::Allow,
///         Some(("public", _)) if access.is_subscribe() => Authorization::Allow,
///         _ => Authorization::Deny("not your topic".to_owned()),
///     }
/// }
///
/// let rule = testing::Rule::new(&own_topics::ACTION);
/// let answer = |operation, topic| rule.run(testing::access("c1", operation, topic));
/// assert_eq!(answer("publish", "c1/state"), Verdict::allow());
/// assert_eq!(answer("subscribe", "public/#"), Verdict::allow());
/// assert_eq!(answer("publish", "public/a"), Verdict::deny(0x87, "not your topic"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// The client may.
    Allow,
    /// The client may, and the broker is to ask again after this time; with
    /// [`Duration::ZERO`] each time.
    AllowFor(Duration),
    /// The client may not: the reason code Not authorized, and this text. The broker
    /// asks again each time; [`Denial::keep`](super::Denial::keep) says otherwise.
    Deny(String),
    /// The next rule decides, and after the last the listener's default.
    Defer,
}

impl From<Authorization> for Verdict {
    fn from(answer: Authorization) -> Self {
        match answer {
            Authorization::Allow => Self::allow(),
            Authorization::AllowFor(time) => Self::allow_with(Allowance::default().keep(time)),
            Authorization::Deny(reason) => Self::deny(reason_code::NOT_AUTHORIZED, reason),
            Authorization::Defer => Self::defer(),
        }
    }
}

impl IntoVerdict for Authorization {
    fn into_verdict(self) -> Verdict {
        self.into()
    }
}
