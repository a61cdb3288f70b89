//! The packets, one file each with its acknowledgement or alone.

pub(crate) mod connack;
pub(crate) mod connect;
pub(crate) mod disconnect;
pub(crate) mod puback;
pub(crate) mod publish;
pub(crate) mod subscribe;
pub(crate) mod unsubscribe;

use crate::ProtocolVersion;
use connack::ConnAck;
use connect::Connect;
use disconnect::Disconnect;
use puback::PubAck;
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
    PubAck(PubAck),
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
}

impl Packet<'_> {
    /// Appends the packet to `out`. Fields that `version` does not have are
    /// left out; a string or binary field over 65,535 bytes is cut. A CONNECT
    /// is written in its own version.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        match self {
            Self::Connect(connect) => connect.encode(out),
            Self::ConnAck(connack) => connack.encode(version, out),
            Self::Publish(publish) => publish.encode(version, out),
            Self::PubAck(puback) => puback.encode(version, out),
            Self::Subscribe(subscribe) => subscribe.encode(version, out),
            Self::SubAck(suback) => suback.encode(version, out),
            Self::Unsubscribe(unsubscribe) => unsubscribe.encode(version, out),
            Self::UnsubAck(unsuback) => unsuback.encode(version, out),
            Self::PingReq => out.extend_from_slice(&[0xC0, 0]),
            Self::PingResp => out.extend_from_slice(&[0xD0, 0]),
            Self::Disconnect(disconnect) => disconnect.encode(version, out),
        }
    }
}
