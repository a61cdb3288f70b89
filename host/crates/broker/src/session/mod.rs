//! A client's session: what outlives its connection [MQTT-4.1.0-1].

mod backlog;
mod deciding;
mod fetching;
mod inflight;
mod kept;
mod lookup;
mod lookups;
mod moves;
mod positions;
mod queue;
mod recent;
mod sources;

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use hookwire_mqtt::{PacketId, QoS, TopicFilter, TopicName, Will};

pub(crate) use backlog::Backlog;
pub(crate) use deciding::{Deciding, Keeping};
pub(crate) use fetching::{Begins, Fetching, Source};
pub(crate) use inflight::{Acknowledged, Inflight};
pub(crate) use kept::{Kept, Step};
pub(crate) use lookup::{Found, Lookup};
pub(crate) use lookups::Lookups;
pub(crate) use moves::Moves;
pub(crate) use positions::{Line, Positions};
pub(crate) use queue::{Queue, QueueBounds, Queued};
pub(crate) use recent::{RecentFetched, RecentRetained};
pub(crate) use sources::{Known, Sources};

use crate::connection::ConnectionKey;
use crate::group::{Group, Load};
use crate::hooks::{ClientInfo, Stores};
use crate::message::{Message, MessageId};

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
    /// None while the client is away.
    pub(crate) connection: Option<ConnectionKey>,
    /// How long it outlives its connection, in seconds; `u32::MAX` for ever.
    pub(crate) expiry_interval_s: u32,
    /// When it ends, on the steady clock; while the client is away.
    pub(crate) ends_at_ms: Option<u64>,
    /// The earliest deadline for which it has a place on the wheel.
    pub(crate) armed_ms: Option<u64>,
    pub(crate) subscriptions: HashMap<TopicFilter, Granted>,
    pub(crate) inflight: Inflight,
    /// QoS 2 exchanges that rules keep.
    pub(crate) kept: Kept,
    /// What rules of `message.deliver` decide about, and what is behind it.
    pub(crate) deciding: Deciding,
    pub(crate) backlog: Backlog,
    /// Retained messages that stores are asked for.
    pub(crate) lookups: Lookups,
    pub(crate) queue: Queue,
    /// Packet ids of the client's QoS 2 publishes, from PUBLISH to PUBREL.
    pub(crate) received: HashSet<PacketId>,
    /// The will of a connection that was lost, until its delay is over.
    pub(crate) will: Option<PendingWill>,
    /// Retained messages that may still arrive by mail as well.
    pub(crate) recent: RecentRetained,
    /// Rules that hand over what is stored for its subscriptions.
    pub(crate) sources: Sources,
    /// What comes from them before anything live does.
    pub(crate) fetching: Option<Box<Fetching>>,
    /// How often something came from them first, and what waited for it.
    pub(crate) barriers: Barriers,
    /// What has come from them, and may still arrive live as well.
    pub(crate) fetched: RecentFetched,
    /// How far what is stored was acknowledged.
    pub(crate) positions: Positions,
    /// What rules are not told of that yet.
    pub(crate) moves: Moves,
    /// What shared subscriptions know of it; made by the first.
    pub(crate) load: Option<Arc<Load>>,
    /// Whether nothing is sent to it because its acknowledgements, or what rules
    /// decide about, have no room in the lanes.
    pub(crate) is_held: bool,
    /// Whether its client is about to begin anew.
    pub(crate) is_discarded: bool,
    /// When its client connected last, milliseconds since the Unix epoch.
    pub(crate) connected_at_ms: u64,
}

/// What a session has waited for its stores, since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Barriers {
    /// Times that what is live had to wait for pages.
    pub(crate) raised: u64,
    /// Messages that did.
    pub(crate) parked: u64,
}

/// A will that waits.
#[derive(Debug)]
pub(crate) struct PendingWill {
    pub(crate) will: Will,
    /// On the steady clock.
    pub(crate) due_ms: u64,
}

/// What was granted for one filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) qos: QoS,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    /// Goes with every message delivered for the filter.
    pub(crate) identifier: Option<u32>,
}

