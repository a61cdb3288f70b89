//! SQL stores, through the pools that a rule was granted.
//!
//! Statements mark their parameters with `?`; values are bound, never spliced
//! into the text. Text and bytes are borrowed from the event they come from.
//! One call that stores a whole batch costs about what a call that stores one
//! row costs: prefer [`Pool::exec_many`].
//!
//! ```
//! use hookwire_sdk::prelude::*;
//! use hookwire_sdk::testing::{self, Rule, SqlPool};
//!
//! /// Refuses clients that the table of bans names.
//! #[action(hook = "client.connect", pool = "sql")]
//! fn refuse_banned(ctx: &Context, client: &Client) -> Result<Verdict, Fault> {
//!     let rows = ctx.sql()?.query(
//!         "SELECT reason, until_ms FROM ban WHERE clientid = ?",
//!         &[(&client.clientid).into()],
//!         1,
//!     )?;
//!     let Some(ban) = rows.first() else {
//!         return Ok(Verdict::Proceed);
//!     };
//!     if ban.get::<Option<i64>>("until_ms")?.is_some_and(|until| until < 1_000) {
//!         return Ok(Verdict::Proceed);
//!     }
//!     Ok(Verdict::deny(reason_code::BANNED, ban.get::<&str>("reason")?))
//! }
//!
//! let pool = SqlPool::named("main");
//! pool.answer(testing::rows(["reason", "until_ms"], [["too loud".into(), Value::Null]]));
//! let rule = Rule::new(&refuse_banned::ACTION).pool("main");
//! let verdict = rule.run(testing::client("c1"));
//! assert_eq!(verdict, Verdict::deny(0x8A, "too loud"));
//! assert_eq!(pool.queries()[0].parameters[0].as_text(), Some("c1"));
//! ```

mod row;
mod value;

use std::rc::Rc;

use crate::Fault;
/// The answer of [`Pool::exec_many`].
///
/// ```
/// # use hookwire_sdk::prelude::*;
/// # use hookwire_sdk::testing::SqlPool;
/// use hookwire_sdk::sql::BatchResult;
///
/// # let _double = SqlPool::named("main");
/// let rows = [["a".into()], ["b".into()]];
/// let result: BatchResult =
///     Pool::open("main").unwrap().exec_many("INSERT INTO topic VALUES (?)", rows).unwrap();
/// assert!(result.failed.is_empty());
/// assert_eq!(result.rows_affected, 2);
/// ```
pub use crate::bindings::hookwire::sql::sql::BatchResult;
#[cfg(target_arch = "wasm32")]
use crate::bindings::hookwire::sql::sql::Pool as Handle;

/// A row of a batch that the store refused, by its number, and why.
///
/// ```
/// # use hookwire_sdk::prelude::*;
/// use hookwire_sdk::sql::{BatchResult, FailedRow};
///
/// let fault = Fault::new(FaultKind::Refused, "sqlite:18", "too big");
/// let failed = vec![FailedRow { row: 1, fault }];
/// let verdicts: Verdicts = BatchResult { failed, rows_affected: 1 }.into();
/// assert_eq!(verdicts.of(0), &Verdict::Proceed);
/// assert!(matches!(verdicts.of(1), Verdict::Failed(_)));
/// ```
pub use crate::bindings::hookwire::sql::sql::FailedRow;

/// The answer to a query.
///
/// ```
/// # use hookwire_sdk::prelude::*;
/// # use hookwire_sdk::testing;
/// fn names(answer: &RowSet) -> Result<Vec<&str>, Fault> {
///     if answer.truncated {
///         log_warn!("the table is larger than expected");
///     }
///     answer.iter().map(|row| row.get("name")).collect()
/// }
///
/// let answer = testing::rows(["name"], [["a".into()], ["b".into()]]);
/// assert_eq!(names(&answer).unwrap(), ["a", "b"]);
/// ```
pub use crate::bindings::hookwire::sql::sql::RowSet;

