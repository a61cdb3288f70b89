//! A client that keeps to the standard: what it remembers of its session and its
//! connection, and what it sends because of what it receives. When it does so is
//! the scheduler's to say, within what the standard allows.

use std::collections::VecDeque;
use std::rc::Rc;

use foldhash::HashMap;
use hookwire_mqtt::{AckKind, ProtocolVersion, QoS, ReasonCode};

use crate::history::ConnectionNo;
use crate::packet::{Ack, ConnAck, Connect, Packet, Publish};
use crate::plan::ClientSetup;

/// See the module.
#[derive(Debug)]
pub(crate) struct Client {
    /// As in CONNECT; empty when it is assigned one each time.
    pub(crate) id: Rc<str>,
    /// What it speaks.
    pub(crate) version: ProtocolVersion,
    /// What it has of the network.
    pub(crate) connection: Option<Connection>,
    /// Its QoS 1 and 2 publishes that are not acknowledged to the end, in order.
    publishing: Vec<Publishing>,
    /// Whether the last connection that was accepted leaves a session behind.
    keeps_session: bool,
    next_id: u16,
    sequences: HashMap<Rc<str>, u32>,
}

/// The connection of a client.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Its number in the history.
    pub(crate) no: ConnectionNo,
    /// What it began with.
    pub(crate) connect: Connect,
    /// What CONNACK said; None before.
    pub(crate) granted: Option<ConnAck>,
    /// Whether the client has nothing more to say.
    pub(crate) is_ending: bool,
    /// Whether it does not read.
    pub(crate) is_stalled: bool,
    /// Whether an AUTH of it waits for an answer.
    pub(crate) is_authenticating: bool,
    /// Topics that its aliases stand for, from alias 1.
    pub(crate) aliases: Vec<Rc<str>>,
    /// SUBSCRIBEs and UNSUBSCRIBEs that wait.
    pending_ids: Vec<u16>,
    pubacks: VecDeque<u16>,
    pubrecs: VecDeque<u16>,
    pubrels: VecDeque<u16>,
    pubcomps: VecDeque<u16>,
}

#[derive(Debug)]
struct Publishing {
    publish: Publish,
    /// PUBREC was received.
    is_received: bool,
}

impl Client {
    /// A client that never connected.
    #[must_use]
    pub(crate) fn new(setup: &ClientSetup) -> Self {
        Self {
            id: Rc::clone(&setup.id),
            version: setup.version,
            connection: None,
            publishing: Vec::new(),
            keeps_session: false,
            next_id: 0,
            sequences: HashMap::default(),
        }
    }

    /// The connection, if it may be used.
    #[must_use]
    pub(crate) fn usable(&self) -> Option<&Connection> {
        let connection = self.connection.as_ref()?;
        (connection.granted.is_some() && !connection.is_ending).then_some(connection)
    }

    /// The client opens a connection.
    pub(crate) fn opened(&mut self, no: ConnectionNo, connect: Connect) {
        if !self.keeps_session {
            self.publishing.clear();
        }
        self.connection = Some(Connection {
            no,
            connect,
            granted: None,
            is_ending: false,
            is_stalled: false,
            is_authenticating: false,
            aliases: Vec::new(),
            pending_ids: Vec::new(),
            pubacks: VecDeque::new(),
            pubrecs: VecDeque::new(),
            pubrels: VecDeque::new(),
            pubcomps: VecDeque::new(),
        });
    }

    /// A packet came; these have to be sent now.
    pub(crate) fn received(&mut self, packet: &Packet) -> Vec<Packet> {
        let Some(connection) = &mut self.connection else {
            return Vec::new();
        };
        match packet {
            Packet::ConnAck(ack) if ack.reason.is_error() => connection.is_ending = true,
            Packet::ConnAck(ack) => return self.accepted(ack),
            Packet::Publish(publish) => match publish.qos {
                QoS::AtMostOnce => {}
                QoS::AtLeastOnce => connection.pubacks.push_back(publish.id),
                QoS::ExactlyOnce => connection.pubrecs.push_back(publish.id),
            },
            Packet::Ack(ack) => self.acknowledged(*ack),
            Packet::SubAck { id, .. } | Packet::UnsubAck { id, .. } => {
                connection.pending_ids.retain(|pending| pending != id);
            }
            Packet::Auth { reason, .. } => {
                connection.is_authenticating = false;
                if *reason == ReasonCode::ContinueAuthentication {
                    return vec![Packet::Auth {
                        reason: ReasonCode::ContinueAuthentication,
                        method: connection.connect.authentication_method.clone(),
                    }];
                }
            }
            Packet::Disconnect { .. } => connection.is_ending = true,
            _ => {}
        }
        Vec::new()
    }

