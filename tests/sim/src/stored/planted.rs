//! Faults that the simulation with a store has to find.

use std::fmt;

use crate::world::{Fault, Order};

/// A fault in the core, or in what the rules do with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// In the core.
    Core(Fault),
    /// A position is one in a topic, whoever published.
    PositionOfTopic,
    /// A floor is the newest message, though an older one may still be committed.
    FloorTooHigh,
}

impl Planted {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Core(Fault::AckBeforeVerdict),
        Self::Core(Fault::PositionJumps),
        Self::PositionOfTopic,
        Self::Core(Fault::ParkedForgotten),
        Self::Core(Fault::FetchedAgain),
        Self::Core(Fault::SubAckEarly),
        Self::Core(Fault::ConnAckEarly),
        Self::Core(Fault::SentUnkept),
        Self::FloorTooHigh,
    ];

    /// The core's part.
    pub(crate) fn core(self) -> Option<Fault> {
        match self {
            Self::Core(fault) => Some(fault),
            Self::PositionOfTopic | Self::FloorTooHigh => None,
        }
    }

    /// Whether it can do harm in a store of this order: rows are numbered when they are
    /// committed, so that none comes before the newest.
    #[must_use]
    pub fn harms(self, order: Order) -> bool {
        self != Self::FloorTooHigh || order == Order::MessageIds
    }
}

impl fmt::Display for Planted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core(fault) => write!(f, "{fault:?}"),
            Self::PositionOfTopic | Self::FloorTooHigh => write!(f, "{self:?}"),
        }
    }
}
