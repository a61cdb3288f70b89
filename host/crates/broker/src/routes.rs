//! The route table: which destinations have a subscriber for a topic.
//!
//! The one thing that workers share. It is read when a worker's own cache
//! misses, and written when a worker gets its first subscriber of a filter or
//! loses its last. Who subscribed is each worker's own affair.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use hookwire_mqtt::{TopicFilter, TopicName};

use crate::filter_index::FilterIndex;
use crate::link::WorkerId;

/// Filter to destinations, for all workers of a node.
#[derive(Debug, Default)]
pub struct RouteTable {
    index: RwLock<FilterIndex<WorkerId>>,
    generation: AtomicU64,
}

impl RouteTable {
    /// Grows with every change. A reader that finds the number it kept may use
    /// what it cached under it.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// `worker` has its first subscriber of `filter`. When this returns, every
    /// publish that any worker starts to route reaches it.
    pub fn add(&self, filter: &TopicFilter, worker: WorkerId) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.insert(filter, worker);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// `worker` lost its last subscriber of `filter`.
    pub fn remove(&self, filter: &TopicFilter, worker: WorkerId) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.remove(filter, |entry| *entry == worker);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The workers with a subscriber for `topic`, each once, and the generation
    /// that the answer is true for.
    #[must_use]
    pub fn destinations(&self, topic: TopicName<'_>) -> (Vec<WorkerId>, u64) {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let generation = self.generation();
        let mut workers = Vec::new();
        index.matches(topic, |worker| {
            if !workers.contains(worker) {
                workers.push(*worker);
            }
        });
        (workers, generation)
    }

    /// Filters registered, counted once for each worker.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Whether no worker has any subscriber.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
