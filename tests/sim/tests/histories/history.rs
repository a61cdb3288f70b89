//! Writes histories in few words.

use std::rc::Rc;

use hookwire_mqtt::{AckKind, ProtocolVersion, QoS, ReasonCode};
use hookwire_sim::history::{ConnectionNo, Event, Outcome, Side, What};
use hookwire_sim::model::{Configuration, Model, Violation};
use hookwire_sim::packet::{Ack, ConnAck, Connect, Entry, Packet, Publish, Will};
use hookwire_sim::stamp::{Decision, Stamp};

pub(crate) const QOS0: QoS = QoS::AtMostOnce;
pub(crate) const QOS1: QoS = QoS::AtLeastOnce;
pub(crate) const QOS2: QoS = QoS::ExactlyOnce;

/// A history, and the model that watches it being written.
pub(crate) struct History {
    pub(crate) model: Model,
    at_ms: u64,
    connections: ConnectionNo,
    messages: u32,
}

impl History {
    pub(crate) fn new() -> Self {
        Self::with(Configuration::default())
    }

    pub(crate) fn with(configuration: Configuration) -> Self {
        Self {
            model: Model::new(configuration),
            at_ms: 1_000,
            connections: 0,
            messages: 0,
        }
    }

    pub(crate) fn violations(&self) -> &[Violation] {
        self.model.violations()
    }

    pub(crate) fn happens(&mut self, what: What) {
        self.model.observe(&Event {
            at_ms: self.at_ms,
            what,
        });
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        self.at_ms += ms;
    }

    /// Opens a connection, which has no answer yet.
    pub(crate) fn open(&mut self, connect: Connect) -> ConnectionNo {
        let connection = self.connections;
        self.connections += 1;
        self.happens(What::Opened {
            connection,
            connect,
        });
        connection
    }

    /// Opens a connection that is accepted, with a session or a new one.
    pub(crate) fn accept(&mut self, connect: Connect, session_present: bool) -> ConnectionNo {
        let connection = self.open(connect);
        self.gets(connection, accepted(session_present));
        connection
    }

    /// An MQTT 5 client with a clean start.
    pub(crate) fn client(&mut self, id: &str) -> ConnectionNo {
        self.accept(v5(id), false)
    }

    pub(crate) fn sends(&mut self, connection: ConnectionNo, packet: Packet) {
        self.happens(What::Sent { connection, packet });
    }

    pub(crate) fn gets(&mut self, connection: ConnectionNo, packet: Packet) {
        self.happens(What::Received {
            connection,
            packet,
            bytes: 40,
        });
    }

    pub(crate) fn drops(&mut self, connection: ConnectionNo) {
        self.happens(What::Closed {
            connection,
            by: Side::Client,
        });
    }

    pub(crate) fn is_closed(&mut self, connection: ConnectionNo) {
        self.happens(What::Closed {
            connection,
            by: Side::Server,
        });
    }

    pub(crate) fn rest(&mut self) {
        self.happens(What::Rest {
            is_calm: false,
            undrained: Vec::new(),
        });
    }

    pub(crate) fn calm(&mut self) {
        self.happens(What::Rest {
            is_calm: true,
            undrained: Vec::new(),
        });
    }

    pub(crate) fn verdict(&mut self, publish: &Publish, outcome: Outcome) {
        let stamp = Stamp::read(&publish.payload).expect("stamped");
        self.happens(What::Verdict {
            message: stamp.message,
            outcome,
        });
    }

    /// SUBSCRIBE and its SUBACK.
    pub(crate) fn subscribes(&mut self, connection: ConnectionNo, filter: &str, qos: QoS) {
        self.subscribes_to(connection, 1, Entry::new(filter, qos));
    }

    pub(crate) fn subscribes_to(&mut self, connection: ConnectionNo, id: u16, entry: Entry) {
        let reasons = vec![ReasonCode::granted(entry.qos)];
        self.sends(connection, subscribe(id, entry));
        self.gets(connection, suback(id, reasons));
    }

    /// A payload that no other message has.
    pub(crate) fn payload(&mut self, decision: Decision) -> Rc<[u8]> {
        self.messages += 1;
        let stamp = Stamp {
            message: self.messages,
            publisher: 0,
            sequence: self.messages,
            decision,
            is_replacement: false,
        };
        stamp.payload(20)
    }

