//! Deliveries that rules of `message.deliver` decide about: decided in any order,
//! sent in the order taken.

use std::collections::VecDeque;

use hookwire_mqtt::QoS;

use super::Delivery;
use crate::hooks::DeliveryOutcome;

/// What is about to leave for a client. Those above QoS 0 count against the
/// inflight window; those of QoS 0 have a bound of their own.
#[derive(Debug, Default)]
pub(crate) struct Deciding {
    waiting: VecDeque<Undecided>,
    /// Those of QoS 0.
    at_most_once: usize,
}

#[derive(Debug)]
struct Undecided {
    /// Of the question; they grow.
    number: u64,
    delivery: Delivery,
    outcome: Option<DeliveryOutcome>,
}

/// QoS 0 deliveries to one client that may be with the rules at once.
const MAX_AT_MOST_ONCE: usize = 64;

impl Deciding {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Those above QoS 0.
    pub(crate) fn acknowledged(&self) -> usize {
        self.waiting.len() - self.at_most_once
    }

    /// Whether one more of QoS 0 has room.
    pub(crate) fn has_room_at_most_once(&self) -> bool {
        self.at_most_once < MAX_AT_MOST_ONCE
    }

    /// Adds one at the end; with an outcome, if nobody is asked about it. Numbers
    /// have to grow.
    pub(crate) fn push(
        &mut self,
        number: u64,
        delivery: Delivery,
        outcome: Option<DeliveryOutcome>,
    ) {
        self.at_most_once += usize::from(delivery.qos == QoS::AtMostOnce);
        self.waiting.push_back(Undecided {
            number,
            delivery,
            outcome,
        });
    }

    /// Puts one that was released back where it was.
    pub(crate) fn put_back(&mut self, delivery: Delivery) {
        self.at_most_once += usize::from(delivery.qos == QoS::AtMostOnce);
        self.waiting.push_front(Undecided {
            number: 0,
            delivery,
            outcome: None,
        });
    }

    /// Notes an outcome; false if nothing waits for it.
    pub(crate) fn decide(&mut self, number: u64, outcome: DeliveryOutcome) -> bool {
        let place = self
            .waiting
            .binary_search_by_key(&number, |undecided| undecided.number);
        let found = place.ok().and_then(|place| self.waiting.get_mut(place));
        match found.filter(|undecided| undecided.outcome.is_none()) {
            Some(undecided) => {
                undecided.outcome = Some(outcome);
                true
            }
            None => false,
        }
    }

    /// The oldest, if it is decided.
    pub(crate) fn release(&mut self) -> Option<(Delivery, DeliveryOutcome)> {
        self.waiting.front()?.outcome.as_ref()?;
        let (delivery, outcome) = self.pop()?;
        Some((delivery, outcome?))
    }

    /// The oldest, decided or not.
    pub(crate) fn pop(&mut self) -> Option<(Delivery, Option<DeliveryOutcome>)> {
        let first = self.waiting.pop_front()?;
        self.at_most_once -= usize::from(first.delivery.qos == QoS::AtMostOnce);
        Some((first.delivery, first.outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::delivery_of;
    use super::*;

    #[test]
    fn outcomes_come_in_any_order_and_deliveries_leave_in_theirs() {
        let mut deciding = Deciding::default();
        deciding.push(3, delivery_of("a", QoS::AtLeastOnce), None);
        deciding.push(5, delivery_of("b", QoS::AtMostOnce), None);
        let proceed = Some(DeliveryOutcome::Proceed);
        deciding.push(6, delivery_of("c", QoS::AtLeastOnce), proceed);
        assert_eq!((deciding.len(), deciding.acknowledged()), (3, 2));
        assert!(
            !deciding.decide(4, DeliveryOutcome::Proceed),
            "nobody asked"
        );
        assert!(deciding.decide(5, DeliveryOutcome::Drop("rule")));
        assert!(
            !deciding.decide(5, DeliveryOutcome::Proceed),
            "it is decided"
        );
        assert!(deciding.release().is_none());
        assert!(deciding.decide(3, DeliveryOutcome::Proceed));
        let out: Vec<_> = std::iter::from_fn(|| deciding.release())
            .map(|(delivery, outcome)| (delivery.message.payload.clone(), outcome))
            .collect();
        let expected = [
            ("a", DeliveryOutcome::Proceed),
            ("b", DeliveryOutcome::Drop("rule")),
            ("c", DeliveryOutcome::Proceed),
        ];
        assert_eq!(
            out,
            expected.map(|(payload, outcome)| (payload.into(), outcome))
        );
        assert!(deciding.is_empty() && deciding.acknowledged() == 0);
    }
}
