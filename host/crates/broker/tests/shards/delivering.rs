//! `message.deliver`: what rules decide about messages on their way to a client.

use hookwire_broker::{Answer, BrokerCall, DeliveryOutcome, Limits, OwnMessage, Question};
use hookwire_mqtt::{Subscribe, SubscribeFilter};

use super::*;

fn outcome(outcome: DeliveryOutcome) -> Answer {
    Answer::Deliver(outcome)
}

const PROCEED: Answer = Answer::Deliver(DeliveryOutcome::Proceed);

fn decided(workers: u16, limits: &Limits) -> World {
    let world = World::with(workers, limits);
    world.listen(Hook::MessageDeliver, "t/#");
    world.listen(Hook::MessageDropped, "t/#");
    world
}

fn pair(world: &mut World, qos: QoS) -> (usize, usize) {
    let publisher = world.connect(V5, "publisher");
    let receiver = world.connect(V5, "receiver");
    world.subscribe(receiver, "#", qos);
    world.got(receiver);
    (publisher, receiver)
}

fn asked(world: &World) -> usize {
    world.script.borrow().questions.len()
}

fn message_of(world: &World, index: usize) -> Arc<Message> {
    match &world.script.borrow().questions[index].2 {
        Question::Deliver(request) => Arc::clone(&request.message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn deliveries_are_decided_in_any_order_and_sent_in_theirs() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut world = decided(2, &limits());
        let (publisher, receiver) = pair(&mut world, qos);
        world.publish(publisher, "t/a", "one", Some(1));
        world.publish(publisher, "t/b", "two", Some(2));
        // What no rule matches does not overtake them.
        world.publish(publisher, "other", "three", None);
        let expected = format!("message.deliver receiver t/a one {}", qos.as_u8());
        assert_eq!(world.told()[0], expected);
        assert_eq!(asked(&world), 2);
        world.answer(1, PROCEED);
        assert!(world.got(receiver).is_empty());
        world.answer(0, PROCEED);
        assert_eq!(world.payloads(receiver), ["one", "two", "three"]);
        world.publish(publisher, "other", "at once", None);
        assert_eq!(world.payloads(receiver), ["at once"]);
    }
}

#[test]
fn a_delivery_may_be_changed_and_is_sent_again_as_it_was_changed() {
    let mut world = decided(1, &limits());
    let publisher = world.connect(V5, "publisher");
    let receiver = world.connect_with(lasting("receiver"));
    world.send(
        receiver,
        Packet::Subscribe(Subscribe {
            packet_id: PacketId::FIRST,
            subscription_identifier: Some(3),
            user_properties: Vec::new(),
            filters: vec![SubscribeFilter::new("t/#", QoS::AtLeastOnce)],
        }),
    );
    world.got(receiver);
    world.publish(publisher, "t/a", "secret", Some(1));
    let other_message = Message {
        topic: "masked/a".into(),
        payload: "***".into(),
        properties: vec![0x26, 0, 1, b'k', 0, 1, b'v'].into(),
        ..(*message_of(&world, 0)).clone()
    };
    let replaced = DeliveryOutcome::Replace(Arc::new(other_message));
    world.answer(0, outcome(replaced));
    let sent = marked("masked/a", "***", Some(1), "ids [3], k=v");
    assert_eq!(world.got(receiver), [sent]);
    world.drop_socket(receiver);
    let receiver = world.connect_with(lasting("receiver"));
    assert_eq!(asked(&world), 0, "it was decided already");
    let again = marked("masked/a", "***", Some(1), "dup, ids [3], k=v");
    assert_eq!(world.got(receiver)[1..], [again]);
}

#[test]
fn a_delivery_may_be_dropped_and_is_settled() {
    let mut world = decided(1, &limits());
    let (publisher, receiver) = pair(&mut world, QoS::AtLeastOnce);
    for number in 1..=6 {
        world.publish(publisher, "t/a", &number.to_string(), Some(number));
    }
    // The window of two, and the queue of three behind it; one found no room.
    assert_eq!(asked(&world), 2);
    let told = world.told();
    assert_eq!(
        told.last().map(String::as_str),
        Some("message.dropped receiver 6 queue-full")
    );
    world.answer(0, outcome(DeliveryOutcome::Drop("rule")));
    assert_eq!(
        world.told(),
        [
            "message.dropped receiver 1 rule",
            "message.deliver receiver t/a 3 1"
        ],
        "it makes room for the next"
    );
    while asked(&world) > 0 {
        world.answer(0, outcome(DeliveryOutcome::Drop("stale")));
    }
    assert!(world.got(receiver).is_empty());
    assert_eq!(world.counters().deliveries_dropped_by_rule, 5);
    let holdings = world.holdings();
    assert_eq!((holdings.inflight, holdings.queued), (0, 0));
}

#[test]
fn the_window_holds_what_is_decided_about_and_what_was_sent_together() {
    let mut world = decided(1, &limits());
    let (publisher, receiver) = pair(&mut world, QoS::AtLeastOnce);
    for number in 1..=4 {
        world.publish(publisher, "t/a", &number.to_string(), Some(number));
    }
    assert_eq!(asked(&world), 2, "the window");
    world.answer(0, PROCEED);
    world.answer(0, PROCEED);
    assert_eq!(world.payloads(receiver), ["1", "2"]);
    assert_eq!(asked(&world), 0);
    world.puback(receiver, 1);
    assert_eq!(asked(&world), 1);
    world.puback(receiver, 2);
    assert_eq!(asked(&world), 2);
    world.answer(1, PROCEED);
    world.answer(0, PROCEED);
    assert_eq!(world.payloads(receiver), ["3", "4"]);
}

#[test]
fn qos_0_has_a_bound_of_its_own_and_waits_behind_it_in_order() {
    let limits = Limits {
        max_queued_messages: 1_000,
        ..limits()
    };
    let mut world = decided(1, &limits);
    let (publisher, receiver) = pair(&mut world, QoS::AtMostOnce);
    let sent: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    for payload in &sent {
        world.publish(publisher, "t/a", payload, None);
    }
    assert_eq!(asked(&world), 64);
    let mut got = Vec::new();
    while asked(&world) > 0 {
        // Now from one end, now from the other.
        let index = if got.len() % 2 == 0 {
            0
        } else {
            asked(&world) - 1
        };
        world.answer(index, PROCEED);
        got.extend(world.payloads(receiver));
    }
    assert_eq!(got, sent);
}

#[test]
fn what_is_decided_about_when_the_client_goes_is_first_when_it_is_back() {
    let mut world = decided(2, &limits());
    let publisher = world.connect(V5, "publisher");
    let receiver = world.connect_with(lasting("receiver"));
    world.subscribe(receiver, "t/#", QoS::AtLeastOnce);
    world.got(receiver);
    for number in 1..=4 {
        world.publish(publisher, "t/a", &number.to_string(), Some(number));
    }
    // The second is decided, and cannot be sent before the first.
    world.answer(1, PROCEED);
    let late = world.script.borrow().questions[0].clone();
    world.drop_socket(receiver);
    assert_eq!(world.holdings().queued, 4);
    world.told();
    let receiver = world.connect_with(lasting("receiver"));
    world.got(receiver);
    assert_eq!(
        world.told(),
        [
            "message.deliver receiver t/a 1 1",
            "message.deliver receiver t/a 2 1"
        ],
        "they are asked about anew"
    );
    // The answer for the connection that is gone is for nobody.
    world.answer_ticket(
        usize::from(late.0),
        late.1,
        outcome(DeliveryOutcome::Drop("rule")),
    );
    world.script.borrow_mut().questions.pop_front();
    let mut got = Vec::new();
    for id in 1..=4 {
        world.answer(0, PROCEED);
        got.extend(world.payloads(receiver));
        world.puback(receiver, id);
    }
    assert_eq!(got, ["1", "2", "3", "4"]);
}

#[test]
fn qos_0_that_is_decided_about_waits_for_nobody_who_went() {
    let mut world = decided(1, &limits());
    let publisher = world.connect(V5, "publisher");
    let receiver = world.connect_with(lasting("receiver"));
    world.subscribe(receiver, "t/#", QoS::AtLeastOnce);
    world.publish(publisher, "t/a", "zero", None);
    world.told();
    world.drop_socket(receiver);
    assert_eq!(world.told(), ["message.dropped receiver zero offline"]);
    assert_eq!(world.holdings().queued, 0);
}

#[test]
fn a_rule_may_want_the_receiver_gone_and_its_message_waits() {
    let mut world = decided(1, &limits());
    let publisher = world.connect(V5, "publisher");
    let receiver = world.connect_with(lasting("receiver"));
    world.subscribe(receiver, "t/#", QoS::AtLeastOnce);
    world.got(receiver);
    world.publish(publisher, "t/a", "1", Some(1));
    world.publish(publisher, "t/a", "2", Some(2));
    let gone = DeliveryOutcome::Disconnect(refusal());
    world.answer(0, outcome(gone));
    assert_eq!(world.got(receiver), [other("DISCONNECT QuotaExceeded")]);
    assert!(world.clients[receiver].closed);
    world.answer(0, PROCEED);
    let receiver = world.connect_with(lasting("receiver"));
    world.answer(0, PROCEED);
    world.answer(0, PROCEED);
    assert_eq!(world.payloads(receiver), ["1", "2"]);
}

#[test]
fn while_the_lanes_have_no_room_nothing_more_is_asked_for_the_client() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut world = decided(1, &limits());
        let (publisher, receiver) = pair(&mut world, qos);
        world.publish(publisher, "t/a", "one", Some(1));
        world.answer(0, PROCEED);
        world.script.borrow_mut().full = true;
        // The publisher's own lanes are full as well: this is what a rule sends.
        for payload in ["two", "three"] {
            let message = OwnMessage {
                topic: "t/a".into(),
                payload: payload.into(),
                sender: "$rule/r".into(),
                qos: QoS::AtLeastOnce,
                retain: false,
                expiry_s: None,
                user_properties: Vec::new(),
                hops: 1,
            };
            world.call(0, BrokerCall::Publish(message));
        }
        assert_eq!(asked(&world), 1, "{qos:?}");
        world.answer(0, PROCEED);
        assert_eq!(world.payloads(receiver), ["one", "two"]);
        world.puback(receiver, 1);
        assert_eq!(asked(&world), 0);
        world.script.borrow_mut().full = false;
        world.wake();
        world.answer(0, PROCEED);
        assert_eq!(world.payloads(receiver), ["three"]);
    }
}

