//! A failing run made short: operations are left out for as long as the same
//! rule is broken without them (delta debugging, Zeller and Hildebrandt 2002).

use crate::model::Rule;
use crate::plan::{Operation, Setup};
use crate::run::{Options, replay};

/// Runs that shrinking takes at most.
const MOST_RUNS: usize = 4_000;

/// A short run that breaks the same rule.
#[derive(Debug)]
pub struct Shrunk {
    /// With fewer workers, where that is enough.
    pub setup: Setup,
    /// What is left.
    pub operations: Vec<Operation>,
    /// Runs that it took.
    pub runs: usize,
}

/// Shrinks a run that breaks `rule` within these operations.
#[must_use]
pub fn shrink(setup: &Setup, operations: &[Operation], options: Options, rule: Rule) -> Shrunk {
    let mut search = Search {
        options,
        rule,
        runs: 0,
    };
    let mut setup = setup.clone();
    let mut operations = operations.to_vec();
    simplify(&mut setup, &operations, &mut search);
    operations = shorten(operations, |rest| search.fails(&setup, rest));
    simplify(&mut setup, &operations, &mut search);
    Shrunk {
        setup,
        operations,
        runs: search.runs,
    }
}

/// Leaves items out for as long as it fails without them. What fails no more, whatever
/// is left out, ends it.
pub(crate) fn shorten<T: Clone>(mut items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut parts = 2;
    while items.len() > 1 {
        let size = items.len().div_ceil(parts);
        let shorter = (0..parts).find_map(|part| {
            let from = (part * size).min(items.len());
            let to = (from + size).min(items.len());
            let mut rest = items.clone();
            rest.drain(from..to);
            (from < to && fails(&rest)).then_some(rest)
        });
        match shorter {
            Some(shorter) => {
                items = shorter;
                parts = (parts - 1).max(2);
            }
            None if size == 1 => break,
            None => parts = (parts * 2).min(items.len()),
        }
    }
    items
}

/// Makes the setup plainer, where the run fails with it all the same.
fn simplify(setup: &mut Setup, operations: &[Operation], search: &mut Search) {
    let changes: [fn(&mut Setup); 10] = [
        |setup| setup.workers = 1,
        |setup| setup.prompt_percent = 100,
        |setup| setup.operation_ms = 0,
        |setup| setup.checks_passwords = false,
        |setup| setup.acked_filter = None,
        |setup| setup.asks.connect = false,
        |setup| setup.asks.session = false,
        |setup| setup.asks.access = false,
        |setup| setup.asks.filters = false,
        |setup| setup.asks.deliver = false,
    ];
    for change in changes {
        let mut plainer = setup.clone();
        change(&mut plainer);
        if search.fails(&plainer, operations) {
            *setup = plainer;
        }
    }
}

struct Search {
    options: Options,
    rule: Rule,
    runs: usize,
}

impl Search {
    fn may_go_on(&self) -> bool {
        self.runs < MOST_RUNS
    }

    fn fails(&mut self, setup: &Setup, operations: &[Operation]) -> bool {
        if !self.may_go_on() {
            return false;
        }
        self.runs += 1;
        let outcome = replay(setup, operations, self.options);
        outcome
            .violations
            .iter()
            .any(|violation| violation.rule == self.rule)
    }
}
