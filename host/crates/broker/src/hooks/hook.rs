//! The points on the broker's path at which rules run.

/// A hook of the broker.
///
/// The order of the cases is that in which a client and a message pass them;
/// rules are numbered by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// `node.started`: the broker is about to serve its first client.
    NodeStarted,
    /// `client.connect`: CONNECT was read, and nothing was decided yet.
    ClientConnect,
    /// `client.authenticate`: is the client who it says?
    ClientAuthenticate,
    /// `client.authorize`: may it publish or subscribe there?
    ClientAuthorize,
    /// `session.created`: a session was made, and may be filled.
    SessionCreated,
    /// `session.resumed`: the client found its session.
    SessionResumed,
    /// `client.connack`: CONNECT is answered, with success or a refusal.
    ClientConnack,
    /// `client.connected`: CONNACK with success was written.
    ClientConnected,
    /// `client.subscribe`: a filter of SUBSCRIBE, before it is granted.
    ClientSubscribe,
    /// `session.subscribed`: a subscription was made or renewed.
    SessionSubscribed,
    /// `session.fetch`: what is stored for a subscription is wanted.
    SessionFetch,
    /// `session.retained`: the retained messages that a store has for a subscription
    /// are wanted.
    SessionRetained,
    /// `session.exchange`: a QoS 2 exchange comes to a step that the other side may
    /// rely on.
    SessionExchange,
    /// `client.unsubscribe`: a filter of UNSUBSCRIBE, before it is given up.
    ClientUnsubscribe,
    /// `session.unsubscribed`: a subscription is gone.
    SessionUnsubscribed,
    /// `message.publish`: a message entered the broker.
    MessagePublish,
    /// `message.deliver`: a message is about to be sent to one client.
    MessageDeliver,
    /// `message.acked`: a client acknowledged a message.
    MessageAcked,
    /// `message.position`: a client has acknowledged a stored message of a topic
    /// and everything stored there before it.
    MessagePosition,
    /// `message.dropped`: a message does not reach a client, or anybody.
    MessageDropped,
    /// `session.discarded`: a session ended because its client began anew.
    SessionDiscarded,
    /// `session.takenover`: the client's session went to another connection.
    SessionTakenover,
    /// `client.disconnected`: the connection is gone, for whatever reason.
    ClientDisconnected,
    /// `session.terminated`: a session ended, by expiry or with its connection.
    SessionTerminated,
}

impl Hook {
    /// Every hook, in order.
    pub const ALL: [Self; 24] = [
        Self::NodeStarted,
        Self::ClientConnect,
        Self::ClientAuthenticate,
        Self::ClientAuthorize,
        Self::SessionCreated,
        Self::SessionResumed,
        Self::ClientConnack,
        Self::ClientConnected,
        Self::ClientSubscribe,
        Self::SessionSubscribed,
        Self::SessionFetch,
        Self::SessionRetained,
        Self::SessionExchange,
        Self::ClientUnsubscribe,
        Self::SessionUnsubscribed,
        Self::MessagePublish,
        Self::MessageDeliver,
        Self::MessageAcked,
        Self::MessagePosition,
        Self::MessageDropped,
        Self::SessionDiscarded,
        Self::SessionTakenover,
        Self::ClientDisconnected,
        Self::SessionTerminated,
    ];

    /// Its name, as rules and manifests write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NodeStarted => "node.started",
            Self::ClientConnect => "client.connect",
            Self::ClientAuthenticate => "client.authenticate",
            Self::ClientAuthorize => "client.authorize",
            Self::SessionCreated => "session.created",
            Self::SessionResumed => "session.resumed",
            Self::ClientConnack => "client.connack",
            Self::ClientConnected => "client.connected",
            Self::ClientSubscribe => "client.subscribe",
            Self::SessionSubscribed => "session.subscribed",
            Self::SessionFetch => "session.fetch",
            Self::SessionRetained => "session.retained",
            Self::SessionExchange => "session.exchange",
            Self::ClientUnsubscribe => "client.unsubscribe",
            Self::SessionUnsubscribed => "session.unsubscribed",
            Self::MessagePublish => "message.publish",
            Self::MessageDeliver => "message.deliver",
            Self::MessageAcked => "message.acked",
            Self::MessagePosition => "message.position",
            Self::MessageDropped => "message.dropped",
            Self::SessionDiscarded => "session.discarded",
            Self::SessionTakenover => "session.takenover",
            Self::ClientDisconnected => "client.disconnected",
            Self::SessionTerminated => "session.terminated",
        }
    }

    /// The hook of that name. `message.delivered` is another name of
    /// `message.deliver`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        if name == "message.delivered" {
            return Some(Self::MessageDeliver);
        }
        Self::ALL.into_iter().find(|hook| hook.name() == name)
    }

    /// Whether the broker waits for a verdict.
    #[must_use]
    pub fn is_decision(self) -> bool {
        match self {
            Self::ClientConnect
            | Self::ClientAuthenticate
            | Self::ClientAuthorize
            | Self::SessionCreated
            | Self::ClientSubscribe
            | Self::SessionFetch
            | Self::SessionRetained
            | Self::SessionExchange
            | Self::ClientUnsubscribe
            | Self::MessagePublish
            | Self::MessageDeliver => true,
            Self::NodeStarted
            | Self::SessionResumed
            | Self::ClientConnack
            | Self::ClientConnected
            | Self::SessionSubscribed
            | Self::SessionUnsubscribed
            | Self::MessageAcked
            | Self::MessagePosition
            | Self::MessageDropped
            | Self::SessionDiscarded
            | Self::SessionTakenover
            | Self::ClientDisconnected
            | Self::SessionTerminated => false,
        }
    }
}