#[test]
fn every_way_to_a_client_is_asked_about() {
    // Retained, a will, a delayed message, one that waited for a client that was
    // away, and one for a shared subscription, from another worker and from its own.
    for publisher_id in ["publisher-0", "publisher-1", "publisher-2", "publisher-3"] {
        let mut world = decided(2, &limits());
        let publisher = world.connect(V5, publisher_id);
        world.retain(publisher, "t/retained", "retained");
        let receiver = world.connect_with(lasting("receiver"));
        let take = |world: &mut World, receiver: usize, payload: &str| {
            assert_eq!(world.told().len(), 1, "{payload}");
            assert_eq!(message_of(world, 0).payload, payload);
            assert!(world.payloads(receiver).is_empty(), "{payload}");
            world.answer(0, PROCEED);
            assert_eq!(world.payloads(receiver), [payload]);
        };
        world.told();
        world.subscribe(receiver, "t/#", QoS::AtLeastOnce);
        take(&mut world, receiver, "retained");
        let mut dying = Connect::new(V5, "dying");
        dying.will = Some(Will {
            topic: "t/will".to_owned(),
            payload: b"will".to_vec(),
            qos: QoS::AtMostOnce,
            retain: false,
            delay_interval_s: 0,
            properties: Vec::new(),
        });
        let dying = world.connect_with(dying);
        world.drop_socket(dying);
        take(&mut world, receiver, "will");
        world.publish(publisher, "$delayed/2/t/late", "delayed", None);
        world.advance_ms(2_000);
        take(&mut world, receiver, "delayed");
        world.drop_socket(receiver);
        world.publish(publisher, "t/away", "waited", Some(1));
        let receiver = world.connect_with(lasting("receiver"));
        world.got(receiver);
        take(&mut world, receiver, "waited");
        let member = world.connect(V5, "member");
        world.subscribe(member, "$share/g/t/shared", QoS::AtMostOnce);
        world.got(member);
        world.publish(publisher, "t/shared", "shared", None);
        assert_eq!(asked(&world), 2, "the member, and the one that has t/#");
        world.answer(1, PROCEED);
        world.answer(0, PROCEED);
        assert_eq!(world.payloads(member), ["shared"]);
    }
}

