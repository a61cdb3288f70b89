//! An in-memory SQL pool: it records calls, and fails or answers as told.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::rc::Rc;

use crate::sql::{BatchResult, FailedRow, OwnedValue, RowSet, Value};
use crate::{Fault, FaultKind};

/// One call that stored.
///
/// ```
/// use hookwire_sdk::sql::Pool;
/// use hookwire_sdk::testing::SqlPool;
///
/// let double = SqlPool::named("main");
/// let rows = [["a".into(), 1.into()], ["b".into(), 2.into()]];
/// Pool::open("main").unwrap().exec_many("INSERT INTO sub VALUES (?, ?)", rows).unwrap();
///
/// let stored = double.stored().remove(0);
/// assert_eq!(stored.statement, "INSERT INTO sub VALUES (?, ?)");
/// assert_eq!(stored.rows[1][1].as_integer(), Some(2));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The statement.
    pub statement: String,
    /// One list of parameters for each row.
    pub rows: Vec<Vec<OwnedValue>>,
}

/// One call that asked.
///
/// ```
/// use hookwire_sdk::sql::Pool;
/// use hookwire_sdk::testing::{self, SqlPool};
///
/// let double = SqlPool::named("main");
/// double.answer(testing::rows(["qos"], [[1.into()]]));
/// let pool = Pool::open("main").unwrap();
/// pool.query("SELECT qos FROM sub WHERE topic = ?", &["a".into()], 10).unwrap();
///
/// let query = double.queries().remove(0);
/// assert_eq!(query.parameters[0].as_text(), Some("a"));
/// assert_eq!(query.max_rows, 10);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The statement.
    pub statement: String,
    /// Its parameters.
    pub parameters: Vec<OwnedValue>,
    /// How many rows the action wanted at most.
    pub max_rows: u32,
}

/// A pool that the actions of this thread can open by its name.
///
/// ```
/// use hookwire_sdk::sql::Pool;
/// use hookwire_sdk::testing::SqlPool;
/// use hookwire_sdk::{Fault, FaultKind};
///
/// let double = SqlPool::named("main");
/// let pool = Pool::open("main").unwrap();
/// double.fail_next(Fault::new(FaultKind::Unavailable, "sqlite:5", "locked").retryable());
/// assert!(pool.exec("DELETE FROM kept", &[]).is_err());
/// assert!(pool.exec("DELETE FROM kept", &[]).is_ok());
/// assert_eq!(double.stored().len(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct SqlPool(Rc<RefCell<State>>);

/// Decides for each row whether the store refuses it.
type Refusal = Box<dyn Fn(&[OwnedValue]) -> Option<Fault>>;

#[derive(Default)]
struct State {
    stored: Vec<Stored>,
    queries: Vec<Query>,
    faults: VecDeque<Fault>,
    answers: VecDeque<RowSet>,
    refuse: Option<Refusal>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("stored", &self.stored)
            .field("queries", &self.queries)
            .field("faults", &self.faults)
            .field("answers", &self.answers)
            .finish_non_exhaustive()
    }
}

thread_local! {
    static POOLS: RefCell<HashMap<String, SqlPool>> = RefCell::default();
}

impl SqlPool {
    /// A fresh pool under `name`; it takes the place of an earlier one.
    ///
    /// ```
    /// use hookwire_sdk::sql::Pool;
    /// use hookwire_sdk::testing::SqlPool;
    ///
    /// let audit = SqlPool::named("audit");
    /// Pool::open("audit").unwrap().exec("DELETE FROM audit", &[]).unwrap();
    /// assert_eq!(audit.stored().len(), 1);
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Self {
        let pool = Self(Rc::default());
        POOLS.with_borrow_mut(|pools| pools.insert(name.to_owned(), pool.clone()));
        pool
    }

    /// Calls that stored, in order, those that failed included.
    ///
    /// ```
    /// # use hookwire_sdk::sql::Pool;
    /// # use hookwire_sdk::testing::SqlPool;
    /// let double = SqlPool::named("main");
    /// assert!(double.stored().is_empty());
    /// Pool::open("main").unwrap().exec("DELETE FROM sub WHERE topic = ?", &["a".into()]).unwrap();
    /// assert_eq!(double.stored()[0].rows[0][0].as_text(), Some("a"));
    /// ```
    #[must_use]
    pub fn stored(&self) -> Vec<Stored> {
        self.0.borrow().stored.clone()
    }

    /// Calls that asked, in order.
    ///
    /// ```
    /// # use hookwire_sdk::sql::Pool;
    /// # use hookwire_sdk::testing::{self, SqlPool};
    /// let double = SqlPool::named("main");
    /// double.answer(testing::rows(["n"], [[0.into()]]));
    /// Pool::open("main").unwrap().query("SELECT count(*) AS n FROM sub", &[], 1).unwrap();
    /// assert_eq!(double.queries()[0].statement, "SELECT count(*) AS n FROM sub");
    /// ```
    #[must_use]
    pub fn queries(&self) -> Vec<Query> {
        self.0.borrow().queries.clone()
    }

