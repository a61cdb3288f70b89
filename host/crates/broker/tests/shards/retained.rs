//! Retained messages, over all workers.

use super::*;

#[test]
fn a_new_subscriber_on_any_worker_gets_the_last_of_each_topic() {
    let mut world = World::new(3);
    let clients = spread(&mut world, V5, 6);
    for (n, &client) in clients.iter().enumerate() {
        world.retain(client, &format!("t/{n}"), "old");
        world.retain(client, &format!("t/{n}"), &format!("new {n}"));
    }
    for &client in &clients {
        world.subscribe(client, "t/+", QoS::AtLeastOnce);
        let mut got = world.got(client);
        // In whatever order of the topics.
        got[1..].sort_by_key(|got| format!("{got:?}"));
        assert_eq!(got[0], other("SUBACK [GrantedQoS1]"));
        let mut expected = Vec::new();
        for n in 0..6 {
            let payload = format!("new {n}");
            expected.push(marked(&format!("t/{n}"), &payload, None, "retain"));
        }
        assert_eq!(got[1..], expected);
    }
    world.retain(clients[0], "t/1", "");
    let late = world.connect(V311, "late");
    world.subscribe(late, "#", QoS::AtMostOnce);
    let mut payloads = world.payloads(late);
    payloads.sort();
    assert_eq!(payloads, ["new 0", "new 2", "new 3", "new 4", "new 5"]);
    assert_eq!(world.retained.len(), 5);
}

#[test]
fn retained_messages_keep_to_the_window_and_come_before_newer_ones() {
    let mut world = World::new(1);
    let client = world.connect(V5, "client");
    for n in 0..9 {
        let topic = format!("t/{n}");
        let packet = Packet::Publish(hookwire_mqtt::Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: true,
            topic: hookwire_mqtt::TopicName::new(&topic).unwrap(),
            packet_id: PacketId::new(n + 1),
            properties: hookwire_mqtt::PublishProperties::default(),
            payload: b"old",
        });
        world.send(client, packet);
    }
    let late = world.connect(V5, "late");
    world.subscribe(late, "t/+", QoS::AtLeastOnce);
    world.publish(client, "t/8", "new", None);
    // More wait than a queue holds: they are no new messages, and none is lost.
    let mut payloads = world.payloads(late);
    assert_eq!(payloads.len(), 2, "the window is two");
    for id in 1..=9 {
        world.puback(late, id);
        payloads.extend(world.payloads(late));
    }
    let mut expected = vec!["old"; 9];
    expected.push("new");
    assert_eq!(payloads, expected);
}

#[test]
fn mail_does_not_bring_again_what_a_new_subscriber_found_in_the_index() {
    let mut world = World::new(2);
    let ids: Vec<String> = (0..20).map(|n| format!("c{n}")).collect();
    let on = |worker| {
        ids.iter()
            .find(|id| hookwire_broker::worker_of(id, 2) == worker)
    };
    let publisher = world.connect(V5, on(0).unwrap());
    let older = world.connect(V5, on(1).unwrap());
    let newer = world.connect(V311, &format!("{}x", on(1).unwrap()));
    world.subscribe(older, "t", QoS::AtMostOnce);
    world.got(older);
    world.carry_mail = false;
    world.retain(publisher, "t", "1");
    world.retain(publisher, "t", "2");
    // The index is faster than the mail.
    world.subscribe(newer, "t", QoS::AtMostOnce);
    world.publish(publisher, "t", "3", None);
    world.carry_mail = true;
    world.settle();
    assert_eq!(world.payloads(older), ["1", "2", "3"]);
    assert_eq!(world.payloads(newer), ["2", "3"], "once, and nothing older");
}

#[test]
fn beyond_the_bound_a_message_is_delivered_and_not_retained() {
    let mut world = World::new(1);
    let client = world.connect(V5, "client");
    world.subscribe(client, "#", QoS::AtMostOnce);
    world.got(client);
    for n in 0..101 {
        world.retain(client, &format!("t/{n}"), "x");
    }
    assert_eq!(world.payloads(client).len(), 101);
    assert_eq!(world.retained.len(), 100);
    assert_eq!(world.counters().retained_refused, 1);
    assert_eq!(world.shards[0].take_warnings().len(), 1, "somebody is told");
}

#[test]
fn a_retained_message_expires() {
    let mut world = World::new(1);
    let client = world.connect(V5, "client");
    world.publish_as(client, "t", "short", true, &[0x02, 0, 0, 0, 10]);
    world.advance_ms(4_000);
    world.subscribe(client, "t", QoS::AtMostOnce);
    let expected = marked("t", "short", None, "retain, expiry 6");
    assert_eq!(world.got(client)[1], expected);
    world.advance_ms(6_000);
    world.subscribe(client, "t", QoS::AtMostOnce);
    assert!(world.payloads(client).is_empty());
    assert!(world.retained.is_empty());
}