#[test]
fn what_was_decided_about_for_a_group_goes_to_others_when_its_member_does() {
    let mut world = decided(1, &limits());
    let publisher = world.connect(V5, "publisher");
    let first = world.connect(V5, "first");
    world.subscribe(first, "$share/g/t/a", QoS::AtLeastOnce);
    world.got(first);
    world.publish(publisher, "t/a", "shared", Some(1));
    let second = world.connect(V5, "second");
    world.subscribe(second, "$share/g/t/a", QoS::AtLeastOnce);
    world.got(second);
    world.drop_socket(first);
    world.answer(0, PROCEED);
    world.answer(0, PROCEED);
    assert_eq!(world.payloads(second), ["shared"]);
    world.drop_socket(second);
    world.drop_socket(publisher);
    world.assert_empty();
}

#[test]
fn what_expires_with_the_rules_is_not_sent() {
    let mut world = decided(1, &limits());
    let (publisher, receiver) = pair(&mut world, QoS::AtMostOnce);
    world.publish_as(publisher, "t/a", "brief", false, &[2, 0, 0, 0, 1]);
    world.advance_ms(1_500);
    world.told();
    world.answer(0, PROCEED);
    assert!(world.payloads(receiver).is_empty());
    assert_eq!(world.told(), ["message.dropped receiver brief expired"]);
}

#[test]
fn a_receiver_that_does_not_read_is_sent_what_was_decided_when_it_does() {
    let mut world = decided(1, &limits());
    let (publisher, receiver) = pair(&mut world, QoS::AtMostOnce);
    let large = |number: usize| format!("{number}{}", "x".repeat(6_000));
    for number in 0..4 {
        world.publish(publisher, "t/a", &large(number), None);
    }
    world.stop_writing = true;
    for _ in 0..4 {
        world.answer(0, PROCEED);
    }
    assert_eq!(world.counters().publishes_sent, 2, "its output is full");
    world.stop_writing = false;
    world.settle();
    let got = world.payloads(receiver);
    assert_eq!(got, (0..4).map(large).collect::<Vec<_>>());
}
