//! How what is fetched reaches a client.

use hookwire_mqtt::{Publish, PublishProperties, Subscribe, SubscribeFilter, TopicName};

use super::fetching::{drain, reading, stored, storing};
use super::*;

#[test]
fn what_is_fetched_comes_by_all_subscriptions_that_match() {
    for widest_first in [true, false] {
        let mut world = storing(1);
        let publisher = world.connect(V5, "p");
        let client = world.connect_with(lasting("c"));
        let mut filters = [
            (7, "t/+", QoS::AtMostOnce, true),
            (9, "t/#", QoS::AtLeastOnce, false),
        ];
        if widest_first {
            filters.reverse();
        }
        for (identifier, filter, qos, retain_as_published) in filters {
            let mut filter = SubscribeFilter::new(filter, qos);
            filter.retain_as_published = retain_as_published;
            let subscribe = Subscribe {
                packet_id: PacketId::FIRST,
                subscription_identifier: Some(identifier),
                user_properties: Vec::new(),
                filters: vec![filter],
            };
            world.send(client, Packet::Subscribe(subscribe));
            drain(&mut world, client, 4);
        }
        world.drop_socket(client);
        let publish = Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: true,
            topic: TopicName::new("t/a").unwrap(),
            packet_id: Some(PacketId::FIRST),
            properties: PublishProperties::default(),
            payload: b"kept",
        };
        world.send(publisher, Packet::Publish(publish));
        world.store();
        let client = world.connect_with(lasting("c"));
        world.pages(4);
        let got = world.got(client);
        let expected = marked("t/a", "kept", Some(1), "retain, ids [9, 7]");
        assert_eq!(got.last(), Some(&expected), "{got:?}");
    }
}

#[test]
fn what_is_stored_when_it_waits_already_comes_once() {
    let (mut world, publisher, client) = reading(1, "t/#");
    world.drop_socket(client);
    // Acknowledged before it is stored, as from a spool.
    world.publish(publisher, "t/a", "late", Some(1));
    let message = Arc::clone(&world.script.borrow().submitted[0].2);
    world.decide(0, Verdict::Proceed);
    assert_eq!(world.got(publisher).len(), 1, "PUBACK");
    world.script.borrow_mut().store.rows.push(message);
    stored(&mut world, publisher, "t/a", "next");
    let client = world.connect_with(lasting("c"));
    assert_eq!(drain(&mut world, client, 4), ["late", "next"]);
}