    /// A PUBLISH of a new message; the packet id is 0 for QoS 0.
    pub(crate) fn message(&mut self, topic: &str, qos: QoS, id: u16) -> Publish {
        let payload = self.payload(Decision::Proceed);
        Publish::new(topic, qos, id, &payload)
    }

    /// Sends it.
    pub(crate) fn publishes(&mut self, connection: ConnectionNo, publish: &Publish) {
        self.sends(connection, Packet::Publish(publish.clone()));
    }

    /// Sends it, and the server takes it over.
    pub(crate) fn published(&mut self, connection: ConnectionNo, publish: &Publish) {
        self.publishes(connection, publish);
        match publish.qos {
            QOS0 => {}
            QOS1 => self.gets(connection, ack(AckKind::PubAck, publish.id)),
            QOS2 => {
                self.gets(connection, ack(AckKind::PubRec, publish.id));
                self.sends(connection, ack(AckKind::PubRel, publish.id));
                self.gets(connection, ack(AckKind::PubComp, publish.id));
            }
        }
    }

    /// The message arrives, with this QoS and packet id.
    pub(crate) fn arrives(
        &mut self,
        connection: ConnectionNo,
        publish: &Publish,
        qos: QoS,
        id: u16,
    ) {
        self.gets(connection, Packet::Publish(arrival(publish, qos, id)));
    }

    /// As [`History::arrives`], and the client acknowledges it to the end.
    pub(crate) fn is_taken(
        &mut self,
        connection: ConnectionNo,
        publish: &Publish,
        qos: QoS,
        id: u16,
    ) {
        self.arrives(connection, publish, qos, id);
        match qos {
            QOS0 => {}
            QOS1 => self.sends(connection, ack(AckKind::PubAck, id)),
            QOS2 => {
                self.sends(connection, ack(AckKind::PubRec, id));
                self.gets(connection, ack(AckKind::PubRel, id));
                self.sends(connection, ack(AckKind::PubComp, id));
            }
        }
    }

    pub(crate) fn will(&mut self, topic: &str, delay_s: u32) -> Will {
        Will {
            topic: topic.into(),
            payload: self.payload(Decision::Proceed),
            qos: QOS1,
            retain: false,
            delay_s,
            expiry_s: None,
            extras: None,
        }
    }
}

/// A PUBLISH as a server sends it on, to a subscription without options.
pub(crate) fn arrival(publish: &Publish, qos: QoS, id: u16) -> Publish {
    Publish {
        qos,
        id,
        dup: false,
        retain: false,
        alias: None,
        ..publish.clone()
    }
}

pub(crate) fn will_arrival(will: &Will, id: u16) -> Publish {
    Publish::new(&will.topic, QOS1, id, &will.payload)
}

pub(crate) fn v5(id: &str) -> Connect {
    Connect::new(ProtocolVersion::V5, id)
}

/// An MQTT 5 client with a session that stays.
pub(crate) fn lasting(id: &str, clean_start: bool) -> Connect {
    Connect {
        clean_start,
        session_expiry_s: 1_000,
        ..v5(id)
    }
}

pub(crate) fn accepted(session_present: bool) -> Packet {
    Packet::ConnAck(Box::new(ConnAck {
        session_present,
        ..ConnAck::default()
    }))
}

pub(crate) fn ack(kind: AckKind, id: u16) -> Packet {
    Packet::Ack(Ack::new(kind, id))
}

pub(crate) fn ack_with(kind: AckKind, id: u16, reason: ReasonCode) -> Packet {
    Packet::Ack(Ack {
        reason,
        ..Ack::new(kind, id)
    })
}

pub(crate) fn subscribe(id: u16, entry: Entry) -> Packet {
    Packet::Subscribe {
        id,
        identifier: None,
        entries: vec![entry],
    }
}

pub(crate) fn suback(id: u16, reasons: Vec<ReasonCode>) -> Packet {
    Packet::SubAck {
        id,
        reasons,
        is_explained: false,
    }
}

pub(crate) fn disconnect(reason: ReasonCode) -> Packet {
    Packet::Disconnect {
        reason,
        session_expiry_s: None,
    }
}