/// How a message reaches a session, by all its subscriptions that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Highest QoS granted [MQTT-3.3.5-1].
    pub(crate) qos: QoS,
    pub(crate) retain_as_published: bool,
    /// Those of all the subscriptions that have one [MQTT-3.3.4-4].
    pub(crate) identifiers: Option<Rc<[u32]>>,
    /// Where the session fetches messages of the topic from.
    pub(crate) reads: Stores,
}

/// One message on its way to one session.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) message: Arc<Message>,
    /// QoS to send it with.
    pub(crate) qos: QoS,
    /// Retain flag to send it with.
    pub(crate) retain: bool,
    pub(crate) identifiers: Option<Rc<[u32]>>,
    /// The shared subscription that chose this session.
    pub(crate) group: Option<Arc<Group>>,
    /// Whether it is stored where this session fetches from.
    pub(crate) is_covered: bool,
}

impl Terms {
    pub(crate) fn of(granted: Granted) -> Self {
        Self {
            qos: granted.qos,
            retain_as_published: granted.retain_as_published,
            identifiers: granted.identifier.map(|identifier| Rc::from([identifier])),
            reads: Stores::NONE,
        }
    }

    /// Adds another subscription that matches.
    pub(crate) fn add(&mut self, granted: Granted) {
        self.qos = self.qos.max(granted.qos);
        self.retain_as_published |= granted.retain_as_published;
        if let Some(identifier) = granted.identifier {
            let known = self.identifiers.as_deref().unwrap_or_default();
            self.identifiers = Some(known.iter().copied().chain([identifier]).collect());
        }
    }
}

impl Session {
    /// A new session of a connection that is being made.
    pub(crate) fn new(client: Arc<ClientInfo>, connection: ConnectionKey, window: u16) -> Self {
        Self {
            generation: 0,
            client,
            connection: Some(connection),
            expiry_interval_s: 0,
            ends_at_ms: None,
            armed_ms: None,
            subscriptions: HashMap::default(),
            inflight: Inflight::new(window),
            kept: Kept::default(),
            deciding: Deciding::default(),
            backlog: Backlog::default(),
            lookups: Lookups::default(),
            queue: Queue::default(),
            received: HashSet::default(),
            will: None,
            recent: RecentRetained::default(),
            sources: Sources::default(),
            fetching: None,
            barriers: Barriers::default(),
            fetched: RecentFetched::default(),
            positions: Positions::default(),
            moves: Moves::default(),
            load: None,
            is_held: false,
            is_discarded: false,
            connected_at_ms: 0,
        }
    }

    /// Has a source come from its first page on. Whether what is live had not to
    /// wait before.
    pub(crate) fn fetch(&mut self, wall_ms: u64, source: Source) -> bool {
        let is_raised = self.raise(wall_ms);
        if let Some(fetching) = &mut self.fetching {
            fetching.add(source);
        }
        is_raised
    }

    /// What these hand over, from the first page on.
    pub(crate) fn sources_of(&self, known: &[Known]) -> Vec<Source> {
        let known = known.iter().filter_map(|known| {
            let granted = self.subscriptions.get(&known.filter)?;
            Some(known.source(*granted, Begins::Not))
        });
        known.collect()
    }

    /// Has what is live wait. Whether it had not to before.
    pub(crate) fn raise(&mut self, wall_ms: u64) -> bool {
        let is_raised = self.fetching.is_none();
        if is_raised {
            self.barriers.raised += 1;
            self.fetching = Some(Box::new(Fetching::new(wall_ms)));
        }
        is_raised
    }

    /// Whether a stored message has come to the client, or what it is sent for has
    /// come past it.
    pub(crate) fn has_come(&self, line: &Line, id: MessageId) -> bool {
        self.fetched.has(id)
            || self.positions.has(line, id)
            || (self.fetched.overtook(line, id) && self.reads_all_of(&line.topic))
    }

    /// Whether all subscriptions that match a topic read what is stored.
    fn reads_all_of(&self, topic: &str) -> bool {
        let Ok(topic) = TopicName::new(topic) else {
            return false;
        };
        let own = self.subscriptions.keys();
        let own = own.filter(|filter| filter.shared().is_none());
        let mut matching = own.filter(|filter| filter.matches(topic));
        matching.all(|filter| self.sources.has(filter))
    }

