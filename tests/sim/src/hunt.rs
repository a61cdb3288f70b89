//! Many runs: seed after seed, and seeds until a planted fault is caught.

use crate::model::{Rule, Violation};
use crate::plan::{Operation, Setup, operations};
use crate::run::{Line, Options, replay, run};
use crate::shrink::shrink;
use crate::tally::Tally;
use crate::world::Fault;

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Seeds, at most.
    pub seeds: u64,
    /// Steps of each: operations that find something to do.
    pub steps: u64,
}

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Campaign {
    /// Seeds that were run.
    pub seeds: u64,
    /// Operations that found something to do, over all of them.
    pub steps: u64,
    /// What was done, and what came of it.
    pub tally: Tally,
    /// Seeds that broke a rule.
    pub failures: Vec<Failure>,
}

/// A seed that broke a rule, made short.
#[derive(Debug)]
pub struct Failure {
    /// Which.
    pub seed: u64,
    /// The setup that the trace is of.
    pub setup: Setup,
    /// Operations of the seed until the rule was broken.
    pub drawn: usize,
    /// Operations that are left of them.
    pub operations: usize,
    /// Runs that it took to find them.
    pub runs: usize,
    /// What happens in them.
    pub trace: Vec<Line>,
    /// The rules broken; at least one.
    pub violations: Vec<Violation>,
}

/// Failing seeds of which the trace is kept; those beyond are told of only.
const MOST_TRACED: usize = 5;

/// Runs seeds in a row, and tells of each that fails, made short if it may be.
pub fn campaign(
    first_seed: u64,
    length: Length,
    fault: Option<Fault>,
    may_shrink: bool,
    told: impl Fn(&Failure),
) -> Campaign {
    let mut campaign = Campaign::default();
    let options = Options {
        fault,
        keeps_log: false,
    };
    for seed in first_seed..first_seed.saturating_add(length.seeds) {
        let setup = Setup::new(seed);
        let outcome = run(&setup, length.steps, options);
        campaign.seeds += 1;
        campaign.steps += outcome.steps;
        campaign.tally.merge(&outcome.tally);
        let Some(first) = outcome.violations.first() else {
            continue;
        };
        let drawn: Vec<Operation> = operations(&setup).take(outcome.drawn).collect();
        let is_traced = campaign.failures.len() < MOST_TRACED;
        let rule = (is_traced && may_shrink).then_some(first.rule);
        let failure = failure(setup, &drawn, options, rule, is_traced);
        told(&failure);
        campaign.failures.push(failure);
    }
    campaign
}

/// Runs a failing seed again, after it was made short if a rule is given.
fn failure(
    setup: Setup,
    drawn: &[Operation],
    options: Options,
    rule: Option<Rule>,
    is_traced: bool,
) -> Failure {
    let (setup, operations, runs) = match rule {
        Some(rule) => {
            let shrunk = shrink(&setup, drawn, options, rule);
            (shrunk.setup, shrunk.operations, shrunk.runs)
        }
        None => (setup, drawn.to_vec(), 0),
    };
    let keeping = Options {
        keeps_log: is_traced,
        ..options
    };
    let outcome = replay(&setup, &operations, keeping);
    Failure {
        seed: setup.seed,
        setup,
        drawn: drawn.len(),
        operations: operations.len(),
        runs,
        trace: outcome.log,
        violations: outcome.violations,
    }
}

/// How a fault was caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caught<R = Rule> {
    /// Seeds that it took.
    pub seeds: u64,
    /// Steps that it took, over all of them.
    pub steps: u64,
    /// The rule that was broken first.
    pub rule: R,
}

/// Runs seeds with a fault in the core until a rule is broken.
#[must_use]
pub fn hunt(fault: Fault, first_seed: u64, length: Length) -> Option<Caught> {
    let options = Options {
        fault: Some(fault),
        keeps_log: false,
    };
    let mut steps = 0;
    (0..length.seeds).find_map(|number| {
        let outcome = run(&Setup::new(first_seed + number), length.steps, options);
        steps += outcome.steps;
        let first = outcome.violations.first()?;
        Some(Caught {
            seeds: number + 1,
            steps,
            rule: first.rule,
        })
    })
}
