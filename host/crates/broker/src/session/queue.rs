//! What waits for a client: bounded in messages and bytes.

use std::collections::VecDeque;

use hookwire_mqtt::QoS;

use super::Delivery;
use crate::limits::QueueOverflow;
use crate::message::Message;

/// Deliveries behind the inflight window, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Delivery>,
    bytes: usize,
    /// Those of QoS 0.
    at_most_once: usize,
    /// Those that are stored, too.
    covered: usize,
    /// No message expires before this; that of one that is gone may stand here.
    expires_at_ms: Option<u64>,
}

/// The bounds of a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueBounds {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) overflow: QueueOverflow,
}

/// What became of a delivery that was to be queued.
#[derive(Debug)]
pub(crate) enum Queued {
    /// It waits; these older ones were dropped for it.
    Waits { dropped: Vec<Delivery> },
    /// There was no room.
    Full(Delivery),
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether one more message of so many bytes goes beyond a bound.
    pub(crate) fn is_full_for(&self, bytes: usize, bounds: QueueBounds) -> bool {
        self.waiting.len() >= bounds.messages || self.bytes.saturating_add(bytes) > bounds.bytes
    }

    /// Whether something waits that is stored, too.
    pub(crate) fn has_covered(&self) -> bool {
        self.covered > 0
    }

    /// Whether something of QoS 0 waits.
    pub(crate) fn has_at_most_once(&self) -> bool {
        self.at_most_once > 0
    }

    /// Adds a delivery at the end, within the bounds.
    pub(crate) fn push(&mut self, delivery: Delivery, bounds: QueueBounds) -> Queued {
        let bytes = delivery.message.held_bytes();
        let mut dropped = Vec::new();
        while self.is_full_for(bytes, bounds) {
            let makes_room = bounds.overflow == QueueOverflow::DropOldest && bytes <= bounds.bytes;
            let oldest = if makes_room { self.pop() } else { None };
            match oldest {
                Some(oldest) => dropped.push(oldest),
                None => return Queued::Full(delivery),
            }
        }
        self.bytes += bytes;
        self.at_most_once += usize::from(delivery.qos == QoS::AtMostOnce);
        self.covered += usize::from(delivery.is_covered);
        let expires_at_ms = delivery.message.expires_at_ms;
        if expires_at_ms != Message::NEVER {
            let known = self.expires_at_ms.unwrap_or(Message::NEVER);
            self.expires_at_ms = Some(known.min(expires_at_ms));
        }
        self.waiting.push_back(delivery);
        Queued::Waits { dropped }
    }

    /// The QoS of the oldest.
    pub(crate) fn next_qos(&self) -> Option<QoS> {
        self.waiting.front().map(|delivery| delivery.qos)
    }

    /// The oldest.
    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.waiting.pop_front()?;
        Some(self.removed(delivery))
    }

    /// The newest, for a planted fault.
    pub(crate) fn pop_newest(&mut self) -> Option<Delivery> {
        let delivery = self.waiting.pop_back()?;
        Some(self.removed(delivery))
    }

    fn removed(&mut self, delivery: Delivery) -> Delivery {
        self.bytes = self.bytes.saturating_sub(delivery.message.held_bytes());
        self.at_most_once -= usize::from(delivery.qos == QoS::AtMostOnce);
        self.covered -= usize::from(delivery.is_covered);
        delivery
    }

    /// Removes those that are past their time.
    pub(crate) fn expire(&mut self, wall_ms: u64) -> Vec<Delivery> {
        if self
            .expires_at_ms
            .is_none_or(|expires_at_ms| expires_at_ms > wall_ms)
        {
            return Vec::new();
        }
        let expired = self.extract(|delivery| delivery.message.is_expired(wall_ms));
        let left = self
            .waiting
            .iter()
            .map(|delivery| delivery.message.expires_at_ms);
        self.expires_at_ms = left
            .min()
            .filter(|expires_at_ms| *expires_at_ms != Message::NEVER);
        expired
    }

    /// Removes those for which `taken` holds, and hands them over in order.
    pub(crate) fn extract(&mut self, mut taken: impl FnMut(&Delivery) -> bool) -> Vec<Delivery> {
        if !self.waiting.iter().any(&mut taken) {
            return Vec::new();
        }
        let (out, kept): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(taken);
        self.waiting = kept.into();
        out.into_iter()
            .map(|delivery| self.removed(delivery))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::delivery_of;
    use super::*;

    fn bounds(messages: usize, bytes: usize, overflow: QueueOverflow) -> QueueBounds {
        QueueBounds {
            messages,
            bytes,
            overflow,
        }
    }

    fn payloads(queue: &mut Queue) -> Vec<String> {
        std::iter::from_fn(|| queue.pop())
            .map(|delivery| String::from_utf8_lossy(&delivery.message.payload).into_owned())
            .collect()
    }

    #[test]
    fn messages_beyond_a_bound_are_dropped_as_the_policy_says() {
        let held = delivery_of("1", QoS::AtLeastOnce).message.held_bytes();
        let check = |bounds: QueueBounds, expected: &[&str], dropped: usize| {
            let mut queue = Queue::default();
            let mut lost = 0;
            for number in 1..=5 {
                match queue.push(delivery_of(&number.to_string(), QoS::AtLeastOnce), bounds) {
                    Queued::Waits { dropped } => lost += dropped.len(),
                    Queued::Full(_) => lost += 1,
                }
                assert!(queue.len() <= bounds.messages && queue.bytes() <= bounds.bytes);
            }
            assert_eq!(lost, dropped, "{bounds:?}");
            assert_eq!(payloads(&mut queue), expected, "{bounds:?}");
            assert_eq!(queue.bytes(), 0);
        };
        check(
            bounds(3, 10_000, QueueOverflow::DropNewest),
            &["1", "2", "3"],
            2,
        );
        check(
            bounds(3, 10_000, QueueOverflow::DropOldest),
            &["3", "4", "5"],
            2,
        );
        check(
            bounds(3, 10_000, QueueOverflow::Disconnect),
            &["1", "2", "3"],
            2,
        );
        check(
            bounds(9, 2 * held, QueueOverflow::DropNewest),
            &["1", "2"],
            3,
        );
        check(
            bounds(9, 2 * held, QueueOverflow::DropOldest),
            &["4", "5"],
            3,
        );
        // What could never fit takes nothing else with it.
        check(bounds(9, held - 1, QueueOverflow::DropOldest), &[], 5);
    }

    #[test]
    fn what_is_extracted_keeps_its_order_and_leaves_the_rest() {
        let mut queue = Queue::default();
        for payload in ["a1", "b1", "a2", "b2"] {
            let wide = bounds(10, 10_000, QueueOverflow::DropNewest);
            queue.push(delivery_of(payload, QoS::AtLeastOnce), wide);
        }
        let out = queue.extract(|delivery| delivery.message.payload.starts_with(b"a"));
        let out: Vec<_> = out
            .iter()
            .map(|delivery| delivery.message.payload.clone())
            .collect();
        assert_eq!(out, ["a1", "a2"]);
        assert_eq!(payloads(&mut queue), ["b1", "b2"]);
        assert_eq!(queue.bytes(), 0);
    }
}