    /// The next call, of either kind, fails as a whole. Several wait in line.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::SqlPool;
    /// let double = SqlPool::named("main");
    /// double.fail_next(Fault::new(FaultKind::Unavailable, "sqlite:5", "locked"));
    /// let pool = Pool::open("main").unwrap();
    /// assert_eq!(pool.exec("DELETE FROM sub", &[]).unwrap_err().code, "sqlite:5");
    /// assert!(pool.exec("DELETE FROM sub", &[]).is_ok());
    /// ```
    pub fn fail_next(&self, fault: Fault) {
        self.0.borrow_mut().faults.push_back(fault);
    }

    /// Rows for which `refuse` answers a fault are not stored, from now on.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::SqlPool;
    /// let double = SqlPool::named("main");
    /// double.refuse_rows(|row| {
    ///     let twice = row[0].as_text() == Some("a");
    ///     twice.then(|| Fault::new(FaultKind::Refused, "sqlite:2067", "the topic is there already"))
    /// });
    /// let pool = Pool::open("main").unwrap();
    /// let rows = [["a".into()], ["b".into()]];
    /// let result = pool.exec_many("INSERT INTO sub (topic) VALUES (?)", rows).unwrap();
    /// assert_eq!((result.failed[0].row, result.rows_affected), (0, 1));
    /// ```
    pub fn refuse_rows(&self, refuse: impl Fn(&[OwnedValue]) -> Option<Fault> + 'static) {
        self.0.borrow_mut().refuse = Some(Box::new(refuse));
    }

    /// The next query answers this. Several wait in line.
    ///
    /// ```
    /// # use hookwire_sdk::sql::Pool;
    /// # use hookwire_sdk::testing::{self, SqlPool};
    /// let double = SqlPool::named("main");
    /// double.answer(testing::rows(["topic"], [["a".into()], ["b".into()]]));
    /// let pool = Pool::open("main").unwrap();
    /// let rows = pool.query("SELECT topic FROM sub", &[], 1).unwrap();
    /// assert_eq!(rows.rows.len(), 1);
    /// assert!(rows.truncated, "the query wanted one row at most");
    /// ```
    pub fn answer(&self, rows: RowSet) {
        self.0.borrow_mut().answers.push_back(rows);
    }
}

/// An answer to a query, for [`SqlPool::answer`]: its columns, and a value of
/// each for every row.
///
/// ```
/// # use hookwire_sdk::testing;
/// let answer = testing::rows(["topic", "qos"], [["a/b".into(), 1.into()]]);
/// assert_eq!(answer.first().unwrap().get::<i64>("qos").unwrap(), 1);
/// ```
pub fn rows<'v, const N: usize>(
    columns: [&str; N],
    rows: impl IntoIterator<Item = [Value<'v>; N]>,
) -> RowSet {
    RowSet {
        columns: columns.map(str::to_owned).to_vec(),
        rows: rows.into_iter().map(|row| owned(&row)).collect(),
        truncated: false,
    }
}

/// What `Pool` holds on a native target.
#[derive(Debug)]
pub(crate) struct OpenedPool(SqlPool);

impl OpenedPool {
    pub(crate) fn open(name: &str) -> Result<Self, Fault> {
        POOLS.with_borrow(|pools| match pools.get(name) {
            Some(pool) => Ok(Self(pool.clone())),
            None => Err(Fault::new(
                FaultKind::Denied,
                "hookwire:pool",
                format!("no pool `{name}` is granted"),
            )),
        })
    }

    pub(crate) fn exec_many(
        &self,
        statement: &str,
        rows: &[&[Value<'_>]],
    ) -> Result<BatchResult, Fault> {
        let mut state = self.0.0.borrow_mut();
        let rows: Vec<Vec<OwnedValue>> = rows.iter().map(|row| owned(row)).collect();
        state.stored.push(Stored {
            statement: statement.to_owned(),
            rows: rows.clone(),
        });
        if let Some(fault) = state.faults.pop_front() {
            return Err(fault);
        }
        let refused = |row: &[OwnedValue]| state.refuse.as_ref().and_then(|refuse| refuse(row));
        let failed: Vec<FailedRow> = (0..)
            .zip(&rows)
            .filter_map(|(number, row)| refused(row).map(|fault| FailedRow { row: number, fault }))
            .collect();
        let rows_affected = (rows.len() - failed.len()) as u64;
        Ok(BatchResult {
            failed,
            rows_affected,
        })
    }

    pub(crate) fn query(
        &self,
        statement: &str,
        parameters: &[Value<'_>],
        max_rows: u32,
    ) -> Result<RowSet, Fault> {
        let mut state = self.0.0.borrow_mut();
        state.queries.push(Query {
            statement: statement.to_owned(),
            parameters: owned(parameters),
            max_rows,
        });
        if let Some(fault) = state.faults.pop_front() {
            return Err(fault);
        }
        let Some(mut rows) = state.answers.pop_front() else {
            panic!("the test gave no answer to the query: {statement}");
        };
        if rows.rows.len() > max_rows as usize {
            rows.rows.truncate(max_rows as usize);
            rows.truncated = true;
        }
        Ok(rows)
    }
}

fn owned(values: &[Value<'_>]) -> Vec<OwnedValue> {
    values.iter().map(Value::to_owned_value).collect()
}
