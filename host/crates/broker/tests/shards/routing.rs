//! Who gets what: across workers, once, within windows.

use super::*;

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
        world.counters().deliveries_dropped(),
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
