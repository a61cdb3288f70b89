//! The core stepped event by event, with several workers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod world;

use std::sync::Arc;

use hookwire_broker::{ClientHook, Flow, Message, Refusal, Verdict};
use hookwire_mqtt::ProtocolVersion::{V5, V311};
use hookwire_mqtt::{
    Connect, Disconnect, Packet, PacketId, ProtocolVersion, QoS, ReasonCode, TopicFilter,
    Unsubscribe, Will,
};
use proptest::prelude::*;
use world::{Got, LIMITS, World};

fn other(text: &str) -> Got {
    Got::Other(text.to_owned())
}

fn publish(topic: &str, payload: &str, packet_id: Option<u16>) -> Got {
    Got::Publish {
        topic: topic.to_owned(),
        payload: payload.to_owned(),
        qos: if packet_id.is_some() {
            QoS::AtLeastOnce
        } else {
            QoS::AtMostOnce
        },
        packet_id,
    }
}

fn refusal() -> Refusal {
    Refusal {
        reason: ReasonCode::QuotaExceeded,
        text: "the store is full".to_owned(),
    }
}

fn rules_on(world: &World, filter: &str) {
    world.script.borrow_mut().publish_filter = Some(TopicFilter::new(filter).unwrap());
}

/// Clients on every worker, whatever their number.
fn spread(world: &mut World, version: ProtocolVersion, count: usize) -> Vec<usize> {
    (0..count)
        .map(|n| world.connect(version, &format!("client-{n}")))
        .collect()
}

#[test]
fn messages_reach_matching_subscribers_on_all_workers_once() {
    for workers in [1, 2, 3, 5] {
        let mut world = World::new(workers);
        let clients = spread(&mut world, V311, 20);
        for &client in &clients {
            world.subscribe(client, "a/+", QoS::AtLeastOnce);
            // Overlapping subscriptions give one copy, at the higher QoS.
            world.subscribe(client, "a/#", QoS::AtMostOnce);
            assert_eq!(world.got(client).len(), 2);
        }
        let publisher = world.connect(V5, "publisher");
        world.publish(publisher, "a/b", "one", Some(7));
        world.publish(publisher, "a", "two", None);
        world.publish(publisher, "b", "nobody", None);
        assert_eq!(world.got(publisher), [other("PUBACK 7 Success")]);
        for &client in &clients {
            let expected = [publish("a/b", "one", Some(1)), publish("a", "two", None)];
            assert_eq!(world.got(client), expected);
        }
    }
}

#[test]
fn unsubscribed_and_gone_clients_leave_no_routes_behind() {
    let mut world = World::new(2);
    let clients = spread(&mut world, V5, 6);
    for &client in &clients {
        world.subscribe(client, "x/#", QoS::AtLeastOnce);
        world.subscribe(client, "y", QoS::AtLeastOnce);
        world.subscribe(client, "y", QoS::AtMostOnce);
    }
    for &client in &clients[..3] {
        let unsubscribe = Unsubscribe {
            packet_id: PacketId::FIRST,
            filters: vec!["x/#".to_owned(), "y".to_owned(), "z".to_owned()],
            user_properties: Vec::new(),
        };
        world.got(client);
        world.send(client, Packet::Unsubscribe(unsubscribe));
        let expected = other("UNSUBACK [Success, Success, NoSubscriptionExisted]");
        assert_eq!(world.got(client), [expected]);
        world.send(client, Packet::Disconnect(Disconnect::default()));
    }
    for &client in &clients[3..] {
        world.drop_socket(client);
    }
    world.assert_empty();
}

#[test]
fn the_second_client_of_an_id_takes_over() {
    let mut world = World::new(2);
    world.script.borrow_mut().listens_to_clients = true;
    let first = world.connect(V5, "same");
    world.subscribe(first, "t", QoS::AtMostOnce);
    world.got(first);
    let second = world.connect(V311, "same");
    assert_eq!(world.got(first), [other("DISCONNECT SessionTakenOver")]);
    assert!(world.clients[first].closed);
    let publisher = world.connect(V311, "publisher");
    world.publish(publisher, "t", "for nobody", None);
    assert!(
        world.got(second).is_empty(),
        "a clean session has no subscriptions of the old one"
    );
    let events = world.script.borrow().client_events.clone();
    assert_eq!(
        events[..3],
        [
            (ClientHook::Connected, "same".to_owned(), ""),
            (ClientHook::Disconnected, "same".to_owned(), "taken-over"),
            (ClientHook::Connected, "same".to_owned(), ""),
        ]
    );
    assert_eq!(world.counters().takeovers, 1);
}

