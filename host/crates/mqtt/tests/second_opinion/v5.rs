//! Packets of MQTT 5, field by field and property by property.

use hookwire_mqtt::{
    ConnAckProperties, Connect, Packet, PacketId, Publish, PublishProperties, QoS, Subscribe, Will,
};
use mqttbytes::v5;

type Texts = Vec<(String, String)>;

pub(crate) fn assert_alike(ours: &Packet<'_>, theirs: &v5::Packet) {
    /// A reason code or some, and the two properties that explain them.
    macro_rules! explained {
        ($a:expr, $b:expr) => {{
            let (reason_string, users) = match &$b.properties {
                Some(b) => (b.reason_string.as_ref(), b.user_properties.as_slice()),
                None => (None, &[][..]),
            };
            assert_eq!($a.reason_string.as_ref(), reason_string);
            assert_eq!($a.user_properties, users);
        }};
    }
    macro_rules! ack {
        ($a:expr, $b:expr) => {{
            assert_eq!(
                ($a.packet_id.get(), $a.reason.as_u8()),
                ($b.pkid, $b.reason as u8)
            );
            explained!($a, $b);
        }};
    }
    match (ours, theirs) {
        (Packet::Connect(a), v5::Packet::Connect(b)) => connect(a, b),
        (Packet::ConnAck(a), v5::Packet::ConnAck(b)) => {
            assert_eq!(
                (a.session_present, a.reason.as_u8()),
                (b.session_present, b.code as u8)
            );
            connack(&a.properties, b.properties.as_ref());
        }
        (Packet::Publish(a), v5::Packet::Publish(b)) => publish(a, b),
        (Packet::PubAck(a), v5::Packet::PubAck(b)) => ack!(a, b),
        (Packet::PubRec(a), v5::Packet::PubRec(b)) => ack!(a, b),
        (Packet::PubRel(a), v5::Packet::PubRel(b)) => ack!(a, b),
        (Packet::PubComp(a), v5::Packet::PubComp(b)) => ack!(a, b),
        (Packet::Subscribe(a), v5::Packet::Subscribe(b)) => subscribe(a, b),
        (Packet::SubAck(a), v5::Packet::SubAck(b)) => {
            let codes: Vec<u8> = b.return_codes.iter().map(|code| *code as u8).collect();
            assert_eq!((a.packet_id.get(), bytes_of(&a.reasons)), (b.pkid, codes));
            explained!(a, b);
        }
        (Packet::Unsubscribe(a), v5::Packet::Unsubscribe(b)) => {
            assert_eq!((a.packet_id.get(), &a.filters), (b.pkid, &b.filters));
            let users = b.properties.as_ref().map(|b| &b.user_properties);
            assert_eq!(&a.user_properties, users.unwrap_or(&Texts::new()));
        }
        (Packet::UnsubAck(a), v5::Packet::UnsubAck(b)) => {
            let codes: Vec<u8> = b.reasons.iter().map(|code| *code as u8).collect();
            assert_eq!((a.packet_id.get(), bytes_of(&a.reasons)), (b.pkid, codes));
            explained!(a, b);
        }
        (Packet::PingReq, v5::Packet::PingReq) | (Packet::PingResp, v5::Packet::PingResp) => {}
        (Packet::Disconnect(a), v5::Packet::Disconnect(b)) => {
            assert_eq!(a.reason.as_u8(), b.reason_code as u8);
            explained!(a, b);
            let properties = b.properties.as_ref();
            let expiry = properties.and_then(|b| b.session_expiry_interval);
            assert_eq!(a.session_expiry_interval_s, expiry);
            let reference = properties.and_then(|b| b.server_reference.as_ref());
            assert_eq!(a.server_reference.as_ref(), reference);
        }
        _ => panic!("{ours:?} is not {theirs:?}"),
    }
}

fn bytes_of(reasons: &[hookwire_mqtt::ReasonCode]) -> Vec<u8> {
    reasons.iter().map(|reason| reason.as_u8()).collect()
}

