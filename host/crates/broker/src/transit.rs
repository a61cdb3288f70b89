//! A message on its way through the spine, and the frames made of it.

use std::sync::Arc;

use bytes::Bytes;
use hookwire_mqtt::{
    PacketId, ProtocolVersion, PublishHeader, QoS, encode_publish, encode_publish_head, publish_len,
};

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
    /// Encoded MQTT 5 properties that travel on.
    pub(crate) properties: &'a [u8],
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
            properties: &message.properties,
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
                properties: Bytes::copy_from_slice(self.properties),
            })
        });
        Arc::clone(kept)
    }
}

/// How one delivery is to be framed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Framing {
    pub(crate) version: ProtocolVersion,
    pub(crate) qos: QoS,
    pub(crate) packet_id: Option<PacketId>,
    pub(crate) dup: bool,
}

/// The frames of one message, encoded once for each protocol version and QoS.
#[derive(Debug, Default)]
pub(crate) struct Frames {
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

impl Frames {
    /// Forgets the last message.
    pub(crate) fn start(&mut self) {
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
        if message.payload.len() >= SHARED_PAYLOAD_BYTES || framing.dup {
            append_one(output, message, framing);
            return;
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
        if let (Some(at), Some(id)) = (frame.packet_id_at, framing.packet_id)
            && let Some(place) = tail.get_mut(start + at..start + at + 2)
        {
            place.copy_from_slice(&id.get().to_be_bytes());
        }
    }
}

/// Appends a delivery, encoded in place.
pub(crate) fn append_one(output: &mut Output, message: &mut Transit<'_>, framing: Framing) {
    if message.payload.len() >= SHARED_PAYLOAD_BYTES {
        let payload = message.shared().payload.clone();
        let header = header(message, framing);
        encode_publish_head(output.tail(), framing.version, &header, payload.len());
        output.push_shared(payload);
    } else {
        let header = header(message, framing);
        encode_publish(output.tail(), framing.version, &header, message.payload);
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
        retain: false,
        topic: message.topic,
        packet_id: framing.packet_id,
        properties: message.properties,
    }
}

fn slot_of(version: ProtocolVersion, qos: QoS) -> usize {
    let version = match version {
        ProtocolVersion::V311 => 0,
        ProtocolVersion::V5 => 2,
    };
    version + usize::from(qos > QoS::AtMostOnce)
}
