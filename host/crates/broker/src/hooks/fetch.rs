//! What stores hold for a client: where messages were stored, and how they are
//! asked for.

use std::sync::Arc;

use hookwire_mqtt::QoS;

use super::{ClientInfo, Hook, RuleSet};
use crate::message::Message;

/// A set of stores. Which one a bit stands for is known to the rules alone, and
/// stays the same for as long as the broker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stores(pub u64);

impl Stores {
    /// No store.
    pub const NONE: Self = Self(0);

    /// Those of either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether one store is in both.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A rule that hands over what is stored for a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchRule {
    /// The set that holds this rule alone.
    pub rules: RuleSet,
    /// Where it reads.
    pub stores: Stores,
}

/// What is asked of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wants {
    /// `session.fetch`: what is stored for a subscription, and not acknowledged.
    Queued,
    /// `session.retained`: the retained message of each of its topics.
    Retained,
}

impl Wants {
    /// The hook at which it is asked for.
    #[must_use]
    pub fn hook(self) -> Hook {
        match self {
            Self::Queued => Hook::SessionFetch,
            Self::Retained => Hook::SessionRetained,
        }
    }
}

/// Asks for the next messages that are stored for a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRequest {
    /// Which of them.
    pub wants: Wants,
    /// Whose.
    pub client: Arc<ClientInfo>,
    /// Its filter, without `$share/GROUP/`.
    pub filter: Arc<str>,
    /// Maximum QoS granted.
    pub qos: QoS,
    /// Where the page before ended; none for the first.
    pub cursor: Option<Arc<str>>,
    /// Whether the client has just subscribed: then its place in the store has
    /// to be kept, durably, before the answer.
    pub begins: bool,
    /// Messages wanted at most.
    pub max_messages: usize,
    /// Whether it is to be read when all is written that was submitted of the client
    /// before; else it may be read earlier.
    pub after_writes: bool,
}

/// Some of what is stored, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// None of them was acknowledged by the client. There may be none, though
    /// more follow. Of retained messages one for each topic at most; one without
    /// payload stands for a deletion.
    pub messages: Vec<Arc<Message>>,
    /// Where the next page begins; none if this is the last.
    pub next: Option<Arc<str>>,
    /// Where the subscription began, in the rule's own words, for a person; none
    /// where the rule does not say.
    pub floor: Option<Arc<str>>,
}
