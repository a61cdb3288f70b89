//! Bounds, and who waits at them.

use super::*;

#[test]
fn a_publisher_is_not_read_beyond_its_window_and_read_again_below_it() {
    let mut world = World::new(1);
    rules_on(&world, "#");
    let publisher = world.connect(V311, "publisher");
    for id in 1..=limits().receive_maximum {
        assert_eq!(world.publish(publisher, "t", "", Some(id)), Flow::Continue);
    }
    assert_eq!(
        world.send(publisher, Packet::PingReq),
        Flow::Continue,
        "what is no publish is taken"
    );
    let next = limits().receive_maximum + 1;
    assert_eq!(world.publish(publisher, "t", "", Some(next)), Flow::Later);
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
    assert_eq!(world.publish(client, "t", "", None), Flow::Later);
    world.wake();
    assert!(world.clients[client].paused);
    world.script.borrow_mut().full = false;
    world.wake();
    assert!(!world.clients[client].paused);
}

#[test]
fn a_client_that_is_not_read_because_of_us_is_not_called_silent() {
    let mut world = World::new(1);
    let mut connect = Connect::new(V5, "client");
    connect.keep_alive_s = 1;
    let client = world.connect_with(connect);
    world.script.borrow_mut().full = true;
    world.publish(client, "t", "", None);
    for _ in 0..100 {
        world.advance_ms(1_000);
    }
    assert!(!world.clients[client].closed);
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
