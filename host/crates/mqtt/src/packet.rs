//! The packets, one file each with its acknowledgement or alone.

pub(crate) mod ack;
pub(crate) mod auth;
pub(crate) mod connack;
pub(crate) mod connect;
pub(crate) mod disconnect;
pub(crate) mod publish;
pub(crate) mod subscribe;
pub(crate) mod unsubscribe;

use crate::ProtocolVersion;
use ack::{Ack, AckKind};
use auth::Auth;
use connack::ConnAck;
use connect::Connect;
use disconnect::Disconnect;
use publish::Publish;
use subscribe::{SubAck, Subscribe};
use unsubscribe::{UnsubAck, Unsubscribe};

/// A control packet. A PUBLISH borrows from the bytes it was decoded from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A client introduces itself.
    Connect(Box<Connect>),
    /// The answer to CONNECT.
    ConnAck(ConnAck),
    /// A message.
    Publish(Publish<'a>),
    /// The answer to a QoS 1 PUBLISH.
    PubAck(Ack),
    /// The first answer to a QoS 2 PUBLISH.
    PubRec(Ack),
    /// The answer to PUBREC.
    PubRel(Ack),
    /// The answer to PUBREL; a QoS 2 PUBLISH is over.
    PubComp(Ack),
    /// A client wants messages.
    Subscribe(Subscribe),
    /// The answer to SUBSCRIBE.
    SubAck(SubAck),
    /// A client wants no more messages.
    Unsubscribe(Unsubscribe),
    /// The answer to UNSUBSCRIBE.
    UnsubAck(UnsubAck),
    /// A client shows that it lives.
    PingReq,
    /// The answer to PINGREQ.
    PingResp,
    /// The connection ends on purpose.
    Disconnect(Disconnect),
    /// A step of enhanced authentication. MQTT 5.
    Auth(Box<Auth>),
}

impl Packet<'_> {
    /// Appends the packet to `out`. Fields that `version` does not have are
    /// left out; a string or binary field over 65,535 bytes is cut. A CONNECT
    /// is written in its own version, and of an AUTH nothing before MQTT 5. Of
    /// a packet over [`crate::MAX_PACKET_BYTES`] nothing is written either.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        match self {
            Self::Connect(connect) => connect.encode(out),
            Self::ConnAck(connack) => connack.encode(version, out),
            Self::Publish(publish) => publish.encode(version, out),
            Self::PubAck(ack) => ack.encode(AckKind::PubAck, version, out),
            Self::PubRec(ack) => ack.encode(AckKind::PubRec, version, out),
            Self::PubRel(ack) => ack.encode(AckKind::PubRel, version, out),
            Self::PubComp(ack) => ack.encode(AckKind::PubComp, version, out),
            Self::Subscribe(subscribe) => subscribe.encode(version, out),
            Self::SubAck(suback) => suback.encode(version, out),
            Self::Unsubscribe(unsubscribe) => unsubscribe.encode(version, out),
            Self::UnsubAck(unsuback) => unsuback.encode(version, out),
            Self::PingReq => out.extend_from_slice(&[0xC0, 0]),
            Self::PingResp => out.extend_from_slice(&[0xD0, 0]),
            Self::Disconnect(disconnect) => disconnect.encode(version, out),
            Self::Auth(auth) => auth.encode(version, out),
        }
    }
}
