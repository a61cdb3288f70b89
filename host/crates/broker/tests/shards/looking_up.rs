//! Retained messages that a store has: one of each topic, the later of index and
//! store, before what is live.

use bytes::Bytes;
use hookwire_broker::{IdGenerator, MessageId, Question, Stores};

use super::fetching::{drain, stored, storing};
use super::*;

/// A world whose rules look retained messages up.
fn looking_up(workers: u16) -> World {
    let world = World::new(workers);
    world.listen(Hook::SessionRetained, "#");
    world
}

/// What the store has of a topic, by an id that is not of this run of this node.
fn keep(world: &World, topic: &str, payload: &str, id: MessageId) {
    let message = Message {
        id,
        foreign_id: None,
        topic: topic.into(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        sender: "somebody".into(),
        qos: QoS::AtLeastOnce,
        retain: true,
        at_ms: START_MS,
        expires_at_ms: Message::NEVER,
        properties: Bytes::new(),
        hops: 0,
        packet_id: None,
        stored: Stores::NONE,
    };
    let mut script = world.script.borrow_mut();
    script
        .store
        .retained
        .insert(topic.to_owned(), Arc::new(message));
}

/// The same, where a store has four messages and the index has one.
fn with_four_kept() -> World {
    let mut world = looking_up(1);
    let publisher = world.connect(V5, "p");
    world.retain(publisher, "t/index", "index");
    for number in 0..4 {
        let topic = format!("t/{number}");
        keep(&world, &topic, &number.to_string(), earlier());
    }
    world
}

/// Ids of another node, before the clock's time or at some time behind it.
fn id_at(ms: u64) -> MessageId {
    IdGenerator::new(7, 0, 0).next(ms)
}

fn earlier() -> MessageId {
    id_at(START_MS - 5_000)
}

fn later() -> MessageId {
    id_at(START_MS + 5_000)
}

fn payloads(world: &mut World, client: usize, page: usize) -> Vec<String> {
    let mut payloads = drain(world, client, page);
    payloads.sort();
    payloads
}

#[test]
fn what_a_store_has_is_sent_behind_suback_in_pages() {
    let mut world = looking_up(2);
    for number in 0..9 {
        keep(
            &world,
            &format!("t/{number}"),
            &number.to_string(),
            earlier(),
        );
    }
    keep(&world, "u", "of another topic", earlier());
    let client = world.connect(V5, "c");
    world.subscribe(client, "t/+", QoS::AtLeastOnce);
    assert_eq!(world.got(client), [other("SUBACK [GrantedQoS1]")]);
    assert_eq!(world.told(), ["session.retained c t/+"]);
    let expected: Vec<_> = (0..9).map(|number| number.to_string()).collect();
    assert_eq!(drain(&mut world, client, 2), expected);
    world.subscribe(client, "u", QoS::AtMostOnce);
    world.got(client);
    world.page(4);
    assert_eq!(
        world.got(client),
        [marked("u", "of another topic", None, "retain")]
    );
    assert!(world.script.borrow().questions.is_empty());
}

#[test]
fn the_later_of_index_and_store_is_sent_and_nothing_twice() {
    let mut world = looking_up(2);
    let publisher = world.connect(V5, "p");
    for topic in ["older", "newer", "alone", "deleted-there", "deleted-here"] {
        world.retain(publisher, topic, &format!("{topic} in the index"));
    }
    world.retain(publisher, "deleted-here", "");
    keep(&world, "older", "older in the store", earlier());
    keep(&world, "newer", "newer in the store", later());
    keep(&world, "deleted-there", "", later());
    keep(&world, "deleted-here", "deleted in the index", earlier());
    keep(&world, "there", "there alone", earlier());
    for filter in ["#", "+"] {
        let client = world.connect(V5, filter);
        world.subscribe(client, filter, QoS::AtMostOnce);
        world.got(client);
        world.pages(2);
        let mut payloads = world.payloads(client);
        payloads.sort();
        let expected = [
            "alone in the index",
            "newer in the store",
            "older in the index",
            "there alone",
        ];
        assert_eq!(payloads, expected);
    }
}

#[test]
fn what_is_live_waits_until_the_store_has_answered() {
    for workers in [1, 2] {
        let mut world = looking_up(workers);
        let publisher = world.connect(V5, "p");
        world.retain(publisher, "t", "1");
        let client = world.connect(V5, "c");
        world.subscribe(client, "t", QoS::AtLeastOnce);
        world.got(client);
        // At QoS 0, too.
        world.retain(publisher, "t", "2");
        world.publish(publisher, "t", "3", Some(1));
        assert!(world.payloads(client).is_empty());
        assert_eq!(drain(&mut world, client, 4), ["1", "2", "3"]);
    }
}

#[test]
fn what_is_stored_and_still_to_be_routed_comes_live_alone() {
    for workers in [1, 2] {
        let mut world = looking_up(workers);
        rules_on(&world, "t");
        let publisher = world.connect(V5, "p");
        let client = world.connect(V5, "c");
        world.retain(publisher, "t", "old");
        world.decide(0, Verdict::Proceed);
        let packet = hookwire_mqtt::Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: true,
            topic: hookwire_mqtt::TopicName::new("t").unwrap(),
            packet_id: PacketId::new(1),
            properties: hookwire_mqtt::PublishProperties::default(),
            payload: b"new",
        };
        world.send(publisher, Packet::Publish(packet));
        let message = Arc::clone(&world.script.borrow().submitted[0].2);
        // Committed, and its verdict is on its way.
        let row = Arc::clone(&message);
        world
            .script
            .borrow_mut()
            .store
            .retained
            .insert("t".to_owned(), row);
        world.subscribe(client, "t", QoS::AtLeastOnce);
        world.got(client);
        world.page(4);
        assert_eq!(world.payloads(client), ["old"]);
        world.decide(0, Verdict::Proceed);
        assert_eq!(world.payloads(client), ["new"], "once");
        // Who subscribes now finds it, and a minute later as well.
        for wait_ms in [0, 70_000] {
            world.advance_ms(wait_ms);
            let late = world.connect(V5, &format!("late {wait_ms}"));
            world.subscribe(late, "t", QoS::AtLeastOnce);
            assert_eq!(drain(&mut world, late, 4), ["new"]);
        }
    }
}

