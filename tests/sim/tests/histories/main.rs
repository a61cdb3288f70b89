//! Histories written by hand, a good one and a bad one for every rule of the
//! model: the good one breaks nothing, the bad one breaks that rule first.
//!
//! A case writes both: where `bad` is set it does one thing otherwise.

mod answers;
mod connections;
mod deliveries;
mod doubts;
mod due;
mod history;
mod retained;
mod sharing;
mod windows;

use std::collections::BTreeSet;

use history::History;
use hookwire_sim::model::Rule;

/// Writes a history for a rule.
type Case = (Rule, fn(&mut History, bool));

fn cases() -> Vec<Case> {
    [
        connections::CASES,
        answers::CASES,
        deliveries::CASES,
        sharing::CASES,
        due::CASES,
        windows::CASES,
        retained::CASES,
    ]
    .concat()
}

#[test]
fn a_good_history_breaks_no_rule() {
    for (rule, case) in cases() {
        let mut history = History::new();
        case(&mut history, false);
        assert_eq!(
            history.violations(),
            &[],
            "the good history of {}",
            rule.name()
        );
    }
}

#[test]
fn a_bad_history_breaks_its_rule_first() {
    for (rule, case) in cases() {
        let mut history = History::new();
        case(&mut history, true);
        let first = history.violations().first();
        assert_eq!(
            first.map(|violation| violation.rule),
            Some(rule),
            "{first:?}"
        );
    }
}

#[test]
fn every_rule_has_a_case() {
    let covered: BTreeSet<Rule> = cases().into_iter().map(|(rule, _)| rule).collect();
    for rule in Rule::ALL {
        assert!(covered.contains(rule), "{} has no histories", rule.name());
    }
}