#[test]
fn publishes_are_released_in_order_whatever_order_the_verdicts_come_in() {
    let mut world = World::new(3);
    rules_on(&world, "#");
    let subscriber = world.connect(V5, "subscriber");
    world.subscribe(subscriber, "#", QoS::AtMostOnce);
    world.got(subscriber);
    let publisher = world.connect(V5, "publisher");
    for (id, payload) in [(1, "a"), (2, "b"), (3, "c")] {
        world.publish(publisher, "t", payload, Some(id));
    }
    world.decide(2, Verdict::Proceed);
    world.decide(1, Verdict::Drop);
    assert!(world.got(publisher).is_empty() && world.got(subscriber).is_empty());
    world.decide(0, Verdict::Proceed);
    let acks = ["PUBACK 1 Success", "PUBACK 2 Success", "PUBACK 3 Success"].map(other);
    assert_eq!(world.got(publisher), acks);
    assert_eq!(world.payloads(subscriber), ["a", "c"]);
}

#[test]
fn a_message_without_rules_waits_behind_one_that_has_some() {
    let mut world = World::new(1);
    rules_on(&world, "slow");
    let client = world.connect(V311, "client");
    world.subscribe(client, "#", QoS::AtMostOnce);
    world.got(client);
    world.publish(client, "slow", "1", Some(1));
    world.publish(client, "fast", "2", Some(2));
    assert!(world.got(client).is_empty());
    world.decide(0, Verdict::Proceed);
    assert_eq!(
        world.got(client),
        [
            publish("slow", "1", None),
            other("PUBACK 1 Success"),
            publish("fast", "2", None),
            other("PUBACK 2 Success"),
        ]
    );
}

#[test]
fn each_verdict_is_told_as_the_version_can_tell_it() {
    // Verdict, version, what the publisher gets, whether it is closed, what is delivered.
    type Case = (
        fn(&Message) -> Verdict,
        ProtocolVersion,
        &'static [&'static str],
        bool,
        &'static [&'static str],
    );
    let cases: [Case; 10] = [
        (
            |_| Verdict::Proceed,
            V311,
            &["PUBACK 9 Success"],
            false,
            &["old"],
        ),
        (|_| Verdict::Drop, V5, &["PUBACK 9 Success"], false, &[]),
        (
            |message| {
                let payload = "new".into();
                Verdict::Replace(Arc::new(Message {
                    payload,
                    ..message.clone()
                }))
            },
            V5,
            &["PUBACK 9 Success"],
            false,
            &["new"],
        ),
        (
            |_| Verdict::Deny(refusal()),
            V5,
            &["PUBACK 9 QuotaExceeded"],
            false,
            &[],
        ),
        (
            |_| Verdict::Deny(refusal()),
            V311,
            &["PUBACK 9 Success"],
            false,
            &[],
        ),
        (
            |_| Verdict::Disconnect(refusal()),
            V5,
            &["DISCONNECT QuotaExceeded"],
            true,
            &[],
        ),
        (|_| Verdict::Disconnect(refusal()), V311, &[], true, &[]),
        (
            |_| Verdict::Failed {
                refusal: refusal(),
                retryable: true,
            },
            V5,
            &["PUBACK 9 QuotaExceeded"],
            false,
            &[],
        ),
        (
            |_| Verdict::Failed {
                refusal: refusal(),
                retryable: true,
            },
            V311,
            &[],
            true,
            &[],
        ),
        (
            |_| Verdict::Failed {
                refusal: refusal(),
                retryable: false,
            },
            V311,
            &[],
            true,
            &[],
        ),
    ];
    for (number, (verdict, version, told, closed, delivered)) in cases.into_iter().enumerate() {
        let mut world = World::new(2);
        rules_on(&world, "t");
        let subscriber = world.connect(V5, "subscriber");
        world.subscribe(subscriber, "#", QoS::AtMostOnce);
        world.got(subscriber);
        let publisher = world.connect(version, "publisher");
        world.publish(publisher, "t", "old", Some(9));
        let message = Arc::clone(&world.script.borrow().submitted[0].2);
        world.decide(0, verdict(&message));
        let told: Vec<Got> = told.iter().map(|text| other(text)).collect();
        assert_eq!(world.got(publisher), told, "case {number}");
        assert_eq!(world.clients[publisher].closed, closed, "case {number}");
        assert_eq!(world.payloads(subscriber), delivered, "case {number}");
    }
}

