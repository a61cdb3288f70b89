//! The port to whatever runs hook actions. The core asks which rules a topic
//! has, hands over messages and events, and is told the verdicts later; it
//! never waits, and knows nothing of WebAssembly.

mod call;
mod client;
mod exchange;
mod fetch;
mod hook;
mod question;
mod reading;

use std::sync::Arc;
use std::task::Waker;

use hookwire_mqtt::{QoS, ReasonCode, TopicFilter, TopicName};

pub use call::{BrokerCall, ClientState, Command, MAX_HOPS, OwnMessage, Reply};
pub use client::{
    ClientEvent, ClientInfo, ConnectionInfo, DroppedEvent, Event, ListenerInfo, NodeEvent,
    SubscriptionEvent, SubscriptionInfo,
};
pub use exchange::{Exchange, ExchangeStep, RestoredExchange};
pub use fetch::{FetchRequest, FetchRule, Page, Stores, Wants};
pub use hook::Hook;
pub use question::{
    Access, Answer, Answered, Authentication, AuthenticationOutcome, AuthenticationStep,
    Authorization, DeliveryOutcome, DeliveryRequest, Denial, Operation, Question, Restored,
    RestoredSession, SubscriptionOutcome, SubscriptionRequest,
};
pub use reading::{PositionState, ReadSide, SourceState};

use crate::message::Message;

/// The rules that match one topic on one hook, in an order the implementation
/// knows by this number. Valid for one [`Hooks::generation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleSet(pub u32);

impl RuleSet {
    /// No rule matches: the chain is empty and costs nothing.
    pub const NONE: Self = Self(0);
}

/// Names one publish that waits for its verdict, so that the answer finds its
/// place in the publisher's pipeline, or nobody if the publisher is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Key of the publish in the shard.
    pub key: u64,
    /// The shard's own check that the key was not reused.
    pub sequence: u64,
}

/// What rules may look at to decide that a message cannot matter to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishFacts {
    /// QoS of the publish.
    pub qos: QoS,
    /// Its retain flag.
    pub retain: bool,
    /// Payload length in bytes.
    pub payload_bytes: usize,
}

/// What the rules of a hook decided about a publish.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Go on with the message as it is.
    Proceed,
    /// Go on with this message instead.
    Replace(Arc<Message>),
    /// Acknowledge it and go no further.
    Drop,
    /// Refuse it with this reason code and text.
    Deny(Refusal),
    /// Close the publisher's connection.
    Disconnect(Refusal),
    /// A rule could not do its work and its `on_error` is `deny`: the message
    /// is not stored and must not be acknowledged as if it were.
    Failed {
        /// What an MQTT 5 publisher is told.
        refusal: Refusal,
        /// Whether sending the same message again can help.
        retryable: bool,
        /// Whether it is the message itself that a store does not take, now or
        /// later. It is a dead letter then, on disk, and who cannot be told is
        /// acknowledged.
        is_refused: bool,
    },
}

/// A reason code of MQTT 5 and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 0x80 or above.
    pub reason: ReasonCode,
    /// For a person; sent only to clients that want problem information.
    pub text: String,
}

/// A verdict on its way back to the core.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The publish it is about.
    pub ticket: Ticket,
    /// What was decided.
    pub verdict: Verdict,
    /// Where rules have stored it.
    pub stored: Stores,
}

/// Runs the rules of one worker. Called by that worker's thread alone.
///
/// Events of one client reach one module in the order submitted.
pub trait Hooks {
    /// Grows by one whenever what `match_*` answers may have changed.
    fn generation(&self) -> u64;

    /// Whether any rule at all listens to this hook.
    fn wants(&self, hook: Hook) -> bool;

    /// The rules of a hook about messages, or of `client.authorize`, that match
    /// `topic`. Callers keep the answer for as long as the generation stays.
    fn match_topic(&mut self, hook: Hook, topic: TopicName<'_>) -> RuleSet;

    /// The rules of a hook about subscriptions that have to see one of `filter`:
    /// those whose own filter covers it; on `client.authorize`,
    /// `client.subscribe` and `client.unsubscribe` those whose filter any topic
    /// of it matches, because to subscribe to `#` is to ask for `secret/a` too.
    fn match_filter(&mut self, hook: Hook, filter: &TopicFilter) -> RuleSet;

    /// The rules of a hook that has no topic.
    fn match_client(&mut self, hook: Hook) -> RuleSet;

    /// Whether any rule of the set has to see such a message.
    fn wants_publish(&self, set: RuleSet, facts: PublishFacts) -> bool;

    /// Hands over a message; the verdict comes through [`Hooks::take_decided`].
    fn submit_publish(&mut self, set: RuleSet, ticket: Ticket, message: Arc<Message>);

    /// `client` acknowledged `message`.
    fn submit_acked(&mut self, set: RuleSet, client: &Arc<ClientInfo>, message: Arc<Message>);

    /// `client` has acknowledged `message`, and everything stored before it on its
    /// topic, of what was sent to it: its place in the store may move there.
    fn submit_position(&mut self, set: RuleSet, client: &Arc<ClientInfo>, message: Arc<Message>);

    /// The rules that hand over what is stored for a subscription, each by itself.
    fn fetch_rules(&mut self, wants: Wants, filter: &TopicFilter) -> Vec<FetchRule>;

    /// The names of the rules of a set, for a person.
    fn rule_names(&self, set: RuleSet) -> Vec<Arc<str>>;

    /// Something happened; nobody waits for what rules make of it. Events that
    /// name a topic or filter are matched here.
    fn submit_event(&mut self, event: Event);

    /// Asks the rules of a set, which is not [`RuleSet::NONE`]; the answer comes
    /// through [`Hooks::take_answers`]. Of a client's questions on one hook the
    /// answers come in the order asked.
    fn ask(&mut self, rules: RuleSet, ticket: Ticket, question: Question);

    /// Moves the answers that arrived since the last call to `answers`.
    fn take_answers(&mut self, answers: &mut Vec<Answered>);

    /// Moves what rules want of the broker since the last call to `calls`.
    fn take_calls(&mut self, calls: &mut Vec<BrokerCall>);

    /// Whether the queues that this client's events go to are below their
    /// bound. While they are not, the core reads nothing more from the client.
    fn has_room(&self, clientid: &str) -> bool;

    /// Whether a client may connect now: not while its queues are full, nor while
    /// events of its earlier connections wait, so that a client that connects
    /// again and again waits for itself and not others for it. After a no the
    /// waker is woken when it is worth asking again.
    fn may_connect(&self, clientid: &str) -> bool;

    /// The publishes of this ticket key that no rule has seen yet are not to be
    /// run: an earlier one of the same client was not stored, and the client is
    /// going to send them all again. They are answered with any verdict.
    fn abandon(&mut self, key: u64);

    /// Moves the verdicts that arrived since the last call to `decided`.
    fn take_decided(&mut self, decided: &mut Vec<Decided>);

    /// `waker` is to be woken when verdicts arrive or room appears.
    fn set_waker(&mut self, waker: Waker);

    /// Submissions not yet answered or run, for a graceful stop.
    fn outstanding(&self) -> usize;
}