/// A parameter of a statement: borrowed, so that a call copies no event.
///
/// ```
/// # use hookwire_sdk::prelude::*;
/// # use hookwire_sdk::testing;
/// let client = testing::client("c1");
/// let row: [Value; 4] = [
///     (&client.clientid).into(),
///     client.username.as_ref().into(),
///     Value::unsigned(client.at_ms),
///     true.into(),
/// ];
/// assert_eq!(row[1], Value::Null);
/// ```
pub use crate::bindings::hookwire::sql::sql::ValueParam as Value;

/// A value of an answer, which [`Row::get`] turns into a type.
///
/// ```
/// # use hookwire_sdk::prelude::*;
/// # use hookwire_sdk::testing;
/// let answer = testing::rows(["last"], [[21.5.into()]]);
/// let last: &OwnedValue = answer.first().unwrap().get("last").unwrap();
/// let celsius = match last {
///     OwnedValue::Float(value) => *value,
///     OwnedValue::Integer(value) => *value as f64,
///     _ => f64::NAN,
/// };
/// assert_eq!(celsius, 21.5);
/// ```
pub use crate::bindings::hookwire::sql::sql::ValueResult as OwnedValue;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::OpenedPool as Handle;
pub use row::{Column, FromValue, Row};

/// A pool of connections to one SQL store. Clones are the same handle.
///
/// ```
/// # use hookwire_sdk::prelude::*;
/// # use hookwire_sdk::testing::SqlPool;
/// fn count(pool: &Pool, clientid: &str) -> Result<u64, Fault> {
///     pool.exec("UPDATE client SET messages = messages + 1 WHERE clientid = ?", &[clientid.into()])
/// }
///
/// # let double = SqlPool::named("main");
/// let pool = Pool::open("main").unwrap();
/// assert_eq!(count(&pool, "c1").unwrap(), 1);
/// # assert_eq!(double.stored().len(), 1);
/// ```
#[derive(Debug, Clone)]
pub struct Pool(Rc<Handle>);

impl Pool {
    /// Opens a granted pool. [`Context::sql`](crate::Context::sql) opens the
    /// rule's own and keeps it open.
    ///
    /// ```
    /// use hookwire_sdk::FaultKind;
    /// use hookwire_sdk::sql::Pool;
    /// use hookwire_sdk::testing::SqlPool;
    ///
    /// let _double = SqlPool::named("main");
    /// assert!(Pool::open("main").is_ok());
    /// assert_eq!(Pool::open("mian").unwrap_err().kind, FaultKind::Denied);
    /// ```
    ///
    /// # Errors
    /// `Denied` alike for a pool that does not exist and one that is not granted.
    pub fn open(name: &str) -> Result<Self, Fault> {
        Ok(Self(Rc::new(Handle::open(name)?)))
    }

