//! What a client may not cost, and states that nobody may stay in.

use hookwire_broker::{AuthenticationOutcome, QueueOverflow, worker_of};
use hookwire_mqtt::{Ack, Subscribe, SubscribeFilter};

use super::*;

fn on(worker: usize, tag: &str) -> String {
    let mut ids = (0..50).map(|n| format!("{tag}{n}"));
    ids.find(|id| worker_of(id, 2) == worker).unwrap()
}

fn persistent(world: &mut World, id: &str, expiry_s: u32, will: Option<Will>) -> usize {
    let mut connect = Connect::new(V5, id);
    connect.clean_start = false;
    connect.session_expiry_interval_s = expiry_s;
    connect.will = will;
    world.connect_with(connect)
}

fn will(topic: &str, delay_interval_s: u32) -> Will {
    Will {
        topic: topic.to_owned(),
        payload: vec![0; 1000],
        qos: QoS::AtMostOnce,
        retain: false,
        delay_interval_s,
        properties: Vec::new(),
    }
}

fn subscribe_to(filters: Vec<SubscribeFilter>) -> Packet<'static> {
    Packet::Subscribe(Subscribe {
        packet_id: PacketId::FIRST,
        subscription_identifier: None,
        user_properties: Vec::new(),
        filters,
    })
}

#[test]
fn a_delayed_message_comes_although_a_newer_one_was_found_retained() {
    let mut world = World::new(2);
    let publisher = world.connect(V5, &on(0, "p"));
    let subscriber = world.connect(V5, &on(1, "s"));
    world.publish(publisher, "$delayed/5/t", "delayed", Some(1));
    world.retain(publisher, "t", "kept");
    world.subscribe(subscriber, "t", QoS::AtLeastOnce);
    world.advance_ms(6_000);
    assert_eq!(world.payloads(subscriber), ["kept", "delayed"]);
}

#[test]
fn wills_are_delayed_within_the_bound() {
    let mut bounds = limits();
    bounds.max_delayed_messages = 1;
    let mut world = World::with(1, &bounds);
    for _ in 0..50 {
        let client = persistent(&mut world, "c", 0, Some(will("$delayed/4000000/t", 0)));
        world.drop_socket(client);
    }
    assert_eq!(world.holdings().delayed, 1);
    assert_eq!(world.counters().publishes_refused, 49);
}

#[test]
fn a_client_that_waits_for_itself_and_then_for_room_is_read_again() {
    let mut world = World::new(1);
    rules_on(&world, "#");
    let publisher = world.connect(V311, "publisher");
    for id in 1..=4 {
        assert_eq!(world.publish(publisher, "t", "", Some(id)), Flow::Continue);
    }
    assert_eq!(world.publish(publisher, "t", "", Some(5)), Flow::Later);
    world.script.borrow_mut().full = true;
    for _ in 0..4 {
        world.decide(0, Verdict::Proceed);
    }
    assert!(world.clients[publisher].paused);
    world.script.borrow_mut().full = false;
    world.wake();
    assert!(!world.clients[publisher].paused);
}

#[test]
fn deadlines_that_changed_leave_the_wheel() {
    let mut world = World::new(1);
    for n in 0..500 {
        let client = persistent(&mut world, "c", 4_000_000_000 - n * 10, None);
        world.drop_socket(client);
    }
    world.advance_ms(200_000);
    assert_eq!(world.holdings().timers, 1);
    for _ in 0..500 {
        let client = persistent(&mut world, "c", 4_000_000_000, Some(will("t", 1)));
        world.drop_socket(client);
        world.advance_ms(2_000);
    }
    world.advance_ms(200_000);
    assert_eq!(world.holdings().timers, 1);

    let mut world = World::new(1);
    world.script.borrow_mut().wants_passwords = true;
    let mut connect = Connect::new(V5, "c");
    connect.keep_alive_s = 30;
    let client = world.connect_with(connect);
    world.authenticate(AuthenticationOutcome::Accept { data: None });
    for _ in 0..100 {
        world.advance_ms(5_000);
        world.send(client, Packet::PingReq);
    }
    assert_eq!(world.holdings().timers, 1);
}

#[test]
fn a_full_group_does_not_fall_with_one_of_its_members() {
    let members = 2_000;
    let mut bounds = limits();
    bounds.queue_overflow = QueueOverflow::Disconnect;
    bounds.max_inflight = 1;
    let mut world = World::with(1, &bounds);
    let mut keys = Vec::new();
    for n in 0..members {
        let client = persistent(&mut world, &format!("m{n}"), 1000, None);
        keys.push((client, world.clients[client].key));
    }
    for &(client, _) in &keys {
        world.subscribe(client, "$share/g/t", QoS::AtLeastOnce);
    }
    let publisher = world.connect(V5, "publisher");
    // Nobody acknowledges: each has one in flight and three in its queue.
    for n in 0..members * 4 {
        world.publish(publisher, "t", "x", Some(n % 60_000 + 1));
    }
    world.drop_socket(keys[0].0);
    // However deep it goes, it goes on in one loop, and the broker stands.
    world.publish(publisher, "u", "x", Some(1));
    assert!(!world.clients[publisher].closed);
}

