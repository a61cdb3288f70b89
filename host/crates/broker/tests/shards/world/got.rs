//! What a client got, in a form that can be compared.

use hookwire_mqtt::{ConnAck, ConnAckProperties, Packet, PacketId, Publish, QoS};

/// A packet that a client got, in a form that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Got {
    Publish {
        topic: String,
        payload: String,
        qos: QoS,
        packet_id: Option<u16>,
        /// Flags and properties that are not usual.
        marks: String,
    },
    Other(String),
}

pub(crate) fn describe(packet: &Packet<'_>) -> Got {
    match packet {
        Packet::Publish(publish) => Got::Publish {
            topic: publish.topic.as_str().to_owned(),
            payload: String::from_utf8_lossy(publish.payload).into_owned(),
            qos: publish.qos,
            packet_id: publish.packet_id.map(PacketId::get),
            marks: marks(publish),
        },
        Packet::ConnAck(ConnAck {
            session_present: true,
            ..
        }) => Got::Other("CONNACK Success, session present".to_owned()),
        Packet::ConnAck(ConnAck {
            reason,
            properties:
                ConnAckProperties {
                    authentication_method: Some(method),
                    authentication_data: data,
                    ..
                },
            ..
        }) => {
            let data = data.as_deref().unwrap_or_default();
            let data = String::from_utf8_lossy(data);
            Got::Other(format!("CONNACK {reason:?} {method} {data}"))
        }
        Packet::Auth(auth) => {
            let method = auth.method.as_deref().unwrap_or_default();
            let data = auth.data.as_deref().unwrap_or_default();
            let data = String::from_utf8_lossy(data);
            Got::Other(format!("AUTH {:?} {method} {data}", auth.reason))
        }
        Packet::ConnAck(ConnAck { reason, .. }) => Got::Other(format!("CONNACK {reason:?}")),
        Packet::PubRec(ack) => Got::Other(format!("PUBREC {} {:?}", ack.packet_id, ack.reason)),
        Packet::PubRel(ack) => Got::Other(format!("PUBREL {} {:?}", ack.packet_id, ack.reason)),
        Packet::PubComp(ack) => Got::Other(format!("PUBCOMP {} {:?}", ack.packet_id, ack.reason)),
        Packet::PubAck(ack) => Got::Other(format!("PUBACK {} {:?}", ack.packet_id, ack.reason)),
        Packet::SubAck(ack) => Got::Other(format!("SUBACK {:?}", ack.reasons)),
        Packet::UnsubAck(ack) => Got::Other(format!("UNSUBACK {:?}", ack.reasons)),
        Packet::Disconnect(packet) => Got::Other(format!("DISCONNECT {:?}", packet.reason)),
        Packet::PingResp => Got::Other("PINGRESP".to_owned()),
        other => Got::Other(format!("{other:?}")),
    }
}

fn marks(publish: &Publish<'_>) -> String {
    let properties = publish.properties;
    let ids: Vec<u32> = properties.subscription_identifiers().collect();
    let mut marks = Vec::new();
    if publish.dup {
        marks.push("dup".to_owned());
    }
    if publish.retain {
        marks.push("retain".to_owned());
    }
    if !ids.is_empty() {
        marks.push(format!("ids {ids:?}"));
    }
    if let Some(seconds) = properties.message_expiry_interval() {
        marks.push(format!("expiry {seconds}"));
    }
    if let Some(alias) = properties.topic_alias() {
        marks.push(format!("alias {alias}"));
    }
    for (name, value) in properties.user_properties() {
        marks.push(format!("{name}={value}"));
    }
    marks.join(", ")
}
