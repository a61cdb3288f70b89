//! Wills, at once and later.

use super::*;

fn with_will(id: &str, delay_s: u32, expiry_s: u32) -> Connect {
    let mut connect = Connect::new(V5, id);
    connect.clean_start = false;
    connect.session_expiry_interval_s = expiry_s;
    connect.will = Some(Will {
        topic: "last/words".to_owned(),
        payload: b"gone".to_vec(),
        qos: QoS::ExactlyOnce,
        retain: true,
        delay_interval_s: delay_s,
        properties: Vec::new(),
    });
    connect
}

fn watched() -> (World, usize) {
    let mut world = World::new(2);
    let watcher = world.connect(V311, "watcher");
    world.subscribe(watcher, "last/#", QoS::AtMostOnce);
    world.got(watcher);
    (world, watcher)
}

#[test]
fn a_will_waits_for_its_delay_or_for_the_end_of_the_session() {
    for (delay_s, expiry_s, comes_after_s) in
        [(0, 100, 0), (10, 100, 10), (100, 10, 10), (10, 0, 0)]
    {
        let (mut world, watcher) = watched();
        let client = world.connect_with(with_will("client", delay_s, expiry_s));
        world.drop_socket(client);
        if comes_after_s > 0 {
            world.advance_ms(comes_after_s * 1_000 - 500);
            assert!(world.payloads(watcher).is_empty(), "{delay_s} {expiry_s}");
            world.advance_ms(1_000);
        }
        assert_eq!(world.payloads(watcher), ["gone"], "{delay_s} {expiry_s}");
        world.advance_ms(200_000);
        assert!(world.payloads(watcher).is_empty(), "once");
        assert_eq!(world.retained.len(), 1);
        assert_eq!(world.holdings().wills, 0);
    }
}

#[test]
fn a_client_that_comes_back_in_time_takes_its_will_back() {
    let (mut world, watcher) = watched();
    let client = world.connect_with(with_will("client", 10, 100));
    world.drop_socket(client);
    world.advance_ms(5_000);
    let back = world.connect_with(with_will("client", 10, 100));
    world.advance_ms(50_000);
    assert!(world.payloads(watcher).is_empty());
    // A clean start ends the old session, and with it comes its will.
    world.drop_socket(back);
    world.connect(V5, "client");
    assert_eq!(world.payloads(watcher), ["gone"]);
}

#[test]
fn a_take_over_publishes_a_will_without_delay_only() {
    for (delay_s, clean_start, comes) in [(0, false, true), (10, false, false), (10, true, true)] {
        let (mut world, watcher) = watched();
        world.connect_with(with_will("client", delay_s, 100));
        let mut connect = with_will("client", delay_s, 100);
        connect.clean_start = clean_start;
        world.connect_with(connect);
        let payloads = world.payloads(watcher);
        assert_eq!(!payloads.is_empty(), comes, "{delay_s} {clean_start}");
    }
}

#[test]
fn a_late_will_passes_the_rules() {
    let (mut world, watcher) = watched();
    rules_on(&world, "last/#");
    let client = world.connect_with(with_will("client", 10, 100));
    world.drop_socket(client);
    world.advance_ms(11_000);
    assert!(world.payloads(watcher).is_empty());
    world.decide(0, Verdict::Proceed);
    assert_eq!(world.payloads(watcher), ["gone"]);
    world.drop_socket(watcher);
    world.advance_ms(100_000);
    world.assert_empty();
}
