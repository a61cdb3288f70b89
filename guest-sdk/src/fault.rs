//! Making faults: how an action says that it could not do its work.

/// How a call to the host fails, and how an action says that it failed.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule, SqlPool};
///
/// /// Keeps a topic once; that it is there already is no failure.
/// #[action(hook = "message.publish", pool = "sql", stores)]
/// fn topics(ctx: &Context, message: &Message) -> Result<(), Fault> {
///     let stored = ctx.sql()?.exec("INSERT INTO topic VALUES (?)", &[(&message.topic).into()]);
///     match stored {
///         Err(fault) if fault.code == "sqlite:2067" => Ok(()),
///         stored => stored.map(|_| ()),
///     }
/// }
///
/// let pool = SqlPool::named("main");
/// let rule = Rule::new(&topics::ACTION).pool("main");
/// pool.fail_next(Fault::new(FaultKind::Refused, "sqlite:2067", "UNIQUE constraint failed"));
/// assert_eq!(rule.run(testing::message("a", "")), Verdict::Proceed);
/// pool.fail_next(Fault::new(FaultKind::Unavailable, "sqlite:5", "locked"));
/// assert!(matches!(rule.run(testing::message("a", "")), Verdict::Failed(_)));
/// ```
pub use crate::bindings::hookwire::types::faults::Fault;

/// What kind of failure a [`Fault`] is.
///
/// ```
/// use hookwire_sdk::prelude::*;
///
/// fn may_be_stored(fault: &Fault) -> bool {
///     fault.kind == FaultKind::Unknown
/// }
///
/// assert!(!may_be_stored(&Fault::invalid("mymodule:no-unit", "the reading has no unit")));
/// ```
pub use crate::bindings::hookwire::types::faults::FaultKind;

impl Fault {
    /// A fault that trying again does not mend.
    ///
    /// `code` names the failure for programs, prefixed by who says it:
    /// `sqlite:13`, `mymodule:no-key`.
    ///
    /// ```
    /// # use hookwire_sdk::{Fault, FaultKind};
    /// let fault = Fault::new(FaultKind::Other, "mymodule:no-key", "the device has no key");
    /// assert!(!fault.retryable);
    /// ```
    pub fn new(kind: FaultKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.into(),
            message: message.into(),
            retryable: false,
            extras: Vec::new(),
        }
    }

    /// The same fault, marked as one that may go away by itself: a rule with
    /// `on_error = "retry"` tries again.
    ///
    /// ```
    /// # use hookwire_sdk::{Fault, FaultKind};
    /// let fault = Fault::new(FaultKind::Unavailable, "mymodule:starting", "the list is not here yet");
    /// assert!(fault.retryable().retryable);
    /// ```
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// What was asked for is wrong in itself: a statement, an option, an event.
    ///
    /// ```
    /// # use hookwire_sdk::{Fault, FaultKind};
    /// let fault = Fault::invalid("mymodule:no-unit", "the reading has no unit");
    /// assert_eq!(fault.kind, FaultKind::Invalid);
    /// ```
    pub fn invalid(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(FaultKind::Invalid, code, message)
    }
}

impl From<serde_json::Error> for Fault {
    /// A payload, a value or an answer that is not the JSON that was expected.
    ///
    /// ```
    /// # use hookwire_sdk::{Fault, FaultKind};
    /// # use hookwire_sdk::serde_json;
    /// fn parse(payload: &[u8]) -> Result<f64, Fault> {
    ///     Ok(serde_json::from_slice(payload)?)
    /// }
    /// assert_eq!(parse(b"hot").unwrap_err().kind, FaultKind::Invalid);
    /// ```
    fn from(error: serde_json::Error) -> Self {
        Self::invalid("hookwire:json", error.to_string())
    }
}
