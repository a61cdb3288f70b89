//! The broker core: clients, sessions, routing, delivery.
//!
//! A [`Shard`] holds the clients of one worker. It is stepped from outside, one
//! event at a time: a packet arrived, a verdict arrived, another worker sent
//! mail, time passed. It answers with bytes to write and mail to carry. It does
//! no I/O, waits for nothing, reads no clock, and shares nothing with other
//! shards but the [`RouteTable`]; so a test steps several of them in any order.

mod calls;
mod commands;
mod connection;
mod counters;
mod delayed;
mod drops;
mod faults;
mod filter_index;
mod flow;
mod group;
mod hooks;
mod id;
mod inspect;
mod lifecycle;
mod limits;
mod link;
mod message;
mod output;
mod own_publish;
mod retained;
mod routes;
mod routing;
mod session;
mod shard;
mod sharing;
mod spine;
mod sys;
mod time;
mod timers;
mod topic_cache;
mod topic_index;
mod transit;
mod wheel;
mod writing;

pub use connection::{CloseReason, ConnectionKey, Origin};
pub use counters::Counters;
pub use faults::Fault;
pub use filter_index::FilterIndex;
pub use group::{Dispatch, SharedStrategy};
pub use hooks::{
    Access, Answer, Answered, Authentication, AuthenticationOutcome, AuthenticationStep,
    Authorization, BrokerCall, ClientEvent, ClientInfo, ClientState, Command, ConnectionInfo,
    Decided, DeliveryOutcome, DeliveryRequest, Denial, DroppedEvent, Event, Exchange, ExchangeStep,
    FetchRequest, FetchRule, Hook, Hooks, ListenerInfo, MAX_HOPS, NodeEvent, Operation, OwnMessage,
    Page, PositionState, PublishFacts, Question, ReadSide, Refusal, Reply, Restored,
    RestoredExchange, RestoredSession, RuleSet, SourceState, Stores, SubscriptionEvent,
    SubscriptionInfo, SubscriptionOutcome, SubscriptionRequest, Ticket, Verdict, Wants,
};
pub use id::IdGenerator;
pub use inspect::Holdings;
pub use limits::{DenyAction, Limits, QueueOverflow};
pub use link::{Mail, WorkerId, worker_of};
pub use message::{Message, MessageId, NoMessageId};
pub use output::Output;
pub use retained::RetainedMessages;
pub use routes::RouteTable;
pub use shard::{Flow, Shard, ShardSetup};
pub use sys::Node;
pub use time::Now;