#[test]
fn what_follows_a_message_that_was_not_stored_is_left_to_the_client_to_send_again() {
    let mut world = World::new(2);
    rules_on(&world, "#");
    let subscriber = world.connect(V5, "subscriber");
    world.subscribe(subscriber, "#", QoS::AtMostOnce);
    world.got(subscriber);
    let publisher = world.connect(V311, "publisher");
    for (id, payload) in [(1, "a"), (2, "b"), (3, "c")] {
        world.publish(publisher, "t", payload, Some(id));
    }
    world.decide(1, Verdict::Proceed);
    let failed = Verdict::Failed {
        refusal: refusal(),
        retryable: true,
    };
    world.decide(0, failed);
    world.decide(0, Verdict::Proceed);
    assert!(world.clients[publisher].closed);
    assert!(world.payloads(subscriber).is_empty());
    assert_eq!(world.script.borrow().abandoned.len(), 1);
    world.drop_socket(subscriber);
    world.assert_empty();
}

#[test]
fn a_client_that_does_not_read_is_silent_by_its_own_choice() {
    let mut world = World::new(1);
    let mut connect = Connect::new(V5, "deaf");
    connect.keep_alive_s = 2;
    let deaf = world.connect_with(connect);
    world.subscribe(deaf, "t", QoS::AtMostOnce);
    world.stop_writing = true;
    let large = "x".repeat(6_000);
    while world.publish(deaf, "t", &large, None) == Flow::Continue {}
    assert!(world.clients[deaf].paused);
    world.advance_ms(4_000);
    world.stop_writing = false;
    world.settle();
    assert_eq!(world.counters().keep_alive_timeouts, 1);
}

#[test]
fn texts_are_left_out_of_packets_that_would_be_too_large_with_them() {
    let mut world = World::new(1);
    rules_on(&world, "#");
    let mut connect = Connect::new(V5, "small");
    connect.maximum_packet_bytes = Some(12);
    let small = world.connect_with(connect);
    world.got(small);
    world.publish(small, "t", "", Some(1));
    world.decide(0, Verdict::Deny(refusal()));
    world.publish(small, "t", "", Some(2));
    world.decide(0, Verdict::Disconnect(refusal()));
    let bytes = world.received_bytes(small);
    assert!(bytes <= 2 * 12, "{bytes} bytes in two packets");
    let told = ["PUBACK 1 QuotaExceeded", "DISCONNECT QuotaExceeded"].map(other);
    assert_eq!(world.got(small), told);
}

#[test]
fn a_qos_0_message_that_failed_closes_nobody() {
    let mut world = World::new(1);
    rules_on(&world, "#");
    let publisher = world.connect(V311, "publisher");
    world.publish(publisher, "t", "x", None);
    world.decide(
        0,
        Verdict::Failed {
            refusal: refusal(),
            retryable: true,
        },
    );
    assert!(!world.clients[publisher].closed);
    assert_eq!(world.counters().publishes_refused, 1);
}

