//! Properties of the codec over every packet of the three versions.

mod arbitrary;

use arbitrary::{Owned, OwnedPublish};
use hookwire_mqtt::{
    MAX_PACKET_BYTES, Packet, PacketId, ProtocolVersion, PublishHeader, PublishProperties, QoS,
    decode, decode_connect, encode_publish, publish_len, write_subscription_identifier,
    write_topic_alias,
};
use proptest::prelude::*;

fn versioned_packet() -> impl Strategy<Value = (ProtocolVersion, Owned)> {
    arbitrary::version().prop_flat_map(|version| (Just(version), arbitrary::packet(version)))
}

fn versioned_publish() -> impl Strategy<Value = (ProtocolVersion, OwnedPublish)> {
    arbitrary::version().prop_flat_map(|version| (Just(version), arbitrary::publish(version)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_encoded_is_decoded_alike((version, owned) in versioned_packet(), behind in any::<[u8; 3]>()) {
        let packet = owned.borrow();
        let mut encoded = vec![0xAA];
        packet.encode(version, &mut encoded);
        let packet_bytes = encoded.len() - 1;
        encoded.extend(behind);

        let (decoded, taken) = decode(&encoded[1..], version, packet_bytes)
            .expect("valid")
            .expect("whole");
        prop_assert_eq!(&decoded, &packet);
        prop_assert_eq!(taken, packet_bytes);
        if let Packet::Connect(connect) = decoded {
            let greeted = decode_connect(&encoded[1..], packet_bytes).expect("valid");
            prop_assert_eq!(greeted, Some((*connect, packet_bytes)));
        }
    }

    #[test]
    fn a_part_of_a_packet_is_never_an_error((version, owned) in versioned_packet()) {
        let mut encoded = Vec::new();
        owned.borrow().encode(version, &mut encoded);
        for end in 0..encoded.len() {
            prop_assert_eq!(decode(&encoded[..end], version, MAX_PACKET_BYTES), Ok(None));
            if matches!(owned, Owned::Other(Packet::Connect(_))) {
                prop_assert_eq!(decode_connect(&encoded[..end], MAX_PACKET_BYTES), Ok(None));
            }
        }
    }

    #[test]
    fn one_changed_byte_never_panics(
        (version, owned) in versioned_packet(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut encoded = Vec::new();
        owned.borrow().encode(version, &mut encoded);
        let at = at.index(encoded.len());
        encoded[at] = byte;
        check_decoded(&encoded, version)?;
    }

    #[test]
    fn no_bytes_at_all_panic(version in arbitrary::version(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        check_decoded(&bytes, version)?;
    }

    #[test]
    fn any_body_behind_a_right_header_does_not_panic(
        version in arbitrary::version(),
        first_byte in any::<u8>(),
        body in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut bytes = vec![first_byte, u8::try_from(body.len()).expect("short")];
        bytes.extend(body);
        check_decoded(&bytes, version)?;
    }

    #[test]
    fn forwardable_properties_lack_only_those_of_the_hop(
        (version, publish) in versioned_publish(),
    ) {
        let publish = publish.borrow();
        let before = publish.properties;
        let forwardable = before.forwardable();
        let after = PublishProperties::from_validated(&forwardable);

        prop_assert_eq!(after.topic_alias(), None);
        prop_assert_eq!(after.subscription_identifiers().count(), 0);
        prop_assert_eq!(after.payload_format_utf8(), before.payload_format_utf8());
        prop_assert_eq!(after.message_expiry_interval(), before.message_expiry_interval());
        prop_assert_eq!(after.content_type(), before.content_type());
        prop_assert_eq!(after.response_topic(), before.response_topic());
        prop_assert_eq!(after.correlation_data(), before.correlation_data());
        prop_assert!(after.user_properties().eq(before.user_properties()));
        if !version.is_v5() {
            prop_assert!(after.is_empty());
        }
    }

    #[test]
    fn the_expiry_of_a_message_is_all_that_changes(
        (_, publish) in versioned_publish(),
        left in any::<u32>(),
    ) {
        let before = publish.borrow().properties;
        let bytes = before.with_message_expiry_interval(left);
        let after = PublishProperties::from_validated(&bytes);
        prop_assert_eq!(after.message_expiry_interval(), before.message_expiry_interval().map(|_| left));
        if let Some(interval) = before.message_expiry_interval() {
            prop_assert_eq!(after.with_message_expiry_interval(interval), before.forwardable().into_owned());
        } else {
            prop_assert_eq!(bytes, before.forwardable().into_owned());
        }
    }

    #[test]
    fn properties_of_a_hop_are_read_as_written(identifiers in prop::collection::vec(1..=268_435_455_u32, 0..4), alias in 1..=u16::MAX) {
        let mut bytes = Vec::new();
        for &identifier in &identifiers {
            write_subscription_identifier(&mut bytes, identifier);
        }
        write_topic_alias(&mut bytes, alias);
        let properties = PublishProperties::from_validated(&bytes);
        prop_assert_eq!(properties.subscription_identifiers().collect::<Vec<_>>(), identifiers);
        prop_assert_eq!(properties.topic_alias(), Some(alias));
        prop_assert!(properties.forwardable().is_empty());
    }

    #[test]
    fn an_alias_stands_for_a_topic((_, publish) in versioned_publish(), alias in 1..=u16::MAX) {
        let travelling = publish.borrow().properties;
        let mut properties = travelling.forwardable().into_owned();
        write_topic_alias(&mut properties, alias);
        let header = PublishHeader {
            dup: publish.dup,
            qos: publish.qos,
            retain: publish.retain,
            topic: "",
            packet_id: publish.packet_id,
            properties: &properties,
        };
        let mut out = Vec::new();
        encode_publish(&mut out, ProtocolVersion::V5, &header, &publish.payload);
        let Ok(Some((Packet::Publish(decoded), _))) = decode(&out, ProtocolVersion::V5, MAX_PACKET_BYTES) else {
            return Err(TestCaseError::fail("not a PUBLISH any more"));
        };
        prop_assert!(decoded.topic.is_empty());
        prop_assert_eq!(decoded.properties.topic_alias(), Some(alias));
        prop_assert_eq!(decoded.payload, &publish.payload);
        let mut again = Vec::new();
        decoded.encode(ProtocolVersion::V5, &mut again);
        prop_assert_eq!(again, out);
    }

    #[test]
    fn a_publish_is_as_long_as_foretold_and_can_be_readdressed(
        (version, publish) in versioned_publish(),
    ) {
        let publish = publish.borrow();
        let header = PublishHeader {
            dup: publish.dup,
            qos: publish.qos,
            retain: publish.retain,
            topic: publish.topic.as_str(),
            packet_id: publish.packet_id,
            properties: publish.properties.raw(),
        };
        let mut out = b"before".to_vec();
        let id_at = encode_publish(&mut out, version, &header, publish.payload);
        prop_assert_eq!(out.len() - 6, publish_len(version, &header, publish.payload.len()));
        prop_assert_eq!(id_at.is_some(), publish.qos > QoS::AtMostOnce);

        let Some(id_at) = id_at else { return Ok(()) };
        out[id_at..id_at + 2].copy_from_slice(&0x1234_u16.to_be_bytes());
        let Ok(Some((Packet::Publish(decoded), _))) = decode(&out[6..], version, MAX_PACKET_BYTES) else {
            return Err(TestCaseError::fail("not a PUBLISH any more"));
        };
        prop_assert_eq!(decoded.packet_id, PacketId::new(0x1234));
        prop_assert_eq!(decoded.payload, publish.payload);
    }
}

/// Decodes; what is a packet encodes into the same packet again.
fn check_decoded(bytes: &[u8], version: ProtocolVersion) -> Result<(), TestCaseError> {
    if let Ok(Some((connect, _))) = decode_connect(bytes, MAX_PACKET_BYTES) {
        let mut encoded = Vec::new();
        connect.encode(&mut encoded);
        let again = decode_connect(&encoded, MAX_PACKET_BYTES).expect("valid");
        prop_assert_eq!(again, Some((connect, encoded.len())));
    }
    let Ok(Some((packet, _))) = decode(bytes, version, MAX_PACKET_BYTES) else {
        return Ok(());
    };
    let version = match &packet {
        Packet::Connect(connect) => connect.version,
        _ => version,
    };
    let mut encoded = Vec::new();
    packet.encode(version, &mut encoded);
    let again = decode(&encoded, version, MAX_PACKET_BYTES).expect("valid");
    prop_assert_eq!(again, Some((packet, encoded.len())));
    Ok(())
}
