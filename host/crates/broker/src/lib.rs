//! The broker core: clients, sessions, routing, delivery.
//!
//! A [`Shard`] holds the clients of one worker. It is stepped from outside, one
//! event at a time: a packet arrived, a verdict arrived, another worker sent
//! mail, time passed. It answers with bytes to write and mail to carry. It does
//! no I/O, waits for nothing, reads no clock, and shares nothing with other
//! shards but the [`RouteTable`]; so a test steps several of them in any order.

mod connection;
mod counters;
mod filter_index;
mod flow;
mod hooks;
mod id;
mod lifecycle;
mod link;
mod message;
mod output;
mod routes;
mod session;
mod shard;
mod spine;
mod time;
mod topic_cache;
mod transit;
mod wheel;

pub use connection::{CloseReason, ConnectionKey};
pub use counters::Counters;
pub use filter_index::FilterIndex;
pub use hooks::{
    ClientEvent, ClientHook, ClientInfo, Decided, Hooks, PublishFacts, Refusal, RuleSet, Ticket,
    Verdict,
};
pub use id::IdGenerator;
pub use link::{Mail, WorkerId, worker_of};
pub use message::{Message, MessageId};
pub use output::Output;
pub use routes::RouteTable;
pub use shard::{Flow, Limits, Shard};
pub use time::Now;
