//! What is known of the rows of one transaction, which may take several attempts.
//!
//! The writer belongs to all callers. A statement that takes too long is stopped,
//! and SQLite gives up the transaction with it, so the others begin anew without
//! its row. That is one row a transaction for each statement: what comes behind it
//! by the same statement, which may be as slow, waits for another.

use std::sync::Arc;
use std::time::Duration;

use hookwire_driver::{BatchResult, FailedRow, Row};

use crate::fault::{behind_slow, slow};
use crate::statement::Plan;

/// The rows of one call and how to store them.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) plan: Arc<Plan>,
    pub(crate) rows: Vec<Row>,
}

/// The works of a transaction, and which of their rows are run.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    pub(crate) works: &'a [Work],
    /// How long one statement may take.
    pub(crate) max_statement: Option<Duration>,
    /// How many rows of each work are run.
    limits: Vec<usize>,
    /// Rows that were too slow, by the numbers of their works and of their own.
    slow: Vec<(usize, usize)>,
    /// Plans whose rows run one by one: several together were too slow.
    narrow: Vec<Arc<Plan>>,
}

impl<'a> Attempt<'a> {
    pub(crate) fn of(works: &'a [Work], max_statement: Option<Duration>) -> Self {
        Self {
            works,
            max_statement,
            limits: works.iter().map(|work| work.rows.len()).collect(),
            slow: Vec::new(),
            narrow: Vec::new(),
        }
    }

    /// The rows of a work that are run.
    pub(crate) fn rows(&self, work: usize) -> &'a [Row] {
        let rows = self.works.get(work).map_or(&[][..], |work| &work.rows);
        let limit = self.limits.get(work).copied().unwrap_or_default();
        rows.get(..limit).unwrap_or(rows)
    }

    /// How many of `left` rows the next statement takes.
    pub(crate) fn next_rows(&self, plan: &Arc<Plan>, left: usize) -> usize {
        if self.narrow.iter().any(|narrow| Arc::ptr_eq(narrow, plan)) {
            return left.min(1);
        }
        plan.next_rows(left)
    }

    /// A statement was too slow, of so many rows that stand at `place` of the rows
    /// of this work and those behind it.
    pub(crate) fn was_slow(&mut self, first: usize, place: usize, rows: usize) {
        let Some(plan) = self.works.get(first).map(|work| &work.plan) else {
            return;
        };
        if rows > 1 {
            return self.narrow.push(Arc::clone(plan));
        }
        let (mut work, mut row) = (first, place);
        while let Some(limit) = self.limits.get(work)
            && row >= *limit
        {
            row -= limit;
            work += 1;
        }
        self.slow.push((work, row));
        for (number, (limit, other)) in self.limits.iter_mut().zip(self.works).enumerate() {
            if number == work {
                *limit = row;
            } else if number > work && Arc::ptr_eq(&other.plan, plan) {
                *limit = 0;
            }
        }
    }

    /// Adds the rows that were not run to what became of the others.
    pub(crate) fn finish(&self, results: &mut [BatchResult]) {
        let works = self.limits.iter().zip(self.works);
        for (number, ((limit, work), result)) in works.zip(results).enumerate() {
            result.failed.extend((*limit..work.rows.len()).map(|row| {
                let fault = if self.slow.contains(&(number, row)) {
                    slow(self.max_statement.unwrap_or_default())
                } else {
                    behind_slow()
                };
                FailedRow { row, fault }
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use hookwire_driver::Value;

    use super::*;
    use crate::statement::Plans;

    fn work(plans: &mut Plans, table: &str, rows: usize) -> Work {
        let sql = format!("INSERT INTO {table} VALUES (?)");
        Work {
            plan: plans.get(&sql.into()).unwrap(),
            rows: vec![vec![Value::Null]; rows],
        }
    }

    fn failed(attempt: &Attempt<'_>) -> Vec<Vec<(usize, String)>> {
        let mut results = vec![BatchResult::default(); attempt.works.len()];
        attempt.finish(&mut results);
        let results = results.into_iter().map(|result| result.failed);
        let codes = |row: FailedRow| (row.row, row.fault.code);
        results
            .map(|failed| failed.into_iter().map(codes).collect())
            .collect()
    }

    #[test]
    fn one_row_is_left_out_and_what_its_statement_has_behind_it() {
        let mut plans = Plans::default();
        let works = [("a", 2), ("a", 3), ("b", 2), ("a", 1)]
            .map(|(table, rows)| work(&mut plans, table, rows));
        let mut attempt = Attempt::of(&works, Some(Duration::from_secs(1)));
        assert_eq!(attempt.next_rows(&works[0].plan, 5), 4);
        attempt.was_slow(0, 0, 4);
        assert_eq!(attempt.next_rows(&works[0].plan, 5), 1, "alone from now on");
        assert_eq!(attempt.next_rows(&works[2].plan, 2), 2);
        assert_eq!(failed(&attempt), [const { Vec::new() }; 4]);
        // The fourth of the first two works is the second of the second.
        attempt.was_slow(0, 3, 1);
        let left: Vec<usize> = (0..4).map(|work| attempt.rows(work).len()).collect();
        assert_eq!(left, [2, 1, 2, 0]);
        let row = |row, code: &str| (row, code.to_owned());
        let (slow, behind) = ("sqlite:slow", "sqlite:saturated");
        let expected = [
            vec![],
            vec![row(1, slow), row(2, behind)],
            vec![],
            vec![row(0, behind)],
        ];
        assert_eq!(failed(&attempt), expected);
    }
}
