//! Deliveries that rules of `message.deliver` decide about: decided in any order,
//! sent in the order taken. Those that were not sent when the client went wait
//! here for its return.

use std::collections::VecDeque;
use std::sync::Arc;

use hookwire_mqtt::{PacketId, QoS};

use super::Delivery;
use crate::hooks::DeliveryOutcome;

/// What is about to leave for a client. Those above QoS 0 count against the
/// inflight window; those of QoS 0 have a bound of their own. Made by the first:
/// most sessions never have any.
#[derive(Debug, Default)]
pub(crate) struct Deciding(Option<Box<Line>>);

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Undecided>,
    /// Those of QoS 0.
    at_most_once: usize,
    /// What was in `waiting` when the client went, and comes first when it is back.
    returned: VecDeque<Delivery>,
}

#[derive(Debug)]
struct Undecided {
    /// Of the question; they grow.
    number: u64,
    delivery: Delivery,
    outcome: Option<DeliveryOutcome>,
    keeping: Keeping,
}

/// Whether rules of `session.exchange` have kept that a delivery is sent, and by
/// which packet id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// None is asked.
    Not,
    /// They will be, once the delivery is decided.
    Wanted,
    /// They are asked, by the question of this number.
    Asked(u64, PacketId),
    /// They have.
    Kept(PacketId),
    /// They had, when it was sent or about to be by this packet id.
    Again(PacketId),
}

impl Keeping {
    /// The packet id, where there is one.
    pub(crate) fn id(self) -> Option<PacketId> {
        match self {
            Self::Not | Self::Wanted => None,
            Self::Asked(_, id) | Self::Kept(id) | Self::Again(id) => Some(id),
        }
    }
}

/// QoS 0 deliveries to one client that may be with the rules at once.
const MAX_AT_MOST_ONCE: usize = 64;

