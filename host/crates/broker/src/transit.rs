//! A message on its way through the spine, and the frames made of it.

use std::sync::Arc;

use bytes::Bytes;
use hookwire_mqtt::{
    PacketId, ProtocolVersion, PublishHeader, QoS, encode_publish, encode_publish_head, publish_len,
};

use crate::hooks::{RuleSet, Stores};
use crate::message::{Message, MessageId};
use crate::output::Output;

/// A publish that is being routed: borrowed from the read buffer for as long as
/// nobody has to keep it, shared from the first moment that somebody does.
pub(crate) struct Transit<'a> {
    pub(crate) id: MessageId,
    pub(crate) topic: &'a Arc<str>,
    pub(crate) payload: &'a [u8],
    pub(crate) sender: &'a Arc<str>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) at_ms: u64,
    pub(crate) expires_at_ms: u64,
    /// Encoded MQTT 5 properties that travel on.
    pub(crate) properties: &'a [u8],
    /// Packet id of the QoS 2 PUBLISH that brought it.
    pub(crate) packet_id: Option<PacketId>,
    /// Where rules stored it.
    pub(crate) stored: Stores,
    /// The rules of `message.deliver` that see it.
    pub(crate) deliver_rules: RuleSet,
    pub(crate) kept: Option<Arc<Message>>,
}

impl<'a> Transit<'a> {
    pub(crate) fn of(message: &'a Arc<Message>) -> Self {
        Self {
            id: message.id,
            topic: &message.topic,
            payload: &message.payload,
            sender: &message.sender,
            qos: message.qos,
            retain: message.retain,
            at_ms: message.at_ms,
            expires_at_ms: message.expires_at_ms,
            properties: &message.properties,
            packet_id: message.packet_id,
            stored: message.stored,
            deliver_rules: RuleSet::NONE,
            kept: Some(Arc::clone(message)),
        }
    }

    /// The message as one that can be kept; copied the first time only.
    pub(crate) fn shared(&mut self) -> Arc<Message> {
        let kept = self.kept.get_or_insert_with(|| {
            Arc::new(Message {
                id: self.id,
                topic: Arc::clone(self.topic),
                payload: Bytes::copy_from_slice(self.payload),
                sender: Arc::clone(self.sender),
                qos: self.qos,
                retain: self.retain,
                at_ms: self.at_ms,
                expires_at_ms: self.expires_at_ms,
                properties: Bytes::copy_from_slice(self.properties),
                hops: 0,
                packet_id: self.packet_id,
                foreign_id: None,
                stored: self.stored,
            })
        });
        Arc::clone(kept)
    }

    /// The message expiry interval to send, if it is not the one received: less
    /// the whole seconds that the message waited here [MQTT-3.3.2-6].
    pub(crate) fn shortened_expiry_s(&self, wall_ms: u64) -> Option<u32> {
        if self.expires_at_ms == Message::NEVER || wall_ms < self.at_ms.saturating_add(1_000) {
            return None;
        }
        let left_ms = self.expires_at_ms.saturating_sub(wall_ms);
        // What is under way when its time comes still goes to its end.
        Some(
            u32::try_from(left_ms.div_ceil(1_000))
                .unwrap_or(u32::MAX)
                .max(1),
        )
    }
}

/// How one delivery is to be framed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Framing {
    pub(crate) version: ProtocolVersion,
    pub(crate) qos: QoS,
    pub(crate) packet_id: Option<PacketId>,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
}

impl Framing {
    /// The first byte of the packet.
    fn first_byte(self) -> u8 {
        0x30 | u8::from(self.dup) << 3 | self.qos.as_u8() << 1 | u8::from(self.retain)
    }
}

/// The frames of one message, encoded once for each protocol version and QoS.
#[derive(Debug)]
pub(crate) struct Frames {
    of: MessageId,
    slots: [Frame; 4],
}

#[derive(Debug, Default)]
struct Frame {
    filled: bool,
    bytes: Vec<u8>,
    packet_id_at: Option<usize>,
}

/// From this size on, a payload is shared with the output instead of copied.
const SHARED_PAYLOAD_BYTES: usize = 16 * 1024;

impl Default for Frames {
    fn default() -> Self {
        Self {
            of: MessageId::MIN,
            slots: Default::default(),
        }
    }
}

impl Frames {
    /// Forgets the frames of other messages.
    fn start(&mut self, id: MessageId) {
        self.of = id;
        for slot in &mut self.slots {
            slot.filled = false;
        }
    }

    /// Appends a delivery that is one of several of this message.
    pub(crate) fn append(
        &mut self,
        output: &mut Output,
        message: &mut Transit<'_>,
        framing: Framing,
    ) {
        if message.payload.len() >= SHARED_PAYLOAD_BYTES {
            append_one(output, message, framing);
            return;
        }
        if self.of != message.id {
            self.start(message.id);
        }
        let slot = slot_of(framing.version, framing.qos);
        let frame = &mut self.slots[slot];
        if !frame.filled {
            frame.bytes.clear();
            let header = header(message, framing);
            frame.packet_id_at =
                encode_publish(&mut frame.bytes, framing.version, &header, message.payload);
            frame.filled = true;
        }
        let tail = output.tail();
        let start = tail.len();
        tail.extend_from_slice(&frame.bytes);
        // QoS 1 and 2 differ in this byte only.
        if let Some(first) = tail.get_mut(start) {
            *first = framing.first_byte();
        }
        if let (Some(at), Some(id)) = (frame.packet_id_at, framing.packet_id)
            && let Some(place) = tail.get_mut(start + at..start + at + 2)
        {
            place.copy_from_slice(&id.get().to_be_bytes());
        }
    }
}

/// Appends a delivery, encoded in place.
pub(crate) fn append_one(output: &mut Output, message: &mut Transit<'_>, framing: Framing) {
    let topic = message.topic;
    let properties = message.properties;
    let header = PublishHeader {
        dup: framing.dup,
        qos: framing.qos,
        retain: framing.retain,
        topic,
        packet_id: framing.packet_id,
        properties,
    };
    append_with(output, message, &header, framing.version);
}

/// Appends a delivery whose topic or properties are the receiver's own.
pub(crate) fn append_with(
    output: &mut Output,
    message: &mut Transit<'_>,
    header: &PublishHeader<'_>,
    version: ProtocolVersion,
) {
    if message.payload.len() >= SHARED_PAYLOAD_BYTES {
        let payload = message.shared().payload.clone();
        encode_publish_head(output.tail(), version, header, payload.len());
        output.push_shared(payload);
    } else {
        encode_publish(output.tail(), version, header, message.payload);
    }
}

/// Bytes of the whole packet.
pub(crate) fn frame_bytes(message: &Transit<'_>, framing: Framing) -> usize {
    publish_len(
        framing.version,
        &header(message, framing),
        message.payload.len(),
    )
}

fn header<'m>(message: &'m Transit<'_>, framing: Framing) -> PublishHeader<'m> {
    PublishHeader {
        dup: framing.dup,
        qos: framing.qos,
        retain: framing.retain,
        topic: message.topic,
        packet_id: framing.packet_id,
        properties: message.properties,
    }
}

fn slot_of(version: ProtocolVersion, qos: QoS) -> usize {
    let version = match version {
        ProtocolVersion::V31 | ProtocolVersion::V311 => 0,
        ProtocolVersion::V5 => 2,
    };
    version + usize::from(qos > QoS::AtMostOnce)
}
