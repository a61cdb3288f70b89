//! One transaction: the calls that waited, their rows merged.
//!
//! First everything runs as few large statements. If a row is refused, all of
//! it is rolled back and run again with a savepoint before each statement,
//! halving what fails until the refused rows stand alone. If even that loses
//! the transaction (a trigger may roll it back), rows are stored one by one.
//! A statement that takes too long is stopped, and all others begin anew, see
//! [`crate::attempt`].

use std::time::Duration;

use hookwire_driver::{BatchResult, FailedRow, Fault, Row};
use sqlx::AssertSqlSafe;

use crate::attempt::{Attempt, Work};
use crate::connection::Watched;
use crate::fault::{Failure, Scope, behind_slow, slow};
use crate::statement::Plan;
use crate::values::arguments;

/// Starts a transaction that may write.
///
/// # Errors
/// The lock of another process, or a failure of the store: no row is in it yet.
pub(crate) async fn begin(watched: &mut Watched) -> Result<(), Failure> {
    match control(watched, "BEGIN IMMEDIATE").await {
        Err(failure) if failure.scope != Scope::Busy => Err(failure.of_store()),
        begun => begun,
    }
}

/// Gives a transaction up. There may be none any more.
///
/// # Errors
/// A failure of the store: the transaction may go on, and only a new
/// connection is sure to be without it.
pub(crate) async fn roll_back(watched: &mut Watched) -> Result<(), Failure> {
    match control(watched, "ROLLBACK").await {
        // No such transaction: SQLite has given it up by itself.
        Err(failure) if failure.scope == Scope::Row => Ok(()),
        Err(failure) => {
            tracing::warn!(error = %failure.fault, "a SQLite transaction does not roll back");
            Err(failure.of_store())
        }
        Ok(()) => Ok(()),
    }
}

/// Commits what was done in a transaction that was begun.
///
/// # Errors
/// Nothing is stored, and the transaction may still be open.
pub(crate) async fn commit(watched: &mut Watched) -> Result<(), Failure> {
    control(watched, "COMMIT").await
}

/// Stores all works in the transaction that was begun, and commits.
///
/// # Errors
/// Nothing is stored, and the transaction may still be open. With the scope
/// busy, the same works can be stored in another transaction.
pub(crate) async fn store(
    watched: &mut Watched,
    works: &[Work],
    max_statement: Option<Duration>,
) -> Result<Vec<BatchResult>, Failure> {
    let mut attempt = Attempt::of(works, max_statement);
    loop {
        match store_once(watched, &mut attempt).await {
            // Each time fewer rows are run, or fewer in one statement.
            Err(failure) if failure.scope == Scope::Slow => {
                roll_back(watched).await?;
                begin(watched).await?;
            }
            Err(failure) => return Err(failure),
            Ok(mut results) => {
                attempt.finish(&mut results);
                return Ok(results);
            }
        }
    }
}

async fn store_once(
    watched: &mut Watched,
    attempt: &mut Attempt<'_>,
) -> Result<Vec<BatchResult>, Failure> {
    match merged(watched, attempt).await {
        Ok(results) => {
            control(watched, "COMMIT").await?;
            return Ok(results);
        }
        Err(failure) if failure.scope == Scope::Row => {}
        Err(failure) => return Err(failure),
    }
    roll_back(watched).await?;
    begin(watched).await?;
    match halving(watched, attempt).await {
        Ok(results) => {
            control(watched, "COMMIT").await?;
            Ok(results)
        }
        Err(Halving::Failed(failure)) => Err(failure),
        Err(Halving::TransactionLost) => {
            roll_back(watched).await?;
            Ok(one_by_one(watched, attempt).await)
        }
    }
}

