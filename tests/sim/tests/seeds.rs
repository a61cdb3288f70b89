//! A fixed amount of the simulation: seeds without a violation, and every
//! planted fault found.

use hookwire_sim::plan::{Setup, operations};
use hookwire_sim::run::{Options, run};
use hookwire_sim::shrink::shrink;
use hookwire_sim::world::Fault;

const SEEDS: u64 = 60;
const STEPS: u32 = 2_000;
/// Seeds that a planted fault may take until it is found.
const MOST_SEEDS: u64 = 60;

fn options(fault: Option<Fault>) -> Options {
    Options {
        fault,
        keeps_log: false,
    }
}

#[test]
fn no_seed_breaks_a_rule() {
    for seed in 1..=SEEDS {
        let setup = Setup::new(seed);
        let outcome = run(&setup, &operations(&setup, STEPS), options(None));
        let broken: Vec<String> = outcome
            .violations
            .iter()
            .map(|violation| format!("{}: {}", violation.rule.name(), violation.text))
            .collect();
        assert!(
            broken.is_empty(),
            "cargo xtask sim --seed {seed}: {broken:#?}"
        );
    }
}

#[test]
fn a_seed_runs_the_same_every_time() {
    for seed in 1..=5 {
        let setup = Setup::new(seed);
        let plan = operations(&setup, STEPS);
        let [first, second] = [(); 2].map(|()| run(&setup, &plan, options(None)).fingerprint);
        assert_eq!(first, second, "seed {seed}");
    }
}

#[test]
fn every_planted_fault_is_found() {
    for &fault in Fault::ALL {
        let is_found = (1..=MOST_SEEDS).any(|seed| {
            let setup = Setup::new(seed);
            let outcome = run(&setup, &operations(&setup, STEPS), options(Some(fault)));
            !outcome.violations.is_empty()
        });
        assert!(is_found, "{fault:?}");
    }
}

#[test]
fn a_failing_seed_is_made_short_and_still_fails() {
    let fault = Some(Fault::DupLost);
    let failing = (1..=MOST_SEEDS).find_map(|seed| {
        let setup = Setup::new(seed);
        let plan = operations(&setup, STEPS);
        let outcome = run(&setup, &plan, options(fault));
        let violation = outcome.violations.first()?;
        Some((setup, plan, outcome.steps, violation.rule))
    });
    let (setup, plan, steps, rule) = failing.expect("the fault is found");
    let steps = usize::try_from(steps).expect("few");
    let shrunk = shrink(&setup, &plan, steps, options(fault), rule);
    assert!(
        shrunk.operations.len() < 60,
        "{} operations",
        shrunk.operations.len()
    );
    let again = run(&shrunk.setup, &shrunk.operations, options(fault));
    assert_eq!(
        again.violations.first().map(|violation| violation.rule),
        Some(rule)
    );
}
