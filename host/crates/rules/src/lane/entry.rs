//! What stands in a lane's queue.

use crate::lane::item::Item;
use crate::lane::order::Order;
use crate::plan::RuleId;
use crate::plan::set::Set;
use crate::worker::chain::{ChainEntry, Chains};
use crate::worker::subject::{ClientHash, Subject};

/// An item, or its place.
pub(super) enum Entry {
    Ready(Item),
    /// Waits for the steps before it.
    Chained(ClientHash, ChainEntry),
}

impl Entry {
    /// Whether some of it has run.
    pub(super) fn has_run(&self) -> bool {
        match self {
            Self::Ready(item) => item.rest.is_some(),
            Self::Chained(..) => false,
        }
    }

    pub(super) fn client(&self) -> ClientHash {
        match self {
            Self::Ready(item) => item.client,
            Self::Chained(client, _) => *client,
        }
    }

    pub(super) fn came(&self) -> u64 {
        match self {
            Self::Ready(item) => item.came,
            Self::Chained(_, entry) => entry.came,
        }
    }

    pub(super) fn order(&self, chains: &Chains) -> Order {
        match self {
            Self::Ready(item) => match &item.subject {
                Subject::Publish(_) if item.rest.is_none() => Order::Publish {
                    plan: item.set.plan.number,
                    rule: first_rule(&item.set, item.step),
                },
                _ => Order::Fixed,
            },
            Self::Chained(_, entry) => match chains.place(*entry) {
                Some((plan, rule)) => Order::Publish { plan, rule },
                None => Order::Publish { plan: 0, rule: 0 },
            },
        }
    }
}

pub(crate) fn first_rule(set: &Set, step: usize) -> RuleId {
    let step = set.steps.get(step);
    step.and_then(|step| step.rules.first())
        .copied()
        .unwrap_or_default()
}