fn connect(ours: &Connect, theirs: &v5::Connect) {
    assert_eq!(theirs.protocol, mqttbytes::Protocol::V5);
    assert_eq!(ours.keep_alive_s, theirs.keep_alive);
    assert_eq!(ours.client_id, theirs.client_id);
    assert_eq!(ours.clean_start, theirs.clean_session);
    match (&ours.will, &theirs.last_will) {
        (None, None) => {}
        (Some(a), Some(b)) => will(a, b),
        (a, b) => panic!("{a:?} is not {b:?}"),
    }
    // There an empty text and none are one.
    let username = ours.username.as_deref().unwrap_or_default();
    let password = ours.password.as_deref().unwrap_or_default();
    let login = theirs.login.as_ref();
    assert_eq!(username, login.map_or("", |login| &login.username));
    assert_eq!(
        password,
        login.map_or("", |login| &login.password).as_bytes()
    );

    // Here what is absent has the standard's default.
    let b = theirs.properties.as_ref();
    let expiry = b.and_then(|b| b.session_expiry_interval).unwrap_or(0);
    assert_eq!(ours.session_expiry_interval_s, expiry);
    let maximum = b.and_then(|b| b.receive_maximum).unwrap_or(u16::MAX);
    assert_eq!(ours.receive_maximum, maximum);
    assert_eq!(ours.maximum_packet_bytes, b.and_then(|b| b.max_packet_size));
    let aliases = b.and_then(|b| b.topic_alias_max).unwrap_or(0);
    assert_eq!(ours.topic_alias_maximum, aliases);
    let response = b.and_then(|b| b.request_response_info).unwrap_or(0);
    assert_eq!(u8::from(ours.request_response_information), response);
    let problem = b.and_then(|b| b.request_problem_info).unwrap_or(1);
    assert_eq!(u8::from(ours.request_problem_information), problem);
    let users = b.map_or(&[][..], |b| &b.user_properties);
    assert_eq!(ours.user_properties, users);
    let method = b.and_then(|b| b.authentication_method.as_ref());
    assert_eq!(ours.authentication_method.as_ref(), method);
    let data = b.and_then(|b| b.authentication_data.as_deref());
    assert_eq!(ours.authentication_data.as_deref(), data);
}

fn will(ours: &Will, theirs: &v5::LastWill) {
    assert_eq!((&ours.topic, ours.retain), (&theirs.topic, theirs.retain));
    assert_eq!(ours.payload, theirs.message);
    assert_eq!(ours.qos.as_u8(), theirs.qos as u8);
    let a = PublishProperties::from_validated(&ours.properties);
    let b = theirs.properties.as_ref();
    assert_eq!(
        ours.delay_interval_s,
        b.and_then(|b| b.delay_interval).unwrap_or(0)
    );
    let format = b.and_then(|b| b.payload_format_indicator).unwrap_or(0);
    assert_eq!(u8::from(a.payload_format_utf8()), format);
    assert_eq!(
        a.message_expiry_interval(),
        b.and_then(|b| b.message_expiry_interval)
    );
    assert_eq!(a.content_type(), b.and_then(|b| b.content_type.as_deref()));
    assert_eq!(
        a.response_topic(),
        b.and_then(|b| b.response_topic.as_deref())
    );
    assert_eq!(
        a.correlation_data(),
        b.and_then(|b| b.correlation_data.as_deref())
    );
    assert_eq!(
        users_of(a),
        b.map_or(Texts::new(), |b| b.user_properties.clone())
    );
}

