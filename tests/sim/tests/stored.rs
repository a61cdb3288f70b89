//! A fixed amount of the simulation with a store, in both orders.

use hookwire_sim::hunt::Length;
use hookwire_sim::stored::{Planted, campaign, hunt};
use hookwire_sim::world::Order;

const STEPS: u64 = 2_000;
const SEEDS: Length = Length {
    seeds: 60,
    steps: STEPS,
};
/// What a planted fault may take until it is found.
const HUNT: Length = Length {
    seeds: 200,
    steps: STEPS,
};

#[test]
fn no_seed_breaks_a_promise() {
    let findings = campaign(1, SEEDS, None);
    for failure in &findings.failures {
        for line in &failure.trace {
            println!("{line}");
        }
        let (seed, order, breaches) = (failure.seed, failure.order, &failure.breaches);
        println!("seed {seed}, {order:?}: {breaches:#?}");
    }
    assert!(findings.failures.is_empty());
    for (what, figure) in findings.figures.named() {
        assert!(figure > 0, "nothing {what}");
    }
}

#[test]
fn every_planted_fault_breaks_one_in_both_orders() {
    for &fault in Planted::ALL {
        for &order in Order::ALL.iter().filter(|order| fault.harms(**order)) {
            let caught = hunt(fault, order, 1, HUNT);
            assert!(caught.is_some(), "{fault} with {order:?}");
        }
    }
}
