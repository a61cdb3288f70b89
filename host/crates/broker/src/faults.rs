//! Deliberate faults, so that the simulation can show that it would find them.
//! Without the feature `planted-faults` none can be planted, and the checks
//! compile to nothing.

/// A fault that a simulation plants into a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// QoS 1 is acknowledged before the rules answered.
    AckBeforeVerdict,
    /// What is sent again lacks DUP.
    DupLost,
    /// What waits in a queue leaves it from the wrong end.
    WrongOrder,
    /// The window of unacknowledged messages does not hold.
    WindowExceeded,
    /// An empty retained message leaves the old one where it is.
    RetainedNotCleared,
    /// Messages are delivered after their time.
    ExpiredDelivered,
    /// Two members of a shared subscription get a message.
    SharedTwice,
    /// A session stays although it ended.
    SessionLeaked,
    /// A QoS 2 message that is sent again is taken again.
    Qos2Twice,
    /// Wills are not published.
    WillLost,
    /// Retained messages come without the retain flag.
    RetainFlagLost,
    /// A client gets its own messages although it wants none.
    NoLocalIgnored,
    /// PUBREL is not sent again when a session is resumed.
    PubRelLost,
    /// The message expiry interval is not shortened by the time waited.
    ExpiryNotShortened,
    /// What a client may not publish goes on.
    AccessIgnored,
    /// What rules decide about when their client goes is lost.
    DecidedLost,
    /// What rules dropped on its way to a client is sent.
    DropIgnored,
    /// A position moves whenever something is acknowledged, over what is not.
    PositionJumps,
    /// What came live while pages came is forgotten when they are over.
    ParkedForgotten,
    /// What comes in pages is sent though it was sent before.
    FetchedAgain,
    /// SUBACK does not wait for the subscription's place in the store.
    SubAckEarly,
    /// CONNACK does not wait for the places of subscriptions made on the client's
    /// behalf.
    ConnAckEarly,
    /// QoS 2 messages are sent before that is kept.
    SentUnkept,
}

impl Fault {
    /// Every fault in what the standard asks for.
    pub const ALL: &'static [Self] = &[
        Self::AckBeforeVerdict,
        Self::DupLost,
        Self::WrongOrder,
        Self::WindowExceeded,
        Self::RetainedNotCleared,
        Self::ExpiredDelivered,
        Self::SharedTwice,
        Self::SessionLeaked,
        Self::Qos2Twice,
        Self::WillLost,
        Self::RetainFlagLost,
        Self::NoLocalIgnored,
        Self::PubRelLost,
        Self::ExpiryNotShortened,
        Self::AccessIgnored,
        Self::DecidedLost,
        Self::DropIgnored,
    ];
}

/// The fault that was planted, if any can be.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Planted {
    #[cfg(feature = "planted-faults")]
    pub(crate) fault: Option<Fault>,
}

impl Planted {
    #[cfg(feature = "planted-faults")]
    pub(crate) fn is(self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    #[cfg(not(feature = "planted-faults"))]
    #[inline(always)]
    #[expect(
        clippy::unused_self,
        reason = "the same call with and without the feature"
    )]
    pub(crate) fn is(self, _: Fault) -> bool {
        false
    }
}
