//! Sessions that outlive their connections.

use super::*;

fn persistent(version: ProtocolVersion, id: &str) -> Connect {
    let mut connect = Connect::new(version, id);
    connect.clean_start = false;
    connect.session_expiry_interval_s = if version == V5 { 100 } else { u32::MAX };
    connect
}

#[test]
fn a_client_that_comes_back_finds_its_subscriptions_and_messages() {
    for version in [V31, V311, V5] {
        let mut world = World::new(2);
        let away = world.connect_with(persistent(version, "away"));
        assert_eq!(world.got(away), [other("CONNACK Success")]);
        world.subscribe(away, "t", QoS::ExactlyOnce);
        world.drop_socket(away);
        let publisher = world.connect(V5, "publisher");
        world.publish(publisher, "t", "0", None);
        world.publish(publisher, "t", "1", Some(1));
        world.publish_exactly_once(publisher, "t", "2", 2);
        let back = world.connect_with(persistent(version, "away"));
        let is_present = match version {
            V31 => "CONNACK Success",
            _ => "CONNACK Success, session present",
        };
        let expected = [
            other(is_present),
            publish("t", "1", Some(1)),
            publish_with("t", "2", QoS::ExactlyOnce, Some(2)),
        ];
        assert_eq!(world.got(back), expected, "{version}");
        assert_eq!(world.counters().dropped_offline, 1, "QoS 0 does not wait");
    }
}

#[test]
fn a_clean_start_ends_the_old_session() {
    let mut world = World::new(2);
    let first = world.connect_with(persistent(V5, "client"));
    world.subscribe(first, "t", QoS::AtLeastOnce);
    world.drop_socket(first);
    let second = world.connect(V5, "client");
    let publisher = world.connect(V5, "publisher");
    world.publish(publisher, "t", "", Some(1));
    assert!(world.got(second).is_empty());
    world.drop_socket(second);
    world.drop_socket(publisher);
    world.assert_empty();
}

#[test]
fn a_session_ends_at_its_time_and_not_before() {
    for (asked_s, in_disconnect, lives_s) in
        [(100, None, 100), (100, Some(20), 20), (10, Some(0), 0)]
    {
        let mut world = World::new(1);
        let mut connect = persistent(V5, "client");
        connect.session_expiry_interval_s = asked_s;
        let client = world.connect_with(connect.clone());
        world.subscribe(client, "t", QoS::AtLeastOnce);
        let disconnect = Disconnect {
            session_expiry_interval_s: in_disconnect,
            ..Disconnect::default()
        };
        world.send(client, Packet::Disconnect(disconnect));
        let sessions = |world: &World| world.holdings().sessions;
        if lives_s > 0 {
            world.advance_ms(lives_s * 1_000 - 500);
            assert_eq!(sessions(&world), 1, "{asked_s} {in_disconnect:?}");
            world.advance_ms(1_000);
        }
        assert_eq!(sessions(&world), 0, "{asked_s} {in_disconnect:?}");
        world.assert_empty();
    }
}

#[test]
fn the_longest_expiry_is_granted_and_told() {
    let mut bounds = limits();
    bounds.max_session_expiry_s = 60;
    let mut world = World::with(1, &bounds);
    let mut connect = persistent(V5, "client");
    connect.session_expiry_interval_s = u32::MAX;
    let client = world.connect_with(connect);
    assert_eq!(world.granted(client).session_expiry_interval_s, Some(60));
    world.drop_socket(client);
    world.advance_ms(61_000);
    world.assert_empty();
}

#[test]
fn what_was_not_acknowledged_comes_again_with_dup_before_anything_new() {
    let mut world = World::new(1);
    let client = world.connect_with(persistent(V5, "client"));
    world.subscribe(client, "t", QoS::ExactlyOnce);
    let publisher = world.connect(V5, "publisher");
    world.publish_exactly_once(publisher, "t", "1", 1);
    world.publish(publisher, "t", "2", Some(2));
    world.publish(publisher, "t", "3", Some(3));
    assert_eq!(world.payloads(client), ["1", "2"], "the window is two");
    world.ack(client, AckKind::PubRec, 1);
    assert_eq!(world.got(client), [other("PUBREL 1 Success")]);
    world.drop_socket(client);
    let back = world.connect_with(persistent(V5, "client"));
    let expected = [
        other("CONNACK Success, session present"),
        other("PUBREL 1 Success"),
        marked("t", "2", Some(2), "dup"),
    ];
    assert_eq!(world.got(back), expected);
    world.ack(back, AckKind::PubComp, 1);
    assert_eq!(world.got(back), [publish("t", "3", Some(3))]);
}

#[test]
fn a_client_is_served_when_its_earlier_publishes_are_settled() {
    let mut world = World::new(1);
    rules_on(&world, "t");
    let client = world.connect_with(persistent(V311, "client"));
    world.publish(client, "t", "1", Some(1));
    let again = world.connect_with(persistent(V311, "client"));
    assert!(world.clients[client].closed, "it is taken over at once");
    assert!(world.got(again).is_empty());
    // And may be taken over itself while it waits.
    let third = world.connect_with(persistent(V311, "client"));
    assert!(world.clients[again].closed);
    world.decide(0, Verdict::Proceed);
    assert_eq!(
        world.got(third),
        [other("CONNACK Success, session present")]
    );
}

#[test]
fn a_full_queue_drops_as_it_is_told_to() {
    use hookwire_broker::QueueOverflow::{Disconnect, DropNewest, DropOldest};
    let cases = [
        (DropNewest, vec!["1", "2", "3", "4", "5"], false),
        (DropOldest, vec!["1", "2", "5", "6", "7"], false),
        (Disconnect, vec!["1", "2"], true),
    ];
    for (overflow, expected, is_closed) in cases {
        let mut bounds = limits();
        bounds.queue_overflow = overflow;
        let mut world = World::with(1, &bounds);
        let client = world.connect_with(persistent(V5, "client"));
        world.subscribe(client, "t", QoS::AtLeastOnce);
        let publisher = world.connect(V5, "publisher");
        for n in 1..=7_u16 {
            world.publish(publisher, "t", &n.to_string(), Some(n));
        }
        let mut payloads = world.payloads(client);
        assert_eq!(world.clients[client].closed, is_closed, "{overflow:?}");
        if !is_closed {
            for id in 1..=5 {
                world.puback(client, id);
            }
            payloads.extend(world.payloads(client));
        }
        assert_eq!(payloads, expected, "{overflow:?}");
        assert!(world.counters().dropped_queue_full >= 1);
    }
}

#[test]
fn a_client_that_comes_and_goes_leaves_no_row_of_timers() {
    let mut world = World::new(1);
    for _ in 0..1_000 {
        let client = world.connect_with(persistent(V5, "client"));
        world.drop_socket(client);
    }
    assert!(world.holdings().timers < 10, "{:?}", world.holdings());
    assert_eq!(world.holdings().sessions, 1);
}
