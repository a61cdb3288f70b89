//! The packets that tests send, each in one call.

use hookwire_broker::Flow;
use hookwire_mqtt::{
    Ack, AckKind, Packet, PacketId, ProtocolVersion, Publish, PublishProperties, QoS, Subscribe,
    SubscribeFilter, TopicName, decode,
};

use super::World;

impl World {
    pub(crate) fn subscribe(&mut self, client: usize, filter: &str, qos: QoS) {
        self.send(
            client,
            Packet::Subscribe(Subscribe {
                packet_id: PacketId::FIRST,
                subscription_identifier: None,
                user_properties: Vec::new(),
                filters: vec![SubscribeFilter::new(filter, qos)],
            }),
        );
    }

    pub(crate) fn publish(
        &mut self,
        client: usize,
        topic: &str,
        payload: &str,
        id: Option<u16>,
    ) -> Flow {
        let qos = if id.is_some() {
            QoS::AtLeastOnce
        } else {
            QoS::AtMostOnce
        };
        self.send(
            client,
            Packet::Publish(Publish {
                dup: false,
                qos,
                retain: false,
                topic: TopicName::new(topic).unwrap(),
                packet_id: id.and_then(PacketId::new),
                properties: PublishProperties::default(),
                payload: payload.as_bytes(),
            }),
        )
    }

    pub(crate) fn publish_exactly_once(
        &mut self,
        client: usize,
        topic: &str,
        payload: &str,
        id: u16,
    ) -> Flow {
        self.publish_again(client, topic, payload, id, false)
    }

    /// Publishes at QoS 2, for the first time or not.
    pub(crate) fn publish_again(
        &mut self,
        client: usize,
        topic: &str,
        payload: &str,
        id: u16,
        dup: bool,
    ) -> Flow {
        self.send(
            client,
            Packet::Publish(Publish {
                dup,
                qos: QoS::ExactlyOnce,
                retain: false,
                topic: TopicName::new(topic).unwrap(),
                packet_id: PacketId::new(id),
                properties: PublishProperties::default(),
                payload: payload.as_bytes(),
            }),
        )
    }

    /// Publishes at QoS 0 with the retain flag.
    pub(crate) fn retain(&mut self, client: usize, topic: &str, payload: &str) {
        self.publish_as(client, topic, payload, true, &[]);
    }

    /// Publishes at QoS 0 by a topic alias alone.
    pub(crate) fn publish_aliased(&mut self, client: usize, payload: &str, properties: &[u8]) {
        // Only the codec makes the empty topic.
        let body_bytes = 3 + properties.len() + payload.len();
        let mut bytes = vec![0x30, u8::try_from(body_bytes).unwrap(), 0, 0];
        bytes.push(u8::try_from(properties.len()).unwrap());
        bytes.extend_from_slice(properties);
        bytes.extend_from_slice(payload.as_bytes());
        let (packet, _) = decode(&bytes, ProtocolVersion::V5, 1_000).unwrap().unwrap();
        self.send(client, packet);
    }

    /// Publishes at QoS 0 with these encoded properties.
    pub(crate) fn publish_as(
        &mut self,
        client: usize,
        topic: &str,
        payload: &str,
        retain: bool,
        properties: &[u8],
    ) {
        self.send(
            client,
            Packet::Publish(Publish {
                dup: false,
                qos: QoS::AtMostOnce,
                retain,
                topic: TopicName::new(topic).unwrap(),
                packet_id: None,
                properties: PublishProperties::from_validated(properties),
                payload: payload.as_bytes(),
            }),
        );
    }

    pub(crate) fn puback(&mut self, client: usize, id: u16) {
        self.ack(client, AckKind::PubAck, id);
    }

    pub(crate) fn ack(&mut self, client: usize, kind: AckKind, id: u16) {
        let ack = Ack::success(PacketId::new(id).unwrap());
        let packet = match kind {
            AckKind::PubAck => Packet::PubAck(ack),
            AckKind::PubRec => Packet::PubRec(ack),
            AckKind::PubRel => Packet::PubRel(ack),
            AckKind::PubComp => Packet::PubComp(ack),
        };
        self.send(client, packet);
    }
}
