//! The route table: which destinations have a subscriber for a topic.
//!
//! The one thing, beside retained messages, that workers share. It is read when
//! a worker's own cache misses, and written when a worker gets its first
//! subscriber of a filter or loses its last, or a shared subscription gains or
//! loses a member. Who subscribed is each worker's own affair.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hookwire_mqtt::{TopicFilter, TopicName};

use crate::filter_index::FilterIndex;
use crate::group::{Group, Member, SharedStrategy};
use crate::link::WorkerId;
use crate::session::SessionKey;

/// Filter to destinations, for all workers of a node.
#[derive(Debug, Default)]
pub struct RouteTable {
    index: RwLock<FilterIndex<Route>>,
    generation: AtomicU64,
    strategy: SharedStrategy,
}

/// One destination under a filter.
#[derive(Debug)]
enum Route {
    Worker(WorkerId),
    Group(Arc<Group>),
}

/// Everything that a topic's messages go to.
#[derive(Debug, Default)]
pub(crate) struct Destinations {
    /// Each once.
    pub(crate) workers: Vec<WorkerId>,
    /// Shared subscriptions, each of which gets a message of its own.
    pub(crate) groups: Vec<Arc<Group>>,
    /// The generation that this is true for.
    pub(crate) generation: u64,
}

impl RouteTable {
    /// An empty table, whose shared subscriptions choose members in this way.
    #[must_use]
    pub fn new(strategy: SharedStrategy) -> Self {
        Self {
            strategy,
            ..Self::default()
        }
    }

    /// Grows with every change. A reader that finds the number it kept may use
    /// what it cached under it.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// `worker` has its first subscriber of `filter`. When this returns, every
    /// publish that any worker starts to route reaches it.
    pub fn add(&self, filter: &TopicFilter, worker: WorkerId) {
        self.change(|index| {
            index.insert(filter, Route::Worker(worker));
        });
    }

    /// `worker` lost its last subscriber of `filter`.
    pub fn remove(&self, filter: &TopicFilter, worker: WorkerId) {
        self.change(|index| {
            index.remove(
                filter,
                |route| matches!(route, Route::Worker(known) if *known == worker),
            );
        });
    }

    /// A session joins the shared subscription `subscription`, whose own filter
    /// is `filter`. It is no member yet.
    pub(crate) fn join(&self, subscription: &TopicFilter, filter: &TopicFilter, member: Member) {
        self.change(|index| {
            let is_it = |route: &Route| {
                matches!(route, Route::Group(group) if group.subscription == *subscription)
            };
            if let Some(Route::Group(group)) = index.get_mut(filter, is_it) {
                group.join(member);
            } else {
                let group = Group::new(subscription.clone(), self.strategy);
                group.join(member);
                index.insert(filter, Route::Group(Arc::new(group)));
            }
        });
    }

    /// A session leaves the shared subscription.
    pub(crate) fn leave(
        &self,
        subscription: &TopicFilter,
        filter: &TopicFilter,
        worker: WorkerId,
        session: SessionKey,
    ) {
        self.change(|index| {
            index.remove(filter, |route| match route {
                Route::Group(group) if group.subscription == *subscription => {
                    group.leave(worker, session)
                }
                _ => false,
            });
        });
    }

    fn change(&self, change: impl FnOnce(&mut FilterIndex<Route>)) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut index);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Where messages of `topic` go.
    pub(crate) fn destinations(&self, topic: TopicName<'_>) -> Destinations {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = Destinations {
            generation: self.generation(),
            ..Destinations::default()
        };
        index.matches(topic, |route| match route {
            Route::Worker(worker) if found.workers.contains(worker) => {}
            Route::Worker(worker) => found.workers.push(*worker),
            Route::Group(group) => found.groups.push(Arc::clone(group)),
        });
        found
    }

    /// Whether messages of `topic` go anywhere.
    pub(crate) fn has_destinations(&self, topic: TopicName<'_>) -> bool {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut is_any = false;
        index.matches(topic, |_| is_any = true);
        is_any
    }

    /// Destinations registered, counted once for each filter.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Whether there is no subscriber at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