/// Rows of neighbours with one statement share statements.
async fn merged(
    watched: &mut Watched,
    attempt: &mut Attempt<'_>,
) -> Result<Vec<BatchResult>, Failure> {
    let works = attempt.works;
    let mut results = Vec::with_capacity(works.len());
    let mut first = 0;
    for group in works.chunk_by(|a, b| a.plan.merges_with(&b.plan)) {
        let Some(plan) = group.first().map(|work| &work.plan) else {
            continue;
        };
        let numbers = first..first + group.len();
        let rows: Vec<&Row> = numbers.clone().flat_map(|n| attempt.rows(n)).collect();
        let mut rows_affected = 0;
        let mut left = rows.as_slice();
        while let Some((now, later)) = left.split_at_checked(attempt.next_rows(plan, left.len()))
            && !now.is_empty()
        {
            let ran = run(watched, plan, now, attempt.max_statement).await;
            if is_slow(&ran) {
                attempt.was_slow(first, rows.len() - left.len(), now.len());
            }
            rows_affected += ran?;
            left = later;
        }
        if let [_] = group {
            results.push(succeeded(rows_affected));
        } else {
            // Statements are shared only where each row changes one row.
            results.extend(numbers.map(|n| succeeded(attempt.rows(n).len() as u64)));
        }
        first += group.len();
    }
    Ok(results)
}

fn is_slow(ran: &Result<u64, Failure>) -> bool {
    matches!(ran, Err(failure) if failure.scope == Scope::Slow)
}

fn succeeded(rows_affected: u64) -> BatchResult {
    BatchResult {
        failed: Vec::new(),
        rows_affected,
    }
}

/// Why halving ended early.
enum Halving {
    Failed(Failure),
    TransactionLost,
}

