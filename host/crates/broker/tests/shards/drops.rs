//! `message.dropped`: each way in which a message goes no further.

use hookwire_broker::{Event, Limits, QueueOverflow};

use super::*;

fn listening(limits: &Limits) -> World {
    listening_with(1, limits)
}

fn listening_with(workers: u16, limits: &Limits) -> World {
    let world = World::with(workers, limits);
    world.listen(Hook::MessageDropped, "t/#");
    world
}

#[test]
fn a_message_for_nobody_is_told_with_the_message() {
    let mut world = listening(&limits());
    let publisher = world.connect(V5, "publisher");
    world.publish(publisher, "t/a", "lost", Some(1));
    world.publish(publisher, "u/a", "not listened to", None);
    let events = world.script.borrow().events.clone();
    let [Event::Dropped(event)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(
        (event.client.as_ref(), event.reason),
        (None, "no-subscriber")
    );
    assert_eq!(
        (&*event.message.topic, &*event.message.sender),
        ("t/a", "publisher")
    );
    assert_eq!(
        (event.message.qos, event.at_ms),
        (QoS::AtLeastOnce, START_MS)
    );
    // What is retained is kept, and an empty one is not.
    world.told();
    world.retain(publisher, "t/kept", "kept");
    assert_eq!(world.told(), [""; 0]);
    world.retain(publisher, "t/kept", "");
    assert_eq!(world.told(), ["message.dropped nobody  no-subscriber"]);
    // Nor are wills and delayed messages other than publishes.
    world.publish(publisher, "$delayed/1/t/late", "late", None);
    assert_eq!(world.told(), [""; 0]);
    world.advance_ms(1_000);
    assert_eq!(world.told(), ["message.dropped nobody late no-subscriber"]);
}

#[test]
fn a_full_queue_tells_of_what_it_dropped() {
    for (queue_overflow, lost) in [
        (QueueOverflow::DropNewest, "4"),
        (QueueOverflow::DropOldest, "1"),
        (QueueOverflow::Disconnect, "4"),
    ] {
        let limits = Limits {
            queue_overflow,
            ..limits()
        };
        let mut world = listening(&limits);
        let publisher = world.connect(V5, "publisher");
        let receiver = world.connect_with(lasting("receiver"));
        world.subscribe(receiver, "t/#", QoS::AtLeastOnce);
        world.drop_socket(receiver);
        for number in 1..=4 {
            world.publish(publisher, "t/a", &number.to_string(), Some(number));
        }
        let expected = format!("message.dropped receiver {lost} queue-full");
        assert_eq!(world.told(), [expected]);
        // At QoS 0 nothing waits for who is away.
        world.publish(publisher, "t/a", "zero", None);
        assert_eq!(world.told(), ["message.dropped receiver zero offline"]);
    }
}

#[test]
fn what_expires_or_is_too_large_is_told() {
    let mut world = listening(&limits());
    let publisher = world.connect(V5, "publisher");
    let mut small = lasting("receiver");
    small.maximum_packet_bytes = Some(64);
    let receiver = world.connect_with(small.clone());
    world.subscribe(receiver, "t/#", QoS::AtLeastOnce);
    world.publish(publisher, "t/a", &"x".repeat(100), Some(1));
    let told = world.told();
    assert!(told[0].ends_with("too-large"), "{told:?}");
    world.drop_socket(receiver);
    world.send(
        publisher,
        Packet::Publish(hookwire_mqtt::Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: hookwire_mqtt::TopicName::new("t/a").unwrap(),
            packet_id: PacketId::new(2),
            properties: hookwire_mqtt::PublishProperties::from_validated(&[2, 0, 0, 0, 1]),
            payload: b"brief",
        }),
    );
    world.advance_ms(2_000);
    world.connect_with(small);
    assert_eq!(world.told(), ["message.dropped receiver brief expired"]);
}

#[test]
fn what_rules_did_not_let_through_is_told_with_what_they_said() {
    let failed = |is_refused: bool| Verdict::Failed {
        refusal: refusal(),
        retryable: !is_refused,
        is_refused,
    };
    for (version, verdict, expected) in [
        (V5, Verdict::Drop, Some("rule")),
        (V5, Verdict::Deny(refusal()), Some("denied")),
        (V5, Verdict::Disconnect(refusal()), Some("denied")),
        (V5, failed(false), Some("not-stored")),
        // It comes again.
        (V311, failed(false), None),
        (V311, failed(true), Some("not-stored")),
    ] {
        let mut world = listening(&limits());
        rules_on(&world, "t/#");
        let client = world.connect(version, "client");
        world.publish(client, "t/a", "m", Some(1));
        world.told();
        world.decide(0, verdict);
        let expected = expected.map(|word| format!("message.dropped nobody m {word}"));
        assert_eq!(world.told(), Vec::from_iter(expected));
    }
}

