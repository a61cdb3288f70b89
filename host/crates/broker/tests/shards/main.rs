//! The core stepped event by event, with several workers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod access;
mod arriving;
mod authentication;
mod calls;
mod delayed;
mod delivering;
mod draining;
mod drops;
mod endings;
mod exactly_once;
mod fetched;
mod fetching;
mod filters;
mod histories;
mod hostile;
mod kept;
mod late_answers;
mod looking_up;
mod order;
mod playing;
mod pressure;
mod properties;
mod reading;
mod retained;
mod routing;
mod seam;
mod sessions;
mod shared;
mod sys;
mod verdicts;
mod whole_lives;
mod wills;
mod withheld;
mod world;

use std::sync::Arc;

use hookwire_broker::{Flow, Hook, Message, Refusal, Verdict};
use hookwire_mqtt::ProtocolVersion::{V5, V31, V311};
use hookwire_mqtt::{
    AckKind, Connect, Disconnect, Packet, PacketId, ProtocolVersion, QoS, ReasonCode, TopicFilter,
    Unsubscribe, Will,
};
use proptest::prelude::*;
use world::{Got, START_MS, World, limits};

/// CONNECT of a client whose session outlasts its connection.
pub(crate) fn lasting(id: &str) -> Connect {
    let mut connect = Connect::new(V5, id);
    connect.clean_start = false;
    connect.session_expiry_interval_s = 100;
    connect
}

pub(crate) fn other(text: &str) -> Got {
    Got::Other(text.to_owned())
}

pub(crate) fn publish(topic: &str, payload: &str, packet_id: Option<u16>) -> Got {
    Got::Publish {
        topic: topic.to_owned(),
        payload: payload.to_owned(),
        qos: if packet_id.is_some() {
            QoS::AtLeastOnce
        } else {
            QoS::AtMostOnce
        },
        packet_id,
        marks: String::new(),
    }
}

/// A QoS 2 delivery, or any other QoS that the packet id does not say.
pub(crate) fn publish_with(topic: &str, payload: &str, qos: QoS, packet_id: Option<u16>) -> Got {
    Got::Publish {
        topic: topic.to_owned(),
        payload: payload.to_owned(),
        qos,
        packet_id,
        marks: String::new(),
    }
}

/// A delivery with flags or properties, as `describe` writes them.
pub(crate) fn marked(topic: &str, payload: &str, packet_id: Option<u16>, marks: &str) -> Got {
    match publish(topic, payload, packet_id) {
        Got::Publish {
            topic,
            payload,
            qos,
            packet_id,
            ..
        } => Got::Publish {
            topic,
            payload,
            qos,
            packet_id,
            marks: marks.to_owned(),
        },
        other => other,
    }
}

pub(crate) fn refusal() -> Refusal {
    Refusal {
        reason: ReasonCode::QuotaExceeded,
        text: "the store is full".to_owned(),
    }
}

pub(crate) fn rules_on(world: &World, filter: &str) {
    world.script.borrow_mut().publish_filter = Some(TopicFilter::new(filter).unwrap());
}

/// Clients on every worker, whatever their number.
pub(crate) fn spread(world: &mut World, version: ProtocolVersion, count: usize) -> Vec<usize> {
    (0..count)
        .map(|n| world.connect(version, &format!("client-{n}")))
        .collect()
}
