//! What was sent to a client and is not acknowledged to the end.

use std::collections::VecDeque;

use foldhash::HashSet;
use hookwire_mqtt::{PacketId, QoS};

use super::Delivery;

/// The outgoing half of QoS 1 and 2, section 4.3 of the standard.
///
/// A message stays in `sent` until PUBACK or PUBREC; a QoS 2 message then
/// leaves its packet id in `released` until PUBCOMP. Both keep their order, so
/// that everything can be sent again in it [MQTT-4.6.0-1] [MQTT-4.6.0-4].
#[derive(Debug)]
pub(crate) struct Inflight {
    window: usize,
    last_id: PacketId,
    /// In the order first sent.
    sent: VecDeque<Sent>,
    /// How many of `sent`, from the front, were written to this connection. The
    /// others wait to be sent again after a reconnect.
    on_wire: usize,
    /// Ids for which PUBREL was sent, in the order of the PUBRECs.
    released: VecDeque<PacketId>,
    /// Ids that messages will be sent by.
    reserved: HashSet<PacketId>,
    /// Whether ids in `sent` may not stand in the order given out.
    is_mixed: bool,
}

#[derive(Debug)]
struct Sent {
    id: PacketId,
    delivery: Delivery,
}

/// What an acknowledgement did.
#[derive(Debug)]
pub(crate) enum Acknowledged {
    /// It was for this message.
    Message(Delivery),
    /// There is no message with this id; nothing changed.
    Unknown,
    /// The message with this id has the other QoS; nothing changed.
    WrongKind,
}

impl Inflight {
    /// At most `window` messages at once.
    pub(crate) fn new(window: u16) -> Self {
        Self {
            window: usize::from(window.max(1)),
            last_id: PacketId::LAST,
            sent: VecDeque::new(),
            on_wire: 0,
            released: VecDeque::new(),
            reserved: HashSet::default(),
            is_mixed: false,
        }
    }

    /// A new connection: everything is to be sent again within its window.
    pub(crate) fn resume(&mut self, window: u16) {
        self.window = usize::from(window.max(1));
        self.on_wire = 0;
    }

    pub(crate) fn has_room(&self) -> bool {
        self.has_room_beside(0)
    }

    /// Whether the window has room for one more, beside so many that are about to leave.
    pub(crate) fn has_room_beside(&self, others: usize) -> bool {
        self.on_wire + self.released.len() + others < self.window
    }

    /// Whether something has to be sent again before anything new.
    pub(crate) fn is_resending(&self) -> bool {
        self.on_wire < self.sent.len()
    }

    /// Messages and ids not acknowledged to the end.
    pub(crate) fn len(&self) -> usize {
        self.sent.len() + self.released.len()
    }

    /// Gives a new message a packet id that is not in use [MQTT-2.2.1-4]. Needs
    /// room, and nothing to be sent again.
    pub(crate) fn send(&mut self, delivery: Delivery) -> PacketId {
        let id = self.free_id();
        self.push(id, delivery);
        id
    }

    /// As [`Inflight::send`], by an id that was reserved.
    pub(crate) fn send_by(&mut self, id: PacketId, delivery: Delivery) {
        self.reserved.remove(&id);
        self.is_mixed = true;
        self.push(id, delivery);
    }

    /// An id for a message that will be sent.
    pub(crate) fn reserve(&mut self) -> PacketId {
        let id = self.free_id();
        self.reserved.insert(id);
        id
    }

    /// Keeps an id for a message that may be sent again.
    pub(crate) fn reserve_id(&mut self, id: PacketId) {
        self.reserved.insert(id);
    }

    /// A message is not sent after all.
    pub(crate) fn unreserve(&mut self, id: PacketId) {
        self.reserved.remove(&id);
    }

    /// PUBREC had come for this id when the session was left.
    pub(crate) fn restore_released(&mut self, id: PacketId) {
        self.released.push_back(id);
    }

    /// Ids are given out from behind one that follows from `seed`: it is not known
    /// which the client holds of messages that are lost.
    pub(crate) fn begin_anywhere(&mut self, seed: u64) {
        // Fibonacci hashing spreads moments that are close together.
        let spread = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48;
        let id = u16::try_from(spread).ok().and_then(PacketId::new);
        self.last_id = id.unwrap_or(PacketId::LAST);
    }

    fn push(&mut self, id: PacketId, delivery: Delivery) {
        self.sent.push_back(Sent { id, delivery });
        self.on_wire += 1;
    }

    fn free_id(&mut self) -> PacketId {
        self.is_mixed &= !self.sent.is_empty();
        if self.is_mixed || !self.reserved.is_empty() {
            return self.free_id_of_mixed();
        }
        let mut id = self.last_id.next();
        // Ids in `sent` stand in the order given out, so the first that the next
        // one can meet is the oldest, then the one behind it.
        let mut oldest = 0;
        loop {
            if self.sent.get(oldest).is_some_and(|sent| sent.id == id) {
                oldest += 1;
            } else if !self.released.contains(&id) {
                break;
            }
            id = id.next();
        }
        self.last_id = id;
        id
    }

    /// As [`Inflight::free_id`], in whatever order the ids in use stand.
    fn free_id_of_mixed(&mut self) -> PacketId {
        let mut id = self.last_id.next();
        while self.reserved.contains(&id)
            || self.released.contains(&id)
            || self.sent.iter().any(|sent| sent.id == id)
        {
            id = id.next();
        }
        self.last_id = id;
        id
    }

