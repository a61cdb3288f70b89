//! The port to whatever runs hook actions. The core asks which rules a topic
//! has, hands over messages and events, and is told the verdicts later; it
//! never waits, and knows nothing of WebAssembly.

use std::sync::Arc;
use std::task::Waker;

use hookwire_mqtt::{QoS, ReasonCode, TopicName};

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

/// Who a client is, as far as rules are told with every event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientInfo {
    /// The client identifier, given or assigned.
    pub clientid: Arc<str>,
    /// User name of CONNECT.
    pub username: Option<Arc<str>>,
}

/// One step of authentication: a CONNECT, or what a client answers in an
/// enhanced authentication, MQTT 5 section 4.12.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    /// Who wants to be known.
    pub client: Arc<ClientInfo>,
    /// Which step it is.
    pub step: AuthenticationStep,
    /// Password of CONNECT.
    pub password: Option<Vec<u8>>,
    /// The method of an enhanced authentication.
    pub method: Option<Arc<str>>,
    /// What the method defines.
    pub data: Option<Vec<u8>>,
}

/// Where in an authentication a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthenticationStep {
    /// CONNECT.
    Connect,
    /// AUTH that goes on.
    Continue,
    /// AUTH that begins anew, on a connection that is served [MQTT-4.12.1-1].
    Again,
}

/// The answer to one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthenticationOutcome {
    /// The client is who it says; the data goes with CONNACK or AUTH.
    Accept {
        /// What the method defines.
        data: Option<Vec<u8>>,
    },
    /// The client is to answer this [MQTT-4.12.0-2].
    Continue {
        /// What the method defines.
        data: Option<Vec<u8>>,
    },
    /// The client is refused.
    Deny {
        /// Why.
        refusal: Refusal,
        /// Where else it may try, for `UseAnotherServer` and `ServerMoved`.
        server_reference: Option<String>,
    },
}

/// An answer on its way back to the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// The step it is about.
    pub ticket: Ticket,
    /// The answer.
    pub outcome: AuthenticationOutcome,
}

/// A hook about a client rather than a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientHook {
    /// `client.connected`: CONNACK with success was written.
    Connected,
    /// `client.disconnected`: the connection is gone, for whatever reason.
    Disconnected,
}

/// An event about a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientEvent {
    /// Which hook it is for.
    pub hook: ClientHook,
    /// The client.
    pub client: Arc<ClientInfo>,
    /// Why it went (`normal`, `keep-alive`, ...); empty for other hooks.
    pub reason: &'static str,
    /// Wall clock, milliseconds since the Unix epoch.
    pub at_ms: u64,
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
}

/// Runs the rules of one worker. Called by that worker's thread alone.
///
/// Events of one client reach one module in the order submitted.
pub trait Hooks {
    /// Grows by one whenever what `match_*` answers may have changed.
    fn generation(&self) -> u64;

    /// The rules of `message.publish` that match `topic`. Callers keep the
    /// answer for as long as the generation stays.
    fn match_publish(&mut self, topic: TopicName<'_>) -> RuleSet;

    /// Whether any rule of the set has to see such a message.
    fn wants_publish(&self, set: RuleSet, facts: PublishFacts) -> bool;

    /// Hands over a message; the verdict comes through [`Hooks::take_decided`].
    fn submit_publish(&mut self, set: RuleSet, ticket: Ticket, message: Arc<Message>);

    /// Whether any rule listens to `message.acked` at all.
    fn wants_acked(&self) -> bool;

    /// The rules of `message.acked` that match `topic`.
    fn match_acked(&mut self, topic: TopicName<'_>) -> RuleSet;

    /// `client` acknowledged `message`.
    fn submit_acked(&mut self, set: RuleSet, client: &Arc<ClientInfo>, message: Arc<Message>);

    /// Whether any rule listens to this hook.
    fn wants_client(&self, hook: ClientHook) -> bool;

    /// Something happened to a client.
    fn submit_client(&mut self, event: ClientEvent);

    /// Whether anybody authenticates clients with this method; without one, by
    /// user name and password. A method that nobody has is refused; where nobody
    /// looks at passwords, every client may connect.
    fn wants_authentication(&self, method: Option<&str>) -> bool;

    /// Hands over one step; the answer comes through
    /// [`Hooks::take_authenticated`]. A client has one step open at a time.
    fn submit_authentication(&mut self, ticket: Ticket, step: Authentication);

    /// Moves the answers that arrived since the last call to `answers`.
    fn take_authenticated(&mut self, answers: &mut Vec<Authenticated>);

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
