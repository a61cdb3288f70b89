//! Right packets, written by the codec's own encoder.

use hookwire_mqtt::{
    Ack, Auth, ConnAck, ConnAckProperties, Connect, Disconnect, Packet, PacketId, ProtocolVersion,
    Publish, PublishProperties, QoS, ReasonCode, RetainHandling, SubAck, Subscribe,
    SubscribeFilter, TopicName, UnsubAck, Unsubscribe, Will, write_subscription_identifier,
    write_topic_alias,
};

use ProtocolVersion::{V5, V31, V311};

type Sample = (&'static str, Vec<u8>);

/// The samples of `target`.
pub(crate) fn of(target: &str) -> Vec<Sample> {
    match target {
        "connect" => connects(),
        "to_server_3_1" => to_server(V31),
        "to_server_3_1_1" => to_server(V311),
        "to_server_5" => to_server(V5),
        "to_client_3_1" => to_client(V31),
        "to_client_3_1_1" => to_client(V311),
        "to_client_5" => to_client(V5),
        other => panic!("no target {other}"),
    }
}

fn encoded(version: ProtocolVersion, packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes);
    bytes
}

fn connects() -> Vec<Sample> {
    let names = [
        ["3-1-bare", "3-1-whole"],
        ["3-1-1-bare", "3-1-1-whole"],
        ["5-bare", "5-whole"],
    ];
    let mut samples = Vec::new();
    for (version, [bare, whole]) in [V31, V311, V5].into_iter().zip(names) {
        let packet = Packet::Connect(Box::new(Connect::new(version, "")));
        samples.push((bare, encoded(version, &packet)));
        let packet = Packet::Connect(Box::new(whole_connect(version)));
        samples.push((whole, encoded(version, &packet)));
    }
    samples
}

fn whole_connect(version: ProtocolVersion) -> Connect {
    Connect {
        clean_start: false,
        keep_alive_s: 60,
        username: Some("user".to_owned()),
        password: Some(b"pass\xFF".to_vec()),
        will: Some(Will {
            topic: "will/topic".to_owned(),
            payload: b"gone".to_vec(),
            qos: QoS::ExactlyOnce,
            retain: true,
            delay_interval_s: 30,
            properties: travelling(),
        }),
        session_expiry_interval_s: 3600,
        receive_maximum: 20,
        maximum_packet_bytes: Some(100_000),
        topic_alias_maximum: 10,
        request_response_information: true,
        request_problem_information: false,
        user_properties: users(),
        authentication_method: Some("SCRAM".to_owned()),
        authentication_data: Some(b"\0\x01".to_vec()),
        ..Connect::new(version, "client-1")
    }
}

/// One of each property that goes with a message, as it is encoded.
fn travelling() -> Vec<u8> {
    let mut bytes = b"\x01\x01\x02\0\0\x0E\x10".to_vec();
    bytes.extend(b"\x03\0\x04json\x08\0\x05reply\x09\0\x02\xFF\0");
    bytes.extend(b"\x26\0\x01a\0\x01b\x26\0\x01a\0\x01c");
    bytes
}

fn users() -> Vec<(String, String)> {
    vec![
        ("region".to_owned(), "eu".to_owned()),
        ("region".to_owned(), String::new()),
    ]
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}

/// What both sides send.
fn both_ways(version: ProtocolVersion) -> Vec<Sample> {
    let reason = if version.is_v5() {
        ReasonCode::PayloadFormatInvalid
    } else {
        ReasonCode::Success
    };
    let explained = |reason| Ack {
        reason_string: Some("because".to_owned()),
        user_properties: users(),
        ..Ack::with_reason(id(0x1234), reason)
    };
    let not_found = ReasonCode::PacketIdentifierNotFound;
    let mut samples = vec![
        ("puback", Packet::PubAck(Ack::success(id(1)))),
        (
            "puback-reason",
            Packet::PubAck(Ack::with_reason(id(2), reason)),
        ),
        ("puback-explained", Packet::PubAck(explained(reason))),
        ("pubrec", Packet::PubRec(Ack::success(id(3)))),
        ("pubrec-explained", Packet::PubRec(explained(reason))),
        ("pubrel", Packet::PubRel(Ack::success(id(4)))),
        (
            "pubrel-reason",
            Packet::PubRel(Ack::with_reason(id(5), not_found)),
        ),
        ("pubrel-explained", Packet::PubRel(explained(not_found))),
        ("pubcomp", Packet::PubComp(Ack::success(id(u16::MAX)))),
        ("pubcomp-explained", Packet::PubComp(explained(not_found))),
        ("disconnect", Packet::Disconnect(Disconnect::default())),
        (
            "disconnect-reason",
            Packet::Disconnect(Disconnect::with_reason(ReasonCode::QuotaExceeded)),
        ),
        (
            "disconnect-explained",
            Packet::Disconnect(Disconnect {
                reason: ReasonCode::ServerMoved,
                session_expiry_interval_s: Some(5),
                reason_string: Some("away".to_owned()),
                server_reference: Some("other:1883".to_owned()),
                user_properties: users(),
            }),
        ),
    ];
    if version.is_v5() {
        let method = Some("SCRAM".to_owned());
        let auth = Auth {
            reason: ReasonCode::ContinueAuthentication,
            method,
            data: Some(b"\xFF\0".to_vec()),
            reason_string: Some("go on".to_owned()),
            user_properties: users(),
        };
        samples.push(("auth", Packet::Auth(Box::new(auth))));
        samples.push(("auth-success", Packet::Auth(Box::default())));
    }
    let mut samples: Vec<Sample> = samples
        .into_iter()
        .map(|(name, packet)| (name, encoded(version, &packet)))
        .collect();
    samples.extend(publishes(version));
    samples
}

