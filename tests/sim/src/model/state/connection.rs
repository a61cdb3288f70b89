//! A connection, from CONNECT to its end, and what its client has asked for and
//! not been answered.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use foldhash::HashMap;
use hookwire_mqtt::{QoS, ReasonCode};

use super::{At, ClientNo, MessageNo};
use crate::model::topics::FilterNo;
use crate::packet::Connect;

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
