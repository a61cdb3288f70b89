//! What rules run on, and what lanes know of it.

use std::hash::Hasher;
use std::sync::Arc;

use hookwire_broker::{
    ClientEvent, ClientInfo, DroppedEvent, Hook, Message, MessageId, NodeEvent, Operation,
    Question, Restored, Stores, SubscriptionEvent, Ticket,
};
use hookwire_mqtt::{TopicFilter, TopicName};
use rustc_hash::FxHasher;

/// A client, as far as lanes know it: the hash that pins it.
pub(crate) type ClientHash = u64;

/// What an event is about.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// `message.publish`
    Publish(Publish),
    /// `message.acked`, `message.position`
    Acked {
        hook: Hook,
        client: Arc<ClientInfo>,
        message: Arc<Message>,
    },
    /// `node.started`
    Node(NodeEvent),
    /// `client.*`, `session.*`
    Client(ClientEvent),
    /// `session.subscribed`, `session.unsubscribed`
    Subscription(SubscriptionEvent),
    /// `message.dropped`
    Dropped(DroppedEvent),
    /// The decision hooks beside `message.publish`.
    Asked(Box<Asked>),
}

/// A message that waits for its verdict.
#[derive(Debug, Clone)]
pub(crate) struct Publish {
    pub(crate) ticket: Ticket,
    pub(crate) message: Arc<Message>,
    /// Whether it is no longer the message that was submitted.
    pub(crate) replaced: bool,
    /// Whether a rule has run on it.
    pub(crate) is_seen: bool,
    /// Where rules have stored it.
    pub(crate) stored: Stores,
}

/// A question that waits for its answer, as rules have changed it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) ticket: Ticket,
    pub(crate) question: Question,
    /// Wall clock, milliseconds since the Unix epoch.
    pub(crate) at_ms: u64,
    pub(crate) replaced: bool,
    /// What rules of `session.created` have answered so far.
    pub(crate) restored: Restored,
}

impl Subject {
    pub(crate) fn hook(&self) -> Hook {
        match self {
            Self::Publish(_) => Hook::MessagePublish,
            Self::Acked { hook, .. } => *hook,
            Self::Node(event) => event.hook,
            Self::Client(event) => event.hook,
            Self::Subscription(event) => event.hook,
            Self::Dropped(_) => Hook::MessageDropped,
            Self::Asked(asked) => hook_of(&asked.question),
        }
    }

    /// The message that it is about.
    pub(crate) fn message(&self) -> Option<&Arc<Message>> {
        match self {
            Self::Publish(publish) => Some(&publish.message),
            Self::Acked { message, .. } => Some(message),
            Self::Dropped(event) => Some(&event.message),
            Self::Asked(asked) => match &asked.question {
                Question::Deliver(delivery) => Some(&delivery.message),
                _ => None,
            },
            Self::Node(_) | Self::Client(_) | Self::Subscription(_) => None,
        }
    }

    /// Id of the message that it is about.
    pub(crate) fn message_id(&self) -> Option<MessageId> {
        match self {
            Self::Asked(asked) => match &asked.question {
                Question::Exchange(exchange) => exchange.step.message(),
                _ => self.message().map(|message| message.id),
            },
            _ => self.message().map(|message| message.id),
        }
    }

    /// The client that it happens to; none for publishes, whose sender is a
    /// name, and for messages that nobody gets.
    pub(crate) fn client(&self) -> Option<&Arc<ClientInfo>> {
        match self {
            Self::Publish(_) | Self::Node(_) => None,
            Self::Acked { client, .. } => Some(client),
            Self::Client(event) => Some(&event.client),
            Self::Subscription(event) => Some(&event.client),
            Self::Dropped(event) => event.client.as_ref(),
            Self::Asked(asked) => Some(asker(&asked.question)),
        }
    }

    /// The client whose order it belongs to.
    pub(crate) fn clientid(&self) -> &str {
        match (self, self.client()) {
            (_, Some(client)) => &client.clientid,
            (Self::Publish(publish), None) => &publish.message.sender,
            (_, None) => self.message().map_or("", |message| &message.sender),
        }
    }

    /// Whether a rule for this filter has to see it. What has no topic is for
    /// all.
    pub(crate) fn is_for(&self, filter: &TopicFilter) -> bool {
        let topic = |topic: &str| TopicName::new(topic).is_ok_and(|topic| filter.matches(topic));
        if let Some(message) = self.message() {
            return topic(&message.topic);
        }
        let subscription = |other: &str, is_decided: bool| {
            TopicFilter::new(other).is_ok_and(|other| {
                if is_decided {
                    filter.overlaps(&other)
                } else {
                    filter.covers(&other)
                }
            })
        };
        match self {
            Self::Subscription(event) => subscription(&event.subscription.filter, false),
            Self::Asked(asked) => match &asked.question {
                Question::Authorize(access) if access.operation == Operation::Subscribe => {
                    subscription(&access.topic, true)
                }
                Question::Authorize(access) => topic(&access.topic),
                Question::Fetch(request) => subscription(&request.filter, false),
                Question::Subscribe(request) | Question::Unsubscribe(request) => {
                    subscription(&request.subscription.filter, true)
                }
                _ => true,
            },
            _ => true,
        }
    }

    pub(crate) fn payload_bytes(&self) -> usize {
        self.message().map_or(0, |message| message.payload.len())
    }

    /// Publishes of rules that led to it.
    pub(crate) fn hops(&self) -> u8 {
        self.message().map_or(0, |message| message.hops)
    }
}

pub(crate) fn hook_of(question: &Question) -> Hook {
    match question {
        Question::Connect(_) => Hook::ClientConnect,
        Question::Authenticate(_) => Hook::ClientAuthenticate,
        Question::Authorize(_) => Hook::ClientAuthorize,
        Question::CreateSession(_) => Hook::SessionCreated,
        Question::Subscribe(_) => Hook::ClientSubscribe,
        Question::Unsubscribe(_) => Hook::ClientUnsubscribe,
        Question::Fetch(request) => request.wants.hook(),
        Question::Exchange(_) => Hook::SessionExchange,
        Question::Deliver(_) => Hook::MessageDeliver,
    }
}

pub(crate) fn asker(question: &Question) -> &Arc<ClientInfo> {
    match question {
        Question::Connect(client) | Question::CreateSession(client) => client,
        Question::Authenticate(step) => &step.client,
        Question::Authorize(access) => &access.client,
        Question::Subscribe(request) | Question::Unsubscribe(request) => &request.client,
        Question::Fetch(request) => &request.client,
        Question::Exchange(exchange) => &exchange.client,
        Question::Deliver(delivery) => &delivery.client,
    }
}

pub(crate) fn client_hash(clientid: &str) -> ClientHash {
    let mut hasher = FxHasher::default();
    hasher.write(clientid.as_bytes());
    hasher.finish()
}
