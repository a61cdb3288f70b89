//! What the core asks rules and waits for, beside publishes, and the answers.

use std::sync::Arc;

use hookwire_mqtt::QoS;

use super::{
    ClientInfo, Exchange, FetchRequest, Page, Refusal, RestoredExchange, SubscriptionInfo, Ticket,
};
use crate::message::Message;

/// A question to the rules of one decision hook.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// `client.connect`: may this CONNECT be looked at?
    Connect(Arc<ClientInfo>),
    /// `client.authenticate`
    Authenticate(Authentication),
    /// `client.authorize`
    Authorize(Access),
    /// `session.created`: what does the new session of this client begin with?
    CreateSession(Arc<ClientInfo>),
    /// `client.subscribe`: one filter of SUBSCRIBE.
    Subscribe(SubscriptionRequest),
    /// `client.unsubscribe`: one filter of UNSUBSCRIBE.
    Unsubscribe(SubscriptionRequest),
    /// `session.fetch` and `session.retained`
    Fetch(FetchRequest),
    /// `session.exchange`
    Exchange(Exchange),
    /// `message.deliver`
    Deliver(DeliveryRequest),
}

/// What a client wants to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Who.
    pub client: Arc<ClientInfo>,
    /// What.
    pub operation: Operation,
    /// The topic to publish to, or the filter to subscribe to (without
    /// `$share/GROUP/`).
    pub topic: Arc<str>,
    /// QoS of the publish, or maximum QoS of the subscription.
    pub qos: QoS,
    /// Retain flag of the publish.
    pub retain: bool,
}

/// The two things that need leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// PUBLISH
    Publish,
    /// The will of CONNECT, asked when the client connects.
    PublishWill,
    /// One filter of SUBSCRIBE.
    Subscribe,
}

/// One filter of SUBSCRIBE or UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRequest {
    /// Who asks.
    pub client: Arc<ClientInfo>,
    /// What for; for UNSUBSCRIBE the filter alone counts.
    pub subscription: SubscriptionInfo,
    /// User properties of the packet, in the order sent.
    pub user_properties: Arc<[(String, String)]>,
}

/// A message on its way to one client.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryRequest {
    /// The receiver.
    pub client: Arc<ClientInfo>,
    /// The message.
    pub message: Arc<Message>,
    /// QoS it is sent with.
    pub qos: QoS,
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

/// An answer on its way back to the core.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The question it is about.
    pub ticket: Ticket,
    /// The answer, of the question's kind.
    pub answer: Answer,
}

/// The answer to a [`Question`]. A rule that fails answers for its hook what
/// keeps out what is not known: a refusal.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To [`Question::Connect`]: none may go on.
    Connect(Option<Denial>),
    /// To [`Question::Authenticate`].
    Authenticate(AuthenticationOutcome),
    /// To [`Question::Authorize`].
    Authorize(Authorization),
    /// To [`Question::CreateSession`]. The client is refused where the state of
    /// its session cannot be had.
    CreateSession(Result<Restored, Denial>),
    /// To [`Question::Subscribe`] and [`Question::Unsubscribe`].
    Subscribe(SubscriptionOutcome),
    /// To [`Question::Fetch`].
    Fetch(Result<Page, Refusal>),
    /// To [`Question::Exchange`]: it is kept, or why not.
    Exchange(Result<(), Refusal>),
    /// To [`Question::Deliver`].
    Deliver(DeliveryOutcome),
}

/// A refusal of CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub refusal: Refusal,
    /// Where else the client may try, for `UseAnotherServer` and `ServerMoved`.
    pub server_reference: Option<String>,
}

/// The answer to one step of authentication.
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
    Deny(Denial),
    /// No rule speaks of it: the listener's default counts; a method that no
    /// rule knows is refused.
    Deferred,
}

/// The answer to what a client wants to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// It may.
    Allow {
        /// How long the answer may be kept, in milliseconds; none: until rules change.
        keep_ms: Option<u64>,
    },
    /// It may not.
    Deny {
        /// Why.
        refusal: Refusal,
        /// As for [`Authorization::Allow`]; 0 where a rule failed.
        keep_ms: Option<u64>,
    },
    /// It may not, and is to be gone.
    Disconnect(Refusal),
    /// No rule speaks of it: the listener's default counts.
    Deferred,
}

/// What a new session begins with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restored {
    /// Subscriptions made on the client's behalf.
    pub subscriptions: Vec<SubscriptionInfo>,
    /// Subscriptions that the session had, with all the rest of its state: it goes
    /// on, and the client is told Session Present. None where it is new.
    pub session: Option<RestoredSession>,
}

/// What a session had when it was left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestoredSession {
    /// Its subscriptions.
    pub subscriptions: Vec<SubscriptionInfo>,
    /// Its QoS 2 exchanges.
    pub exchanges: Vec<RestoredExchange>,
}

/// What becomes of one filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionOutcome {
    /// As asked.
    Proceed,
    /// As this instead; for SUBSCRIBE.
    Replace(SubscriptionInfo),
    /// Refused, with the reason code in SUBACK or UNSUBACK.
    Deny(Refusal),
    /// The client is to be gone.
    Disconnect(Refusal),
}

/// What becomes of a message on its way to a client.
#[derive(Debug, Clone, PartialEq)]
pub enum DeliveryOutcome {
    /// It is sent.
    Proceed,
    /// This is sent instead; its id is the same.
    Replace(Arc<Message>),
    /// It is not sent; `message.dropped` tells this word.
    Drop(&'static str),
    /// The receiver is to be gone.
    Disconnect(Refusal),
}