impl Deciding {
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |line| line.waiting.len())
    }

    /// Those above QoS 0.
    pub(crate) fn acknowledged(&self) -> usize {
        let line = self.0.as_ref();
        line.map_or(0, |line| line.waiting.len() - line.at_most_once)
    }

    /// Whether one more of QoS 0 has room.
    pub(crate) fn has_room_at_most_once(&self) -> bool {
        let line = self.0.as_ref();
        line.is_none_or(|line| line.at_most_once < MAX_AT_MOST_ONCE)
    }

    /// Adds one at the end; with an outcome, if nobody is asked about it. Numbers
    /// have to grow.
    pub(crate) fn push(
        &mut self,
        number: u64,
        delivery: Delivery,
        outcome: Option<DeliveryOutcome>,
        keeping: Keeping,
    ) {
        let line = self.0.get_or_insert_default();
        line.at_most_once += usize::from(delivery.qos == QoS::AtMostOnce);
        line.waiting.push_back(Undecided {
            number,
            delivery,
            outcome,
            keeping,
        });
    }

    /// Puts one that was released back where it was.
    pub(crate) fn put_back(&mut self, delivery: Delivery, keeping: Keeping) {
        let line = self.0.get_or_insert_default();
        line.at_most_once += usize::from(delivery.qos == QoS::AtMostOnce);
        line.waiting.push_front(Undecided {
            number: 0,
            delivery,
            outcome: None,
            keeping,
        });
    }

    /// Notes an outcome; false if nothing waits for it.
    pub(crate) fn decide(&mut self, number: u64, outcome: DeliveryOutcome) -> bool {
        let Some(line) = &mut self.0 else {
            return false;
        };
        let place = line
            .waiting
            .binary_search_by_key(&number, |undecided| undecided.number);
        let found = place.ok().and_then(|place| line.waiting.get_mut(place));
        match found.filter(|undecided| undecided.outcome.is_none()) {
            Some(undecided) => {
                undecided.outcome = Some(outcome);
                true
            }
            None => false,
        }
    }

    /// The delivery of a question that is to be sent, as far as the outcome says,
    /// and of which rules are still to keep that it is.
    pub(crate) fn for_keeping(&mut self, number: u64) -> Option<&mut Delivery> {
        let undecided = self.find(|undecided| undecided.number == number)?;
        if undecided.keeping != Keeping::Wanted {
            return None;
        }
        match &undecided.outcome {
            Some(DeliveryOutcome::Proceed) => Some(&mut undecided.delivery),
            Some(DeliveryOutcome::Replace(message)) => {
                undecided.delivery.message = Arc::clone(message);
                undecided.outcome = Some(DeliveryOutcome::Proceed);
                Some(&mut undecided.delivery)
            }
            Some(_) => {
                undecided.keeping = Keeping::Not;
                None
            }
            None => None,
        }
    }

    /// How the delivery of a question is kept.
    pub(crate) fn keep(&mut self, number: u64, keeping: Keeping) {
        if let Some(undecided) = self.find(|undecided| undecided.number == number) {
            undecided.keeping = keeping;
        }
    }

    /// Whether a delivery waits for the answer to this question of keeping it.
    pub(crate) fn keeps(&mut self, asked: u64) -> bool {
        self.find_asked(asked).is_some()
    }

    /// The answer to the question of keeping a delivery came.
    pub(crate) fn kept(&mut self, asked: u64) {
        if let Some((undecided, id)) = self.find_asked(asked) {
            undecided.keeping = Keeping::Kept(id);
        }
    }

    fn find_asked(&mut self, asked: u64) -> Option<(&mut Undecided, PacketId)> {
        let is_it = |undecided: &Undecided| matches!(undecided.keeping, Keeping::Asked(number, _) if number == asked);
        let undecided = self.find(is_it)?;
        let id = undecided.keeping.id()?;
        Some((undecided, id))
    }

    fn find(&mut self, is_it: impl Fn(&Undecided) -> bool) -> Option<&mut Undecided> {
        let line = self.0.as_mut()?;
        line.waiting.iter_mut().find(|undecided| is_it(undecided))
    }

    /// The oldest, if it is decided, and kept if it has to be.
    pub(crate) fn release(&mut self) -> Option<(Delivery, DeliveryOutcome, Keeping)> {
        let first = self.0.as_ref()?.waiting.front()?;
        first.outcome.as_ref()?;
        if matches!(first.keeping, Keeping::Wanted | Keeping::Asked(..)) {
            return None;
        }
        let (delivery, outcome, keeping) = self.pop()?;
        Some((delivery, outcome?, keeping))
    }

    /// What comes first when the client is back.
    pub(crate) fn returned(&self) -> Option<&VecDeque<Delivery>> {
        let line = self.0.as_ref()?;
        Some(&line.returned).filter(|returned| !returned.is_empty())
    }

    /// The first of [`Deciding::returned`].
    pub(crate) fn pop_returned(&mut self) -> Option<Delivery> {
        self.0.as_mut()?.returned.pop_front()
    }

    /// All of [`Deciding::returned`], out of it.
    pub(crate) fn take_returned(&mut self) -> VecDeque<Delivery> {
        let line = self.0.as_mut();
        line.map_or_else(VecDeque::new, |line| std::mem::take(&mut line.returned))
    }

    /// These come first when the client is back.
    pub(crate) fn set_returned(&mut self, returned: VecDeque<Delivery>) {
        if self.0.is_some() || !returned.is_empty() {
            self.0.get_or_insert_default().returned = returned;
        }
    }

    /// The oldest, decided or not.
    pub(crate) fn pop(&mut self) -> Option<(Delivery, Option<DeliveryOutcome>, Keeping)> {
        let line = self.0.as_mut()?;
        let first = line.waiting.pop_front()?;
        line.at_most_once -= usize::from(first.delivery.qos == QoS::AtMostOnce);
        Some((first.delivery, first.outcome, first.keeping))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::delivery_of;
    use super::*;

    #[test]
    fn outcomes_come_in_any_order_and_deliveries_leave_in_theirs() {
        let mut deciding = Deciding::default();
        deciding.push(3, delivery_of("a", QoS::AtLeastOnce), None, Keeping::Not);
        deciding.push(5, delivery_of("b", QoS::AtMostOnce), None, Keeping::Not);
        let proceed = Some(DeliveryOutcome::Proceed);
        deciding.push(6, delivery_of("c", QoS::AtLeastOnce), proceed, Keeping::Not);
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
            .map(|(delivery, outcome, _)| (delivery.message.payload.clone(), outcome))
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
