//! What the model knows: of connections, of clients and their sessions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use foldhash::HashMap;
use hookwire_mqtt::{QoS, ReasonCode, RetainHandling};

use super::topics::{FilterNo, TopicNo};
use crate::history::ConnectionNo;
use crate::packet::Connect;

/// Number of a client id.
pub(crate) type ClientNo = usize;
/// Number of a message, from its stamp or given by the model.
pub(crate) type MessageNo = u32;

/// A place in the history, and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) seq: u64,
    pub(crate) ms: u64,
}

/// The earliest and the latest time at which the broker may have done something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) least_ms: u64,
    pub(crate) most_ms: u64,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// CONNECT was sent.
    Opened,
    /// CONNACK said yes.
    Accepted,
    /// CONNACK said no.
    Refused,
    /// It is gone.
    Closed,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) connect: Connect,
    /// None while the server has yet to assign an id.
    pub(crate) client: Option<ClientNo>,
    pub(crate) stage: Stage,
    pub(crate) opened: At,
    /// When CONNACK said yes, and whether with a session.
    pub(crate) accepted: Option<At>,
    pub(crate) is_resumed: bool,
    pub(crate) keep_alive_s: u16,
    /// The earliest thing for which the server may close it.
    pub(crate) cause: Option<At>,
    /// Whether the client broke the protocol, so that it has to be closed.
    pub(crate) is_breached: bool,
    /// Whether the server has another reason to close it than DISCONNECT.
    pub(crate) has_other_cause: bool,
    pub(crate) closed_by_server: bool,
    /// Whether an older connection of the client may yet be served and take its
    /// place.
    pub(crate) may_be_overtaken: bool,
    /// Whether another connection with its client id was accepted.
    pub(crate) is_superseded: bool,
    /// What the client's DISCONNECT said, if it sent one.
    pub(crate) disconnect: Option<ReasonCode>,
    pub(crate) disconnect_expiry_s: Option<u32>,
    /// Whether its end was taken note of.
    pub(crate) is_lost: bool,
    pub(crate) got_disconnect: bool,
    /// When the client last sent anything.
    pub(crate) last_sent_ms: u64,
    /// A time by which the server had read everything sent before it.
    pub(crate) confirmed_ms: u64,
    /// When everything that the server had written was received, the last time.
    pub(crate) drained_ms: u64,
    /// Since when the client is silent and nothing hinders the server to notice.
    pub(crate) calm_since_ms: Option<u64>,
    pub(crate) will: Option<MessageNo>,
    /// Topics that the server's aliases stand for.
    pub(crate) server_aliases: HashMap<u16, Rc<str>>,
    /// Topics that the client's aliases stand for.
    pub(crate) client_aliases: HashMap<u16, Rc<str>>,
    /// Publishes that wait for PUBACK, in order.
    pub(crate) pubacks: VecDeque<(u16, MessageNo)>,
    /// Publishes that wait for PUBREC, in order.
    pub(crate) pubrecs: VecDeque<(u16, MessageNo)>,
    /// PUBRELs that wait for PUBCOMP.
    pub(crate) pubcomps: Vec<u16>,
    /// SUBSCRIBEs that wait for SUBACK.
    pub(crate) subscribes: Vec<PendingSubscribe>,
    /// UNSUBSCRIBEs that wait for UNSUBACK.
    pub(crate) unsubscribes: Vec<PendingUnsubscribe>,
    /// PINGREQs that wait for PINGRESP.
    pub(crate) pings: u32,
    /// AUTHs of the client that wait for an answer.
    pub(crate) auths: u32,
    /// Packet ids delivered on this connection and not acknowledged to the end.
    pub(crate) open_ids: BTreeSet<u16>,
    /// Whether a message came that had not been sent before.
    pub(crate) saw_new: bool,
    /// Order of the last exchange that was sent again.
    pub(crate) resent_order: u64,
    /// Order of the PUBREC that the last PUBREL was for.
    pub(crate) released_order: u64,
}

#[derive(Debug)]
pub(crate) struct PendingSubscribe {
    pub(crate) id: u16,
    /// Numbers of the new versions in the session, one for each filter.
    pub(crate) versions: Vec<u64>,
    pub(crate) requested: Vec<QoS>,
    pub(crate) is_valid: Vec<bool>,
}

#[derive(Debug)]
pub(crate) struct PendingUnsubscribe {
    pub(crate) id: u16,
    /// When it was sent.
    pub(crate) from: u64,
    pub(crate) filters: Vec<FilterNo>,
}

#[derive(Debug, Default)]
pub(crate) struct Client {
    pub(crate) session: Session,
    /// The connection that was accepted last.
    pub(crate) connection: Option<ConnectionNo>,
    /// The connection opened last.
    pub(crate) newest: Option<ConnectionNo>,
    /// When it last sent a CONNECT that ends an old session.
    pub(crate) asked_clean: Option<At>,
    /// Wills of lost connections that may not have been published yet.
    pub(crate) wills: Vec<MessageNo>,
}

