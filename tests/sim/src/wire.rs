//! Between packets of the history and bytes, through the codec.

use std::rc::Rc;

use hookwire_mqtt::{
    AckKind, Auth, ConnAckProperties, Disconnect, Packet as Wire, PacketId, ProtocolVersion,
    PublishProperties, Subscribe, SubscribeFilter, TopicName, Unsubscribe, decode,
};

use crate::packet::{Ack, ConnAck, Connect, Extras, Packet, Publish};

/// Appends a CONNECT.
pub fn encode_connect(connect: &Connect, out: &mut Vec<u8>) {
    let mut wire = hookwire_mqtt::Connect::new(connect.version, &*connect.client_id);
    wire.clean_start = connect.clean_start;
    wire.keep_alive_s = connect.keep_alive_s;
    wire.session_expiry_interval_s = connect.session_expiry_s;
    wire.receive_maximum = connect.receive_maximum;
    wire.maximum_packet_bytes = connect.maximum_packet_bytes;
    wire.topic_alias_maximum = connect.topic_alias_maximum;
    wire.request_problem_information = connect.problem_information;
    wire.authentication_method = connect.authentication_method.as_deref().map(str::to_owned);
    wire.will = connect.will.as_ref().map(|will| {
        let mut properties = Vec::new();
        write_travelling(will.expiry_s, will.extras.as_deref(), &mut properties);
        hookwire_mqtt::Will {
            topic: will.topic.to_string(),
            payload: will.payload.to_vec(),
            qos: will.qos,
            retain: will.retain,
            delay_interval_s: will.delay_s,
            properties,
        }
    });
    wire.encode(out);
}

/// Appends a packet of a client.
pub fn encode(packet: &Packet, version: ProtocolVersion, out: &mut Vec<u8>) {
    match packet {
        Packet::Publish(publish) => encode_publish(publish, version, out),
        Packet::Ack(ack) => {
            let wire = hookwire_mqtt::Ack::with_reason(packet_id(ack.id), ack.reason);
            wire.encode(ack.kind, version, out);
        }
        Packet::Subscribe {
            id,
            identifier,
            entries,
        } => Subscribe {
            packet_id: packet_id(*id),
            subscription_identifier: *identifier,
            user_properties: Vec::new(),
            filters: entries
                .iter()
                .map(|entry| SubscribeFilter {
                    no_local: entry.no_local,
                    retain_as_published: entry.retain_as_published,
                    retain_handling: entry.retain_handling,
                    ..SubscribeFilter::new(&*entry.filter, entry.qos)
                })
                .collect(),
        }
        .encode(version, out),
        Packet::Unsubscribe { id, filters } => Unsubscribe {
            packet_id: packet_id(*id),
            filters: filters.iter().map(ToString::to_string).collect(),
            user_properties: Vec::new(),
        }
        .encode(version, out),
        Packet::PingReq => Wire::PingReq.encode(version, out),
        Packet::Disconnect {
            reason,
            session_expiry_s,
        } => Disconnect {
            session_expiry_interval_s: *session_expiry_s,
            ..Disconnect::with_reason(*reason)
        }
        .encode(version, out),
        Packet::Auth { reason, method } => Auth {
            reason: *reason,
            method: method.as_deref().map(str::to_owned),
            ..Auth::default()
        }
        .encode(version, out),
        Packet::ConnAck(_)
        | Packet::SubAck { .. }
        | Packet::UnsubAck { .. }
        | Packet::PingResp
        | Packet::Breach(_) => {}
    }
}

/// 1 stands for 0, which no packet may have.
fn packet_id(id: u16) -> PacketId {
    PacketId::new(id).unwrap_or(PacketId::FIRST)
}

fn encode_publish(publish: &Publish, version: ProtocolVersion, out: &mut Vec<u8>) {
    let mut properties = Vec::new();
    write_travelling(publish.expiry_s, publish.extras.as_deref(), &mut properties);
    if let Some(alias) = publish.alias {
        hookwire_mqtt::write_topic_alias(&mut properties, alias);
    }
    let header = hookwire_mqtt::PublishHeader {
        dup: publish.dup,
        qos: publish.qos,
        retain: publish.retain,
        topic: &publish.topic,
        packet_id: PacketId::new(publish.id),
        properties: &properties,
    };
    hookwire_mqtt::encode_publish(out, version, &header, &publish.payload);
}