impl From<Failure> for Halving {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

async fn halving(
    watched: &mut Watched,
    attempt: &mut Attempt<'_>,
) -> Result<Vec<BatchResult>, Halving> {
    let works = attempt.works;
    let mut results = Vec::with_capacity(works.len());
    for (number, Work { plan, .. }) in works.iter().enumerate() {
        let mut result = BatchResult::default();
        // Parts still to store: the number of their first row, and how many.
        let mut parts = vec![(0, attempt.rows(number))];
        while let Some((first, part)) = parts.pop() {
            let count = attempt.next_rows(plan, part.len());
            let (now, later) = part.split_at(count.min(part.len()));
            if now.is_empty() {
                continue;
            }
            parts.push((first + now.len(), later));
            let ran = with_savepoint(watched, plan, now, attempt.max_statement).await;
            if matches!(&ran, Err(Halving::Failed(failure)) if failure.scope == Scope::Slow) {
                attempt.was_slow(number, first, now.len());
            }
            match ran? {
                Ok(rows_affected) => result.rows_affected += rows_affected,
                Err(fault) if now.len() == 1 => {
                    result.failed.push(FailedRow { row: first, fault });
                }
                Err(_) => {
                    let (left, right) = now.split_at(now.len() / 2);
                    parts.push((first + left.len(), right));
                    parts.push((first, left));
                }
            }
        }
        results.push(result);
    }
    Ok(results)
}

/// Runs one statement and undoes it alone when it is refused.
async fn with_savepoint(
    watched: &mut Watched,
    plan: &Plan,
    rows: &[Row],
    max_statement: Option<Duration>,
) -> Result<Result<u64, Fault>, Halving> {
    control(watched, "SAVEPOINT part").await?;
    let rows: Vec<&Row> = rows.iter().collect();
    match run(watched, plan, &rows, max_statement).await {
        Ok(rows_affected) => {
            control(watched, "RELEASE part").await?;
            Ok(Ok(rows_affected))
        }
        Err(refused) if refused.scope == Scope::Row => {
            match control(watched, "ROLLBACK TO part").await {
                Ok(()) => {}
                // No such savepoint: the statement took the transaction along.
                Err(failure) if failure.scope == Scope::Row => {
                    return Err(Halving::TransactionLost);
                }
                Err(failure) => return Err(failure.into()),
            }
            control(watched, "RELEASE part").await?;
            Ok(Err(refused.fault))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Each row in a transaction of its own. Never fails as a whole: what was
/// stored before a failure stays stored. What the store cannot take now ends
/// it: nothing behind that row is tried, and all of it fails alike, so that no
/// row is stored before one that came before it.
async fn one_by_one(watched: &mut Watched, attempt: &Attempt<'_>) -> Vec<BatchResult> {
    let mut results = Vec::with_capacity(attempt.works.len());
    let mut stopped: Option<Fault> = None;
    for (number, Work { plan, .. }) in attempt.works.iter().enumerate() {
        let mut result = BatchResult::default();
        for (row, values) in attempt.rows(number).iter().enumerate() {
            let fault = match &stopped {
                Some(fault) => fault.clone(),
                None => match run(watched, plan, &[values], attempt.max_statement).await {
                    Ok(rows_affected) => {
                        result.rows_affected += rows_affected;
                        continue;
                    }
                    Err(failure) => {
                        stopped = match failure.scope {
                            Scope::Row => None,
                            Scope::Slow => Some(behind_slow()),
                            _ => Some(failure.fault.clone()),
                        };
                        failure.fault
                    }
                },
            };
            result.failed.push(FailedRow { row, fault });
        }
        results.push(result);
    }
    results
}

async fn run(
    watched: &mut Watched,
    plan: &Plan,
    rows: &[&Row],
    max_statement: Option<Duration>,
) -> Result<u64, Failure> {
    let arguments =
        arguments(rows.iter().copied(), plan.parameters).map_err(|error| Failure::of(&error))?;
    // The text is a rule's own, checked by its plan; values are bound.
    let statement = sqlx::query_with(AssertSqlSafe(plan.sql_for(rows.len())), arguments);
    if let Some(most) = max_statement {
        watched.deadline.begin_statement(most);
    }
    let done = statement.execute(&mut watched.connection).await;
    watched.deadline.end_statement();
    match (done.map_err(|error| Failure::of(&error)), max_statement) {
        (Ok(done), _) => Ok(done.rows_affected()),
        (Err(stopped), Some(most))
            if stopped.scope == Scope::Late && !watched.deadline.has_passed() =>
        {
            Err(Failure {
                fault: slow(most),
                scope: Scope::Slow,
            })
        }
        (Err(failure), _) => Err(failure),
    }
}

async fn control(watched: &mut Watched, sql: &'static str) -> Result<(), Failure> {
    match sqlx::query(sql).execute(&mut watched.connection).await {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::of(&error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hookwire_driver::Value;
    use sqlx::ConnectOptions as _;
    use sqlx::sqlite::SqliteConnectOptions;

    use super::*;
    use crate::deadline::Deadline;
    use crate::statement::Plans;

    fn work(plan: &Arc<Plan>, texts: &[&str]) -> Work {
        let row = |text: &&str| vec![Value::Text((*text).to_owned())];
        Work {
            plan: Arc::clone(plan),
            rows: texts.iter().map(row).collect(),
        }
    }

    #[tokio::test]
    async fn nothing_behind_a_row_that_may_be_stored_later_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = SqliteConnectOptions::new()
            .filename(folder.path().join("t.db"))
            .create_if_missing(true)
            .connect()
            .await
            .unwrap();
        let schema = "CREATE TABLE t (a TEXT); CREATE TRIGGER unlucky BEFORE INSERT ON t \
            WHEN NEW.a = 'unlucky' BEGIN SELECT RAISE(ROLLBACK, 'unlucky'); END; \
            PRAGMA max_page_count = 8";
        sqlx::raw_sql(schema)
            .execute(&mut connection)
            .await
            .unwrap();
        let insert = "INSERT INTO t VALUES (?)".into();
        let plan = Plans::default().get(&insert).unwrap();
        let large = "x".repeat(100_000);
        let works = [
            work(&plan, &["a", "unlucky", "b", &large, "c"]),
            work(&plan, &["d", "e"]),
        ];
        let deadline = Deadline::watch(&mut connection).await.unwrap();
        let mut watched = Watched {
            connection,
            deadline,
        };
        begin(&mut watched).await.unwrap();
        let results = store(&mut watched, &works, None).await.unwrap();
        let failed: Vec<Vec<(usize, &str, bool)>> = results
            .iter()
            .map(|result| {
                let failed = result.failed.iter();
                let failed = failed.map(|row| (row.row, &*row.fault.code, row.fault.retryable));
                failed.collect()
            })
            .collect();
        let full = |row| (row, "sqlite:13", true);
        assert_eq!(
            failed,
            [
                vec![(1, "sqlite:19", false), full(3), full(4)],
                vec![full(0), full(1)]
            ]
        );
        let stored: Vec<(String,)> = sqlx::query_as("SELECT a FROM t ORDER BY rowid")
            .fetch_all(&mut watched.connection)
            .await
            .unwrap();
        assert_eq!(stored, [("a".to_owned(),), ("b".to_owned(),)]);
    }
}
