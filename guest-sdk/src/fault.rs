//! Making faults: how an action says that it could not do its work.

use crate::{Fault, FaultKind};

impl Fault {
    /// A fault that trying again does not mend.
    ///
    /// `code` names the failure for programs, prefixed by who says it:
    /// `sqlite:13`, `mymodule:no-key`.
    pub fn new(kind: FaultKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.into(),
            message: message.into(),
            retryable: false,
            extras: Vec::new(),
        }
    }

    /// The same fault, marked as one that may go away by itself.
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