#[test]
fn own_messages_that_a_client_does_not_want_are_not_dropped() {
    let mut world = listening(&limits());
    let client = world.connect(V5, "client");
    let mut wanted = hookwire_mqtt::SubscribeFilter::new("t/#", QoS::AtMostOnce);
    wanted.no_local = true;
    world.send(
        client,
        Packet::Subscribe(hookwire_mqtt::Subscribe {
            packet_id: PacketId::FIRST,
            subscription_identifier: None,
            user_properties: Vec::new(),
            filters: vec![wanted],
        }),
    );
    world.publish(client, "t/a", "own", None);
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn a_client_that_does_not_read_and_a_group_without_members_are_told_of() {
    let mut world = listening(&limits());
    let publisher = world.connect(V5, "publisher");
    let receiver = world.connect(V5, "receiver");
    world.subscribe(receiver, "t/a", QoS::AtMostOnce);
    world.stop_writing = true;
    world.publish(publisher, "t/a", &"x".repeat(11_000), None);
    world.publish(publisher, "t/a", "lost", None);
    assert_eq!(world.told(), ["message.dropped receiver lost output-full"]);
    world.stop_writing = false;
    world.settle();
    let member = world.connect_with(lasting("member"));
    world.subscribe(member, "$share/g/t/b", QoS::AtLeastOnce);
    world.drop_socket(member);
    world.publish(publisher, "t/b", "zero", None);
    assert_eq!(world.told(), ["message.dropped nobody zero no-member"]);
}

#[test]
fn a_publisher_waits_for_the_full_lane_of_those_whose_drops_it_fills() {
    for has_rules in [false, true] {
        let mut world = listening(&limits());
        let receiver = world.connect_with(lasting("receiver"));
        world.subscribe(receiver, "t/#", QoS::AtMostOnce);
        world.drop_socket(receiver);
        if has_rules {
            rules_on(&world, "t/#");
        }
        let (publisher, other) = (world.connect(V5, "publisher"), world.connect(V5, "other"));
        world.told();
        world.script.borrow_mut().full_lane = Some("receiver");
        assert_eq!(world.publish(publisher, "t/a", "1", None), Flow::Continue);
        if has_rules {
            world.told();
            world.decide(0, Verdict::Proceed);
        }
        assert_eq!(world.told(), ["message.dropped receiver 1 offline"]);
        assert_eq!(world.publish(publisher, "t/a", "2", None), Flow::Later);
        assert_eq!(world.told(), [""; 0], "nothing is added to the full lane");
        // Who fills no lane goes on.
        assert_eq!(world.publish(other, "u/a", "3", None), Flow::Continue);
        world.wake();
        assert!(world.clients[publisher].paused);
        world.script.borrow_mut().full_lane = None;
        world.wake();
        assert!(!world.clients[publisher].paused);
        assert_eq!(world.publish(publisher, "t/a", "2", None), Flow::Continue);
    }
}

#[test]
fn a_publisher_on_another_worker_waits_for_the_full_lane_too() {
    let mut world = listening_with(2, &limits());
    let receiver = world.connect_with(lasting(id_on(0)));
    world.subscribe(receiver, "t/#", QoS::AtMostOnce);
    world.drop_socket(receiver);
    let publisher = world.connect(V5, id_on(1));
    world.script.borrow_mut().full_lane = Some(id_on(0));
    world.told();
    let large = "x".repeat(8_000);
    let mut sent = 0;
    while world.publish(publisher, "t/a", &large, None) == Flow::Continue {
        sent += 1;
        assert!(sent < 1_000, "the lane has no bound");
    }
    assert_eq!(world.told().len(), sent);
    world.script.borrow_mut().full_lane = None;
    world.wake();
    world.settle();
    assert!(!world.clients[publisher].paused);
}

/// A client id that lives on this worker of two.
fn id_on(worker: usize) -> &'static str {
    ["a", "b", "c", "d", "e", "f", "g", "h"]
        .into_iter()
        .find(|id| hookwire_broker::worker_of(id, 2) == worker)
        .unwrap()
}