/// A session, or that there is none: then nothing is in it.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Counts the sessions of the client.
    pub(crate) generation: u32,
    /// Whether the client was told of it.
    pub(crate) exists: bool,
    /// Whether a CONNECT without an answer may have changed it.
    pub(crate) is_in_doubt: bool,
    /// When that was last so.
    pub(crate) doubted: u64,
    /// Seconds that it outlives its connection, at least and at most.
    pub(crate) expiry_s: (u32, u32),
    /// When its connection ended; None while there is one.
    pub(crate) away: Option<Span>,
    /// Every version of every subscription that may still matter.
    pub(crate) versions: Vec<Version>,
    /// Deliveries with a packet id, in the order first received.
    pub(crate) exchanges: Vec<Exchange>,
    /// Messages received, and how often.
    pub(crate) seen: HashMap<MessageNo, Seen>,
    /// Per publisher, topic, QoS published and QoS delivered: when the last
    /// message received was sent.
    pub(crate) order: HashMap<(ClientNo, TopicNo, QoS, QoS), u64>,
    /// Messages that it has to receive.
    pub(crate) owed: BTreeSet<MessageNo>,
    /// Retained messages that it has to receive, each with the subscription.
    pub(crate) owed_retained: Vec<(MessageNo, u64)>,
    /// Retained messages received, each with the subscriptions that it may have
    /// been sent for.
    pub(crate) retained_copies: Vec<(TopicNo, Vec<u64>)>,
    /// Messages that may wait for it at the server.
    pub(crate) waiting: BTreeMap<MessageNo, Waiting>,
    pub(crate) waiting_messages: usize,
    pub(crate) waiting_bytes: usize,
    /// What may have been passed on to it by other members of shared
    /// subscriptions: messages and bytes.
    pub(crate) passed_on: (usize, usize),
    /// Messages sent up to here may have been dropped from a full queue.
    pub(crate) overflowed: u64,
    /// Since when its client takes packets of how many bytes at most.
    pub(crate) packet_limits: Vec<(u64, usize)>,
    /// The client's own QoS 1 and 2 publishes, by packet id.
    pub(crate) publishing: HashMap<u16, Publishing>,
    pub(crate) next_order: u64,
}

/// A message that may wait at the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// With QoS 0, and with a packet id.
    copies: [usize; 2],
    /// Of each.
    bytes: usize,
}

/// A QoS 1 or 2 publish of a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Publishing {
    pub(crate) message: MessageNo,
    pub(crate) is_released: bool,
}

/// One version of a subscription: from one SUBSCRIBE to the next, or to
/// UNSUBSCRIBE.
#[derive(Debug)]
pub(crate) struct Version {
    /// Unique within the run.
    pub(crate) number: u64,
    pub(crate) filter: FilterNo,
    pub(crate) is_shared: bool,
    /// Requested, then granted.
    pub(crate) qos: QoS,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) retain_handling: RetainHandling,
    pub(crate) identifier: Option<u32>,
    /// SUBSCRIBE was sent.
    pub(crate) from: u64,
    /// SUBACK was received.
    pub(crate) acknowledged: Option<u64>,
    /// What may end it was sent.
    pub(crate) ending: Option<u64>,
    /// It has ended.
    pub(crate) until: Option<u64>,
    /// Whether there was surely, or may have been, a subscription before it.
    pub(crate) is_surely_new: bool,
    pub(crate) is_surely_known: bool,
    /// Retained messages that it may be sent; None until SUBACK.
    pub(crate) retained: Option<Vec<MessageNo>>,
}

impl Version {
    /// Whether it may have been there at some time in between.
    pub(crate) fn may_exist(&self, from: u64, to: u64) -> bool {
        self.from < to && self.until.is_none_or(|until| until > from)
    }

    /// Whether it was there all the time in between.
    pub(crate) fn surely_exists(&self, from: u64, to: u64) -> bool {
        self.acknowledged
            .is_some_and(|acknowledged| acknowledged < from)
            && self.ending.is_none_or(|ending| ending > to)
    }
}

/// How often a message was received.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) live: u32,
    pub(crate) retained: u32,
}

/// A delivery with a packet id.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) id: u16,
    pub(crate) message: MessageNo,
    pub(crate) qos: QoS,
    pub(crate) step: Step,
    /// The connection on which the server last sent a packet of it.
    pub(crate) connection: ConnectionNo,
    /// Grows in the order first received.
    pub(crate) order: u64,
    /// Grows in the order of the PUBRECs.
    pub(crate) received_order: u64,
    /// Whether the session may have been lost since.
    pub(crate) is_in_doubt: bool,
}

/// How far a delivery is, from the client's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// PUBLISH was received.
    Delivered,
    /// The last packet was sent: PUBACK, PUBCOMP, or a PUBREC that refuses. It
    /// may not have arrived.
    Finished {
        /// Whether the server surely had PUBREC.
        had_pubrec: bool,
    },
    /// PUBREC was sent.
    Received {
        /// It has surely arrived.
        is_confirmed: bool,
    },
    /// PUBREL was received.
    Released,
}

impl Exchange {
    /// Whether the server must not use the id for another message.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.step, Step::Finished { .. }) && !self.is_in_doubt
    }
}

