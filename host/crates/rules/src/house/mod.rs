//! What is written down because a rule could not do its work: the spool, to be
//! run later, and dead letters, for a person to look at.
//!
//! Both are tables of one SQLite file of the broker's own, which is synced
//! before anybody relies on it. While events of a client wait in the spool for
//! a rule, later ones of that client come behind them.

pub(crate) mod letters;
pub(crate) mod record;
pub(crate) mod spool;
mod write;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookwire_driver::{BatchResult, Fault, FaultKind, Row, SqlPool, Value};

use crate::host::fault;

/// How long a write or a read may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Bounds of what is written down.
#[derive(Debug, Clone, Copy)]
pub struct HouseBounds {
    /// Bytes of spooled events; beyond it a rule fails as if it did not spool.
    pub max_spool_bytes: u64,
    /// Dead letters; beyond it the oldest go.
    pub max_dead_letters: u64,
}

impl Default for HouseBounds {
    fn default() -> Self {
        Self {
            max_spool_bytes: 256 * 1024 * 1024,
            max_dead_letters: 10_000,
        }
    }
}

/// The spool and the dead letters of one broker.
pub struct House {
    pool: Option<Arc<dyn SqlPool>>,
    pub(super) bounds: HouseBounds,
    state: Mutex<State>,
    /// Whether anything is spooled: asked for each event of a rule that spools.
    pub(super) has_spooled: AtomicBool,
}

#[derive(Default)]
pub(super) struct State {
    /// By rule, then by client: spooled events.
    pub(super) spooled: HashMap<Arc<str>, HashMap<String, u64>>,
    pub(super) spool_bytes: u64,
    pub(super) letters: u64,
    last_letter: i64,
}

/// How much is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HouseStats {
    /// Events in the spool.
    pub spooled: u64,
    /// Bytes of them.
    pub spool_bytes: u64,
    /// Dead letters.
    pub dead_letters: u64,
}

impl House {
    /// The tables, to be made where they are missing.
    pub const SCHEMA: &'static str = include_str!("house.sql");

    /// A house without a file: nothing can be written down.
    #[must_use]
    pub fn without_store() -> Arc<Self> {
        Arc::new(Self::of(None, HouseBounds::default(), State::default()))
    }

    /// Opens what earlier runs left in `pool`, which has [`House::SCHEMA`].
    ///
    /// # Errors
    /// What the pool answers.
    pub async fn open(pool: Arc<dyn SqlPool>, bounds: HouseBounds) -> Result<Arc<Self>, Fault> {
        const WAITING: &str = "SELECT rule, clientid, count(*), sum(length(event)) FROM spool \
             GROUP BY rule, clientid";
        const LETTERS: &str = "SELECT count(*), coalesce(max(id), 0) FROM dead_letters";
        let mut state = State::default();
        for row in query(&pool, WAITING, Vec::new(), usize::MAX).await? {
            let [
                Value::Text(rule),
                Value::Text(clientid),
                Value::Integer(count),
                bytes,
            ] = &row[..]
            else {
                continue;
            };
            let of_rule = state.spooled.entry(rule.as_str().into()).or_default();
            of_rule.insert(clientid.clone(), u64::try_from(*count).unwrap_or(0));
            state.spool_bytes += number(bytes);
        }
        if let Some(row) = query(&pool, LETTERS, Vec::new(), 1).await?.first() {
            state.letters = row.first().map_or(0, number);
            state.last_letter = i64::try_from(row.get(1).map_or(0, number)).unwrap_or(0);
        }
        Ok(Arc::new(Self::of(Some(pool), bounds, state)))
    }

    fn of(pool: Option<Arc<dyn SqlPool>>, bounds: HouseBounds, state: State) -> Self {
        Self {
            pool,
            bounds,
            has_spooled: AtomicBool::new(!state.spooled.is_empty()),
            state: Mutex::new(state),
        }
    }

    /// How much is written down.
    #[must_use]
    pub fn stats(&self) -> HouseStats {
        let state = self.state();
        HouseStats {
            spooled: state.spooled.values().flat_map(HashMap::values).sum(),
            spool_bytes: state.spool_bytes,
            dead_letters: state.letters,
        }
    }