#[test]
fn what_a_client_published_before_it_left_still_goes_on() {
    let mut world = World::new(2);
    rules_on(&world, "#");
    let subscriber = world.connect(V5, "subscriber");
    world.subscribe(subscriber, "#", QoS::AtMostOnce);
    world.got(subscriber);
    let publisher = world.connect(V5, "publisher");
    world.publish(publisher, "t", "1", Some(1));
    world.publish(publisher, "t", "2", None);
    world.drop_socket(publisher);
    let again = world.connect(V5, "publisher");
    world.decide(0, Verdict::Proceed);
    world.decide(0, Verdict::Proceed);
    assert_eq!(world.payloads(subscriber), ["1", "2"]);
    assert!(
        world.got(again).is_empty(),
        "acknowledgements of the old connection went to the new"
    );
    world.drop_socket(again);
    world.drop_socket(subscriber);
    world.assert_empty();
}

#[test]
fn a_publisher_is_not_read_beyond_its_window_and_read_again_below_it() {
    let mut world = World::new(1);
    rules_on(&world, "#");
    let publisher = world.connect(V5, "publisher");
    for id in 1..LIMITS.receive_maximum {
        assert_eq!(world.publish(publisher, "t", "", Some(id)), Flow::Continue);
    }
    let last = LIMITS.receive_maximum;
    assert_eq!(world.publish(publisher, "t", "", Some(last)), Flow::Pause);
    world.decide(1, Verdict::Proceed);
    assert!(
        world.clients[publisher].paused,
        "the first is still waiting"
    );
    world.decide(0, Verdict::Proceed);
    assert!(!world.clients[publisher].paused);
    assert_eq!(world.counters().reads_paused, 1);
}

#[test]
fn a_client_whose_lane_is_full_is_not_read_until_there_is_room() {
    let mut world = World::new(1);
    let client = world.connect(V5, "client");
    world.script.borrow_mut().full = true;
    assert_eq!(world.publish(client, "t", "", None), Flow::Pause);
    world.wake();
    assert!(world.clients[client].paused);
    world.script.borrow_mut().full = false;
    world.wake();
    assert!(!world.clients[client].paused);
}

#[test]
fn the_inflight_window_holds_the_queue_is_bounded_and_acks_move_it_on() {
    let mut world = World::new(2);
    world.script.borrow_mut().acked_filter = Some(TopicFilter::new("#").unwrap());
    let mut connect = Connect::new(V5, "subscriber");
    connect.receive_maximum = 2;
    let subscriber = world.connect_with(connect);
    world.subscribe(subscriber, "t", QoS::AtLeastOnce);
    world.got(subscriber);
    let publisher = world.connect(V311, "publisher");
    for n in 1..=9_u16 {
        world.publish(publisher, "t", &n.to_string(), Some(n));
    }
    assert_eq!(world.payloads(subscriber), ["1", "2"], "two in flight");
    assert_eq!(
        world.counters().deliveries_dropped,
        4,
        "three wait, the others have no room"
    );
    world.puback(subscriber, 2);
    assert_eq!(world.got(subscriber), [publish("t", "3", Some(3))]);
    world.puback(subscriber, 2);
    assert!(
        world.got(subscriber).is_empty(),
        "an unknown acknowledgement is ignored"
    );
    for id in [1, 3, 4, 5] {
        world.puback(subscriber, id);
    }
    assert_eq!(world.payloads(subscriber), ["4", "5"]);
    let acked: Vec<_> = world
        .script
        .borrow()
        .acked
        .iter()
        .map(|(_, p)| p.clone())
        .collect();
    assert_eq!(acked, ["2", "1", "3", "4", "5"]);
}

#[test]
fn silence_longer_than_the_keep_alive_closes_and_anything_sent_keeps_alive() {
    let mut world = World::new(1);
    let mut connect = Connect::new(V5, "client");
    connect.keep_alive_s = 10;
    let client = world.connect_with(connect);
    world.got(client);
    for _ in 0..5 {
        world.advance_ms(14_000);
        world.send(client, Packet::PingReq);
        assert_eq!(world.got(client), [other("PINGRESP")]);
    }
    world.advance_ms(14_500);
    assert!(
        !world.clients[client].closed,
        "14.5 s are within one and a half times 10 s"
    );
    world.advance_ms(1_000);
    assert_eq!(world.got(client), [other("DISCONNECT KeepAliveTimeout")]);
    world.assert_empty();
}

