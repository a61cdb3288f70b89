//! Typed answers of `client.authenticate`.

use super::{Allowance, IntoVerdict, Verdict};
use crate::reason_code;

/// What an action on `client.authenticate` answers.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::{passwords, testing};
///
/// const OPERATOR: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA";
///
/// /// Knows one user, and leaves the others to later rules.
/// #[action(hook = "client.authenticate")]
/// fn operator(_: &Context, who: &Credentials) -> Result<Authentication, Fault> {
///     if who.client.username.as_deref() != Some("operator") {
///         return Ok(Authentication::Defer);
///     }
///     let password = who.password.as_deref().unwrap_or_default();
///     Ok(if passwords::verify(password, OPERATOR)? {
///         Authentication::Accept
///     } else {
///         Authentication::Deny("wrong password".to_owned())
///     })
/// }
///
/// testing::set_password(OPERATOR, "secret");
/// let rule = testing::Rule::new(&operator::ACTION);
/// let answer = |username, password| rule.run(testing::credentials("c1", username, password));
/// assert_eq!(answer("operator", "secret"), Verdict::allow());
/// assert_eq!(answer("somebody", "secret"), Verdict::defer());
/// assert_eq!(answer("operator", "guess"), Verdict::deny(0x86, "wrong password"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// The client is who it says.
    Accept,
    /// The client is who it says, and is sent this at the end of an enhanced
    /// authentication.
    AcceptWith(Vec<u8>),
    /// The client is to answer this, in AUTH.
    Challenge(Vec<u8>),
    /// The client is refused, with the reason code Bad User Name or Password
    /// and this text. [`Verdict::deny`] takes any reason code.
    Deny(String),
    /// The next rule decides, and after the last the listener's default.
    Defer,
}

impl From<Authentication> for Verdict {
    fn from(answer: Authentication) -> Self {
        match answer {
            Authentication::Accept => Self::allow(),
            Authentication::AcceptWith(data) => Self::allow_with(Allowance::default().data(data)),
            Authentication::Challenge(data) => Self::Challenge(data),
            Authentication::Deny(reason) => {
                Self::deny(reason_code::BAD_USER_NAME_OR_PASSWORD, reason)
            }
            Authentication::Defer => Self::defer(),
        }
    }
}

impl IntoVerdict for Authentication {
    fn into_verdict(self) -> Verdict {
        self.into()
    }
}
