//! What the docs of packets promise about their fields.

use hookwire_mqtt::{
    Ack, Auth, ConnAck, Connect, MAX_PACKET_BYTES, Packet, ProtocolVersion, Publish, PublishHeader,
    PublishProperties, QoS, ReasonCode, Subscribe, TopicFilter, TopicName, decode, encode_publish,
    publish_len, write_subscription_identifier, write_topic_alias,
};

pub(super) fn hold(packet: &Packet<'_>, version: ProtocolVersion) {
    match packet {
        Packet::Connect(connect) => of_connect(connect),
        Packet::ConnAck(connack) => of_connack(connack, version),
        Packet::Publish(publish) => of_publish(publish, version),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            of_ack(ack, version);
        }
        Packet::Subscribe(subscribe) => of_subscribe(subscribe, version),
        Packet::SubAck(suback) => {
            assert!(!suback.reasons.is_empty());
            explained(
                version,
                suback.reason_string.as_ref(),
                &suback.user_properties,
            );
        }
        Packet::Unsubscribe(unsubscribe) => {
            assert!(!unsubscribe.filters.is_empty());
            unsubscribe.filters.iter().for_each(|filter| text(filter));
            explained(version, None, &unsubscribe.user_properties);
        }
        Packet::UnsubAck(unsuback) => {
            assert_eq!(unsuback.reasons.is_empty(), !version.is_v5());
            explained(
                version,
                unsuback.reason_string.as_ref(),
                &unsuback.user_properties,
            );
        }
        Packet::Disconnect(disconnect) => {
            assert!(version.is_v5() || *disconnect == hookwire_mqtt::Disconnect::default());
            let reason_string = disconnect.reason_string.as_ref();
            explained(version, reason_string, &disconnect.user_properties);
        }
        Packet::Auth(auth) => of_auth(auth, version),
        Packet::PingReq | Packet::PingResp => {}
    }
}

/// A UTF-8 encoded string, as it may be sent.
fn text(text: &str) {
    assert!(!text.contains('\0'), "{text:?}");
    assert!(text.len() <= usize::from(u16::MAX));
}

fn explained(version: ProtocolVersion, reason: Option<&String>, users: &[(String, String)]) {
    assert!(version.is_v5() || (reason.is_none() && users.is_empty()));
    reason.into_iter().for_each(|reason| text(reason));
    for (name, value) in users {
        text(name);
        text(value);
    }
}

fn of_connect(connect: &Connect) {
    text(&connect.client_id);
    connect.username.iter().for_each(|name| text(name));
    explained(connect.version, None, &connect.user_properties);
    assert!(connect.receive_maximum > 0);
    assert_ne!(connect.maximum_packet_bytes, Some(0));
    assert!(connect.authentication_method.is_some() || connect.authentication_data.is_none());
    if !connect.version.is_v5() {
        assert!(connect.username.is_some() || connect.password.is_none());
        let expiry = if connect.clean_start { 0 } else { u32::MAX };
        assert_eq!(connect.session_expiry_interval_s, expiry);
        assert_eq!(connect.receive_maximum, u16::MAX);
        assert_eq!(connect.topic_alias_maximum, 0);
        assert!(connect.request_problem_information && !connect.request_response_information);
        assert!(connect.authentication_method.is_none());
        assert!(connect.maximum_packet_bytes.is_none());
    }
    let Some(will) = &connect.will else { return };
    assert!(TopicName::new(&will.topic).is_ok());
    assert!(connect.version.is_v5() || (will.properties.is_empty() && will.delay_interval_s == 0));
    let properties = PublishProperties::from_validated(&will.properties);
    assert_eq!(properties.forwardable().as_ref(), will.properties);
    message(&will.topic, properties, &will.payload);
}

fn of_connack(connack: &ConnAck, version: ProtocolVersion) {
    assert!(!connack.session_present || !connack.reason.is_error());
    let properties = &connack.properties;
    assert!(version.is_v5() || *properties == hookwire_mqtt::ConnAckProperties::default());
    assert_ne!(properties.receive_maximum, Some(0));
    assert_ne!(properties.maximum_packet_bytes, Some(0));
    assert_ne!(properties.maximum_qos, Some(QoS::ExactlyOnce));
    let reason_string = properties.reason_string.as_ref();
    explained(version, reason_string, &properties.user_properties);
}

fn of_ack(ack: &Ack, version: ProtocolVersion) {
    assert!(version.is_v5() || ack.reason == ReasonCode::Success);
    explained(version, ack.reason_string.as_ref(), &ack.user_properties);
}

fn of_auth(auth: &Auth, version: ProtocolVersion) {
    assert!(version.is_v5());
    assert!(auth.method.is_some() || *auth == Auth::default());
    explained(version, auth.reason_string.as_ref(), &auth.user_properties);
}

