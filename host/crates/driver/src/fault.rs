//! How a call to a store fails.

/// What kind of failure it was, for a decision without reading text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The store, or the pool before it, cannot be reached now.
    Unavailable,
    /// Sent, and not answered before the deadline: it may have been stored.
    Unknown,
    /// The pool has no room now.
    Saturated,
    /// Not allowed: by the grant, or by the store's own permissions.
    Denied,
    /// The store refused the data.
    Refused,
    /// The statement itself is wrong.
    Invalid,
    /// None of the above; the code says more.
    Other,
}

/// A failed call, or one failed row of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Fault {
    /// What kind of failure it was.
    pub kind: FaultKind,
    /// The store's own code with its kind in front: `sqlite:13`, `sqlstate:23505`.
    pub code: String,
    /// For a person: what happened, where.
    pub message: String,
    /// Whether the same call may succeed later, unchanged.
    pub retryable: bool,
}