#[test]
fn pubrecs_of_a_client_that_does_not_read_are_not_answered_without_end() {
    let mut world = World::new(1);
    let client = world.connect(V5, "client");
    world.stop_writing = true;
    let key = world.clients[client].key;
    let pubrec = || Packet::PubRec(Ack::success(PacketId::FIRST));
    let mut taken = 0;
    while world.shards[0].packet(world.now, key, pubrec()) == Flow::Continue {
        taken += 1;
        assert!(taken < 100_000, "the output has no bound");
    }
    let waits = world.shards[0].output(key).map_or(0, |output| output.len());
    assert!(waits < 2 * limits().max_output_bytes, "{waits}");
}

#[test]
fn retained_messages_that_wait_for_one_client_are_bounded() {
    let mut world = World::new(1);
    let publisher = world.connect(V5, "publisher");
    for n in 0..100 {
        world.retain(publisher, &format!("t/{n}"), "x");
    }
    let client = world.connect(V5, "client");
    world.stop_writing = true;
    for _ in 0..10 {
        let filters = vec![SubscribeFilter::new("#", QoS::AtLeastOnce); 10_000];
        world.send(client, subscribe_to(filters));
    }
    let queued = world.holdings().queued;
    assert!(queued <= 250_100, "{queued}");
    assert!(world.counters().retained_unsent > 0);
}

#[test]
fn an_answer_larger_than_the_client_takes_is_not_sent() {
    let mut world = World::new(1);
    let mut connect = Connect::new(V5, "client");
    connect.maximum_packet_bytes = Some(14);
    let client = world.connect_with(connect);
    assert!(world.received_bytes(client) <= 14, "CONNACK");
    world.got(client);
    let filters = vec![SubscribeFilter::new("a", QoS::AtLeastOnce); 100];
    world.send(client, subscribe_to(filters));
    assert_eq!(world.got(client), [other("DISCONNECT PacketTooLarge")]);
}

#[test]
fn a_packet_says_only_reasons_it_may() {
    // A rule may name any.
    let mut world = World::new(1);
    rules_on(&world, "#");
    let client = world.connect(V5, "client");
    world.publish(client, "t", "", Some(1));
    let banned = Refusal {
        reason: ReasonCode::Banned,
        text: "no".to_owned(),
    };
    world.decide(0, Verdict::Disconnect(banned));
    assert_eq!(
        world.got(client),
        [other("DISCONNECT AdministrativeAction")]
    );
    // One that arrives is taken over, or is there when the broker stops.
    world.connect(V5, "client");
    let before = world.clients.len() - 1;
    world.publish(before, "t", "", Some(1));
    let second = world.connect_with(Connect::new(V5, "client"));
    let third = world.connect_with(Connect::new(V5, "client"));
    assert_eq!(world.got(second), [other("CONNACK ServerUnavailable")]);
    let now = world.now;
    world.shards[0].close_all(now);
    world.settle();
    assert_eq!(world.got(third), [other("CONNACK ServerUnavailable")]);
}

#[test]
fn an_id_that_was_released_behind_a_resend_is_free() {
    let mut world = World::new(1);
    rules_on(&world, "slow");
    let subscriber = world.connect(V5, "subscriber");
    world.subscribe(subscriber, "#", QoS::AtMostOnce);
    world.got(subscriber);
    let publisher = world.connect(V311, "publisher");
    world.publish_exactly_once(publisher, "t", "first", 5);
    world.publish_exactly_once(publisher, "slow", "x", 6);
    // As clients of MQTT 3.1 may: again on the same connection, then PUBREL.
    world.publish_exactly_once(publisher, "t", "first", 5);
    world.ack(publisher, AckKind::PubRel, 5);
    world.publish_exactly_once(publisher, "t", "second", 5);
    world.decide(0, Verdict::Proceed);
    assert_eq!(world.payloads(subscriber), ["first", "x", "second"]);
    let expected = [
        other("PUBREC 5 Success"),
        other("PUBCOMP 5 Success"),
        other("PUBREC 6 Success"),
        other("PUBREC 5 Success"),
    ];
    assert_eq!(world.got(publisher), expected);
}

#[test]
fn the_least_loaded_member_is_told_by_qos_0_as_well() {
    let mut world = World::choosing(hookwire_broker::SharedStrategy::LeastInflight);
    let publisher = world.connect(V5, "publisher");
    let mut counts = Vec::new();
    let mut members = Vec::new();
    for id in ["a", "b"] {
        let member = world.connect(V5, id);
        world.subscribe(member, "$share/g/t", QoS::AtMostOnce);
        members.push(member);
        for _ in 0..100 {
            world.publish(publisher, "t", "x", None);
        }
        counts = members
            .iter()
            .map(|&member| world.payloads(member).len())
            .collect();
    }
    assert_eq!(counts, [50, 50], "of the second hundred");
}
