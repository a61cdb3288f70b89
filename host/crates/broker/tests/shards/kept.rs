//! QoS 2 exchanges that rules keep, so that they end once over the broker's end.

use hookwire_broker::{
    Answer, MessageId, Question, Restored, RestoredExchange, RestoredSession, SubscriptionInfo,
};

use super::fetching::storing;
use super::world::question_text;
use super::*;

/// A world whose publishes to `t/#` are stored, and whose exchanges are kept.
fn keeping() -> World {
    let world = storing(1);
    world.listen(Hook::SessionExchange, "#");
    world
}

fn reader(world: &mut World) -> usize {
    let client = world.connect_with(lasting("c"));
    world.subscribe(client, "#", QoS::ExactlyOnce);
    world.pages(4);
    world.got(client);
    world.told();
    client
}

fn stored(world: &mut World, publisher: usize, payload: &str, id: u16) {
    world.publish_exactly_once(publisher, "t/a", payload, id);
    world.store();
    assert_eq!(
        world.got(publisher),
        [other(&format!("PUBREC {id} Success"))]
    );
}

/// The oldest question is one of these; it is kept.
fn kept(world: &mut World, expected: &str) {
    let asked = world.script.borrow().questions.front().cloned();
    let Some((_, _, Question::Exchange(exchange))) = asked else {
        panic!("{asked:?}");
    };
    assert_eq!(question_text(&Question::Exchange(exchange)), expected);
    world.answer(0, Answer::Exchange(Ok(())));
}

fn refused(world: &mut World) {
    world.answer(0, Answer::Exchange(Err(refusal())));
}

fn id_of(world: &World, row: usize) -> MessageId {
    world.script.borrow().store.rows[row].id
}

#[test]
fn each_step_waits_until_it_is_kept() {
    let mut world = keeping();
    let client = reader(&mut world);
    let publisher = world.connect_with(lasting("p"));
    world.got(publisher);
    stored(&mut world, publisher, "once", 7);
    assert!(world.got(client).is_empty(), "PUBLISH waits");
    kept(&mut world, "session.exchange c 1 sent");
    let expected = publish_with("t/a", "once", QoS::ExactlyOnce, Some(1));
    assert_eq!(world.got(client), [expected]);
    world.ack(client, AckKind::PubRec, 1);
    world.ack(client, AckKind::PubRec, 1);
    assert!(world.got(client).is_empty(), "PUBREL waits");
    kept(&mut world, "session.exchange c 1 received");
    assert_eq!(world.got(client), [other("PUBREL 1 Success")]);
    world.ack(client, AckKind::PubComp, 1);
    kept(&mut world, "session.exchange c 1 completed");
    // The publisher's half.
    world.ack(publisher, AckKind::PubRel, 7);
    world.ack(publisher, AckKind::PubRel, 7);
    assert!(world.got(publisher).is_empty(), "PUBCOMP waits");
    kept(&mut world, "session.exchange p 7 released");
    assert_eq!(world.got(publisher), [other("PUBCOMP 7 Success")]);
    assert!(world.script.borrow().questions.is_empty());
    assert!(world.script.borrow().store.positions.values().eq([&1]));
}

#[test]
fn nothing_overtakes_what_is_being_kept() {
    let mut world = keeping();
    let client = reader(&mut world);
    let publisher = world.connect(V5, "p");
    world.got(publisher);
    stored(&mut world, publisher, "1", 1);
    stored(&mut world, publisher, "2", 2);
    world.publish(publisher, "t/a", "3", Some(3));
    world.store();
    world.publish(publisher, "other", "4", Some(4));
    assert!(world.payloads(client).is_empty());
    // The second one's answer first.
    world.answer(1, Answer::Exchange(Ok(())));
    assert!(world.payloads(client).is_empty());
    world.answer(0, Answer::Exchange(Ok(())));
    assert_eq!(world.payloads(client), ["1", "2"], "the window holds two");
    world.ack(client, AckKind::PubRec, 1);
    world.ack(client, AckKind::PubRec, 2);
    kept(&mut world, "session.exchange c 1 received");
    kept(&mut world, "session.exchange c 2 received");
    let releases = [other("PUBREL 1 Success"), other("PUBREL 2 Success")];
    assert_eq!(world.got(client), releases);
    world.ack(client, AckKind::PubComp, 1);
    world.ack(client, AckKind::PubComp, 2);
    assert_eq!(world.payloads(client), ["3", "4"]);
}

#[test]
fn what_is_not_stored_or_not_lasting_is_not_kept() {
    let mut world = keeping();
    let client = reader(&mut world);
    let passing = world.connect(V5, "passing");
    world.subscribe(passing, "t/#", QoS::ExactlyOnce);
    world.pages(4);
    world.got(passing);
    world.publish_exactly_once(passing, "other", "not stored", 1);
    assert_eq!(world.payloads(client), ["not stored"]);
    world.ack(client, AckKind::PubRec, 1);
    assert_eq!(world.got(client), [other("PUBREL 1 Success")]);
    world.ack(client, AckKind::PubComp, 1);
    assert!(world.script.borrow().questions.is_empty());
    world.ack(passing, AckKind::PubRel, 1);
    let got = world.got(passing);
    assert_eq!(got.last(), Some(&other("PUBCOMP 1 Success")));
}