    /// With its session the client sends again what was not acknowledged
    /// [MQTT-4.4.0-1]; without it, it has forgotten everything.
    fn accepted(&mut self, ack: &ConnAck) -> Vec<Packet> {
        if let Some(connection) = &mut self.connection {
            connection.granted = Some(ack.clone());
        }
        // MQTT 3.1 does not say; who did not ask for a clean session has one.
        let says = self.version != ProtocolVersion::V31;
        let asked = self.connection.as_ref();
        let is_clean = asked.is_some_and(|connection| connection.connect.clean_start);
        self.keeps_session = asked.is_some_and(|connection| {
            let connect = &connection.connect;
            let asked_s = ack.session_expiry_s.unwrap_or(connect.session_expiry_s);
            if self.version.is_v5() {
                asked_s > 0
            } else {
                !connect.clean_start
            }
        });
        if is_clean || (says && !ack.session_present) {
            self.publishing.clear();
        }
        let again = |publishing: &Publishing| {
            if publishing.is_received {
                return Packet::Ack(Ack::new(AckKind::PubRel, publishing.publish.id));
            }
            Packet::Publish(Publish {
                dup: true,
                ..publishing.publish.clone()
            })
        };
        self.publishing.iter().map(again).collect()
    }

    fn acknowledged(&mut self, ack: Ack) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let known = self
            .publishing
            .iter_mut()
            .find(|publishing| publishing.publish.id == ack.id);
        match (ack.kind, known) {
            (AckKind::PubRel, _) => connection.pubcomps.push_back(ack.id),
            (AckKind::PubRec, Some(publishing)) if !ack.reason.is_error() => {
                publishing.is_received = true;
                connection.pubrels.push_back(ack.id);
            }
            _ => self
                .publishing
                .retain(|publishing| publishing.publish.id != ack.id),
        }
    }

    /// The connection is gone.
    pub(crate) fn lost(&mut self) {
        self.connection = None;
    }

    /// How many more QoS 1 and 2 publishes the server takes now.
    #[must_use]
    pub(crate) fn quota(&self) -> usize {
        const UNTOLD: u16 = 20;
        let granted = self
            .usable()
            .and_then(|connection| connection.granted.as_ref());
        let most = match granted {
            Some(granted) if self.version.is_v5() => granted.receive_maximum.unwrap_or(u16::MAX),
            Some(_) => UNTOLD,
            None => 0,
        };
        usize::from(most.min(200)).saturating_sub(self.publishing.len())
    }

    /// A packet id that is not in use: of a small circle, so that ids come again
    /// soon, or the first beyond it.
    pub(crate) fn free_id(&mut self) -> u16 {
        const CIRCLE: u16 = 60;
        let is_used = |id: u16| {
            let connection = self.connection.as_ref();
            connection.is_some_and(|connection| connection.pending_ids.contains(&id))
                || self
                    .publishing
                    .iter()
                    .any(|publishing| publishing.publish.id == id)
        };
        let circle = (0..CIRCLE).map(|step| (self.next_id + step) % CIRCLE + 1);
        let beyond = CIRCLE + 1..u16::MAX;
        let id = circle
            .chain(beyond)
            .find(|id| !is_used(*id))
            .unwrap_or(u16::MAX);
        self.next_id = id % CIRCLE;
        id
    }

    /// The client publishes above QoS 0. `publish` names its topic.
    pub(crate) fn publishes(&mut self, publish: Publish) {
        self.publishing.push(Publishing {
            publish: Publish {
                alias: None,
                ..publish
            },
            is_received: false,
        });
    }

    /// A SUBSCRIBE or UNSUBSCRIBE waits for its answer.
    pub(crate) fn asks(&mut self, id: u16) {
        if let Some(connection) = &mut self.connection {
            connection.pending_ids.push(id);
        }
    }

    /// Counts the messages of this client on a topic.
    pub(crate) fn next_sequence(&mut self, topic: &Rc<str>) -> u32 {
        let sequence = self.sequences.entry(Rc::clone(topic)).or_default();
        *sequence += 1;
        *sequence
    }

    /// Any PUBACK or PUBREC that is due, as of an application that is through with a
    /// later message first. The standard wants them in order; not every client keeps to it.
    pub(crate) fn any_ack(&mut self, pick: impl Fn(usize) -> usize) -> Option<Ack> {
        let connection = self.connection.as_mut()?;
        if connection.granted.is_none() || connection.is_ending {
            return None;
        }
        let (kind, queue) = match connection.pubacks.is_empty() {
            true => (AckKind::PubRec, &mut connection.pubrecs),
            false => (AckKind::PubAck, &mut connection.pubacks),
        };
        let id = queue.remove(pick(queue.len()))?;
        Some(Ack::new(kind, id))
    }

    /// The next acknowledgement that is due of one of the four kinds; the first
    /// kind from `from` on of which there is one. PUBACKs, PUBRECs and PUBRELs
    /// go in the order of what they answer [MQTT-4.6.0-2] [MQTT-4.6.0-3]
    /// [MQTT-4.6.0-4].
    pub(crate) fn next_ack(&mut self, from: usize) -> Option<Ack> {
        let connection = self.connection.as_mut()?;
        if connection.granted.is_none() || connection.is_ending {
            return None;
        }
        (0..4).find_map(|offset| {
            let (kind, queue) = match (from + offset) % 4 {
                0 => (AckKind::PubAck, &mut connection.pubacks),
                1 => (AckKind::PubRec, &mut connection.pubrecs),
                2 => (AckKind::PubRel, &mut connection.pubrels),
                _ => (AckKind::PubComp, &mut connection.pubcomps),
            };
            queue.pop_front().map(|id| Ack::new(kind, id))
        })
    }
}
