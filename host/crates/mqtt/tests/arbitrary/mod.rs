//! Strategies that make any packet a version can express.

mod connecting;
mod messages;
mod properties;

use hookwire_mqtt::{
    Packet, PacketId, ProtocolVersion, Publish, PublishProperties, QoS, ReasonCode, TopicName,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// A packet that owns everything, to be encoded.
#[derive(Debug, Clone)]
pub(crate) enum Owned {
    Publish(OwnedPublish),
    Other(Packet<'static>),
}

#[derive(Debug, Clone)]
pub(crate) struct OwnedPublish {
    pub(crate) dup: bool,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) topic: String,
    pub(crate) packet_id: Option<PacketId>,
    pub(crate) properties: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Owned {
    pub(crate) fn borrow(&self) -> Packet<'_> {
        match self {
            Self::Publish(publish) => Packet::Publish(publish.borrow()),
            Self::Other(packet) => packet.clone(),
        }
    }
}

impl OwnedPublish {
    pub(crate) fn borrow(&self) -> Publish<'_> {
        Publish {
            dup: self.dup,
            qos: self.qos,
            retain: self.retain,
            topic: TopicName::new(&self.topic).expect("a topic name"),
            packet_id: self.packet_id,
            properties: PublishProperties::from_validated(&self.properties),
            payload: &self.payload,
        }
    }
}

pub(crate) fn version() -> impl Strategy<Value = ProtocolVersion> {
    select(vec![
        ProtocolVersion::V31,
        ProtocolVersion::V311,
        ProtocolVersion::V5,
    ])
}

pub(crate) fn packet(version: ProtocolVersion) -> BoxedStrategy<Owned> {
    let auth = connecting::auth().prop_map(|packet| Packet::Auth(Box::new(packet)));
    let other = prop_oneof![
        connecting::connect(version).prop_map(|packet| Packet::Connect(Box::new(packet))),
        connecting::connack(version).prop_map(Packet::ConnAck),
        connecting::disconnect(version).prop_map(Packet::Disconnect),
        only_v5(version, auth, Packet::PingReq),
        messages::ack(version),
        messages::subscribe(version).prop_map(Packet::Subscribe),
        messages::suback(version).prop_map(Packet::SubAck),
        messages::unsubscribe(version).prop_map(Packet::Unsubscribe),
        messages::unsuback(version).prop_map(Packet::UnsubAck),
        Just(Packet::PingReq),
        Just(Packet::PingResp),
    ];
    prop_oneof![
        1 => publish(version).prop_map(Owned::Publish),
        8 => other.prop_map(Owned::Other),
    ]
    .boxed()
}

pub(crate) use messages::publish;

/// `strategy` in MQTT 5, `absent` in the others.
fn only_v5<T: Clone + std::fmt::Debug + 'static>(
    version: ProtocolVersion,
    strategy: impl Strategy<Value = T> + 'static,
    absent: T,
) -> BoxedStrategy<T> {
    if version.is_v5() {
        strategy.boxed()
    } else {
        Just(absent).boxed()
    }
}

/// Mostly short, and at times over what one byte of length can say.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![9 => "[^\\x00]{0,12}", 1 => "[^\\x00]{100,140}"]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => vec(any::<u8>(), 0..12), 1 => vec(any::<u8>(), 100..20_000)]
}

fn topic() -> impl Strategy<Value = String> {
    "[^\\x00+#]{1,12}"
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_filter_map("not 0", PacketId::new)
}

fn qos() -> impl Strategy<Value = QoS> {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn user_properties(version: ProtocolVersion) -> BoxedStrategy<Vec<(String, String)>> {
    only_v5(version, vec((text(), text()), 0..3), Vec::new())
}

fn explained(version: ProtocolVersion) -> BoxedStrategy<Option<String>> {
    only_v5(version, option::of(text()), None)
}

fn reason_of(codes: Vec<u8>) -> impl Strategy<Value = ReasonCode> {
    select(codes).prop_map(|code| ReasonCode::try_from(code).expect("a known code"))
}
