//! Topics under `$SYS`.

use hookwire_broker::Node;

use super::*;

fn speaking(workers: u16) -> World {
    let node = Node::new("node@host", "1.2.3", usize::from(workers), START_MS, 10);
    World::speaking(workers, node)
}

fn told(world: &mut World, client: usize, topic: &str) -> Vec<String> {
    world
        .got(client)
        .into_iter()
        .filter_map(|got| match got {
            Got::Publish {
                topic: of, payload, ..
            } if of == topic => Some(payload),
            _ => None,
        })
        .collect()
}

#[test]
fn figures_of_all_workers_are_told_retained_and_again_when_they_change() {
    let mut world = speaking(2);
    let clients = spread(&mut world, V5, 4);
    world.publish(clients[0], "t", "12345", None);
    world.advance_ms(1_000);
    world.advance_ms(10_000);
    let late = world.connect(V311, "late");
    world.subscribe(late, "$SYS/#", QoS::AtMostOnce);
    let got = world.got(late);
    let retained = |topic: &str, payload: &str| marked(topic, payload, None, "retain");
    for (topic, payload) in [
        ("$SYS/broker/version", "hookwire version 1.2.3"),
        ("$SYS/broker/uptime", "11 seconds"),
        ("$SYS/broker/clients/connected", "4"),
        ("$SYS/broker/publish/messages/received", "1"),
        ("$SYS/broker/publish/bytes/received", "5"),
        ("$SYS/brokers/node@host/stats/connections/count", "4"),
    ] {
        assert!(
            got.contains(&retained(topic, payload)),
            "{topic} is not {payload}: {got:#?}"
        );
    }
    world.advance_ms(1_000);
    world.advance_ms(10_000);
    let changed = told(&mut world, late, "$SYS/broker/clients/connected");
    assert_eq!(changed, ["5"]);
    let before = world.counters().publishes_sent;
    world.advance_ms(20_000);
    assert!(told(&mut world, late, "$SYS/broker/clients/connected").is_empty());
    let again = world.counters().publishes_sent - before;
    assert!(again < 40, "only what changed is told again: {again}");
}

#[test]
fn who_comes_and_goes_is_told_to_those_who_listen() {
    let mut world = speaking(1);
    let watcher = world.connect(V5, "watcher");
    world.subscribe(watcher, "$SYS/brokers/+/clients/#", QoS::AtMostOnce);
    world.got(watcher);
    let client = world.connect(V5, "client");
    let topic = "$SYS/brokers/node@host/clients/client/connected";
    let payloads = told(&mut world, watcher, topic);
    assert!(
        payloads[0].contains("\"clientid\":\"client\""),
        "{payloads:?}"
    );
    world.drop_socket(client);
    let topic = "$SYS/brokers/node@host/clients/client/disconnected";
    let payloads = told(&mut world, watcher, topic);
    assert!(
        payloads[0].contains("\"reason\":\"socket-closed\""),
        "{payloads:?}"
    );
    // What cannot stand in a topic is not told, and harms nobody.
    let odd = world.connect(V5, "a+b#c");
    world.drop_socket(odd);
    assert!(world.got(watcher).is_empty());
}