#[test]
fn a_client_that_is_not_read_because_of_us_is_not_called_silent() {
    let mut world = World::new(1);
    let mut connect = Connect::new(V5, "client");
    connect.keep_alive_s = 1;
    let client = world.connect_with(connect);
    world.script.borrow_mut().full = true;
    world.send(client, Packet::PingReq);
    for _ in 0..100 {
        world.advance_ms(1_000);
    }
    assert!(!world.clients[client].closed);
}

fn with_will(version: ProtocolVersion, id: &str) -> Connect {
    let mut connect = Connect::new(version, id);
    connect.will = Some(Will {
        topic: "last/words".to_owned(),
        payload: b"gone".to_vec(),
        qos: QoS::AtLeastOnce,
        retain: false,
        delay_interval_s: 0,
        properties: Vec::new(),
    });
    connect
}

#[test]
fn a_will_passes_the_rules_and_is_dropped_only_by_a_normal_disconnect() {
    type Ending = fn(&mut World, usize);
    let endings: [(&str, Ending, bool); 4] = [
        ("socket", |world, client| world.drop_socket(client), true),
        (
            "normal",
            |world, client| {
                world.send(client, Packet::Disconnect(Disconnect::default()));
            },
            false,
        ),
        (
            "with will",
            |world, client| {
                let reason = ReasonCode::DisconnectWithWill;
                world.send(client, Packet::Disconnect(Disconnect::with_reason(reason)));
            },
            true,
        ),
        (
            "breach",
            |world, client| {
                world.send(client, Packet::PingResp);
            },
            true,
        ),
    ];
    for (name, ending, expected) in endings {
        let mut world = World::new(2);
        let watcher = world.connect(V311, "watcher");
        world.subscribe(watcher, "last/#", QoS::AtLeastOnce);
        world.got(watcher);
        rules_on(&world, "last/#");
        let client = world.connect_with(with_will(V5, "client"));
        ending(&mut world, client);
        assert!(
            world.payloads(watcher).is_empty(),
            "{name}: the rules have not answered"
        );
        assert_eq!(
            world.script.borrow().submitted.len(),
            usize::from(expected),
            "{name}"
        );
        if expected {
            world.decide(0, Verdict::Proceed);
            assert_eq!(world.payloads(watcher), ["gone"], "{name}");
        }
        world.drop_socket(watcher);
        world.assert_empty();
    }
}

#[test]
fn breaches_are_answered_counted_and_touch_nobody_else() {
    let second = Packet::Connect(Box::new(Connect::new(V5, "again")));
    let mut world = World::new(1);
    let bystander = world.connect(V5, "bystander");
    for packet in [second, Packet::PingResp] {
        let client = world.connect(V5, "client");
        assert_eq!(world.send(client, packet), Flow::Close);
        assert_eq!(world.got(client), [other("DISCONNECT ProtocolError")]);
        assert!(world.clients[client].closed);
        assert_eq!(world.send(client, Packet::PingReq), Flow::Close);
    }
    let errors: u64 = world.counters().protocol_errors.values().sum();
    assert_eq!(errors, 2);
    world.send(bystander, Packet::PingReq);
    assert_eq!(world.got(bystander), [other("PINGRESP")]);
}

#[test]
fn a_packet_larger_than_the_client_takes_is_not_sent_and_leaves_the_window() {
    let mut world = World::new(1);
    let mut connect = Connect::new(V5, "small");
    connect.maximum_packet_bytes = Some(40);
    connect.receive_maximum = 1;
    let small = world.connect_with(connect);
    world.subscribe(small, "t", QoS::AtLeastOnce);
    world.got(small);
    let publisher = world.connect(V5, "publisher");
    world.publish(publisher, "t", &"x".repeat(100), Some(1));
    world.publish(publisher, "t", "fits", Some(2));
    assert_eq!(world.payloads(small), ["fits"]);
    assert_eq!(world.counters().deliveries_too_large, 1);
}