#[test]
fn what_is_retained_before_the_subscription_begins_is_found_and_comes_first() {
    for workers in [1, 2] {
        let mut world = storing(workers);
        world.listen(Hook::SessionRetained, "#");
        let publisher = world.connect(V5, "p");
        let retain = |world: &mut World, payload: &str, id: u16| {
            let packet = hookwire_mqtt::Publish {
                dup: false,
                qos: QoS::AtLeastOnce,
                retain: true,
                topic: hookwire_mqtt::TopicName::new("t/a").unwrap(),
                packet_id: PacketId::new(id),
                properties: hookwire_mqtt::PublishProperties::default(),
                payload: payload.as_bytes(),
            };
            world.send(publisher, Packet::Publish(packet));
            world.store();
        };
        retain(&mut world, "1", 1);
        let client = world.connect(V5, "c");
        world.subscribe(client, "t/a", QoS::AtLeastOnce);
        retain(&mut world, "2", 2);
        let Some((_, _, Question::Fetch(request))) =
            world.script.borrow().questions.front().cloned()
        else {
            panic!("nothing is asked");
        };
        world.script.borrow_mut().store.begin(&request);
        retain(&mut world, "3", 3);
        world.page(4);
        assert!(world.payloads(client).is_empty(), "the look-up comes first");
        retain(&mut world, "4", 4);
        assert_eq!(drain(&mut world, client, 4), ["3", "4"], "each once");
    }
}

#[test]
fn what_is_stored_follows_where_nothing_is_retained() {
    let mut world = storing(1);
    world.listen(Hook::SessionRetained, "#");
    let publisher = world.connect(V5, "p");
    for number in ["0", "1", "2"] {
        stored(&mut world, publisher, "t/a", number);
    }
    let client = world.connect(V5, "c");
    world.subscribe(client, "t/a", QoS::AtLeastOnce);
    assert_eq!(drain(&mut world, client, 2), ["0", "1", "2"]);
    stored(&mut world, publisher, "t/a", "3");
    assert_eq!(drain(&mut world, client, 2), ["3"]);
}

#[test]
fn retain_handling_says_whether_the_store_is_asked() {
    use hookwire_mqtt::RetainHandling::{DoNotSend, SendAtSubscribe, SendIfNew};
    let mut world = looking_up(1);
    keep(&world, "t", "kept", earlier());
    let client = world.connect(V5, "c");
    let mut subscribe = |handling: hookwire_mqtt::RetainHandling| {
        let mut filter = hookwire_mqtt::SubscribeFilter::new("t", QoS::AtLeastOnce);
        filter.retain_handling = handling;
        world.send(
            client,
            Packet::Subscribe(hookwire_mqtt::Subscribe {
                packet_id: PacketId::FIRST,
                subscription_identifier: None,
                user_properties: Vec::new(),
                filters: vec![filter],
            }),
        );
        drain(&mut world, client, 4)
    };
    assert!(subscribe(DoNotSend).is_empty());
    assert!(subscribe(SendIfNew).is_empty(), "it is there");
    assert_eq!(subscribe(SendAtSubscribe), ["kept"]);
    assert_eq!(subscribe(SendAtSubscribe), ["kept"]);
    world.subscribe(client, "$share/g/t", QoS::AtLeastOnce);
    assert!(drain(&mut world, client, 4).is_empty());
}