#[test]
fn a_client_whose_step_cannot_be_kept_goes_and_finds_it_again() {
    let mut world = keeping();
    let client = reader(&mut world);
    let publisher = world.connect(V5, "p");
    world.got(publisher);
    stored(&mut world, publisher, "1", 1);
    refused(&mut world);
    assert_eq!(world.got(client), [other("DISCONNECT ServerBusy")]);
    assert!(world.clients[client].closed);
    let client = world.connect_with(lasting("c"));
    world.page(4);
    assert_eq!(world.got(client).len(), 1, "CONNACK");
    // It may have been kept or not: it goes by the same packet id, when it is.
    kept(&mut world, "session.exchange c 1 sent");
    let expected = publish_with("t/a", "1", QoS::ExactlyOnce, Some(1));
    assert_eq!(world.got(client), [expected]);
    world.ack(client, AckKind::PubRec, 1);
    refused(&mut world);
    assert_eq!(world.got(client), [other("DISCONNECT ServerBusy")]);
    let client = world.connect_with(lasting("c"));
    assert_eq!(world.got(client).len(), 1, "CONNACK");
    kept(&mut world, "session.exchange c 1 received");
    assert_eq!(world.got(client), [other("PUBREL 1 Success")]);
}

#[test]
fn a_packet_id_of_a_publish_that_was_refused_is_free_though_the_store_has_it() {
    let mut world = keeping();
    let taken = RestoredExchange::Taken(PacketId::new(9).unwrap());
    let client = restored(&mut world, vec![taken]);
    world.pages(4);
    // It does not say that it is sent again, so it is another one.
    world.publish_exactly_once(client, "t/a", "another", 9);
    assert_eq!(world.script.borrow().submitted.len(), 1);
    world.store();
    let got = world.got(client);
    assert!(got.contains(&other("PUBREC 9 Success")), "{got:?}");
    world.publish_again(client, "t/a", "another", 9, true);
    assert!(world.script.borrow().submitted.is_empty());
}

/// The client is back after the broker's end, with these exchanges.
fn restored(world: &mut World, exchanges: Vec<RestoredExchange>) -> usize {
    world.listen(Hook::SessionCreated, "#");
    let client = world.connect_with(lasting("c"));
    let subscription = SubscriptionInfo {
        filter: "#".into(),
        qos: QoS::ExactlyOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
        identifier: None,
        is_new: true,
    };
    let session = RestoredSession {
        subscriptions: vec![subscription],
        exchanges,
    };
    let restored = Restored {
        session: Some(session),
        ..Restored::default()
    };
    world.answer(0, Answer::CreateSession(Ok(restored)));
    let connack = other("CONNACK Success, session present");
    let got = world.got(client);
    assert_eq!(got[0], connack);
    let release = got.get(1).cloned();
    assert!(release.is_none(), "{release:?} before it is kept again");
    client
}

#[test]
fn a_restored_session_ends_its_exchanges_once() {
    let id = |number| PacketId::new(number).unwrap();
    let mut world = keeping();
    let publisher = world.connect(V5, "p");
    for number in 0..4 {
        stored(&mut world, publisher, &number.to_string(), number + 1);
    }
    let messages = [0, 1, 2].map(|row| id_of(&world, row));
    let exchanges = vec![
        // Behind a gap, and over.
        RestoredExchange::Completed(messages[1]),
        RestoredExchange::Received(id(1), messages[0]),
        RestoredExchange::Sent(id(2), messages[2]),
        RestoredExchange::Taken(id(9)),
    ];
    let client = restored(&mut world, exchanges);
    kept(&mut world, "session.exchange c 1 received");
    assert_eq!(world.got(client), [other("PUBREL 1 Success")]);
    world.page(10);
    let got = world.got(client);
    let again = Got::Publish {
        topic: "t/a".to_owned(),
        payload: "2".to_owned(),
        qos: QoS::ExactlyOnce,
        packet_id: Some(2),
        marks: "dup".to_owned(),
    };
    assert_eq!(got, [again], "0 and 1 it has, 3 has to wait for the window");
    let row = |world: &World| {
        world
            .script
            .borrow()
            .store
            .positions
            .values()
            .copied()
            .max()
    };
    world.advance_ms(1);
    assert_eq!(row(&world), Some(2), "the position moved to what it has");
    world.ack(client, AckKind::PubComp, 1);
    kept(&mut world, "session.exchange c 1 completed");
    // A new one goes by an id that is free, and far from those before the end.
    let asked = world.script.borrow().questions.front().cloned();
    let Some((_, _, Question::Exchange(exchange))) = asked else {
        panic!("{asked:?}");
    };
    assert!(exchange.packet_id.get() > 100, "{exchange:?}");
    world.answer(0, Answer::Exchange(Ok(())));
    assert_eq!(world.payloads(client), ["3"]);
    // Its own publish was taken.
    world.publish_again(client, "t/a", "again", 9, true);
    assert_eq!(world.got(client), [other("PUBREC 9 Success")]);
    assert!(world.script.borrow().submitted.is_empty());
    world.ack(client, AckKind::PubRel, 9);
    kept(&mut world, "session.exchange c 9 released");
    assert_eq!(world.got(client), [other("PUBCOMP 9 Success")]);
}
