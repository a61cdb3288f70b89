//! The few packets that the load needs, read and written as cheaply as they can be.

use hookwire_mqtt::{
    Connect, Packet, PacketId, ProtocolVersion, PublishHeader, QoS, Subscribe, SubscribeFilter,
    encode_publish,
};

const VERSION: ProtocolVersion = ProtocolVersion::V311;

pub(crate) fn connect(id: &str) -> Vec<u8> {
    encoded(Connect::new(VERSION, id))
}

/// Of a client whose session lasts.
pub(crate) fn connect_again(id: &str) -> Vec<u8> {
    let mut connect = Connect::new(VERSION, id);
    connect.clean_start = false;
    encoded(connect)
}

fn encoded(connect: Connect) -> Vec<u8> {
    let mut bytes = Vec::new();
    Packet::Connect(Box::new(connect)).encode(VERSION, &mut bytes);
    bytes
}

pub(crate) fn subscribe(topic: &str, qos: QoS) -> Vec<u8> {
    let mut bytes = Vec::new();
    let packet = Packet::Subscribe(Subscribe {
        packet_id: PacketId::FIRST,
        subscription_identifier: None,
        user_properties: Vec::new(),
        filters: vec![SubscribeFilter::new(topic, qos)],
    });
    packet.encode(VERSION, &mut bytes);
    bytes
}

/// A PUBLISH, and where in it the packet id is.
pub(crate) fn publish(topic: &str, qos: QoS, payload: &[u8]) -> (Vec<u8>, Option<usize>) {
    let mut bytes = Vec::new();
    let header = PublishHeader {
        dup: false,
        qos,
        retain: false,
        topic,
        packet_id: Some(PacketId::FIRST),
        properties: &[],
    };
    let at = encode_publish(&mut bytes, VERSION, &header, payload);
    (bytes, at)
}

/// One packet from a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    Publish { packet_id: Option<[u8; 2]> },
    PubAck,
    Other,
}

/// The packet at the start of `bytes` and its length, if it is whole.
pub(crate) fn next_packet(bytes: &[u8]) -> Option<(Received, usize)> {
    let first = *bytes.first()?;
    let mut remaining = 0_usize;
    let mut header = 1;
    for shift in [0, 7, 14, 21] {
        let byte = *bytes.get(header)?;
        header += 1;
        remaining |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let body = bytes.get(header..header + remaining)?;
    let received = match first >> 4 {
        3 if first & 0b0110 == 0 => Received::Publish { packet_id: None },
        3 => {
            let topic = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
            let packet_id = [*body.get(2 + topic)?, *body.get(3 + topic)?];
            Received::Publish {
                packet_id: Some(packet_id),
            }
        }
        4 => Received::PubAck,
        _ => Received::Other,
    };
    Some((received, header + remaining))
}
