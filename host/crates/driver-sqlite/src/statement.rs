//! What the writer knows of a statement: how many parameters it has, and how many
//! rows of it become one statement.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use hookwire_driver::Fault;

use crate::permitted::check_write;
use crate::tokens::{Kind, Token, count_parameters};

/// Rows of one multi-row statement at most: more gains little, and the
/// statement SQLite prepares grows with it.
const MAX_STATEMENT_ROWS: usize = 256;
/// SQLITE_MAX_VARIABLE_NUMBER of the SQLite that sqlx brings.
const MAX_VARIABLES: usize = 32_766;
/// One place for each power of two up to [`MAX_STATEMENT_ROWS`].
const BUCKETS: usize = MAX_STATEMENT_ROWS.ilog2() as usize + 1;

/// Statements seen, so that each is looked at once.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    known: HashMap<Arc<str>, Arc<Plan>>,
    allows_triggers: bool,
}

impl Plans {
    /// Plans remembered. A guest that composes its statements would fill any
    /// memory; past the bound all are forgotten.
    const CAPACITY: usize = 256;

    /// No plans yet, of statements that may make triggers or may not.
    pub(crate) fn new(allows_triggers: bool) -> Self {
        Self {
            known: HashMap::new(),
            allows_triggers,
        }
    }

    /// The plan of a statement.
    ///
    /// # Errors
    /// `Denied` or `Invalid` for a statement that a pool does not run.
    pub(crate) fn get(&mut self, sql: &Arc<str>) -> Result<Arc<Plan>, Fault> {
        if let Some(plan) = self.known.get(sql) {
            return Ok(Arc::clone(plan));
        }
        let plan = Arc::new(Plan::of(sql, self.allows_triggers)?);
        if self.known.len() >= Self::CAPACITY {
            self.known.clear();
        }
        self.known.insert(Arc::clone(sql), Arc::clone(&plan));
        Ok(plan)
    }
}

/// How a statement is run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The text, as it was sent.
    pub(crate) sql: Arc<str>,
    /// How many `?` it has.
    pub(crate) parameters: usize,
    rows: Option<MultiRow>,
}

/// An INSERT whose one tuple of values can be repeated.
#[derive(Debug)]
struct MultiRow {
    /// Where the tuple stands in the text, parentheses included.
    tuple: std::ops::Range<usize>,
    /// Whether every row changes one row of the table, so that rows of several
    /// calls can share a statement and each call still knows its count.
    one_change_each: bool,
    /// The text for 1, 2, 4, ... rows, made when first needed.
    expanded: [OnceLock<Arc<str>>; BUCKETS],
}

impl Plan {
    fn of(sql: &Arc<str>, allows_triggers: bool) -> Result<Self, Fault> {
        let list = check_write(sql, allows_triggers)?;
        let parameters = count_parameters(&list);
        Ok(Self {
            sql: Arc::clone(sql),
            parameters,
            rows: multi_row(sql, &list, parameters),
        })
    }

    /// Whether rows of two calls can be one statement.
    pub(crate) fn merges_with(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        Arc::ptr_eq(self, other) && self.rows.as_ref().is_some_and(|rows| rows.one_change_each)
    }

    /// How many of `left` rows the next statement takes: a power of two.
    pub(crate) fn next_rows(&self, left: usize) -> usize {
        if self.rows.is_none() || left < 2 {
            return left.min(1);
        }
        let most = MAX_STATEMENT_ROWS.min(MAX_VARIABLES / self.parameters.max(1));
        1 << left.min(most).max(1).ilog2()
    }

    /// The statement for so many rows, a number that [`Plan::next_rows`] gave.
    pub(crate) fn sql_for(&self, rows: usize) -> Arc<str> {
        let place = rows.max(1).ilog2() as usize;
        match &self.rows {
            Some(multi) if rows > 1 => match multi.expanded.get(place) {
                Some(text) => Arc::clone(text.get_or_init(|| multi.repeat(&self.sql, rows))),
                None => multi.repeat(&self.sql, rows),
            },
            _ => Arc::clone(&self.sql),
        }
    }
}

impl MultiRow {
    fn repeat(&self, sql: &str, rows: usize) -> Arc<str> {
        let (start, end) = (self.tuple.start, self.tuple.end);
        let tuple = sql.get(start..end).unwrap_or_default();
        let mut text = String::with_capacity(sql.len() + (tuple.len() + 1) * rows);
        text.push_str(sql.get(..end).unwrap_or_default());
        for _ in 1..rows {
            text.push(',');
            text.push_str(tuple);
        }
        text.push_str(sql.get(end..).unwrap_or_default());
        text.into()
    }
}

