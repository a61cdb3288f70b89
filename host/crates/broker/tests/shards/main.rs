//! The core stepped event by event, with several workers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod endings;
mod order;
mod pressure;
mod routing;
mod verdicts;
mod world;

use std::sync::Arc;

use hookwire_broker::{ClientHook, Flow, Message, Refusal, Verdict};
use hookwire_mqtt::ProtocolVersion::{V5, V311};
use hookwire_mqtt::{
    Connect, Disconnect, Packet, PacketId, ProtocolVersion, QoS, ReasonCode, TopicFilter,
    Unsubscribe, Will,
};
use proptest::prelude::*;
use world::{Got, World, limits};

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