    /// Runs `statement` once for each row of `N` parameters, in order, and
    /// commits. Where the store can, the call is one atomic unit.
    ///
    /// Where event N became row N an action may return the result as it is: a
    /// row that the store refused fails its event alone.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// use hookwire_sdk::sql::BatchResult;
    ///
    /// #[action(hook = "message.publish", interest("qos>0"), pool = "sql", stores)]
    /// fn keep(ctx: &Context, messages: &[&Message]) -> Result<BatchResult, Fault> {
    ///     let rows = messages.iter().map(|message| [(&message.id).into(), (&message.topic).into()]);
    ///     ctx.sql()?.exec_many("INSERT INTO kept (msgid, topic) VALUES (?, ?)", rows)
    /// }
    /// # use hookwire_sdk::testing::{self, Rule, SqlPool};
    /// # let pool = SqlPool::named("main");
    /// # let rule = Rule::new(&keep::ACTION).pool("main");
    /// # assert_eq!(rule.run(testing::message("a", "")), Verdict::Proceed);
    /// # assert_eq!(pool.stored()[0].rows[0][1].as_text(), Some("a"));
    /// ```
    ///
    /// # Errors
    /// A fault when nothing is known to be stored; rows that the store refused
    /// one by one are in [`BatchResult::failed`].
    pub fn exec_many<'a, const N: usize>(
        &self,
        statement: &str,
        rows: impl IntoIterator<Item = [Value<'a>; N]>,
    ) -> Result<BatchResult, Fault> {
        let rows: Vec<[Value<'a>; N]> = rows.into_iter().collect();
        let rows: Vec<&[Value<'a>]> = rows.iter().map(<[_; N]>::as_slice).collect();
        self.0.exec_many(statement, &rows)
    }

    /// [`Pool::exec_many`] for rows whose length only the statement knows.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::SqlPool;
    /// fn insert(pool: &Pool, table: &str, row: Vec<Value<'_>>) -> Result<(), Fault> {
    ///     let places = vec!["?"; row.len()].join(", ");
    ///     pool.exec_rows(&format!("INSERT INTO {table} VALUES ({places})"), &[row])?;
    ///     Ok(())
    /// }
    ///
    /// let double = SqlPool::named("main");
    /// insert(&Pool::open("main").unwrap(), "sub", vec!["a".into(), 1.into()]).unwrap();
    /// assert_eq!(double.stored()[0].statement, "INSERT INTO sub VALUES (?, ?)");
    /// ```
    ///
    /// # Errors
    /// As for [`Pool::exec_many`].
    pub fn exec_rows(
        &self,
        statement: &str,
        rows: &[Vec<Value<'_>>],
    ) -> Result<BatchResult, Fault> {
        let rows: Vec<&[Value<'_>]> = rows.iter().map(Vec::as_slice).collect();
        self.0.exec_many(statement, &rows)
    }

    /// Runs `statement` once, and answers how many rows it changed.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Rule, SqlPool};
    /// #[action(hook = "session.terminated", pool = "sql")]
    /// fn forget(ctx: &Context, client: &Client) -> Result<(), Fault> {
    ///     let rows = ctx.sql()?.exec("DELETE FROM sub WHERE clientid = ?", &[(&client.clientid).into()])?;
    ///     log_debug!("{rows} subscriptions are gone");
    ///     Ok(())
    /// }
    ///
    /// let pool = SqlPool::named("main");
    /// Rule::new(&forget::ACTION).pool("main").run(testing::client("c1"));
    /// assert_eq!(pool.stored()[0].rows[0][0].as_text(), Some("c1"));
    /// ```
    ///
    /// # Errors
    /// What the store answers.
    pub fn exec(&self, statement: &str, parameters: &[Value<'_>]) -> Result<u64, Fault> {
        let result = self.0.exec_many(statement, &[parameters])?;
        match result.failed.into_iter().next() {
            Some(failed) => Err(failed.fault),
            None => Ok(result.rows_affected),
        }
    }

    /// Runs one query and answers at most `max_rows` rows; fewer when the
    /// pool's own limit of bytes is reached, which `truncated` says.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Rule, SqlPool};
    /// #[action(hook = "session.created", pool = "sql")]
    /// fn restore(ctx: &Context, client: &Client) -> Result<Restoration, Fault> {
    ///     let sql = "SELECT topic, qos FROM sub WHERE clientid = ?";
    ///     let rows = ctx.sql()?.query(sql, &[(&client.clientid).into()], 1_000)?;
    ///     let mut begin = Restoration::new();
    ///     for row in rows.iter() {
    ///         begin = begin.subscribe(row.get::<&str>("topic")?, row.get::<i64>("qos")? as u8);
    ///     }
    ///     Ok(begin)
    /// }
    ///
    /// let pool = SqlPool::named("main");
    /// pool.answer(testing::rows(["topic", "qos"], [["a/#".into(), 1.into()]]));
    /// let verdict = Rule::new(&restore::ACTION).pool("main").run(testing::client("c1"));
    /// assert_eq!(verdict, Verdict::restore(Restoration::new().subscribe("a/#", 1)));
    /// ```
    ///
    /// # Errors
    /// What the store answers.
    pub fn query(
        &self,
        statement: &str,
        parameters: &[Value<'_>],
        max_rows: u32,
    ) -> Result<RowSet, Fault> {
        self.0.query(statement, parameters, max_rows)
    }
}