fn users_of(properties: PublishProperties<'_>) -> Texts {
    properties
        .user_properties()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn connack(a: &ConnAckProperties, theirs: Option<&v5::ConnAckProperties>) {
    let absent = v5::ConnAckProperties::new();
    let b = theirs.unwrap_or(&absent);
    let number = |switch: Option<bool>| switch.map(u8::from);
    assert_eq!(a.session_expiry_interval_s, b.session_expiry_interval);
    assert_eq!(a.receive_maximum, b.receive_max);
    assert_eq!(a.maximum_qos.map(QoS::as_u8), b.max_qos);
    assert_eq!(number(a.retain_available), b.retain_available);
    assert_eq!(a.maximum_packet_bytes, b.max_packet_size);
    assert_eq!(a.assigned_client_id, b.assigned_client_identifier);
    assert_eq!(a.topic_alias_maximum, b.topic_alias_max);
    assert_eq!(a.reason_string, b.reason_string);
    assert_eq!(
        number(a.wildcard_subscription_available),
        b.wildcard_subscription_available
    );
    let identifiers = number(a.subscription_identifiers_available);
    assert_eq!(identifiers, b.subscription_identifiers_available);
    assert_eq!(
        number(a.shared_subscription_available),
        b.shared_subscription_available
    );
    assert_eq!(a.server_keep_alive_s, b.server_keep_alive);
    assert_eq!(a.response_information, b.response_information);
    assert_eq!(a.server_reference, b.server_reference);
    assert_eq!(a.authentication_method, b.authentication_method);
    assert_eq!(
        a.authentication_data.as_deref(),
        b.authentication_data.as_deref()
    );
    assert_eq!(a.user_properties, b.user_properties);
}

fn publish(a: &Publish<'_>, b: &v5::Publish) {
    assert_eq!((a.dup, a.retain), (b.dup, b.retain));
    assert_eq!(a.qos.as_u8(), b.qos as u8);
    assert_eq!(a.topic.as_str(), b.topic);
    assert_eq!(a.packet_id.map_or(0, PacketId::get), b.pkid);
    assert_eq!(a.payload, b.payload);
    let (a, b) = (a.properties, b.properties.as_ref());
    let format = b.and_then(|b| b.payload_format_indicator).unwrap_or(0);
    assert_eq!(u8::from(a.payload_format_utf8()), format);
    assert_eq!(
        a.message_expiry_interval(),
        b.and_then(|b| b.message_expiry_interval)
    );
    assert_eq!(a.topic_alias(), b.and_then(|b| b.topic_alias));
    assert_eq!(
        a.response_topic(),
        b.and_then(|b| b.response_topic.as_deref())
    );
    assert_eq!(
        a.correlation_data(),
        b.and_then(|b| b.correlation_data.as_deref())
    );
    assert_eq!(a.content_type(), b.and_then(|b| b.content_type.as_deref()));
    assert_eq!(
        users_of(a),
        b.map_or(Texts::new(), |b| b.user_properties.clone())
    );
    let identifiers: Vec<usize> = a.subscription_identifiers().map(|id| id as usize).collect();
    assert_eq!(
        identifiers,
        b.map_or(Vec::new(), |b| b.subscription_identifiers.clone())
    );
}

fn subscribe(a: &Subscribe, b: &v5::Subscribe) {
    assert_eq!(a.packet_id.get(), b.pkid);
    let identifier = b.properties.as_ref().and_then(|b| b.id);
    assert_eq!(a.subscription_identifier.map(|id| id as usize), identifier);
    let users = b.properties.as_ref().map(|b| &b.user_properties);
    assert_eq!(&a.user_properties, users.unwrap_or(&Texts::new()));
    assert_eq!(a.filters.len(), b.filters.len());
    for (a, b) in a.filters.iter().zip(&b.filters) {
        assert_eq!((&a.filter, a.qos.as_u8()), (&b.path, b.qos as u8));
        assert_eq!(
            (a.no_local, a.retain_as_published),
            (b.nolocal, b.preserve_retain)
        );
        let handling = match b.retain_forward_rule {
            v5::RetainForwardRule::OnEverySubscribe => 0,
            v5::RetainForwardRule::OnNewSubscribe => 1,
            v5::RetainForwardRule::Never => 2,
        };
        assert_eq!(a.retain_handling as u8, handling);
    }
}
