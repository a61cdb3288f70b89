//! What is stored for a client comes first, in order, and once.

use hookwire_broker::{Answer, Question, SubscriptionInfo, SubscriptionOutcome};

use super::*;

/// A world whose publishes are stored, and fetched from there.
pub(crate) fn storing(workers: u16) -> World {
    let world = World::new(workers);
    world.script.borrow_mut().publish_filter = Some(TopicFilter::new("t/#").unwrap());
    world.listen(Hook::SessionFetch, "#");
    world.listen(Hook::MessagePosition, "#");
    world
}

pub(crate) fn stored(world: &mut World, publisher: usize, topic: &str, payload: &str) {
    world.publish(publisher, topic, payload, Some(1));
    world.store();
    assert_eq!(world.got(publisher).len(), 1, "PUBACK of {payload}");
}

/// Takes all that comes, acknowledging each.
pub(crate) fn drain(world: &mut World, client: usize, page: usize) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        world.pages(page);
        let got = world.got(client);
        let mut is_over = true;
        for got in got {
            if let Got::Publish {
                payload,
                packet_id: id,
                ..
            } = got
            {
                all.push(payload);
                is_over = false;
                if let Some(id) = id {
                    world.puback(client, id);
                }
            }
        }
        if is_over && world.script.borrow().questions.is_empty() {
            return all;
        }
    }
}

/// A publisher, and a reader that subscribes and has nothing to fetch.
pub(crate) fn reading(workers: u16, filter: &str) -> (World, usize, usize) {
    let mut world = storing(workers);
    let publisher = world.connect(V5, "p");
    let client = world.connect_with(lasting("c"));
    world.subscribe(client, filter, QoS::AtLeastOnce);
    drain(&mut world, client, 4);
    (world, publisher, client)
}

pub(crate) fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[test]
fn suback_waits_until_the_place_is_kept() {
    let mut world = storing(1);
    let client = world.connect_with(lasting("c"));
    world.got(client);
    world.subscribe(client, "t/a", QoS::AtLeastOnce);
    assert_eq!(world.told(), ["session.fetch c t/a begins"]);
    assert!(world.got(client).is_empty());
    world.page(10);
    let got = world.got(client);
    assert!(
        matches!(&got[..], [Got::Other(ack)] if ack.contains("GrantedQoS1")),
        "{got:?}"
    );
    // A place that cannot be kept is no subscription.
    world.subscribe(client, "t/b", QoS::AtLeastOnce);
    world.no_page();
    let got = world.got(client);
    assert!(
        matches!(&got[..], [Got::Other(ack)] if ack.contains("UnspecifiedError")),
        "{got:?}"
    );
    let publisher = world.connect(V5, "p");
    stored(&mut world, publisher, "t/b", "for nobody");
    assert!(world.got(client).is_empty());
}

#[test]
fn what_is_stored_comes_before_what_is_live_and_once() {
    for workers in [1, 3] {
        for page in [1, 2, 7] {
            let mut world = storing(workers);
            let publisher = world.connect(V5, "p");
            for number in numbered(0..5) {
                stored(&mut world, publisher, "t/a", &number);
            }
            let client = world.connect_with(lasting("c"));
            world.got(client);
            world.subscribe(client, "t/+", QoS::AtLeastOnce);
            // Stored and routed while the first page is under way: in both.
            stored(&mut world, publisher, "t/a", "5");
            world.page(page);
            stored(&mut world, publisher, "t/a", "6");
            assert_eq!(drain(&mut world, client, page), numbered(0..7));
            stored(&mut world, publisher, "t/a", "7");
            assert_eq!(drain(&mut world, client, page), numbered(7..8));
            let script = world.script.borrow();
            let position = script.store.positions.values().collect::<Vec<_>>();
            assert_eq!(position, [&8]);
        }
    }
}

