//! QoS 2, both ways.

use super::*;

#[test]
fn a_publish_that_comes_again_is_answered_and_not_taken_again() {
    let mut world = World::new(2);
    let subscriber = world.connect(V5, "subscriber");
    world.subscribe(subscriber, "t", QoS::AtMostOnce);
    world.got(subscriber);
    for version in [V31, V311, V5] {
        let publisher = world.connect(version, "publisher");
        for _ in 0..3 {
            world.publish_exactly_once(publisher, "t", "once", 7);
        }
        assert_eq!(world.payloads(subscriber), ["once"], "{version}");
        assert_eq!(world.got(publisher), vec![other("PUBREC 7 Success"); 3]);
        world.ack(publisher, AckKind::PubRel, 7);
        world.ack(publisher, AckKind::PubRel, 7);
        let unknown = match version {
            V5 => "PUBCOMP 7 PacketIdentifierNotFound",
            _ => "PUBCOMP 7 Success",
        };
        assert_eq!(
            world.got(publisher),
            [other("PUBCOMP 7 Success"), other(unknown)]
        );
        // The id is free for another message.
        world.publish_exactly_once(publisher, "t", "twice", 7);
        assert_eq!(world.payloads(subscriber), ["twice"], "{version}");
    }
}

#[test]
fn it_is_not_taken_again_after_a_reconnect_either() {
    let mut world = World::new(1);
    let subscriber = world.connect(V5, "subscriber");
    world.subscribe(subscriber, "t", QoS::AtMostOnce);
    let mut connect = Connect::new(V311, "publisher");
    connect.clean_start = false;
    connect.session_expiry_interval_s = u32::MAX;
    let first = world.connect_with(connect.clone());
    world.publish_exactly_once(first, "t", "once", 7);
    world.drop_socket(first);
    let second = world.connect_with(connect);
    world.publish_exactly_once(second, "t", "once", 7);
    assert_eq!(world.payloads(subscriber), ["once"]);
    let expected = [
        other("CONNACK Success, session present"),
        other("PUBREC 7 Success"),
    ];
    assert_eq!(world.got(second), expected);
}

#[test]
fn a_refused_publish_frees_its_id() {
    let mut world = World::new(1);
    rules_on(&world, "#");
    let publisher = world.connect(V5, "publisher");
    world.publish_exactly_once(publisher, "t", "1", 7);
    world.publish_exactly_once(publisher, "t", "1", 7);
    assert!(world.got(publisher).is_empty(), "the rules still have it");
    world.ack(publisher, AckKind::PubRel, 7);
    let early = other("PUBCOMP 7 PacketIdentifierNotFound");
    assert_eq!(world.got(publisher), [early]);
    world.decide(0, Verdict::Deny(refusal()));
    assert_eq!(world.got(publisher), [other("PUBREC 7 QuotaExceeded")]);
    world.publish_exactly_once(publisher, "t", "2", 7);
    assert_eq!(world.script.borrow().submitted.len(), 1, "a new message");
}

#[test]
fn a_delivery_goes_through_its_four_packets() {
    let mut world = World::new(1);
    world.script.borrow_mut().acked_filter = Some(TopicFilter::new("#").unwrap());
    let subscriber = world.connect(V5, "subscriber");
    world.subscribe(subscriber, "t", QoS::ExactlyOnce);
    world.got(subscriber);
    let publisher = world.connect(V5, "publisher");
    world.publish_exactly_once(publisher, "t", "m", 1);
    let delivered = publish_with("t", "m", QoS::ExactlyOnce, Some(1));
    assert_eq!(world.got(subscriber), [delivered]);
    for _ in 0..2 {
        world.ack(subscriber, AckKind::PubRec, 1);
        assert_eq!(world.got(subscriber), [other("PUBREL 1 Success")]);
    }
    assert_eq!(
        world.script.borrow().acked.len(),
        1,
        "acked at PUBREC, once"
    );
    assert_eq!(world.holdings().inflight, 1, "the id is still in use");
    world.ack(subscriber, AckKind::PubComp, 1);
    assert_eq!(world.holdings().inflight, 0);
    world.ack(subscriber, AckKind::PubRec, 1);
    let unknown = other("PUBREL 1 PacketIdentifierNotFound");
    assert_eq!(world.got(subscriber), [unknown]);
}

#[test]
fn an_acknowledgement_of_the_other_qos_is_a_protocol_error() {
    for kind in [AckKind::PubAck, AckKind::PubRec] {
        let mut world = World::new(1);
        let subscriber = world.connect(V5, "subscriber");
        world.subscribe(subscriber, "t", QoS::ExactlyOnce);
        world.got(subscriber);
        let publisher = world.connect(V5, "publisher");
        match kind {
            AckKind::PubAck => world.publish_exactly_once(publisher, "t", "m", 1),
            _ => world.publish(publisher, "t", "m", Some(1)),
        };
        world.got(subscriber);
        world.ack(subscriber, kind, 1);
        assert_eq!(world.got(subscriber), [other("DISCONNECT ProtocolError")]);
    }
}

#[test]
fn more_publishes_at_once_than_receive_maximum_end_an_mqtt_5_connection() {
    let mut world = World::new(1);
    let publisher = world.connect(V5, "publisher");
    let old = world.connect(V311, "old");
    for id in 1..=limits().receive_maximum {
        world.publish_exactly_once(publisher, "t", "", id);
        world.publish_exactly_once(old, "t", "", id);
    }
    // One that is sent again is not one more.
    world.publish_exactly_once(publisher, "t", "", 1);
    assert!(!world.clients[publisher].closed);
    world.got(publisher);
    let next = limits().receive_maximum + 1;
    world.publish_exactly_once(publisher, "t", "", next);
    world.publish_exactly_once(old, "t", "", next);
    let farewell = other("DISCONNECT ReceiveMaximumExceeded");
    assert_eq!(world.got(publisher), [farewell]);
    assert!(!world.clients[old].closed);
}

#[test]
fn acknowledgements_keep_their_order_after_a_connection_that_a_rule_closed() {
    let mut world = World::new(1);
    rules_on(&world, "ruled");
    let mut connect = Connect::new(V311, "client");
    connect.clean_start = false;
    connect.session_expiry_interval_s = u32::MAX;
    let first = world.connect_with(connect.clone());
    world.publish_exactly_once(first, "ruled", "1", 1);
    world.publish_exactly_once(first, "free", "2", 2);
    world.decide(0, Verdict::Disconnect(refusal()));
    assert!(world.clients[first].closed);
    let second = world.connect_with(connect);
    world.got(second);
    // The second of them was taken before.
    world.publish_exactly_once(second, "ruled", "1", 1);
    world.publish_exactly_once(second, "free", "2", 2);
    assert!(world.got(second).is_empty(), "the first is with the rules");
    world.decide(0, Verdict::Proceed);
    let expected = [other("PUBREC 1 Success"), other("PUBREC 2 Success")];
    assert_eq!(world.got(second), expected);
}
