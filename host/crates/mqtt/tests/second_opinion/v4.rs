//! Packets of MQTT 3.1.1, field by field.

use hookwire_mqtt::{Connect, Packet, PacketId, ReasonCode};
use mqttbytes::v4;

pub(crate) fn assert_alike(ours: &Packet<'_>, theirs: &v4::Packet) {
    match (ours, theirs) {
        (Packet::Connect(a), v4::Packet::Connect(b)) => connect(a, b),
        (Packet::ConnAck(a), v4::Packet::ConnAck(b)) => {
            assert_eq!(a.session_present, b.session_present);
            assert_eq!(a.reason.connack_return_code_311(), b.code as u8);
        }
        (Packet::Publish(a), v4::Packet::Publish(b)) => {
            assert_eq!((a.dup, a.retain), (b.dup, b.retain));
            assert_eq!(a.qos.as_u8(), b.qos as u8);
            assert_eq!(a.topic.as_str(), b.topic);
            assert_eq!(a.packet_id.map_or(0, PacketId::get), b.pkid);
            assert_eq!(a.payload, b.payload);
        }
        (Packet::PubAck(a), v4::Packet::PubAck(b)) => assert_eq!(a.packet_id.get(), b.pkid),
        (Packet::PubRec(a), v4::Packet::PubRec(b)) => assert_eq!(a.packet_id.get(), b.pkid),
        (Packet::PubRel(a), v4::Packet::PubRel(b)) => assert_eq!(a.packet_id.get(), b.pkid),
        (Packet::PubComp(a), v4::Packet::PubComp(b)) => assert_eq!(a.packet_id.get(), b.pkid),
        (Packet::Subscribe(a), v4::Packet::Subscribe(b)) => {
            assert_eq!(a.packet_id.get(), b.pkid);
            assert_eq!(a.filters.len(), b.filters.len());
            for (a, b) in a.filters.iter().zip(&b.filters) {
                assert_eq!((&a.filter, a.qos.as_u8()), (&b.path, b.qos as u8));
            }
        }
        (Packet::SubAck(a), v4::Packet::SubAck(b)) => {
            assert_eq!(a.packet_id.get(), b.pkid);
            let theirs: Vec<ReasonCode> = b.return_codes.iter().map(|code| reason(*code)).collect();
            assert_eq!(a.reasons, theirs);
        }
        (Packet::Unsubscribe(a), v4::Packet::Unsubscribe(b)) => {
            assert_eq!((a.packet_id.get(), &a.filters), (b.pkid, &b.topics));
        }
        (Packet::UnsubAck(a), v4::Packet::UnsubAck(b)) => assert_eq!(a.packet_id.get(), b.pkid),
        (Packet::PingReq, v4::Packet::PingReq)
        | (Packet::PingResp, v4::Packet::PingResp)
        | (Packet::Disconnect(_), v4::Packet::Disconnect) => {}
        _ => panic!("{ours:?} is not {theirs:?}"),
    }
}

fn connect(ours: &Connect, theirs: &v4::Connect) {
    assert_eq!(theirs.protocol, mqttbytes::Protocol::V4);
    assert_eq!(ours.keep_alive_s, theirs.keep_alive);
    assert_eq!(ours.client_id, theirs.client_id);
    assert_eq!(ours.clean_start, theirs.clean_session);
    match (&ours.will, &theirs.last_will) {
        (None, None) => {}
        (Some(a), Some(b)) => {
            assert_eq!((&a.topic, a.retain), (&b.topic, b.retain));
            assert_eq!(a.payload, b.message);
            assert_eq!(a.qos.as_u8(), b.qos as u8);
        }
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
}

fn reason(code: v4::SubscribeReasonCode) -> ReasonCode {
    match code {
        v4::SubscribeReasonCode::Success(mqttbytes::QoS::AtMostOnce) => ReasonCode::Success,
        v4::SubscribeReasonCode::Success(mqttbytes::QoS::AtLeastOnce) => ReasonCode::GrantedQoS1,
        v4::SubscribeReasonCode::Success(mqttbytes::QoS::ExactlyOnce) => ReasonCode::GrantedQoS2,
        v4::SubscribeReasonCode::Failure => ReasonCode::UnspecifiedError,
    }
}