/// Finds the one tuple of `INSERT ... VALUES (...) ...` that holds all
/// parameters and computes nothing from the table it goes into.
fn multi_row(sql: &str, list: &[Token], parameters: usize) -> Option<MultiRow> {
    let first = list.first()?;
    if parameters == 0 || !(first.is_word(sql, "insert") || first.is_word(sql, "replace")) {
        return None;
    }
    let values = list.iter().position(|token| token.is_word(sql, "values"))?;
    let open = values + 1;
    let close = open + closing(list.get(open..)?)?;
    let (tuple, tail) = (list.get(open..=close)?, list.get(close + 1..)?);
    let (head, has) = (list.get(..values)?, |part: &[Token], name| {
        part.iter().any(|token| token.is_word(sql, name))
    });
    let whole = count_parameters(tuple) == parameters
        && tail.first().is_none_or(|token| token.kind != Kind::Comma);
    let sees_table = ["select", "last_insert_rowid", "changes", "total_changes"]
        .iter()
        .any(|name| has(tuple, name));
    // OR FAIL keeps the rows before the one that failed: they would be stored
    // twice when the others are tried again.
    if !whole || sees_table || has(head, "fail") || has(tail, "returning") {
        return None;
    }
    Some(MultiRow {
        tuple: tuple.first()?.start..tuple.last()?.end,
        one_change_each: !has(head, "ignore") && !has(tail, "nothing") && !has(tail, "where"),
        expanded: std::array::from_fn(|_| OnceLock::new()),
    })
}

/// Index of the parenthesis that closes the one that `list` starts with.
fn closing(list: &[Token]) -> Option<usize> {
    let mut depth = 0_usize;
    for (place, token) in list.iter().enumerate() {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return (place > 0).then_some(place);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::Plan;

    fn plan(sql: &str) -> Plan {
        Plan::of(&sql.into(), false).unwrap()
    }

    #[test]
    fn repeats_the_tuple_of_an_insert() {
        let check = |sql, expected: &str| {
            let plan = plan(sql);
            assert_eq!(plan.next_rows(3), 2, "{sql}");
            assert_eq!(&*plan.sql_for(2), expected);
            assert_eq!(&*plan.sql_for(1), sql);
        };
        check(
            "INSERT INTO t (a, b) VALUES (?, ?)",
            "INSERT INTO t (a, b) VALUES (?, ?),(?, ?)",
        );
        check(
            "insert into t values (?, (1 + ?)) on conflict (a) do update set b = excluded.b;",
            "insert into t values (?, (1 + ?)),(?, (1 + ?)) on conflict (a) do update set b = excluded.b;",
        );
        check(
            "REPLACE INTO \"values (?)\" VALUES /* ( */ ('?)', ?) -- end",
            "REPLACE INTO \"values (?)\" VALUES /* ( */ ('?)', ?),('?)', ?) -- end",
        );
    }

    #[test]
    fn leaves_other_statements_row_by_row() {
        let check = |sql| assert_eq!(plan(sql).next_rows(100), 1, "{sql}");
        check("UPDATE t SET a = ? WHERE b = ?");
        check("DELETE FROM t WHERE a = ?");
        check("INSERT INTO t SELECT ?");
        check("INSERT INTO t DEFAULT VALUES");
        check("INSERT INTO t VALUES (1)");
        check("INSERT INTO t VALUES (?), (?)");
        check("INSERT INTO t VALUES (?) ON CONFLICT (a) DO UPDATE SET b = ?");
        check("INSERT INTO t VALUES (?) RETURNING a");
        check("INSERT INTO t VALUES (?, (SELECT max(a) FROM t))");
        check("INSERT INTO t VALUES (?, last_insert_rowid())");
        check("INSERT OR FAIL INTO t VALUES (?)");
        check("INSERT INTO t VALUES (?");
        check("WITH x AS (SELECT 1) INSERT INTO t VALUES (?)");
    }

    #[test]
    fn takes_powers_of_two_within_the_variable_limit() {
        let check = |parameters: usize, left, expected| {
            let marks = vec!["?"; parameters].join(",");
            let plan = plan(&format!("INSERT INTO t VALUES ({marks})"));
            assert_eq!(plan.next_rows(left), expected, "{parameters} {left}");
        };
        check(9, 1, 1);
        check(9, 2, 2);
        check(9, 100, 64);
        check(9, 256, 256);
        check(9, 5000, 256);
        check(200, 5000, 128);
        check(20_000, 5000, 1);
    }

    #[test]
    fn rows_of_calls_share_a_statement_where_each_changes_one_row() {
        let check = |sql: &str, expected| {
            let plan = std::sync::Arc::new(plan(sql));
            assert_eq!(plan.merges_with(&plan), expected, "{sql}");
        };
        check("INSERT INTO t VALUES (?)", true);
        check(
            "INSERT INTO t VALUES (?) ON CONFLICT (a) DO UPDATE SET b = 1",
            true,
        );
        check("INSERT OR IGNORE INTO t VALUES (?)", false);
        check("INSERT INTO t VALUES (?) ON CONFLICT DO NOTHING", false);
        check("UPDATE t SET a = ?", false);
    }
}