#[test]
fn while_a_client_is_away_the_store_is_its_queue() {
    let (mut world, publisher, client) = reading(2, "t/#");
    stored(&mut world, publisher, "t/a", "0");
    stored(&mut world, publisher, "t/a", "1");
    assert_eq!(world.payloads(client), ["0", "1"]);
    world.puback(client, 1);
    world.drop_socket(client);
    // More than its queue would hold.
    for number in numbered(2..12) {
        stored(&mut world, publisher, "t/a", &number);
    }
    assert_eq!(world.counters().dropped_queue_full, 0);
    let client = world.connect_with(lasting("c"));
    assert_eq!(drain(&mut world, client, 3), numbered(1..12));
    assert!(world.script.borrow().store.positions.values().eq([&12]));
}

#[test]
fn a_client_that_cannot_keep_up_is_served_from_the_store() {
    let (mut world, publisher, client) = reading(2, "t/#");
    // The window holds two, and the queue three.
    for number in numbered(0..20) {
        stored(&mut world, publisher, "t/a", &number);
    }
    assert_eq!(world.counters().dropped_queue_full, 0);
    assert_eq!(drain(&mut world, client, 3), numbered(0..20));
    stored(&mut world, publisher, "t/a", "20");
    assert_eq!(drain(&mut world, client, 3), numbered(20..21));
}

#[test]
fn a_position_does_not_jump_over_what_is_not_acknowledged() {
    let (mut world, publisher, client) = reading(1, "t/#");
    stored(&mut world, publisher, "t/a", "0");
    stored(&mut world, publisher, "t/a", "1");
    assert_eq!(world.payloads(client), ["0", "1"]);
    world.puback(client, 2);
    assert!(world.script.borrow().store.positions.is_empty());
    // What was acknowledged does not come again, though the position is before it.
    world.drop_socket(client);
    let client = world.connect_with(lasting("c"));
    world.pages(4);
    assert_eq!(world.payloads(client), ["0"]);
    world.puback(client, 1);
    assert!(world.script.borrow().store.positions.values().eq([&2]));
    assert!(drain(&mut world, client, 4).is_empty());
}

#[test]
fn a_position_does_not_jump_over_what_another_publisher_stored_before() {
    let (mut world, publisher, client) = reading(2, "t/#");
    let other = world.connect(V5, "q");
    // Committed, and not routed before what its publisher sent first.
    world.publish(publisher, "t/z", "held up", Some(1));
    world.publish(publisher, "t/a", "first row", Some(2));
    world.store_at(1);
    world.publish(other, "t/a", "second row", Some(1));
    world.store_at(1);
    assert_eq!(world.payloads(client), ["second row"]);
    world.puback(client, 1);
    world.drop_socket(client);
    world.store();
    let client = world.connect_with(lasting("c"));
    assert_eq!(drain(&mut world, client, 4), ["first row", "held up"]);
}

#[test]
fn a_page_that_cannot_be_had_is_asked_for_again() {
    let (mut world, publisher, client) = reading(1, "#");
    world.drop_socket(client);
    stored(&mut world, publisher, "t/a", "0");
    let client = world.connect_with(lasting("c"));
    for _ in 0..3 {
        world.no_page();
        assert!(world.script.borrow().questions.is_empty());
        world.publish(publisher, "other", "parked", Some(2));
        world.advance_ms(1_100);
        assert_eq!(world.script.borrow().questions.len(), 1);
    }
    let got = drain(&mut world, client, 4);
    assert_eq!(got, ["0", "parked", "parked", "parked"]);
}

#[test]
fn what_is_not_stored_is_parked_and_follows() {
    let mut world = storing(1);
    let publisher = world.connect(V5, "p");
    stored(&mut world, publisher, "t/a", "stored");
    let client = world.connect_with(lasting("c"));
    world.got(client);
    world.subscribe(client, "#", QoS::AtLeastOnce);
    world.publish(publisher, "other", "live", Some(2));
    assert!(world.payloads(client).is_empty());
    assert_eq!(drain(&mut world, client, 4), ["stored", "live"]);
}