    /// Whether events of a client wait in the spool for a rule.
    pub(crate) fn is_behind(&self, rule: &str, clientid: &str) -> bool {
        self.has_spooled.load(Ordering::Acquire)
            && self
                .state()
                .spooled
                .get(rule)
                .is_some_and(|clients| clients.contains_key(clientid))
    }

    /// One spooled event less.
    pub(crate) fn unmark(&self, rule: &str, clientid: &str, bytes: u64) {
        let mut state = self.state();
        state.spool_bytes = state.spool_bytes.saturating_sub(bytes);
        if let Some(of_rule) = state.spooled.get_mut(rule) {
            if let Some(count) = of_rule.get_mut(clientid) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    of_rule.remove(clientid);
                }
            }
            if of_rule.is_empty() {
                state.spooled.remove(rule);
            }
        }
        if state.spooled.is_empty() {
            self.has_spooled.store(false, Ordering::Release);
        }
    }

    /// Rules and clients with spooled events.
    pub(crate) fn waiting(&self) -> Vec<(Arc<str>, String)> {
        let state = self.state();
        let mut waiting = Vec::new();
        for (rule, clients) in &state.spooled {
            waiting.extend(
                clients
                    .keys()
                    .map(|client| (Arc::clone(rule), client.clone())),
            );
        }
        waiting
    }

    pub(crate) fn forgot_letters(&self, count: u64) {
        let mut state = self.state();
        state.letters = state.letters.saturating_sub(count);
    }

    /// Runs a statement over rows, all or nothing as far as the caller knows.
    pub(crate) async fn exec(&self, statement: &str, rows: Vec<Row>) -> Result<(), Fault> {
        self.exec_counted(statement, rows).await.map(drop)
    }

    /// Runs a statement over rows, and answers those that are not stored.
    pub(super) async fn exec_each(&self, statement: &str, rows: Vec<Row>) -> Vec<(usize, Fault)> {
        let count = rows.len();
        let deadline = Instant::now() + DEADLINE;
        let stored = match self.pool() {
            Ok(pool) => pool.exec_many(statement.into(), rows, deadline).await,
            Err(fault) => Err(fault),
        };
        match stored {
            Ok(result) => {
                let failed = result.failed.into_iter();
                failed.map(|failed| (failed.row, failed.fault)).collect()
            }
            Err(fault) => (0..count).map(|row| (row, fault.clone())).collect(),
        }
    }

    pub(crate) async fn exec_counted(&self, statement: &str, rows: Vec<Row>) -> Result<u64, Fault> {
        let pool = self.pool()?;
        let deadline = Instant::now() + DEADLINE;
        let BatchResult {
            failed,
            rows_affected,
        } = pool.exec_many(statement.into(), rows, deadline).await?;
        match failed.into_iter().next() {
            Some(failed) => Err(failed.fault),
            None => Ok(rows_affected),
        }
    }

    pub(crate) async fn query(
        &self,
        statement: &str,
        parameters: Row,
        max_rows: usize,
    ) -> Result<Vec<Row>, Fault> {
        query(self.pool()?, statement, parameters, max_rows).await
    }

    fn pool(&self) -> Result<&Arc<dyn SqlPool>, Fault> {
        // It does not come back: there is none.
        let missing = || fault(FaultKind::Denied, "house", "nothing is written down here");
        self.pool.as_ref().ok_or_else(missing)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn number(value: &Value) -> u64 {
    match value {
        Value::Integer(number) => u64::try_from(*number).unwrap_or(0),
        _ => 0,
    }
}

async fn query(
    pool: &Arc<dyn SqlPool>,
    statement: &str,
    parameters: Row,
    max_rows: usize,
) -> Result<Vec<Row>, Fault> {
    let deadline = Instant::now() + DEADLINE;
    let set = pool
        .query(statement.into(), parameters, max_rows, deadline)
        .await?;
    Ok(set.rows)
}
