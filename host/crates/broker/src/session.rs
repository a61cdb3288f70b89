//! A client's session: subscriptions, what is in flight to it, what waits.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::HashMap;
use hookwire_mqtt::{PacketId, QoS, TopicFilter};

use crate::connection::ConnectionKey;
use crate::hooks::ClientInfo;
use crate::message::Message;

/// Names a session of a shard; never reused while the shard lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SessionKey {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) generation: u32,
    pub(crate) client: Arc<ClientInfo>,
    pub(crate) connection: ConnectionKey,
    pub(crate) subscriptions: HashMap<TopicFilter, Granted>,
    pub(crate) inflight: Inflight,
    /// Messages behind the window, oldest first.
    pub(crate) queue: VecDeque<Arc<Message>>,
}

/// What was granted for one filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) qos: QoS,
    pub(crate) no_local: bool,
}

/// QoS 1 messages sent and not acknowledged, in the order sent.
#[derive(Debug)]
pub(crate) struct Inflight {
    window: usize,
    last_id: PacketId,
    sent: VecDeque<(PacketId, Arc<Message>)>,
}

impl Inflight {
    /// At most `window` messages at once.
    pub(crate) fn new(window: u16) -> Self {
        Self {
            window: usize::from(window.max(1)),
            last_id: PacketId::LAST,
            sent: VecDeque::new(),
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.sent.len() < self.window
    }

    /// Gives the message a packet id that is not in use. Needs room.
    pub(crate) fn send(&mut self, message: Arc<Message>) -> PacketId {
        let mut id = self.last_id.next();
        while self.sent.iter().any(|(used, _)| *used == id) {
            id = id.next();
        }
        self.last_id = id;
        self.sent.push_back((id, message));
        id
    }

    /// The message that this acknowledgement is for.
    pub(crate) fn acknowledge(&mut self, id: PacketId) -> Option<Arc<Message>> {
        let position = self.sent.iter().position(|(sent, _)| *sent == id)?;
        self.sent.remove(position).map(|(_, message)| message)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.sent.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::message::MessageId;

    fn message() -> Arc<Message> {
        Arc::new(Message {
            id: MessageId::MIN,
            topic: "t".into(),
            payload: Bytes::new(),
            sender: "s".into(),
            qos: QoS::AtLeastOnce,
            retain: false,
            at_ms: 0,
            properties: Bytes::new(),
        })
    }

    proptest! {
        #[test]
        fn ids_in_flight_are_unique_and_the_window_holds(
            window in 1..40_u16,
            acknowledged in prop::collection::vec(any::<prop::sample::Index>(), 0..400),
        ) {
            let mut inflight = Inflight::new(window);
            let mut used = BTreeSet::new();
            for pick in acknowledged {
                while inflight.has_room() {
                    let id = inflight.send(message()).get();
                    prop_assert!(used.insert(id), "packet id {} is in use", id);
                }
                prop_assert_eq!(used.len(), usize::from(window));
                let id = *pick.get(&used.iter().copied().collect::<Vec<_>>());
                used.remove(&id);
                prop_assert!(inflight.acknowledge(PacketId::new(id).unwrap()).is_some());
                prop_assert!(inflight.acknowledge(PacketId::new(id).unwrap()).is_none());
                prop_assert_eq!(inflight.len(), used.len());
            }
        }
    }

    #[test]
    fn ids_wrap_around_past_one_that_is_still_in_use() {
        let mut inflight = Inflight::new(2);
        let kept = inflight.send(message());
        for _ in 0..70_000 {
            let id = inflight.send(message());
            assert_ne!(id, kept);
            inflight.acknowledge(id);
        }
    }
}
