//! What a session reads from stores, for somebody who looks at it.

use std::sync::Arc;

use crate::message::MessageId;

/// What a session reads from stores, and how far its client has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadSide {
    /// Since when what is live waits for what is stored, milliseconds since the
    /// Unix epoch; none: it does not.
    pub barrier_since_ms: Option<u64>,
    /// Times that it had to, since the session was made.
    pub barriers: u64,
    /// Messages that did, since then.
    pub parked: u64,
    /// Messages that were read and are not sent yet.
    pub page_left: usize,
    /// Subscriptions whose retained messages stores are asked for.
    pub retained: usize,
    /// Whether what is stored is read once more when this is over, because not all
    /// of what came meanwhile had room to wait.
    pub begins_anew: bool,
    /// What is read, by subscription and rule.
    pub sources: Vec<SourceState>,
    /// Where the client is, by topic and publisher, in this order; only some where
    /// there are many.
    pub positions: Vec<PositionState>,
    /// Positions that are left out.
    pub more_positions: usize,
}

/// One rule that reads for one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceState {
    /// The subscription's filter.
    pub filter: Arc<str>,
    /// The rule's name.
    pub rule: Arc<str>,
    /// Whether there may be more to read.
    pub is_open: bool,
    /// Whether its next page is asked for, and did not come yet.
    pub is_asked: bool,
    /// Where the next page begins, as the rule said; none before the first page.
    pub cursor: Option<Arc<str>>,
    /// What the rule said of where the subscription began; none where it said
    /// nothing.
    pub floor: Option<Arc<str>>,
}

/// Where a client is in what one publisher stored on one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionState {
    /// The topic.
    pub topic: Arc<str>,
    /// Client id of the publisher.
    pub sender: Arc<str>,
    /// The message up to which everything is acknowledged, and rules were told so;
    /// none: nothing yet, since the session is here.
    pub reached: Option<MessageId>,
    /// Messages sent and not acknowledged.
    pub outstanding: usize,
    /// Messages that are acknowledged, and behind one that is not.
    pub behind: usize,
    /// The first message that is not acknowledged.
    pub waits_for: Option<MessageId>,
}
