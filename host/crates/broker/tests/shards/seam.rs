//! What is stored and what is live, without a seam: subscriptions that overlap,
//! begin in the middle of a fetch, and are made again; pages that were read before
//! what came meanwhile.

use super::fetching::{numbered, stored, storing};
use super::playing::{Module, play, step};
use super::*;

/// A publisher, and a reader that subscribes to `t/a` and has all there is.
fn reading_a() -> (World, usize, usize, Module) {
    let mut world = storing(1);
    let publisher = world.connect(V5, "p");
    let mut connect = Connect::new(V5, "c");
    connect.clean_start = false;
    connect.session_expiry_interval_s = 1_000_000;
    let client = world.connect_with(connect);
    world.subscribe(client, "t/a", QoS::AtLeastOnce);
    let mut module = Module::default();
    module.answer_all(&mut world);
    world.got(client);
    (world, publisher, client, module)
}

/// Takes all that comes, acknowledging each.
fn take_all(world: &mut World, module: &mut Module, client: usize) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        module.answer_all(world);
        let got = world.got(client);
        let mut is_over = true;
        for got in got {
            if let Got::Publish {
                payload,
                packet_id: Some(id),
                ..
            } = got
            {
                all.push(payload);
                world.puback(client, id);
                is_over = false;
            }
        }
        if is_over && world.script.borrow().questions.is_empty() {
            return all;
        }
    }
}

#[test]
fn a_later_subscription_waits_for_what_an_earlier_one_has_to_read() {
    let (mut world, publisher, client, mut module) = reading_a();
    world.drop_socket(client);
    for number in numbered(0..8) {
        stored(&mut world, publisher, "t/a", &number);
    }
    let mut connect = Connect::new(V5, "c");
    connect.clean_start = false;
    connect.session_expiry_interval_s = 1_000_000;
    let client = world.connect_with(connect);
    // It begins behind all of these, and one more comes.
    world.subscribe(client, "t/#", QoS::AtLeastOnce);
    for _ in 0..4 {
        module.go_on(&mut world, 2);
    }
    stored(&mut world, publisher, "t/a", "8");
    assert_eq!(take_all(&mut world, &mut module, client), numbered(0..9));
}

#[test]
fn a_later_subscription_does_not_overtake_what_is_parked_for_an_earlier_one() {
    let (mut world, publisher, client, mut module) = reading_a();
    world.subscribe(client, "t/#", QoS::AtLeastOnce);
    // Stored and parked before the second one's place is kept, and behind it.
    stored(&mut world, publisher, "t/a", "0");
    module.go_on(&mut world, 4);
    stored(&mut world, publisher, "t/a", "1");
    assert_eq!(take_all(&mut world, &mut module, client), numbered(0..2));
}

#[test]
fn what_is_parked_before_a_subscription_begins_does_not_come_behind_its_pages() {
    let mut world = storing(1);
    let publisher = world.connect(V5, "p");
    let client = world.connect(V5, "c");
    let mut module = Module::default();
    world.subscribe(client, "t/a", QoS::AtLeastOnce);
    stored(&mut world, publisher, "t/a", "before");
    module.go_on(&mut world, 4);
    stored(&mut world, publisher, "t/a", "0");
    stored(&mut world, publisher, "t/a", "1");
    assert_eq!(take_all(&mut world, &mut module, client), numbered(0..2));
}

#[test]
fn what_is_acknowledged_while_a_page_is_on_its_way_does_not_come_again() {
    let (mut world, publisher, client, mut module) = reading_a();
    stored(&mut world, publisher, "t/a", "0");
    world.subscribe(client, "t/a", QoS::AtLeastOnce);
    module.go_on(&mut world, 4);
    // Read with what the client is about to acknowledge.
    module.go_on(&mut world, 4);
    assert_eq!(world.payloads(client), ["0"]);
    world.puback(client, 1);
    assert!(take_all(&mut world, &mut module, client).is_empty());
    stored(&mut world, publisher, "t/a", "1");
    assert_eq!(take_all(&mut world, &mut module, client), ["1"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn there_is_no_seam_whatever_the_order_of_things(
        steps in prop::collection::vec(step(), 0..200),
        workers in 1..3_u16,
    ) {
        play(steps, workers).map_err(TestCaseError::fail)?;
    }
}
