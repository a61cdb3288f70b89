//! Many messages that are stored for a client: the store reads ahead, and positions
//! are told together.

use hookwire_broker::Question;

use super::fetching::{drain, numbered, reading, stored};
use super::*;

/// A reader that is back, of whom so many messages are stored, and the publisher.
fn away(filter: &str, messages: usize) -> (World, usize, usize) {
    let (mut world, publisher, client) = reading(1, filter);
    world.drop_socket(client);
    for (number, payload) in numbered(0..messages).iter().enumerate() {
        stored(&mut world, publisher, &format!("t/{}", number % 2), payload);
    }
    let client = world.connect_with(lasting("c"));
    world.told();
    (world, publisher, client)
}

/// Acknowledges so many messages of those that come; their payloads.
fn take(world: &mut World, client: usize, messages: usize) -> Vec<String> {
    let mut taken = Vec::new();
    while taken.len() < messages {
        let before = taken.len();
        for got in world.got(client) {
            if let Got::Publish {
                payload,
                packet_id: Some(id),
                ..
            } = got
            {
                taken.push(payload);
                world.puback(client, id);
            }
        }
        assert!(taken.len() > before, "nothing comes behind {taken:?}");
    }
    taken
}

fn asked(world: &World) -> Vec<(Option<String>, bool)> {
    let script = world.script.borrow();
    let asked = script.questions.iter();
    asked
        .map(|(_, _, question)| match question {
            Question::Fetch(request) => (
                request.cursor.as_deref().map(str::to_owned),
                request.after_writes,
            ),
            other => panic!("{other:?} is asked"),
        })
        .collect()
}

#[test]
fn the_next_page_is_asked_for_before_the_last_one_is_sent() {
    let (mut world, _, client) = away("t/#", 400);
    assert_eq!(asked(&world), [(None, true)], "behind what it wrote before");
    world.page(256);
    // The window is two.
    let mut came = take(&mut world, client, 92);
    assert_eq!(asked(&world), [], "{} are left", 256 - 92 - 2);
    came.extend(take(&mut world, client, 2));
    let next = (Some("256".to_owned()), false);
    assert_eq!(asked(&world), [next], "nothing has to be written for it");
    // It comes while much of the page before is to be sent.
    world.page(256);
    came.extend(drain(&mut world, client, 256));
    assert_eq!(came, numbered(0..400));
}

#[test]
fn a_page_of_large_messages_is_sent_before_the_next_is_asked_for() {
    let (mut world, publisher, client) = reading(1, "t/#");
    world.drop_socket(client);
    let large = "x".repeat(100 * 1_024);
    for number in numbered(0..8) {
        stored(&mut world, publisher, "t/a", &format!("{number}{large}"));
    }
    let client = world.connect_with(lasting("c"));
    world.page(6);
    assert_eq!(asked(&world), [], "four are left, of 400 KiB");
    take(&mut world, client, 2);
    assert_eq!(asked(&world), [(Some("6".to_owned()), false)]);
}

#[test]
fn a_page_that_was_read_ahead_is_for_nobody_when_the_client_is_gone() {
    let (mut world, _, client) = away("t/#", 6);
    world.page(4);
    assert_eq!(asked(&world), [(Some("4".to_owned()), false)]);
    assert_eq!(take(&mut world, client, 1), ["0", "1"], "the window is two");
    world.drop_socket(client);
    let client = world.connect_with(lasting("c"));
    assert_eq!(
        asked(&world).len(),
        2,
        "of the connection before, and of this one"
    );
    world.page(4);
    assert_eq!(drain(&mut world, client, 4), numbered(2..6));
}

#[test]
fn positions_are_told_together_and_the_last_of_each() {
    let (mut world, _, client) = away("t/#", 40);
    world.page(64);
    take(&mut world, client, 20);
    assert!(world.told().is_empty(), "it can wait");
    world.advance_ms(250);
    // The window is two, so that the two last are acknowledged by now.
    let told = ["message.position c 18", "message.position c 19"];
    assert_eq!(world.told(), told);
    world.advance_ms(250);
    assert!(world.told().is_empty(), "nothing has moved");
    // Before it is gone, and before anybody is told so.
    take(&mut world, client, 10);
    world.script.borrow_mut().listens_to_clients = true;
    world.drop_socket(client);
    let told = world.told();
    let positions = ["message.position c 28", "message.position c 29"];
    assert_eq!(&told[..2], positions, "{told:?}");
    assert!(
        told[2].starts_with("client.disconnected c"),
        "{told:?} in another order"
    );
}

#[test]
fn positions_are_told_before_the_subscription_ends_and_when_pages_end() {
    let (mut world, publisher, client) = away("t/#", 20);
    world.listen(Hook::SessionUnsubscribed, "#");
    world.page(64);
    take(&mut world, client, 8);
    world.told();
    world.send(
        client,
        Packet::Unsubscribe(Unsubscribe {
            packet_id: PacketId::FIRST,
            user_properties: Vec::new(),
            filters: vec!["t/#".to_owned()],
        }),
    );
    let told = world.told();
    let positions = ["message.position c 6", "message.position c 7"];
    assert_eq!(&told[..2], positions, "{told:?}");
    drain(&mut world, client, 64);
    world.subscribe(client, "t/0", QoS::AtLeastOnce);
    drain(&mut world, client, 64);
    world.told();
    stored(&mut world, publisher, "t/0", "live");
    take(&mut world, client, 1);
    let told = world.told();
    let last = told.last().map(String::as_str);
    assert_eq!(last, Some("message.position c live"), "{told:?}");
}