#[test]
fn a_late_page_is_for_nobody() {
    let (mut world, publisher, client) = reading(1, "t/#");
    world.drop_socket(client);
    stored(&mut world, publisher, "t/a", "0");
    let first = world.connect_with(lasting("c"));
    world.got(first);
    // Taken over with the page under way.
    let second = world.connect_with(lasting("c"));
    assert_eq!(world.script.borrow().questions.len(), 2);
    world.page(4);
    assert!(world.payloads(first).is_empty());
    assert_eq!(drain(&mut world, second, 4), ["0"]);
}

#[test]
fn a_subscription_that_ends_is_not_fetched_any_more() {
    let mut world = storing(1);
    let publisher = world.connect(V5, "p");
    for number in numbered(0..5) {
        stored(&mut world, publisher, "t/a", &number);
    }
    let client = world.connect_with(lasting("c"));
    world.got(client);
    world.subscribe(client, "t/#", QoS::AtLeastOnce);
    world.page(1);
    assert_eq!(world.payloads(client), ["0"]);
    world.send(
        client,
        Packet::Unsubscribe(Unsubscribe {
            packet_id: PacketId::FIRST,
            user_properties: Vec::new(),
            filters: vec!["t/#".to_owned()],
        }),
    );
    world.page(1);
    assert!(world.payloads(client).is_empty());
    stored(&mut world, publisher, "t/a", "5");
    assert!(world.payloads(client).is_empty());
}

#[test]
fn what_is_given_up_before_its_first_page_holds_nothing_up() {
    let mut world = storing(1);
    let publisher = world.connect(V5, "p");
    let client = world.connect_with(lasting("c"));
    world.got(client);
    world.subscribe(client, "t/a", QoS::AtLeastOnce);
    world.send(
        client,
        Packet::Unsubscribe(Unsubscribe {
            packet_id: PacketId::FIRST,
            user_properties: Vec::new(),
            filters: vec!["t/a".to_owned()],
        }),
    );
    let got = world.got(client);
    assert_eq!(got.len(), 2, "SUBACK and UNSUBACK: {got:?}");
    world.page(4);
    world.script.borrow_mut().rules.remove(&Hook::SessionFetch);
    world.subscribe(client, "other", QoS::AtLeastOnce);
    world.got(client);
    world.publish(publisher, "other", "live", Some(2));
    assert_eq!(world.payloads(client), ["live"]);
}

#[test]
fn suback_waits_for_the_filter_that_rules_chose() {
    let mut world = storing(1);
    world.listen(Hook::ClientSubscribe, "#");
    let client = world.connect_with(lasting("c"));
    world.got(client);
    world.subscribe(client, "t/a", QoS::AtLeastOnce);
    let other = match &world.script.borrow().questions[0].2 {
        Question::Subscribe(request) => SubscriptionInfo {
            filter: "t/b".into(),
            ..request.subscription.clone()
        },
        other => panic!("{other:?}"),
    };
    let replaced = SubscriptionOutcome::Replace(other);
    world.answer(0, Answer::Subscribe(replaced));
    world.subscribe(client, "t/a", QoS::AtLeastOnce);
    assert_eq!(world.told().last().unwrap(), "session.fetch c t/b begins");
    assert!(world.got(client).is_empty());
    world.page(4);
    assert_eq!(world.got(client).len(), 1);
}

#[test]
fn without_its_rule_what_is_stored_waits_as_anything_else_does() {
    let (mut world, publisher, client) = reading(1, "t/#");
    // Two are sent, and two wait.
    for number in numbered(0..4) {
        stored(&mut world, publisher, "t/a", &number);
    }
    {
        let mut script = world.script.borrow_mut();
        script.rules.remove(&Hook::SessionFetch);
        script.generation += 1;
    }
    for number in numbered(4..8) {
        stored(&mut world, publisher, "t/a", &number);
    }
    assert_eq!(world.counters().dropped_queue_full, 3);
    assert_eq!(drain(&mut world, client, 4), numbered(0..5));
}