impl Connection {
    pub(crate) fn new(connect: Connect, client: Option<ClientNo>, opened: At) -> Self {
        Self {
            keep_alive_s: connect.keep_alive_s,
            connect,
            client,
            stage: Stage::Opened,
            opened,
            accepted: None,
            is_resumed: false,
            cause: None,
            is_breached: false,
            has_other_cause: false,
            closed_by_server: false,
            may_be_overtaken: false,
            is_superseded: false,
            disconnect: None,
            disconnect_expiry_s: None,
            is_lost: false,
            got_disconnect: false,
            last_sent_ms: opened.ms,
            confirmed_ms: opened.ms,
            drained_ms: opened.ms,
            calm_since_ms: None,
            will: None,
            server_aliases: HashMap::default(),
            client_aliases: HashMap::default(),
            pubacks: VecDeque::new(),
            pubrecs: VecDeque::new(),
            pubcomps: Vec::new(),
            subscribes: Vec::new(),
            unsubscribes: Vec::new(),
            pings: 0,
            auths: 0,
            open_ids: BTreeSet::new(),
            saw_new: false,
            resent_order: 0,
            released_order: 0,
        }
    }

    pub(crate) fn is_v5(&self) -> bool {
        self.connect.version.is_v5()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.stage != Stage::Closed
    }

    /// Unacknowledged messages that the client and the server allow.
    pub(crate) fn window(&self, max_inflight: u16) -> usize {
        usize::from(self.connect.receive_maximum.min(max_inflight).max(1))
    }

    pub(crate) fn max_packet_bytes(&self) -> usize {
        let bytes = self.connect.maximum_packet_bytes;
        bytes.map_or(usize::MAX, |bytes| bytes as usize)
    }

    /// The earliest time at which silence may have ended it.
    /// The server may have set one that the client has not heard of.
    pub(crate) fn silent_at_ms(&self, most_s: u16) -> Option<u64> {
        let is_untold = self.stage == Stage::Opened && self.is_v5() && most_s > 0;
        let keep_alive_s = match self.keep_alive_s {
            0 if is_untold => most_s,
            asked_s if is_untold => asked_s.min(most_s),
            told_s => told_s,
        };
        let allowed_ms = u64::from(keep_alive_s) * 1_500;
        (allowed_ms > 0).then(|| self.confirmed_ms + allowed_ms)
    }
}

impl Session {
    /// When it ends, if its client stays away.
    pub(crate) fn end(&self, slack_ms: u64) -> Option<Span> {
        let away = self.away?;
        let after = |from_ms: u64, seconds: u32| match seconds {
            u32::MAX => u64::MAX,
            seconds => from_ms.saturating_add(u64::from(seconds) * 1_000),
        };
        Some(Span {
            least_ms: after(away.least_ms, self.expiry_s.0),
            most_ms: after(away.most_ms, self.expiry_s.1).saturating_add(slack_ms),
        })
    }

    pub(crate) fn exchange(&mut self, id: u16) -> Option<&mut Exchange> {
        self.exchanges.iter_mut().find(|exchange| exchange.id == id)
    }

    pub(crate) fn version(&mut self, number: u64) -> Option<&mut Version> {
        self.versions
            .iter_mut()
            .find(|version| version.number == number)
    }

    /// Notes that so many copies of a message may wait at the server, without
    /// and with a packet id.
    pub(crate) fn add_waiting(&mut self, message: MessageNo, copies: [usize; 2], bytes: usize) {
        let entry = self.waiting.entry(message).or_insert(Waiting {
            copies: [0; 2],
            bytes,
        });
        for (known, more) in entry.copies.iter_mut().zip(copies) {
            *known += more;
            self.waiting_messages += more;
            self.waiting_bytes += more * entry.bytes;
        }
    }

    /// A copy of a message was received.
    pub(crate) fn remove_waiting(&mut self, message: MessageNo, qos: QoS) {
        if let Some(entry) = self.waiting.get_mut(&message) {
            let copies = &mut entry.copies[usize::from(qos > QoS::AtMostOnce)];
            if *copies > 0 {
                *copies -= 1;
                self.waiting_messages -= 1;
                self.waiting_bytes -= entry.bytes;
            }
        }
    }

    /// No copy of a message waits.
    pub(crate) fn forget_waiting(&mut self, message: MessageNo) {
        if let Some(entry) = self.waiting.remove(&message) {
            let copies: usize = entry.copies.iter().sum();
            self.waiting_messages -= copies;
            self.waiting_bytes -= copies * entry.bytes;
        }
    }

    /// The largest packet that the client took at all times since.
    pub(crate) fn max_packet_bytes(&self, since: u64) -> usize {
        let limits = &self.packet_limits;
        let begun = limits.partition_point(|(from, _)| *from <= since);
        let in_force = &limits[begun.saturating_sub(1)..];
        let smallest = in_force.iter().map(|(_, bytes)| *bytes).min();
        smallest.unwrap_or(usize::MAX)
    }

    pub(crate) fn clear_waiting(&mut self) {
        self.waiting.clear();
        self.waiting_messages = 0;
        self.waiting_bytes = 0;
        self.passed_on = (0, 0);
    }
}
