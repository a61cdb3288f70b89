//! A fixed amount of the simulation: seeds without a violation, and every
//! planted fault found.

use hookwire_sim::hunt::{Length, hunt};
use hookwire_sim::plan::{Operation, Setup, operations};
use hookwire_sim::run::{Options, replay, run};
use hookwire_sim::shrink::shrink;
use hookwire_sim::world::Fault;

const SEEDS: u64 = 100;
const STEPS: u64 = 2_000;
/// What a planted fault may take until it is found.
const HUNT: Length = Length {
    seeds: 60,
    steps: STEPS,
};

fn options(fault: Option<Fault>) -> Options {
    Options {
        fault,
        keeps_log: false,
    }
}

#[test]
fn no_seed_breaks_a_rule() {
    for seed in 1..=SEEDS {
        let outcome = run(&Setup::new(seed), STEPS, options(None));
        let broken: Vec<String> = outcome
            .violations
            .iter()
            .map(|violation| format!("{}: {}", violation.rule.name(), violation.text))
            .collect();
        assert!(
            broken.is_empty(),
            "cargo xtask sim --seed {seed} --steps {STEPS}: {broken:#?}"
        );
        assert_eq!(outcome.steps, STEPS, "seed {seed} finds too little to do");
    }
}

#[test]
fn a_seed_runs_the_same_every_time_and_from_its_list_of_operations() {
    for seed in 1..=5 {
        let setup = Setup::new(seed);
        let first = run(&setup, STEPS, options(None));
        let second = run(&setup, STEPS, options(None));
        assert_eq!(first.fingerprint, second.fingerprint, "seed {seed}");
        let drawn: Vec<Operation> = operations(&setup).take(first.drawn).collect();
        let third = replay(&setup, &drawn, options(None));
        assert_eq!(first.fingerprint, third.fingerprint, "seed {seed}");
    }
}

#[test]
fn every_planted_fault_is_found() {
    for &fault in Fault::ALL {
        assert!(hunt(fault, 1, HUNT).is_some(), "{fault:?}");
    }
}

#[test]
fn a_failing_seed_is_made_short_and_still_fails() {
    let fault = Some(Fault::DupLost);
    let failing = (1..=HUNT.seeds).find_map(|seed| {
        let setup = Setup::new(seed);
        let outcome = run(&setup, STEPS, options(fault));
        let rule = outcome.violations.first()?.rule;
        let drawn: Vec<Operation> = operations(&setup).take(outcome.drawn).collect();
        Some((setup, drawn, rule))
    });
    let (setup, drawn, rule) = failing.expect("the fault is found");
    let shrunk = shrink(&setup, &drawn, options(fault), rule);
    assert!(
        shrunk.operations.len() < 60,
        "{} operations are left",
        shrunk.operations.len()
    );
    let again = replay(&shrunk.setup, &shrunk.operations, options(fault));
    let first = again.violations.first();
    assert_eq!(first.map(|violation| violation.rule), Some(rule));
}