#[test]
fn a_large_payload_is_shared_by_several_subscribers_and_arrives_whole() {
    let mut world = World::new(2);
    let clients = spread(&mut world, V5, 4);
    for &client in &clients {
        world.subscribe(client, "t", QoS::AtLeastOnce);
        world.got(client);
    }
    let payload = "0123456789".repeat(10_000);
    world.publish(clients[0], "t", &payload, Some(1));
    for &client in &clients {
        let got = world.got(client);
        assert!(
            got.contains(&publish("t", &payload, Some(1))),
            "{} packets",
            got.len()
        );
    }
}

#[test]
fn a_full_link_stops_its_publishers_until_the_other_worker_took_its_mail() {
    let mut world = World::new(2);
    let ids: Vec<String> = (0..20).map(|n| format!("c{n}")).collect();
    let here = ids
        .iter()
        .find(|id| hookwire_broker::worker_of(id, 2) == 0)
        .unwrap();
    let there = ids
        .iter()
        .find(|id| hookwire_broker::worker_of(id, 2) == 1)
        .unwrap();
    let publisher = world.connect(V5, here);
    let subscriber = world.connect(V5, there);
    world.subscribe(subscriber, "t", QoS::AtMostOnce);
    world.got(subscriber);
    let large = "x".repeat(8_000);
    world.carry_mail = false;
    let mut sent = 0;
    while world.publish(publisher, "t", &large, None) == Flow::Continue {
        sent += 1;
        assert!(sent < 100_000, "the link has no bound");
    }
    world.carry_mail = true;
    world.settle();
    assert!(sent > 10, "the link took {sent} messages");
    assert!(!world.payloads(subscriber).is_empty());
    assert!(!world.clients[publisher].paused);
}

#[derive(Debug, Clone)]
enum Step {
    Publish {
        client: usize,
        topic: usize,
        acked: bool,
    },
    Decide(prop::sample::Index),
    Reconnect(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_usize, 0..2_usize, any::<bool>())
            .prop_map(|(client, topic, acked)| Step::Publish { client, topic, acked }),
        5 => any::<prop::sample::Index>().prop_map(Step::Decide),
        1 => (0..4_usize).prop_map(Step::Reconnect),
    ]
}

proptest! {
    /// Whatever the interleaving: per publisher and topic, what is delivered is
    /// in the order published, each once, and nothing that was taken is lost.
    #[test]
    fn order_per_publisher_holds_and_nothing_is_lost(
        workers in 1..4_u16,
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let mut world = World::new(workers);
        rules_on(&world, "ruled");
        let watcher = world.connect(V5, "watcher");
        world.subscribe(watcher, "#", QoS::AtMostOnce);
        world.got(watcher);
        let mut clients = spread(&mut world, V311, 4);
        let mut sent = vec![Vec::new(); 4];
        let mut number = 0_u16;
        for step in steps {
            match step {
                Step::Publish { client, topic, acked } if !world.clients[clients[client]].paused => {
                    number += 1;
                    let payload = format!("{client}:{number}");
                    let topic = ["ruled", "free"][topic];
                    world.publish(clients[client], topic, &payload, acked.then_some(number));
                    sent[client].push(payload);
                }
                Step::Publish { .. } => {}
                Step::Decide(index) => {
                    let waiting = world.script.borrow().submitted.len();
                    if waiting > 0 {
                        world.decide(index.index(waiting), Verdict::Proceed);
                    }
                }
                Step::Reconnect(client) => {
                    world.drop_socket(clients[client]);
                    // Another id: order is promised within one connection.
                    number += 1;
                    clients[client] = world.connect(V311, &format!("client-{client}-{number}"));
                    let of_the_old = std::mem::take(&mut sent[client]);
                    sent.push(of_the_old);
                }
            }
        }
        while !world.script.borrow().submitted.is_empty() {
            world.decide(0, Verdict::Proceed);
        }
        let delivered = world.payloads(watcher);
        for expected in sent {
            let of_one: Vec<_> =
                delivered.iter().filter(|payload| expected.contains(payload)).cloned().collect();
            prop_assert_eq!(of_one, expected);
        }
        prop_assert_eq!(delivered.len(), world.counters().publishes_received as usize);
    }
}