fn publishes(version: ProtocolVersion) -> Vec<Sample> {
    let mut hop = travelling();
    write_subscription_identifier(&mut hop, 1);
    write_subscription_identifier(&mut hop, 268_435_455);
    write_topic_alias(&mut hop, 7);
    let topic = TopicName::new("sensors/1/temperature").expect("a topic name");
    let publish = |qos, properties, payload| Publish {
        dup: qos == QoS::ExactlyOnce,
        qos,
        retain: qos == QoS::AtLeastOnce,
        topic,
        packet_id: (qos > QoS::AtMostOnce).then_some(PacketId::FIRST),
        properties: PublishProperties::from_validated(properties),
        payload,
    };
    // Over what one byte of length can say.
    let long = [b'x'; 300];
    let mut samples = vec![
        ("publish-qos-0", publish(QoS::AtMostOnce, b"", b"21.5")),
        ("publish-qos-1", publish(QoS::AtLeastOnce, b"", b"")),
        ("publish-qos-2", publish(QoS::ExactlyOnce, b"", b"\0\xFF")),
        ("publish-long", publish(QoS::AtMostOnce, b"", &long)),
    ];
    if version.is_v5() {
        samples.push(("publish-properties", publish(QoS::AtLeastOnce, &hop, b"x")));
    }
    samples
        .into_iter()
        .map(|(name, publish)| (name, encoded(version, &Packet::Publish(publish))))
        .collect()
}

fn to_server(version: ProtocolVersion) -> Vec<Sample> {
    let filter = |text: &str| SubscribeFilter::new(text, QoS::AtLeastOnce);
    let options = SubscribeFilter {
        no_local: version.is_v5(),
        retain_as_published: version.is_v5(),
        retain_handling: if version.is_v5() {
            RetainHandling::DoNotSend
        } else {
            RetainHandling::SendAtSubscribe
        },
        ..filter("sensors/+/#")
    };
    let subscribe = Subscribe {
        packet_id: id(10),
        subscription_identifier: version.is_v5().then_some(300),
        user_properties: if version.is_v5() { users() } else { Vec::new() },
        filters: vec![
            options,
            filter("$share/group/a"),
            filter("$queue/a/+"),
            filter("a#"),
        ],
    };
    let unsubscribe = Unsubscribe {
        packet_id: id(11),
        filters: vec!["a/b".to_owned(), "#".to_owned()],
        user_properties: if version.is_v5() { users() } else { Vec::new() },
    };
    let subscribe = encoded(version, &Packet::Subscribe(subscribe));
    let mut samples = both_ways(version);
    samples.push((
        "unsubscribe",
        encoded(version, &Packet::Unsubscribe(unsubscribe)),
    ));
    samples.push(("pingreq", encoded(version, &Packet::PingReq)));
    let connect = Packet::Connect(Box::new(whole_connect(version)));
    samples.push(("connect", encoded(version, &connect)));
    if version == V31 {
        let again = |bytes: &[u8]| [&[0x8A], bytes.get(1..).unwrap_or_default()].concat();
        samples.push(("subscribe-again", again(&subscribe)));
        samples.push(("pubrel-again", b"\x6A\x02\0\x01".to_vec()));
    }
    samples.push(("subscribe", subscribe));
    samples.push(("all", all(&samples)));
    samples
}

fn to_client(version: ProtocolVersion) -> Vec<Sample> {
    let suback = SubAck {
        packet_id: id(10),
        reasons: vec![
            ReasonCode::Success,
            ReasonCode::GrantedQoS2,
            ReasonCode::UnspecifiedError,
        ],
        reason_string: Some("in part".to_owned()),
        user_properties: users(),
    };
    let unsuback = UnsubAck {
        packet_id: id(11),
        reasons: vec![ReasonCode::Success, ReasonCode::NoSubscriptionExisted],
        reason_string: None,
        user_properties: users(),
    };
    let accepted = ConnAck {
        session_present: true,
        properties: granted(),
        ..ConnAck::default()
    };
    let mut samples = both_ways(version);
    for (name, packet) in [
        ("suback", Packet::SubAck(suback)),
        ("unsuback", Packet::UnsubAck(unsuback)),
        ("connack", Packet::ConnAck(accepted)),
        ("connack-bare", Packet::ConnAck(ConnAck::default())),
        (
            "connack-refused",
            Packet::ConnAck(ConnAck::refusal(ReasonCode::NotAuthorized)),
        ),
        ("pingresp", Packet::PingResp),
    ] {
        samples.push((name, encoded(version, &packet)));
    }
    samples.push(("all", all(&samples)));
    samples
}

fn granted() -> ConnAckProperties {
    ConnAckProperties {
        session_expiry_interval_s: Some(60),
        receive_maximum: Some(100),
        maximum_qos: Some(QoS::AtLeastOnce),
        retain_available: Some(true),
        maximum_packet_bytes: Some(1 << 20),
        assigned_client_id: Some("auto-1".to_owned()),
        topic_alias_maximum: Some(16),
        reason_string: Some("welcome".to_owned()),
        wildcard_subscription_available: Some(true),
        subscription_identifiers_available: Some(true),
        shared_subscription_available: Some(false),
        server_keep_alive_s: Some(30),
        response_information: Some("replies/".to_owned()),
        server_reference: Some("other:1883".to_owned()),
        authentication_method: Some("SCRAM".to_owned()),
        authentication_data: Some(b"\0".to_vec()),
        user_properties: users(),
    }
}

/// One packet behind the other, but for those that end a connection.
fn all(samples: &[Sample]) -> Vec<u8> {
    samples
        .iter()
        .filter(|(name, _)| !name.starts_with("disconnect"))
        .flat_map(|(_, bytes)| bytes.iter().copied())
        .collect()
}
