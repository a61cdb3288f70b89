//! How connections end, and what that sets off.

use super::*;

#[test]
fn the_second_client_of_an_id_takes_over() {
    let mut world = World::new(2);
    world.script.borrow_mut().listens_to_clients = true;
    let first = world.connect(V5, "same");
    world.subscribe(first, "t", QoS::AtMostOnce);
    world.got(first);
    let second = world.connect(V311, "same");
    assert_eq!(world.got(first), [other("DISCONNECT SessionTakenOver")]);
    assert!(world.clients[first].closed);
    let publisher = world.connect(V311, "publisher");
    world.publish(publisher, "t", "for nobody", None);
    assert!(
        world.got(second).is_empty(),
        "a clean session has no subscriptions of the old one"
    );
    let events = world.script.borrow().client_events.clone();
    assert_eq!(
        events[..3],
        [
            (Hook::ClientConnected, "same".to_owned(), ""),
            (Hook::ClientDisconnected, "same".to_owned(), "taken-over"),
            (Hook::ClientConnected, "same".to_owned(), ""),
        ]
    );
    assert_eq!(world.counters().takeovers, 1);
}

#[test]
fn silence_longer_than_the_keep_alive_closes_and_anything_sent_keeps_alive() {
    let mut world = World::new(1);
    let mut connect = Connect::new(V5, "client");
    connect.keep_alive_s = 10;
    let client = world.connect_with(connect);
    world.got(client);
    for _ in 0..5 {
        world.advance_ms(14_000);
        world.send(client, Packet::PingReq);
        assert_eq!(world.got(client), [other("PINGRESP")]);
    }
    world.advance_ms(14_500);
    assert!(
        !world.clients[client].closed,
        "14.5 s are within one and a half times 10 s"
    );
    world.advance_ms(1_000);
    assert_eq!(world.got(client), [other("DISCONNECT KeepAliveTimeout")]);
    world.assert_empty();
}

fn with_will(version: ProtocolVersion, id: &str) -> Connect {
    let mut connect = Connect::new(version, id);
    connect.will = Some(Will {
        topic: "last/words".to_owned(),
        payload: b"gone".to_vec(),
        qos: QoS::AtLeastOnce,
        retain: false,
        delay_interval_s: 0,
        properties: Vec::new(),
    });
    connect
}

#[test]
fn a_will_passes_the_rules_and_is_dropped_only_by_a_normal_disconnect() {
    type Ending = fn(&mut World, usize);
    let endings: [(&str, Ending, bool); 4] = [
        ("socket", |world, client| world.drop_socket(client), true),
        (
            "normal",
            |world, client| {
                world.send(client, Packet::Disconnect(Disconnect::default()));
            },
            false,
        ),
        (
            "with will",
            |world, client| {
                let reason = ReasonCode::DisconnectWithWill;
                world.send(client, Packet::Disconnect(Disconnect::with_reason(reason)));
            },
            true,
        ),
        (
            "breach",
            |world, client| {
                world.send(client, Packet::PingResp);
            },
            true,
        ),
    ];
    for (name, ending, expected) in endings {
        let mut world = World::new(2);
        let watcher = world.connect(V311, "watcher");
        world.subscribe(watcher, "last/#", QoS::AtLeastOnce);
        world.got(watcher);
        rules_on(&world, "last/#");
        let client = world.connect_with(with_will(V5, "client"));
        ending(&mut world, client);
        assert!(
            world.payloads(watcher).is_empty(),
            "{name}: the rules have not answered"
        );
        assert_eq!(
            world.script.borrow().submitted.len(),
            usize::from(expected),
            "{name}"
        );
        if expected {
            world.decide(0, Verdict::Proceed);
            assert_eq!(world.payloads(watcher), ["gone"], "{name}");
        }
        world.drop_socket(watcher);
        world.assert_empty();
    }
}

#[test]
fn breaches_are_answered_counted_and_touch_nobody_else() {
    let second = Packet::Connect(Box::new(Connect::new(V5, "again")));
    let mut world = World::new(1);
    let bystander = world.connect(V5, "bystander");
    for packet in [second, Packet::PingResp] {
        let client = world.connect(V5, "client");
        assert_eq!(world.send(client, packet), Flow::Close);
        assert_eq!(world.got(client), [other("DISCONNECT ProtocolError")]);
        assert!(world.clients[client].closed);
        assert_eq!(world.send(client, Packet::PingReq), Flow::Close);
    }
    let errors: u64 = world.counters().protocol_errors.values().sum();
    assert_eq!(errors, 2);
    world.send(bystander, Packet::PingReq);
    assert_eq!(world.got(bystander), [other("PINGRESP")]);
}

#[test]
fn sessions_that_end_say_why() {
    let mut world = World::new(1);
    for hook in [
        Hook::SessionDiscarded,
        Hook::SessionTerminated,
        Hook::SessionTakenover,
    ] {
        world.listen(hook, "#");
    }
    let away = world.connect_with(lasting("away"));
    world.drop_socket(away);
    assert_eq!(world.told(), [""; 0]);
    world.advance_ms(101_000);
    assert_eq!(world.told(), ["session.terminated away expired"]);
    let brief = world.connect(V5, "brief");
    world.drop_socket(brief);
    assert_eq!(world.told(), ["session.terminated brief socket-closed"]);
    // A session of no length that a clean start replaces is discarded.
    world.connect(V311, "again");
    world.connect(V311, "again");
    assert_eq!(world.told(), ["session.discarded again"]);
}
