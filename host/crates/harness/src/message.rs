//! Messages as the broker would hold them, made from a fixture's.

use std::sync::Arc;

use bytes::Bytes;
use hookwire_broker::{IdGenerator, Message};
use hookwire_mqtt::PublishProperties;

use crate::fixture::EventMessage;

/// A message that enters the broker at `at_ms`.
pub(crate) fn message(given: &EventMessage, at_ms: u64, ids: &mut IdGenerator) -> Arc<Message> {
    let user = given.user_properties.iter();
    let user = user.map(|(name, value)| (name.as_str(), value.as_str()));
    let properties = PublishProperties::from_validated(&[]).with_user_properties(user);
    Arc::new(Message {
        id: given.id.unwrap_or_else(|| ids.next(at_ms)),
        topic: given.topic.as_str().into(),
        payload: given.payload.clone(),
        sender: given.sender.as_str().into(),
        qos: given.qos,
        retain: given.retain,
        at_ms,
        expires_at_ms: given.expiry_s.map_or(Message::NEVER, |seconds| {
            at_ms.saturating_add(u64::from(seconds) * 1_000)
        }),
        properties: Bytes::from(properties),
        hops: 0,
        packet_id: given.packet_id,
        foreign_id: None,
        stored: hookwire_broker::Stores::NONE,
    })
}
