//! What the check knows of messages and clients.

use std::rc::Rc;

use foldhash::{HashMap, HashSet};
use hookwire_mqtt::{TopicFilter, TopicName};

use crate::stamp::Stamp;

/// A message that is to be stored.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) stamp: Stamp,
    pub(super) topic: Rc<str>,
    /// How often it was committed.
    pub(super) rows: u32,
    /// When first.
    pub(super) stored_at: Option<u64>,
    pub(super) is_acknowledged: bool,
    /// Whether its publisher was told, once, that it is not stored: who does not
    /// hear that sends it again, behind what came after it.
    pub(super) was_refused: bool,
    /// Whether it became a dead letter.
    pub(super) was_given_up: bool,
}

impl Message {
    /// Whether it was stored for who has subscribed by this filter since then.
    pub(super) fn is_owed(&self, filter: &str, since: u64) -> bool {
        self.stored_at.is_some_and(|at| at > since) && self.is_of(filter)
    }

    /// Whether the filter matches its topic.
    pub(super) fn is_of(&self, filter: &str) -> bool {
        let filter = TopicFilter::new(filter);
        let topic = TopicName::new(&self.topic);
        filter.is_ok_and(|filter| topic.is_ok_and(|topic| filter.matches(topic)))
    }
}

/// What is known of a client.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Whether the CONNECT under way starts clean.
    pub(super) starts_clean: bool,
    /// Whether it was told that it has a session, which lasts.
    pub(super) has_session: bool,
    /// Packet ids of publishes that were refused, and whether the broker ended since:
    /// one that was stored all the same, in a call that was given up, may still have
    /// it then, where the store heard nothing of the refusal before the end.
    pub(super) unsure_ids: HashMap<u16, bool>,
    /// Publishes that wait for PUBACK or PUBREC, by packet id.
    pub(super) publishing: HashMap<u16, u32>,
    /// Filters of SUBSCRIBEs that wait.
    pub(super) subscribing: HashMap<u16, Rc<str>>,
    /// Filters, and since when.
    pub(super) subscriptions: HashMap<Rc<str>, u64>,
    /// How often each message was delivered, since the session is there.
    pub(super) deliveries: HashMap<u32, u32>,
    /// The same, of those with QoS 2.
    pub(super) exactly_once: HashMap<u32, u32>,
    /// Those that were stored first when the client had subscribed, in the order
    /// in which they came first.
    pub(super) firsts: Vec<u32>,
    /// QoS 2 messages that are held until PUBREL, by packet id.
    pub(super) held: HashMap<u16, u32>,
    /// How often each came on this connection.
    pub(super) here: HashMap<u32, u32>,
    /// QoS 1 messages by packet id, until they are acknowledged.
    pub(super) unacknowledged: HashMap<u16, u32>,
    /// PUBACK was sent.
    pub(super) acknowledging: HashSet<u32>,
    /// Those that it has acknowledged: what it has not is to come again.
    pub(super) acknowledged: HashSet<u32>,
    /// PUBACK was sent and taken.
    pub(super) settled: HashSet<u32>,
}

impl Known {
    /// Its session is another one from now on.
    pub(super) fn begin_anew(&mut self) {
        let starts_clean = self.starts_clean;
        *self = Self {
            starts_clean,
            ..Self::default()
        };
    }

    /// What came by a subscription that ended may come again by another one, whose
    /// place is no nearer than the store knows.
    pub(super) fn forget_deliveries(&mut self, is_its: impl Fn(u32) -> bool) {
        self.here.retain(|number, _| !is_its(*number));
        self.exactly_once.retain(|number, _| !is_its(*number));
        self.acknowledging.retain(|number| !is_its(*number));
        self.settled.retain(|number| !is_its(*number));
    }
}
