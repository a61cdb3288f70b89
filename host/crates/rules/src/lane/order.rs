//! What may overtake what in a lane.

use crate::plan::RuleId;

/// Where an entry stands among those of its client. Each rule sees a client's
/// publishes in order; so a later publish may overtake an earlier one that
/// waits for a rule behind its own, as it does in the chain anyway. Everything
/// else overtakes nothing, and nothing overtakes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Publish { plan: u64, rule: RuleId },
    Fixed,
}

impl Order {
    pub(crate) fn is_blocked_by(self, earliest: Self) -> bool {
        match (self, earliest) {
            (
                Self::Publish { plan, rule },
                Self::Publish {
                    plan: of_earliest,
                    rule: earliest,
                },
            ) => plan != of_earliest || earliest <= rule,
            _ => true,
        }
    }

    pub(crate) fn earlier(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Publish { plan, rule },
                Self::Publish {
                    plan: other_plan,
                    rule: other,
                },
            ) if plan == other_plan => Self::Publish {
                plan,
                rule: rule.min(other),
            },
            _ => Self::Fixed,
        }
    }
}