    /// The next message to be sent again, if the window has room.
    pub(crate) fn resend(&mut self) -> Option<(PacketId, Delivery)> {
        if !self.has_room() {
            return None;
        }
        let sent = self.sent.get(self.on_wire)?;
        self.on_wire += 1;
        Some((sent.id, sent.delivery.clone()))
    }

    /// Ids for which PUBREL is to be sent again.
    pub(crate) fn released(&self) -> impl Iterator<Item = PacketId> + '_ {
        self.released.iter().copied()
    }

    /// PUBACK, or PUBREC with a reason code that ends the exchange.
    pub(crate) fn acknowledge(&mut self, id: PacketId, qos: QoS) -> Acknowledged {
        let Some(position) = self.sent.iter().position(|sent| sent.id == id) else {
            return Acknowledged::Unknown;
        };
        if self
            .sent
            .get(position)
            .is_none_or(|sent| sent.delivery.qos != qos)
        {
            return Acknowledged::WrongKind;
        }
        if position < self.on_wire {
            self.on_wire -= 1;
        }
        match self.sent.remove(position) {
            Some(sent) => Acknowledged::Message(sent.delivery),
            None => Acknowledged::Unknown,
        }
    }

    /// PUBREC: the message is the client's, its id is still in use.
    pub(crate) fn receive(&mut self, id: PacketId) -> Acknowledged {
        if self.released.contains(&id) {
            return Acknowledged::Unknown;
        }
        let acknowledged = self.acknowledge(id, QoS::ExactlyOnce);
        if matches!(acknowledged, Acknowledged::Message(_)) {
            self.released.push_back(id);
        }
        acknowledged
    }

    /// Whether PUBREL was sent for this id.
    pub(crate) fn is_released(&self, id: PacketId) -> bool {
        self.released.contains(&id)
    }

    /// PUBCOMP: the id is free; false if it was not in use.
    pub(crate) fn complete(&mut self, id: PacketId) -> bool {
        let position = self.released.iter().position(|released| *released == id);
        position.is_some_and(|position| self.released.remove(position).is_some())
    }

    /// Everything not acknowledged, in the order sent.
    pub(crate) fn into_deliveries(self) -> impl Iterator<Item = Delivery> {
        self.sent.into_iter().map(|sent| sent.delivery)
    }

    /// Lifts the window, for a planted fault.
    pub(crate) fn lift_window(&mut self) {
        self.window = usize::MAX;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::tests::delivery;
    use super::*;

    proptest! {
        #[test]
        fn ids_in_flight_are_unique_and_the_window_holds(
            window in 1..40_u16,
            steps in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), 0..20_u8), 0..400),
        ) {
            let mut inflight = Inflight::new(window);
            let mut used = BTreeSet::new();
            let mut released = BTreeSet::new();
            for (pick, twice, chance) in steps {
                if chance == 0 {
                    inflight.resume(window);
                    while inflight.resend().is_some() {}
                }
                while inflight.has_room() && !inflight.is_resending() {
                    let qos = if twice { QoS::ExactlyOnce } else { QoS::AtLeastOnce };
                    let id = inflight.send(delivery(qos)).get();
                    prop_assert!(used.insert(id), "packet id {} is in use", id);
                }
                prop_assert_eq!(inflight.len(), used.len());
                prop_assert!(used.len() <= usize::from(window));
                let number = *pick.get(&used.iter().copied().collect::<Vec<_>>());
                let id = PacketId::new(number).unwrap();
                if released.remove(&number) {
                    prop_assert!(inflight.complete(id));
                    prop_assert!(!inflight.complete(id));
                    used.remove(&number);
                } else {
                    match inflight.acknowledge(id, QoS::AtLeastOnce) {
                        Acknowledged::Message(_) => { used.remove(&number); }
                        Acknowledged::WrongKind => {
                            prop_assert!(matches!(inflight.receive(id), Acknowledged::Message(_)));
                            prop_assert!(matches!(inflight.receive(id), Acknowledged::Unknown));
                            prop_assert!(inflight.is_released(id));
                            released.insert(number);
                        }
                        Acknowledged::Unknown => prop_assert!(false, "lost {}", number),
                    }
                }
            }
        }
    }

    #[test]
    fn ids_wrap_around_past_those_that_are_still_in_use() {
        let mut inflight = Inflight::new(4);
        let kept = [
            inflight.send(delivery(QoS::ExactlyOnce)),
            inflight.send(delivery(QoS::AtLeastOnce)),
            inflight.send(delivery(QoS::AtLeastOnce)),
        ];
        inflight.receive(kept[0]);
        for _ in 0..70_000 {
            let id = inflight.send(delivery(QoS::AtLeastOnce));
            assert!(!kept.contains(&id));
            inflight.acknowledge(id, QoS::AtLeastOnce);
        }
    }

    #[test]
    fn what_was_not_acknowledged_comes_again_in_order_within_the_new_window() {
        let mut inflight = Inflight::new(3);
        let ids: Vec<_> = (0..3)
            .map(|_| inflight.send(delivery(QoS::AtLeastOnce)))
            .collect();
        inflight.resume(2);
        let again = |inflight: &mut Inflight| inflight.resend().map(|(id, _)| id);
        assert_eq!(again(&mut inflight), Some(ids[0]));
        assert_eq!(again(&mut inflight), Some(ids[1]));
        assert_eq!(again(&mut inflight), None);
        assert!(inflight.is_resending());
        inflight.acknowledge(ids[1], QoS::AtLeastOnce);
        assert_eq!(again(&mut inflight), Some(ids[2]));
        assert!(!inflight.is_resending());
    }
}