fn of_subscribe(subscribe: &Subscribe, version: ProtocolVersion) {
    assert!(!subscribe.filters.is_empty());
    assert!(version.is_v5() || subscribe.subscription_identifier.is_none());
    assert_ne!(subscribe.subscription_identifier, Some(0));
    explained(version, None, &subscribe.user_properties);
    for asked in &subscribe.filters {
        text(&asked.filter);
        assert!(version.is_v5() || !(asked.no_local || asked.retain_as_published));
        let shared = ["$share/", "$queue/"].map(|prefix| asked.filter.starts_with(prefix));
        assert!(!asked.no_local || shared == [false; 2]);
        let Ok(filter) = TopicFilter::new(&asked.filter) else {
            continue;
        };
        let plain = filter
            .shared()
            .map_or(filter.clone(), |shared| shared.filter);
        assert!(TopicFilter::new(plain.as_str()).is_ok() || plain.as_str().starts_with('$'));
        // A filter without wildcards is a topic name, and matches that.
        if let Ok(name) = TopicName::new(plain.as_str()) {
            assert!(plain.is_exact() && plain.matches(name));
        }
    }
}

fn of_publish(publish: &Publish<'_>, version: ProtocolVersion) {
    let acknowledged = publish.qos > QoS::AtMostOnce;
    assert_eq!(publish.packet_id.is_some(), acknowledged);
    assert!(acknowledged || !publish.dup);
    let properties = publish.properties;
    assert!(version.is_v5() || properties.is_empty());
    assert_ne!(properties.topic_alias(), Some(0));
    assert!(
        properties
            .subscription_identifiers()
            .all(|id| (1..=268_435_455).contains(&id))
    );
    if publish.topic.is_empty() {
        assert!(properties.topic_alias().is_some());
    } else {
        assert!(TopicName::new(publish.topic.as_str()).is_ok());
    }
    let header = PublishHeader {
        dup: publish.dup,
        qos: publish.qos,
        retain: publish.retain,
        topic: publish.topic.as_str(),
        packet_id: publish.packet_id,
        properties: properties.raw(),
    };
    let mut out = Vec::new();
    let id_at = encode_publish(&mut out, version, &header, publish.payload);
    assert_eq!(
        out.len(),
        publish_len(version, &header, publish.payload.len())
    );
    let id = id_at.and_then(|at| out.get(at..at + 2));
    let expected = publish.packet_id.map(|id| id.get().to_be_bytes());
    assert_eq!(id, expected.as_ref().map(|id| &id[..]));

    message(publish.topic.as_str(), properties, publish.payload);
}

/// A message goes on to receivers of every version as it came.
fn message(topic: &str, properties: PublishProperties<'_>, payload: &[u8]) {
    if let Some(topic) = properties.response_topic() {
        assert!(TopicName::new(topic).is_ok());
    }
    properties.content_type().into_iter().for_each(text);
    for (name, value) in properties.user_properties() {
        text(name);
        text(value);
    }
    let mut delivered = properties.with_message_expiry_interval(7);
    write_subscription_identifier(&mut delivered, 1);
    write_topic_alias(&mut delivered, 2);
    let header = PublishHeader {
        dup: true,
        qos: QoS::AtMostOnce,
        retain: true,
        topic,
        packet_id: None,
        properties: &delivered,
    };
    for version in [
        ProtocolVersion::V31,
        ProtocolVersion::V311,
        ProtocolVersion::V5,
    ] {
        // Without its name a message is for those who know the alias.
        if topic.is_empty() && !version.is_v5() {
            continue;
        }
        let mut out = Vec::new();
        encode_publish(&mut out, version, &header, payload);
        let found = decode(&out, version, MAX_PACKET_BYTES);
        let Ok(Some((Packet::Publish(read), _))) = found else {
            panic!("not a PUBLISH any more: {found:?}");
        };
        assert_eq!((read.topic.as_str(), read.payload), (topic, payload));
        assert!(read.retain && !read.dup);
        if version.is_v5() {
            arrives(properties, read.properties);
        }
    }
}

fn arrives(sent: PublishProperties<'_>, read: PublishProperties<'_>) {
    assert_eq!(read.topic_alias(), Some(2));
    assert!(read.subscription_identifiers().eq([1]));
    let interval = sent.message_expiry_interval().map(|_| 7);
    assert_eq!(read.message_expiry_interval(), interval);
    assert_eq!(read.payload_format_utf8(), sent.payload_format_utf8());
    assert_eq!(read.content_type(), sent.content_type());
    assert_eq!(read.response_topic(), sent.response_topic());
    assert_eq!(read.correlation_data(), sent.correlation_data());
    assert!(read.user_properties().eq(sent.user_properties()));
}
