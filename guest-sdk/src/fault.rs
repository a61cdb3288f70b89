//! Making faults: how an action says that it could not do its work.

use crate::{Fault, FaultKind};

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
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// What was asked for is wrong in itself: a statement, an option, an event.
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