/// MQTT 5 section 2.2.2.2: those properties that travel with a message.
fn write_travelling(expiry_s: Option<u32>, extras: Option<&Extras>, out: &mut Vec<u8>) {
    let field = |out: &mut Vec<u8>, bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&bytes[..usize::from(length)]);
    };
    if let Some(seconds) = expiry_s {
        out.push(0x02);
        out.extend_from_slice(&seconds.to_be_bytes());
    }
    let Some(extras) = extras else {
        return;
    };
    if extras.is_utf8 {
        out.extend_from_slice(&[0x01, 1]);
    }
    let texts = [(0x03, &extras.content_type), (0x08, &extras.response_topic)];
    for (identifier, text) in texts {
        if let Some(text) = text {
            out.push(identifier);
            field(out, text.as_bytes());
        }
    }
    if let Some(data) = &extras.correlation_data {
        out.push(0x09);
        field(out, data);
    }
    for (name, value) in &extras.user_properties {
        out.push(0x26);
        field(out, name.as_bytes());
        field(out, value.as_bytes());
    }
}

/// The packet at the beginning of what a client received, and its bytes; None
/// when it is not whole.
///
/// # Errors
/// Says what is wrong with the bytes.
pub fn decode_from_server(
    bytes: &[u8],
    version: ProtocolVersion,
) -> Result<Option<(Packet, usize)>, String> {
    match decode(bytes, version, usize::MAX) {
        Ok(None) => Ok(None),
        Ok(Some((packet, used))) => Ok(Some((owned(&packet), used))),
        Err(error) => Err(error.to_string()),
    }
}

/// Takes the packets that are whole from what a client received, each with its bytes;
/// and what is wrong with what stands behind them, which is thrown away then.
pub fn take_from_server(
    inbox: &mut Vec<u8>,
    version: ProtocolVersion,
) -> (Vec<(Packet, usize)>, Option<String>) {
    let mut packets = Vec::new();
    let mut read = 0;
    let error = loop {
        match decode_from_server(&inbox[read..], version) {
            Ok(None) => break None,
            Ok(Some((packet, used))) => {
                read += used;
                packets.push((packet, used));
            }
            Err(error) => break Some(error),
        }
    };
    if error.is_some() {
        inbox.clear();
    } else {
        inbox.drain(..read);
    }
    (packets, error)
}

fn owned(packet: &Wire<'_>) -> Packet {
    let ack = |kind: AckKind, ack: &hookwire_mqtt::Ack| {
        Packet::Ack(Ack {
            kind,
            id: ack.packet_id.get(),
            reason: ack.reason,
            is_explained: ack.reason_string.is_some() || !ack.user_properties.is_empty(),
        })
    };
    match packet {
        Wire::ConnAck(connack) => {
            Packet::ConnAck(Box::new(owned_connack(connack, &connack.properties)))
        }
        Wire::Publish(publish) => Packet::Publish(owned_publish(publish)),
        Wire::PubAck(puback) => ack(AckKind::PubAck, puback),
        Wire::PubRec(pubrec) => ack(AckKind::PubRec, pubrec),
        Wire::PubRel(pubrel) => ack(AckKind::PubRel, pubrel),
        Wire::PubComp(pubcomp) => ack(AckKind::PubComp, pubcomp),
        Wire::SubAck(suback) => Packet::SubAck {
            id: suback.packet_id.get(),
            reasons: suback.reasons.clone(),
            is_explained: suback.reason_string.is_some() || !suback.user_properties.is_empty(),
        },
        Wire::UnsubAck(unsuback) => Packet::UnsubAck {
            id: unsuback.packet_id.get(),
            reasons: unsuback.reasons.clone(),
            is_explained: unsuback.reason_string.is_some() || !unsuback.user_properties.is_empty(),
        },
        Wire::PingResp => Packet::PingResp,
        Wire::PingReq => Packet::PingReq,
        Wire::Disconnect(disconnect) => Packet::Disconnect {
            reason: disconnect.reason,
            session_expiry_s: disconnect.session_expiry_interval_s,
        },
        Wire::Auth(auth) => Packet::Auth {
            reason: auth.reason,
            method: auth.method.as_deref().map(Rc::from),
        },
        // A server sends none of these; the model says so.
        Wire::Connect(_) => Packet::Breach("CONNECT from the server"),
        Wire::Subscribe(_) => Packet::Breach("SUBSCRIBE from the server"),
        Wire::Unsubscribe(_) => Packet::Breach("UNSUBSCRIBE from the server"),
    }
}

