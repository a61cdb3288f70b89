//! What the model knows: of connections, of clients and their sessions.

mod connection;
mod exchange;
mod session;
mod subscription;

use crate::history::ConnectionNo;
pub(crate) use connection::{Connection, PendingSubscribe, PendingUnsubscribe, Stage};
pub(crate) use exchange::{Exchange, Step};
pub(crate) use session::{Publishing, Session};
pub(crate) use subscription::Version;

/// Number of a client id.
pub(crate) type ClientNo = usize;
/// Number of a message, from its stamp or given by the model.
pub(crate) type MessageNo = u32;

/// A place in the history, and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) seq: u64,
    pub(crate) ms: u64,
}

/// The earliest and the latest time at which the broker may have done something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) least_ms: u64,
    pub(crate) most_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Client {
    pub(crate) session: Session,
    /// The connection that was accepted last.
    pub(crate) connection: Option<ConnectionNo>,
    /// The connection opened last.
    pub(crate) newest: Option<ConnectionNo>,
    /// When it last sent a CONNECT that ends an old session.
    pub(crate) asked_clean: Option<At>,
    /// Wills of lost connections that may not have been published yet.
    pub(crate) wills: Vec<MessageNo>,
}
