//! Sockets: listeners, the greeting of new connections, and the I/O of a worker.
//!
//! A new connection is greeted by a task of the service runtime until its
//! CONNECT is whole; then its socket moves, with the bytes read behind CONNECT,
//! to the worker that its client id belongs to, for good. A worker is one thread
//! with a current-thread runtime; it steps its [`hookwire_broker::Shard`] and
//! moves bytes. Nothing here decides what a packet means.

mod clock;
mod connection;
mod greeting;
mod inbox;
mod linger;
mod listener;
mod lobby;
mod worker;

pub use clock::{Clock, wall_ms};
pub use greeting::GreetingCounters;
pub use inbox::WorkerHandle;
pub use listener::{Listener, ListenerSettings};
pub use worker::{WorkerReport, WorkerSetup, serve_worker};
