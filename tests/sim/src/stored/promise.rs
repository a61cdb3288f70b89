//! What is promised of what is stored, and how a promise is broken.

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Promise {
    /// What a publisher was told is stored is stored.
    AcknowledgedIsStored,
    /// What is stored, and was acknowledged, reaches who subscribed, or was subscribed,
    /// before.
    StoredIsDelivered,
    /// What was acknowledged of one publisher on one topic comes in its order.
    InOrder,
    /// QoS 2: each stored message once. QoS 1: not again on one connection, nor
    /// after its acknowledgement was taken by a broker that lives.
    Once,
    /// A session that lasts is there when its client is back.
    SessionPresent,
    /// Who subscribes is told what came of it.
    SubscribeIsAnswered,
    /// What the broker sends are packets.
    Packets,
}

impl Promise {
    /// What tables call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AcknowledgedIsStored => "acknowledged is stored",
            Self::StoredIsDelivered => "stored is delivered",
            Self::InOrder => "in order",
            Self::Once => "once",
            Self::SessionPresent => "session present",
            Self::SubscribeIsAnswered => "SUBSCRIBE is answered",
            Self::Packets => "packets",
        }
    }
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub promise: Promise,
    /// How, in words.
    pub text: String,
}
