//! Shared subscriptions, over all workers.

use std::collections::BTreeMap;

use super::*;

fn member(world: &mut World, id: &str, filter: &str, expiry_s: u32) -> usize {
    let mut connect = Connect::new(V5, id);
    connect.clean_start = false;
    connect.session_expiry_interval_s = expiry_s;
    let client = world.connect_with(connect);
    world.subscribe(client, filter, QoS::ExactlyOnce);
    world.got(client);
    client
}

#[test]
fn each_message_goes_to_one_member_of_each_group_and_to_everybody_else() {
    for workers in [1, 3] {
        let mut world = World::new(workers);
        let mut members = Vec::new();
        for n in 0..4 {
            members.push(member(&mut world, &format!("a{n}"), "$share/a/t/+", 0));
        }
        let queue = member(&mut world, "q1", "$queue/t/1", 0);
        let same_queue = member(&mut world, "q2", "$share/$queue/t/1", 0);
        let plain = member(&mut world, "plain", "t/#", 0);
        let publisher = world.connect(V311, "publisher");
        for n in 0..40 {
            world.publish(publisher, "t/1", &n.to_string(), None);
        }
        let mut counts = BTreeMap::new();
        for &client in &members {
            let payloads = world.payloads(client);
            assert_eq!(payloads.len(), 10, "round robin over {workers} workers");
            for payload in payloads {
                *counts.entry(payload).or_insert(0) += 1;
            }
        }
        assert!(counts.len() == 40 && counts.values().all(|count| *count == 1));
        let of_queue = world.payloads(queue).len() + world.payloads(same_queue).len();
        assert_eq!(of_queue, 40, "$queue is one group however it is written");
        assert_eq!(world.payloads(plain).len(), 40);
        for client in members
            .into_iter()
            .chain([queue, same_queue, plain, publisher])
        {
            world.drop_socket(client);
        }
        world.assert_empty();
    }
}

#[test]
fn a_shared_subscription_gets_no_retained_messages() {
    let mut world = World::new(1);
    let publisher = world.connect(V5, "publisher");
    world.retain(publisher, "t", "kept");
    let client = world.connect(V5, "client");
    world.subscribe(client, "$share/g/t", QoS::AtMostOnce);
    assert_eq!(world.got(client), [other("SUBACK [Success]")]);
}

#[test]
fn what_a_member_that_is_gone_did_not_acknowledge_goes_to_another() {
    for workers in [1, 2] {
        let mut world = World::new(workers);
        let first = member(&mut world, "first", "$share/g/t", 0);
        let publisher = world.connect(V5, "publisher");
        world.publish(publisher, "t", "1", Some(1));
        world.publish_exactly_once(publisher, "t", "2", 2);
        world.publish(publisher, "t", "3", Some(3));
        assert_eq!(
            world.payloads(first),
            ["1", "2"],
            "3 waits behind the window"
        );
        let second = member(&mut world, "second", "$share/g/t", 0);
        assert!(world.payloads(second).is_empty());
        world.drop_socket(first);
        // QoS 2 under way is for nobody else [MQTT-4.8.2-5].
        assert_eq!(world.payloads(second), ["1", "3"]);
    }
}

#[test]
fn what_waits_for_a_member_that_is_away_goes_to_one_who_is_there() {
    let mut world = World::new(2);
    let first = member(&mut world, "first", "$share/g/t", 1_000);
    let publisher = world.connect(V5, "publisher");
    for n in 1..=4_u16 {
        world.publish(publisher, "t", &n.to_string(), Some(n));
    }
    world.drop_socket(first);
    let second = member(&mut world, "second", "$share/g/t", 1_000);
    world.publish(publisher, "t", "5", Some(5));
    assert_eq!(world.payloads(second), ["5"], "those online come first");
    world.drop_socket(second);
    world.publish(publisher, "t", "6", Some(6));
    world.publish(publisher, "t", "7", None);
    assert_eq!(world.counters().dropped_no_member, 1, "QoS 0 does not wait");
    assert!(world.holdings().queued > 0, "a session keeps QoS 1");
}

#[test]
fn a_member_that_refuses_a_message_ends_it() {
    let mut world = World::new(1);
    let first = member(&mut world, "first", "$share/g/t", 0);
    let second = member(&mut world, "second", "$share/g/t", 0);
    let publisher = world.connect(V5, "publisher");
    world.publish(publisher, "t", "1", Some(1));
    let holder = if world.payloads(first).is_empty() {
        second
    } else {
        first
    };
    let reason = ReasonCode::UnspecifiedError;
    let refused = hookwire_mqtt::Ack::with_reason(PacketId::FIRST, reason);
    world.send(holder, Packet::PubAck(refused));
    world.drop_socket(holder);
    let left = if holder == first { second } else { first };
    assert!(world.payloads(left).is_empty(), "[MQTT-4.8.2-6]");
}
