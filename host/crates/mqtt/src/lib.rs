//! MQTT packets, their codec, topic names and filters.
//!
//! Speaks MQTT 3.1, 3.1.1 and 5.0 in both directions: the broker decodes what
//! clients send, load generators and tests decode what the broker answers.
//! Decoding takes partial input and borrows from it; a PUBLISH and its
//! acknowledgements are decoded and encoded without allocating. Everything a
//! single packet can get wrong is found here. What takes knowledge of the
//! connection (its direction, packet identifiers in flight, aliases, quotas) is
//! the caller's business.
//!
//! # What MQTT 3.1 does otherwise than MQTT 3.1.1
//!
//! | packet | MQTT 3.1 | here |
//! |---|---|---|
//! | PUBREL, SUBSCRIBE, UNSUBSCRIBE | have a QoS of 1, and the DUP flag when they are sent again (2.1) | both first bytes are read; the one without DUP is written |
//! | PUBLISH | does not forbid the DUP flag on QoS 0 | the flag is ignored there |
//! | other packets | "do not use" the flags of the first byte | have to be 0, as in 3.1.1 |
//! | CONNECT | protocol name `MQIsdp`, level 3 | that pair and no other |
//! | CONNECT | does not use bit 0 of the flags, and disregards will QoS and will retain without a will | these bits are ignored |
//! | CONNECT | lets the packet end where user name or password would begin, whatever the flags say | both are then absent |
//! | CONNECT | client identifiers of 1 to 23 characters | any are read; to refuse one is the server's business |
//! | CONNACK | has no Session Present: does not use the byte | it is ignored, and written as 0 |
//! | SUBSCRIBE | does not use the upper six bits beside a QoS | they are ignored |
//! | SUBACK | has no code for a failure, and demands a positive answer | granted QoS 0 is written for a failure, and 0x80 is not read |
//! | PUBLISH | topic names of 32,767 characters at most | 65,535 bytes, as in 3.1.1 |
//!
//! A password without a user name is refused in both, and both close a
//! connection without an answer when a packet is wrong. A remaining length in
//! more bytes than it needs is refused in MQTT 5 alone, which forbids it.
//!
//! # What is taken though advised against
//!
//! Strings may hold control characters (U+0001 to U+001F, U+007F to U+009F) and
//! what Unicode calls non-characters, such as U+FFFF: the standard says that
//! senders should not, and leaves it to a receiver whether to close. Topics and
//! client identifiers with them exist, and do no harm here.
//!
//! # Beside `mqttbytes`
//!
//! Nothing of the crate `mqttbytes` 0.6 is part of this one, because no part of
//! it holds its packets to the standard:
//!
//! * its fixed header takes any flags, its fields trailing bytes, packet
//!   identifiers of 0, U+0000 and empty lists, its properties those that are
//!   there twice, that reach over their end or have values that do not exist;
//! * CONNECT knows no MQTT 3.1 and no password that is not text, DISCONNECT
//!   of MQTT 5 neither of its short forms, and there is no AUTH;
//! * PUBLISH owns its topic, which costs an allocation a message, and loses
//!   properties behind a second subscription identifier;
//! * topics: `matches("é/x", "#")` panics, `$SYS/#` matches nothing, `a+/b` is
//!   taken for a filter.
//!
//! Its two decoders serve as a second opinion: `tests/second_opinion` feeds what
//! is encoded here, whole and changed, to both, and compares field by field what
//! both take for a packet. The differences above are shown there one by one.

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
pub use packet::ack::{Ack, AckKind};
pub use packet::auth::Auth;
pub use packet::connack::{ConnAck, ConnAckProperties};
pub use packet::connect::{Connect, Will};
pub use packet::disconnect::Disconnect;
pub use packet::publish::{
    Publish, PublishHeader, encode_publish, encode_publish_head, publish_len,
};
pub use packet::subscribe::{RetainHandling, SubAck, Subscribe, SubscribeFilter};
pub use packet::unsubscribe::{UnsubAck, Unsubscribe};
pub use packet_id::PacketId;
pub use publish_properties::{
    MessageProperties, PublishProperties, write_subscription_identifier, write_topic_alias,
};
pub use reason::{ReasonCode, UnknownReasonCode};
pub use topic::{TopicError, TopicName};
pub use version::{InvalidQoS, ProtocolVersion, QoS};

/// The largest packet the protocol can express, fixed header included, in bytes.
pub const MAX_PACKET_BYTES: usize = 268_435_460;
