//! Seed after seed, in both orders, and planted faults until a promise is broken.

use super::check::Check;
use super::promise::Breach;
use super::setup::{StoredSetup, Work};
use super::{Planted, Promise, run_stored};
use crate::hunt::{Caught, Length};
use crate::run::Line;
use crate::shrink::shorten;
use crate::world::Order;

/// What was done in a run, or in many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each has the name that tables give it")]
pub struct Figures {
    pub runs: u64,
    pub crashes: u64,
    pub in_flight: u64,
    pub published: u64,
    pub acknowledged: u64,
    pub stored: u64,
    pub failed: u64,
    pub timed_out: u64,
    pub delivered: u64,
    pub again: u64,
    pub resumed: u64,
}

impl Figures {
    /// Each with its name.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 11] {
        [
            ("runs", self.runs),
            ("broker ended", self.crashes),
            ("publishes in flight then", self.in_flight),
            ("published", self.published),
            ("acknowledged", self.acknowledged),
            ("rows stored", self.stored),
            ("calls failed", self.failed),
            ("calls timed out when done", self.timed_out),
            ("delivered", self.delivered),
            ("delivered again", self.again),
            ("sessions resumed", self.resumed),
        ]
    }

    pub(super) fn add_check(&mut self, check: &Check) {
        self.runs += 1;
        self.acknowledged += check.acknowledged;
        self.delivered += check.delivered;
        self.again += check.again;
        self.resumed += check.resumed;
    }

    fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.crashes += other.crashes;
        self.in_flight += other.in_flight;
        self.published += other.published;
        self.acknowledged += other.acknowledged;
        self.stored += other.stored;
        self.failed += other.failed;
        self.timed_out += other.timed_out;
        self.delivered += other.delivered;
        self.again += other.again;
        self.resumed += other.resumed;
    }
}

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Findings {
    /// Over all of them.
    pub figures: Figures,
    /// Seeds that broke a promise.
    pub failures: Vec<StoredFailure>,
}

/// A seed that broke a promise, made short.
#[derive(Debug)]
pub struct StoredFailure {
    /// Which.
    pub seed: u64,
    /// With which order.
    pub order: Order,
    /// What was broken.
    pub breaches: Vec<Breach>,
    /// All that happens; empty beyond the first few.
    pub trace: Vec<Line>,
}

/// Failing seeds that are made short.
const MOST_TRACED: usize = 3;
/// Runs that this takes at most.
const MOST_RUNS: usize = 1_500;

/// Runs seeds in a row, each in both orders.
#[must_use]
pub fn campaign(first_seed: u64, length: Length, fault: Option<Planted>) -> Findings {
    let mut findings = Findings::default();
    for seed in first_seed..first_seed.saturating_add(length.seeds) {
        for &order in Order::ALL {
            let setup = StoredSetup::new(seed, order);
            let work = setup.work(length.steps);
            let outcome = run_stored(&setup, &work, fault, false);
            findings.figures.add(&outcome.figures);
            let Some(first) = outcome.breaches.first() else {
                continue;
            };
            let (breaches, trace) = if findings.failures.len() < MOST_TRACED {
                let work = shrink(&setup, work, fault, first.promise);
                let outcome = run_stored(&setup, &work, fault, true);
                (outcome.breaches, outcome.log)
            } else {
                (outcome.breaches, Vec::new())
            };
            findings.failures.push(StoredFailure {
                seed,
                order,
                breaches,
                trace,
            });
        }
    }
    findings
}

/// Leaves steps out for as long as the same promise is broken.
fn shrink(
    setup: &StoredSetup,
    work: Vec<Work>,
    fault: Option<Planted>,
    promise: Promise,
) -> Vec<Work> {
    let mut runs = 0;
    shorten(work, |rest| {
        runs += 1;
        let outcome = || run_stored(setup, rest, fault, false);
        let is_it = |breach: &Breach| breach.promise == promise;
        runs <= MOST_RUNS && outcome().breaches.iter().any(is_it)
    })
}

/// Runs seeds of one order with a fault in the core until a promise is broken.
#[must_use]
pub fn hunt(
    fault: Planted,
    order: Order,
    first_seed: u64,
    length: Length,
) -> Option<Caught<Promise>> {
    (0..length.seeds).find_map(|number| {
        let setup = StoredSetup::new(first_seed + number, order);
        let outcome = run_stored(&setup, &setup.work(length.steps), Some(fault), false);
        let first = outcome.breaches.first()?;
        Some(Caught {
            seeds: number + 1,
            steps: (number + 1) * length.steps,
            rule: first.promise,
        })
    })
}
