//! What an administrator sees of a client that reads from stores.

use hookwire_broker::{Command, ReadSide, Reply};

use super::fetching::{drain, numbered, reading, stored, storing};
use super::*;

fn read_side(world: &mut World, clientid: &str) -> Option<ReadSide> {
    let worker = hookwire_broker::worker_of(clientid, world.shards.len());
    let (sender, receiver) = std::sync::mpsc::channel();
    let command = Command::Client {
        clientid: clientid.into(),
        reply: Reply::new(move |shown| sender.send(shown).unwrap()),
    };
    world.shards[worker].command(world.now, command);
    let shown = receiver.recv().unwrap();
    shown.map(|(state, reading)| {
        assert_eq!(&*state.client.clientid, clientid);
        reading
    })
}

#[test]
fn the_barrier_is_seen_while_pages_come_and_when_it_is_down() {
    let mut world = storing(1);
    let publisher = world.connect(V5, "p");
    for number in numbered(0..5) {
        stored(&mut world, publisher, "t/a", &number);
    }
    assert_eq!(read_side(&mut world, "c"), None);
    let client = world.connect_with(lasting("c"));
    let before = read_side(&mut world, "c").unwrap();
    assert_eq!(before, ReadSide::default());
    world.advance_ms(5);
    world.subscribe(client, "t/a", QoS::AtLeastOnce);
    let begun = read_side(&mut world, "c").unwrap();
    assert_eq!(begun.barrier_since_ms, Some(START_MS + 5));
    assert_eq!((begun.barriers, begun.parked, begun.page_left), (1, 0, 0));
    let source = &begun.sources[0];
    assert_eq!((&*source.filter, &*source.rule), ("t/a", "the rule"));
    assert!(source.is_open && source.is_asked);
    assert_eq!((&source.cursor, &source.floor), (&None, &None));
    world.page(3);
    stored(&mut world, publisher, "t/a", "5");
    // The window is two, and what is left is worth reading ahead.
    let paged = read_side(&mut world, "c").unwrap();
    assert_eq!((paged.page_left, paged.parked), (1, 1));
    let source = &paged.sources[0];
    assert!(source.is_open && source.is_asked);
    assert_eq!(source.cursor.as_deref(), Some("3"));
    assert_eq!(source.floor.as_deref(), Some("0"));
    let position = &paged.positions[0];
    assert_eq!((&*position.topic, &*position.sender), ("t/a", "p"));
    assert_eq!((position.outstanding, position.reached), (2, None));
    assert_eq!(drain(&mut world, client, 3).len(), 6);
    let over = read_side(&mut world, "c").unwrap();
    assert_eq!((over.barrier_since_ms, over.barriers), (None, 1));
    assert!(!over.sources[0].is_open);
    assert_eq!(over.sources[0].floor.as_deref(), Some("0"));
    let last = world.script.borrow().store.rows[5].id;
    let position = &over.positions[0];
    assert_eq!((position.outstanding, position.reached), (0, Some(last)));
    assert_eq!(world.counters().fetch_barriers, 1);
}

#[test]
fn each_time_that_it_goes_up_is_counted() {
    let (mut world, publisher, client) = reading(1, "t/#");
    world.drop_socket(client);
    stored(&mut world, publisher, "t/a", "0");
    let away = read_side(&mut world, "c").unwrap();
    assert_eq!((away.barrier_since_ms, away.barriers), (None, 1));
    let client = world.connect_with(lasting("c"));
    assert_eq!(read_side(&mut world, "c").unwrap().barriers, 2);
    assert_eq!(drain(&mut world, client, 3), ["0"]);
    // It cannot keep up: the window holds two, and the queue three.
    for number in numbered(1..12) {
        stored(&mut world, publisher, "t/a", &number);
    }
    let behind = read_side(&mut world, "c").unwrap();
    assert_eq!(behind.barriers, 3);
    assert!(behind.barrier_since_ms.is_some());
    assert_eq!(drain(&mut world, client, 3), numbered(1..12));
    assert_eq!(read_side(&mut world, "c").unwrap().barrier_since_ms, None);
}