    /// What was parked, and has come in a page, does not follow; also what was stored
    /// only when it waited here already.
    pub(crate) fn drop_parked_that_came(&mut self) {
        let mut queue = std::mem::take(&mut self.queue);
        queue.extract(|delivery| {
            let message = &delivery.message;
            match delivery.is_covered {
                true => self.has_come(&Line::of(message), message.id),
                false => self.fetched.has(message.id),
            }
        });
        self.queue = queue;
    }

    /// Whether something waits to be sent.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.queue.is_empty()
            || !self.backlog.is_empty()
            || self.deciding.returned().is_some()
            || self.inflight.is_resending()
            || self.fetching.is_some()
    }

    /// Whether one more of this QoS may leave, as far as the window says.
    pub(crate) fn has_window(&self, qos: QoS) -> bool {
        match qos {
            QoS::AtMostOnce => self.deciding.has_room_at_most_once(),
            QoS::AtLeastOnce | QoS::ExactlyOnce => {
                self.inflight.has_room_beside(self.deciding.acknowledged())
                    && self.positions.has_room()
            }
        }
    }

    /// Messages that wait, here or with the rules.
    pub(crate) fn waiting(&self) -> usize {
        let returned = self.deciding.returned().map_or(0, VecDeque::len);
        let fetched = self.fetching.as_ref().map_or(0, |fetching| fetching.len());
        let retained = self.backlog.len() + self.lookups.len();
        self.queue.len() + retained + returned + self.deciding.len() + fetched
    }

    /// Whether a new message may be sent now, without overtaking any.
    pub(crate) fn may_send(&self) -> bool {
        !self.has_waiting() && !self.is_held && self.has_window(QoS::AtLeastOnce)
    }

    /// As [`Session::may_send`], for QoS 0, which overtakes what is above it.
    pub(crate) fn may_send_at_most_once(&self) -> bool {
        self.backlog.is_empty()
            && self.lookups.is_empty()
            && self.deciding.returned().is_none()
            && !self.queue.has_at_most_once()
            && self.has_window(QoS::AtMostOnce)
    }

    /// Tells shared subscriptions how much this session has to do.
    pub(crate) fn report_load(&self) {
        if let Some(load) = &self.load {
            let returned = self.deciding.returned().map_or(0, VecDeque::len);
            let decided_on = self.deciding.len() + returned;
            load.set_waiting(self.inflight.len() + self.queue.len() + decided_on);
        }
    }

    /// The next deadline, on the steady clock: of the will, or of the end.
    pub(crate) fn next_deadline_ms(&self) -> Option<u64> {
        let will = self.will.as_ref().map(|will| will.due_ms);
        match (will, self.ends_at_ms) {
            (Some(will), Some(end)) => Some(will.min(end)),
            (will, end) => will.or(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::message::MessageId;

    pub(super) fn delivery(qos: QoS) -> Delivery {
        delivery_of("", qos)
    }

    pub(super) fn delivery_of(payload: &str, qos: QoS) -> Delivery {
        let message = Message {
            id: MessageId::MIN,
            topic: "t".into(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            sender: "s".into(),
            qos,
            retain: false,
            at_ms: 0,
            expires_at_ms: Message::NEVER,
            properties: Bytes::new(),
            hops: 0,
            packet_id: None,
            foreign_id: None,
            stored: Stores::NONE,
        };
        Delivery {
            message: Arc::new(message),
            qos,
            retain: false,
            identifiers: None,
            group: None,
            is_covered: false,
        }
    }

    #[test]
    fn overlapping_subscriptions_give_the_highest_qos_and_all_identifiers() {
        let granted = |qos, identifier| Granted {
            qos,
            no_local: false,
            retain_as_published: qos == QoS::AtLeastOnce,
            identifier,
        };
        let mut terms = Terms::of(granted(QoS::AtMostOnce, Some(7)));
        terms.add(granted(QoS::ExactlyOnce, None));
        terms.add(granted(QoS::AtLeastOnce, Some(9)));
        let expected = Terms {
            qos: QoS::ExactlyOnce,
            retain_as_published: true,
            identifiers: Some(Rc::from([7, 9])),
            reads: Stores::NONE,
        };
        assert_eq!(terms, expected);
    }
}
