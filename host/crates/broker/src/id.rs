//! Message ids: unique, and in the order of time as text.

use crate::message::MessageId;

pub(crate) const NODE_BITS: u32 = 16;
const TIME_MASK: u64 = (1 << 43) - 1;
pub(crate) const SEQUENCE_BITS: u32 = 48;
const SEQUENCE_MASK: u64 = (1 << SEQUENCE_BITS) - 1;
const WORKER_MASK: u64 = (1 << 10) - 1;

/// Makes the ids of one worker. They only grow, also when the wall clock is
/// set back: then the time in them stands still until the clock has caught up.
#[derive(Debug)]
pub struct IdGenerator {
    node: u16,
    worker: u64,
    last_ms: u64,
    sequence: u64,
    /// The time of the first.
    first_ms: u64,
}

impl IdGenerator {
    /// Ids of this worker of this node, none with a time before `not_before_ms`
    /// (milliseconds since the epoch): the mark that an earlier run left.
    #[must_use]
    pub fn new(node: u16, worker: u16, not_before_ms: u64) -> Self {
        Self {
            node,
            worker: u64::from(worker) & WORKER_MASK,
            last_ms: not_before_ms,
            sequence: 0,
            first_ms: not_before_ms,
        }
    }

    /// When the message of an id was taken, if this run of this node made the id,
    /// milliseconds since the Unix epoch, about: ids may be ahead of the clock.
    pub(crate) fn taken_ms(&self, id: MessageId) -> Option<u64> {
        let (node, at_ms) = id.node_and_time();
        (node == self.node && at_ms >= self.first_ms && !id.is_foreign()).then_some(at_ms)
    }

    /// The next id.
    pub fn next(&mut self, wall_ms: u64) -> MessageId {
        self.last_ms = self.last_ms.max(wall_ms);
        self.sequence = self.sequence.wrapping_add(1) & SEQUENCE_MASK;
        let high = (self.last_ms & TIME_MASK) << NODE_BITS | u64::from(self.node);
        let low = self.worker << SEQUENCE_BITS | self.sequence;
        MessageId::from_halves(high, low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: MessageId) -> String {
        id.to_string()
    }

    #[test]
    fn ids_are_twenty_characters_and_sort_as_text_in_the_order_made() {
        let mut ids = IdGenerator::new(7, 1, 0);
        let made: Vec<String> = [5, 5, 6, 1_700_000_000_000, 1_700_000_000_001, (1 << 43) - 1]
            .into_iter()
            .map(|wall_ms| text(ids.next(wall_ms)))
            .collect();
        let mut sorted = made.clone();
        sorted.sort();
        assert_eq!(made, sorted);
        assert!(made.iter().all(|id| id.len() == 20), "{made:?}");
    }

    #[test]
    fn a_clock_set_back_does_not_take_ids_back() {
        let mut ids = IdGenerator::new(0, 0, 9_000);
        let first = ids.next(1_000);
        let second = ids.next(500);
        let third = ids.next(9_001);
        assert!(first < second && second < third);
        assert!(text(first) < text(second) && text(second) < text(third));
    }

    #[test]
    fn workers_and_nodes_make_different_ids() {
        let made = [(1, 0), (1, 1), (2, 0)]
            .map(|(node, worker)| IdGenerator::new(node, worker, 0).next(10));
        assert!(made[0] != made[1] && made[0] != made[2] && made[1] != made[2]);
    }
}
