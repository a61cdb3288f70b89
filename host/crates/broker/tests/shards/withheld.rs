//! CONNACK waits until the places of subscriptions made on a client's behalf are
//! kept.

use hookwire_broker::{Restored, RestoredSession};

use super::arriving::{created, subscription};
use super::fetching::{drain, numbered, stored, storing};
use super::*;

/// A client that is subscribed to `t/a` as it comes, with or without a session of
/// its own from before, whose place is not kept yet.
fn coming(world: &mut World, version: ProtocolVersion, is_restored: bool) -> usize {
    world.listen(Hook::SessionCreated, "#");
    let client = world.connect_with(Connect {
        version,
        ..lasting("c")
    });
    let restored = Restored {
        subscriptions: vec![subscription("t/a")],
        session: is_restored.then(RestoredSession::default),
    };
    world.answer(0, created(restored));
    let asked = ["session.created c", "session.fetch c t/a begins"];
    assert_eq!(world.told(), asked);
    client
}

#[test]
fn a_client_that_is_told_that_it_is_served_misses_nothing() {
    for workers in [1, 3] {
        let mut world = storing(workers);
        let publisher = world.connect(V5, "p");
        let client = coming(&mut world, V5, false);
        assert!(world.got(client).is_empty(), "CONNACK waits");
        world.page(10);
        assert_eq!(world.got(client), [other("CONNACK Success")]);
        for number in numbered(0..3) {
            stored(&mut world, publisher, "t/a", &number);
        }
        assert_eq!(drain(&mut world, client, 2), numbered(0..3));
    }
}

#[test]
fn what_a_client_sends_before_connack_is_answered_behind_it() {
    let mut world = storing(1);
    let client = coming(&mut world, V5, false);
    world.publish(client, "u", "early", Some(1));
    assert!(world.got(client).is_empty());
    world.page(10);
    let got = world.got(client);
    assert_eq!(got.first(), Some(&other("CONNACK Success")));
    assert_eq!(got.len(), 2, "{got:?}");
}

#[test]
fn a_client_whose_place_cannot_be_kept_is_refused_and_asked_about_again() {
    for (version, refusal) in [
        (V5, "CONNACK ServerUnavailable"),
        (V311, "CONNACK ServerUnavailable"),
    ] {
        for is_restored in [false, true] {
            let mut world = storing(1);
            for hook in [Hook::SessionTerminated, Hook::ClientDisconnected] {
                world.listen(hook, "#");
            }
            let client = coming(&mut world, version, is_restored);
            world.no_page();
            let got = world.got(client);
            assert!(
                matches!(&got[..], [Got::Other(ack)] if ack.starts_with(refusal)),
                "{got:?}"
            );
            assert!(world.clients[client].closed);
            // What rules have of the session is theirs: it has not ended.
            assert_eq!(
                world.told(),
                ["client.disconnected c ServerUnavailable refused"]
            );
            world.assert_empty();
            let client = coming(&mut world, version, is_restored);
            world.page(10);
            assert_eq!(world.got(client).len(), 1, "CONNACK");
        }
    }
}

#[test]
fn a_client_that_goes_before_connack_leaves_no_will_and_no_session() {
    let mut world = storing(1);
    let watcher = world.connect(V5, "watcher");
    world.subscribe(watcher, "will/#", QoS::AtMostOnce);
    world.got(watcher);
    world.listen(Hook::SessionCreated, "#");
    let client = world.connect_with(Connect {
        will: Some(Will {
            topic: "will/c".to_owned(),
            payload: b"gone".to_vec(),
            qos: QoS::AtMostOnce,
            retain: false,
            delay_interval_s: 0,
            properties: Vec::new(),
        }),
        ..lasting("c")
    });
    let restored = Restored {
        subscriptions: vec![subscription("t/a")],
        session: None,
    };
    world.answer(0, created(restored));
    world.drop_socket(client);
    assert!(world.got(watcher).is_empty());
    world.drop_socket(watcher);
    world.assert_empty();
}
