//! MQTT packets, their codec, topic names and filters.
//!
//! Speaks MQTT 3.1.1 and 5.0 in both directions: the broker decodes what
//! clients send, load generators and tests decode what the broker answers.
//! Decoding takes partial input and borrows from it; a PUBLISH is decoded and
//! encoded without allocating. Everything a single packet can get wrong is
//! found here. What takes knowledge of the connection (its direction, packet
//! identifiers in flight, aliases, quotas) is the caller's business.

mod decode;
mod error;
mod filter;
mod packet;
mod packet_id;
mod property;
mod publish_properties;
mod reader;
mod reason;
mod topic;
mod version;
mod writer;

pub use decode::{decode, decode_connect};
pub use error::{DecodeError, Fault};
pub use filter::{SharedFilter, TopicFilter};
pub use packet::Packet;
pub use packet::connack::{ConnAck, ConnAckProperties};
pub use packet::connect::{Connect, Will};
pub use packet::disconnect::Disconnect;
pub use packet::puback::PubAck;
pub use packet::publish::{
    Publish, PublishHeader, encode_publish, encode_publish_head, publish_len,
};
pub use packet::subscribe::{RetainHandling, SubAck, Subscribe, SubscribeFilter};
pub use packet::unsubscribe::{UnsubAck, Unsubscribe};
pub use packet_id::PacketId;
pub use publish_properties::PublishProperties;
pub use reason::{ReasonCode, UnknownReasonCode};
pub use topic::{TopicError, TopicName};
pub use version::{InvalidQoS, ProtocolVersion, QoS};

/// The largest packet the protocol can express, fixed header included, in bytes.
pub const MAX_PACKET_BYTES: usize = 268_435_460;