#[test]
fn what_is_owed_to_a_client_that_goes_is_sent_when_it_is_back() {
    let mut world = with_four_kept();
    let client = world.connect_with(lasting("c"));
    world.subscribe(client, "t/+", QoS::AtMostOnce);
    world.page(2);
    let before = world.payloads(client);
    assert_eq!(before, ["0", "1"]);
    world.drop_socket(client);
    world.page(2);
    let client = world.connect_with(lasting("c"));
    assert_eq!(payloads(&mut world, client, 2), ["2", "3", "index"]);
    world.subscribe(client, "t/+", QoS::AtMostOnce);
    world.send(
        client,
        Packet::Unsubscribe(Unsubscribe {
            packet_id: PacketId::FIRST,
            user_properties: Vec::new(),
            filters: vec!["t/+".to_owned()],
        }),
    );
    assert!(payloads(&mut world, client, 2).is_empty());
}

#[test]
fn a_store_that_is_away_is_asked_again() {
    let mut world = looking_up(1);
    keep(&world, "t", "kept", earlier());
    let client = world.connect(V5, "c");
    world.subscribe(client, "t", QoS::AtMostOnce);
    for _ in 0..3 {
        world.no_page();
        assert!(world.script.borrow().questions.is_empty());
        world.advance_ms(1_100);
        assert_eq!(world.script.borrow().questions.len(), 1);
    }
    world.page(4);
    assert_eq!(world.payloads(client), ["kept"]);
}

#[test]
fn a_store_that_cannot_be_asked_is_passed_over_in_the_end() {
    let mut world = looking_up(1);
    let publisher = world.connect(V5, "p");
    world.retain(publisher, "t", "index");
    let client = world.connect(V5, "c");
    world.subscribe(client, "t", QoS::AtLeastOnce);
    world.publish(publisher, "t", "live", Some(1));
    for _ in 0..10 {
        assert!(world.payloads(client).is_empty());
        world.no_page();
        world.advance_ms(1_100);
    }
    assert_eq!(world.payloads(client), ["index", "live"]);
    assert_eq!(world.counters().retained_unsent, 1);
}

#[test]
fn a_copy_that_is_sent_because_it_is_retained_moves_no_position() {
    let mut world = storing(1);
    let publisher = world.connect(V5, "p");
    let client = world.connect_with(lasting("c"));
    world.subscribe(client, "t/a", QoS::AtLeastOnce);
    drain(&mut world, client, 4);
    let packet = hookwire_mqtt::Publish {
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: hookwire_mqtt::TopicName::new("t/a").unwrap(),
        packet_id: PacketId::new(1),
        properties: hookwire_mqtt::PublishProperties::default(),
        payload: b"kept",
    };
    world.send(publisher, Packet::Publish(packet));
    world.store();
    assert_eq!(world.payloads(client), ["kept"]);
    // Once more, as a retained message; this copy alone is acknowledged.
    world.subscribe(client, "t/a", QoS::AtLeastOnce);
    world.pages(4);
    assert_eq!(world.payloads(client), ["kept"]);
    world.puback(client, 2);
    assert!(world.script.borrow().store.positions.is_empty());
    world.puback(client, 1);
    assert!(world.script.borrow().store.positions.values().eq([&1]));
    world.got(publisher);
    stored(&mut world, publisher, "t/a", "next");
}

#[test]
fn rules_that_change_in_the_middle_are_asked_from_then_on() {
    let mut world = with_four_kept();
    let client = world.connect(V5, "c");
    world.subscribe(client, "t/+", QoS::AtMostOnce);
    world.script.borrow_mut().generation += 1;
    assert_eq!(
        payloads(&mut world, client, 2),
        ["0", "1", "2", "3", "index"]
    );
    world.subscribe(client, "t/+", QoS::AtMostOnce);
    {
        let mut script = world.script.borrow_mut();
        script.rules.remove(&Hook::SessionRetained);
        script.generation += 1;
    }
    assert_eq!(payloads(&mut world, client, 2), ["0", "1", "index"]);
}