fn owned_connack(connack: &hookwire_mqtt::ConnAck, properties: &ConnAckProperties) -> ConnAck {
    ConnAck {
        session_present: connack.session_present,
        reason: connack.reason,
        session_expiry_s: properties.session_expiry_interval_s,
        receive_maximum: properties.receive_maximum,
        maximum_qos: properties.maximum_qos,
        retain_available: properties.retain_available,
        maximum_packet_bytes: properties.maximum_packet_bytes,
        assigned_client_id: properties.assigned_client_id.clone(),
        topic_alias_maximum: properties.topic_alias_maximum,
        identifiers_available: properties.subscription_identifiers_available,
        shared_available: properties.shared_subscription_available,
        server_keep_alive_s: properties.server_keep_alive_s,
    }
}

fn owned_publish(publish: &hookwire_mqtt::Publish<'_>) -> Publish {
    let properties = publish.properties;
    Publish {
        dup: publish.dup,
        qos: publish.qos,
        retain: publish.retain,
        topic: publish.topic.as_str().into(),
        id: publish.packet_id.map_or(0, PacketId::get),
        alias: properties.topic_alias(),
        expiry_s: properties.message_expiry_interval(),
        identifiers: properties.subscription_identifiers().collect(),
        extras: owned_extras(properties),
        payload: publish.payload.into(),
    }
}

fn owned_extras(properties: PublishProperties<'_>) -> Option<Rc<Extras>> {
    if properties.is_empty() {
        return None;
    }
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let extras = Extras {
        is_utf8: properties.payload_format_utf8(),
        content_type: properties.content_type().map(str::to_owned),
        response_topic: properties.response_topic().map(str::to_owned),
        correlation_data: properties.correlation_data().map(<[u8]>::to_vec),
        user_properties: properties.user_properties().map(owned).collect(),
    };
    (extras != Extras::default()).then(|| Rc::new(extras))
}

/// Bytes of a client that break the protocol, by name. `aliases` is what the
/// server grants.
#[must_use]
pub fn breach(index: usize, version: ProtocolVersion, aliases: u16) -> (&'static str, Vec<u8>) {
    let empty: &[u8] = if version.is_v5() { &[0] } else { &[] };
    let publish = |first: u8, topic: &[u8], rest: &[&[u8]]| {
        let body: usize = 2 + topic.len() + rest.iter().map(|part| part.len()).sum::<usize>();
        // All of them are short.
        let mut bytes = vec![first, body as u8, 0, topic.len() as u8];
        bytes.extend_from_slice(topic);
        rest.iter().for_each(|part| bytes.extend_from_slice(part));
        bytes
    };
    let general: [(&'static str, Vec<u8>); 9] = [
        ("reserved packet type", vec![0x00, 0x00]),
        ("flags of PINGREQ", vec![0xC5, 0x00]),
        ("remaining length", vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]),
        ("QoS 3", publish(0x36, b"a", &[&[0, 1], empty])),
        ("packet id 0", publish(0x32, b"a", &[&[0, 0], empty])),
        ("wildcard in a topic", publish(0x30, b"a/#", &[empty])),
        ("NUL in a topic", publish(0x30, b"a\0b", &[empty])),
        ("SUBACK from a client", vec![0x90, 3, 0, 1, 0]),
        ("packet over the limit", vec![0x30, 0xFF, 0xFF, 0xFF, 0x7F]),
    ];
    let [high, low] = aliases.saturating_add(1).to_be_bytes();
    let only_v5: [(&'static str, Vec<u8>); 4] = [
        ("topic alias 0", publish(0x30, b"a", &[&[3, 0x23, 0, 0]])),
        (
            "topic alias too high",
            publish(0x30, b"a", &[&[3, 0x23, high, low]]),
        ),
        ("AUTH without a method", vec![0xF0, 0x00]),
        (
            "subscription identifier in PUBLISH",
            publish(0x30, b"a", &[&[2, 0x0B, 1]]),
        ),
    ];
    let count = general.len() + if version.is_v5() { only_v5.len() } else { 0 };
    general
        .into_iter()
        .chain(only_v5)
        .nth(index % count)
        .unwrap_or(("reserved packet type", vec![0x00, 0x00]))
}

/// Whether a text is a topic name that the codec takes.
#[must_use]
pub fn is_topic_name(text: &str) -> bool {
    TopicName::new(text).is_ok()
}
