//! What rules and administrators ask of the core.

use std::fmt;
use std::sync::Arc;

use hookwire_mqtt::QoS;

use super::{ClientInfo, ReadSide, Refusal, SubscriptionInfo};

/// Something that a rule, or an administrator, wants done. Nobody waits for it,
/// but for [`BrokerCall::Lookup`], which answers through its reply.
#[derive(Debug)]
pub enum BrokerCall {
    /// A message enters the top of the spine.
    Publish(OwnMessage),
    /// A message for one client, past routing; its session takes it as any other.
    Deliver {
        /// The receiver.
        clientid: Arc<str>,
        /// The message.
        message: OwnMessage,
    },
    /// A subscription on a client's behalf.
    Subscribe {
        /// The client, whose session must be there.
        clientid: Arc<str>,
        /// What to subscribe to.
        subscription: SubscriptionInfo,
    },
    /// The end of a subscription.
    Unsubscribe {
        /// The client.
        clientid: Arc<str>,
        /// The filter, as it was subscribed to.
        filter: Arc<str>,
    },
    /// The end of a connection.
    Disconnect {
        /// The client.
        clientid: Arc<str>,
        /// What it is told.
        refusal: Refusal,
        /// Told whether there was one.
        reply: Option<Reply<bool>>,
    },
    /// What is known of a client.
    Lookup {
        /// The client.
        clientid: Arc<str>,
        /// Told once; none: no session of this client.
        reply: Reply<Option<ClientState>>,
    },
}

/// A message that no client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnMessage {
    /// A valid topic name.
    pub topic: Arc<str>,
    /// The application's bytes.
    pub payload: Vec<u8>,
    /// What stands where a publisher's client id does: `$rule/NAME`. What is
    /// published has the worker's number behind it, `$rule/NAME/2`.
    pub sender: Arc<str>,
    /// QoS it is published with.
    pub qos: QoS,
    /// Retain flag.
    pub retain: bool,
    /// Seconds until it is worth nothing any more.
    pub expiry_s: Option<u32>,
    /// User properties, in order.
    pub user_properties: Vec<(String, String)>,
    /// How many rules' publishes led to it, this one counted; 0 for what an
    /// administrator sends. A rule's publish in answer to a message of
    /// [`MAX_HOPS`] is dropped.
    pub hops: u8,
}

/// Publishes by rules that may follow from one another.
pub const MAX_HOPS: u8 = 8;

/// What is known of a client and its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientState {
    /// The client, as it last connected.
    pub client: Arc<ClientInfo>,
    /// Whether it is there now.
    pub is_connected: bool,
    /// When it connected last, milliseconds since the Unix epoch.
    pub connected_at_ms: u64,
    /// Its subscriptions.
    pub subscriptions: Vec<SubscriptionInfo>,
    /// Messages sent to it and not acknowledged to the end.
    pub inflight: usize,
    /// Messages that wait for it.
    pub queued: usize,
    /// Bytes of those, about.
    pub queued_bytes: usize,
    /// QoS 2 publishes of its own between PUBLISH and PUBREL.
    pub received: usize,
}

/// Where an answer goes, once. Dropping it tells the asker that there is none.
pub struct Reply<T>(Box<dyn FnOnce(T) + Send>);

impl<T> Reply<T> {
    /// Hands the answer to `then`, on the worker's thread; it must not block.
    pub fn new(then: impl FnOnce(T) + Send + 'static) -> Self {
        Self(Box::new(then))
    }

    /// Answers.
    pub fn send(self, answer: T) {
        (self.0)(answer);
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}

/// What an administrator asks of one worker.
#[derive(Debug)]
pub enum Command {
    /// The clients that have a session here, by client id.
    Clients {
        /// Client ids above this one.
        after: Option<Arc<str>>,
        /// How many at most.
        limit: usize,
        /// Told once, in order.
        reply: Reply<Vec<ClientState>>,
    },
    /// A client that lives here, with what it reads from stores.
    Client {
        /// Its id.
        clientid: Arc<str>,
        /// Told once; none: no session of this client.
        reply: Reply<Option<(ClientState, ReadSide)>>,
    },
    /// As a rule would.
    Call(BrokerCall),
    /// What is held and what has happened.
    Report {
        /// Told once.
        reply: Reply<(crate::Holdings, crate::Counters)>,
    },
}
