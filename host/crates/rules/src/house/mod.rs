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

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookwire_driver::{BatchResult, Fault, FaultKind, Row, SqlPool, Value};
use hookwire_settings::Settings;
use tokio::sync::RwLock;

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

impl HouseBounds {
    /// As the settings have them.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self::new(settings.max_spool_bytes, settings.max_dead_letters)
    }

    fn new(max_spool_bytes: usize, max_dead_letters: usize) -> Self {
        let number = |bound| u64::try_from(bound).unwrap_or(u64::MAX);
        Self {
            max_spool_bytes: number(max_spool_bytes),
            max_dead_letters: number(max_dead_letters),
        }
    }
}

impl Default for HouseBounds {
    fn default() -> Self {
        Self::new(
            Settings::DEFAULT_SPOOL_BYTES,
            Settings::DEFAULT_DEAD_LETTERS,
        )
    }
}

/// The spool and the dead letters of one broker.
pub struct House {
    pool: Option<Arc<dyn SqlPool>>,
    pub(super) bounds: HouseBounds,
    state: Mutex<State>,
    /// Whether anything is spooled: asked for each event of a rule that spools.
    pub(super) has_spooled: AtomicBool,
    /// Held for reading by those who take single events out of the spool.
    pub(super) purging: RwLock<()>,
}

#[derive(Default)]
pub(super) struct State {
    /// By rule, then by client: spooled events.
    pub(super) spooled: HashMap<Arc<str>, BTreeMap<String, u64>>,
    /// Rules of those that are not there.
    gone: HashSet<Arc<str>>,
    pub(super) spool_bytes: u64,
    pub(super) letters: u64,
    last_letter: i64,
    /// Dead letters that are being run again.
    pub(super) replaying: HashSet<i64>,
}

/// How much is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HouseStats {
    /// Events in the spool.
    pub spooled: u64,
    /// Bytes of them.
    pub spool_bytes: u64,
    /// Those of rules that are not there.
    pub spooled_without_rule: u64,
    /// Dead letters.
    pub dead_letters: u64,
}

impl State {
    fn events(&self, rule: &str) -> u64 {
        let clients = self.spooled.get(rule);
        clients.map_or(0, |clients| clients.values().sum())
    }
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
        const WAITING: &str = "SELECT rule, clientid, count(*), sum(length(CAST(event AS BLOB))) \
             FROM spool GROUP BY rule, clientid";
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
            purging: RwLock::default(),
        }
    }

    /// How much is written down.
    #[must_use]
    pub fn stats(&self) -> HouseStats {
        let state = self.state();
        HouseStats {
            spooled: state.spooled.values().flat_map(BTreeMap::values).sum(),
            spooled_without_rule: state.gone.iter().map(|rule| state.events(rule)).sum(),
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

    /// So many spooled events less.
    pub(crate) fn unmark(&self, rule: &str, clientid: &str, events: u64, bytes: u64) {
        let mut state = self.state();
        state.spool_bytes = state.spool_bytes.saturating_sub(bytes);
        if let Some(of_rule) = state.spooled.get_mut(rule) {
            if let Some(count) = of_rule.get_mut(clientid) {
                *count = count.saturating_sub(events);
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

    /// Rules with spooled events.
    fn spooled_rules(&self) -> HashSet<Arc<str>> {
        self.state().spooled.keys().map(Arc::clone).collect()
    }

    /// How many events are spooled for a rule.
    fn spooled_of(&self, rule: &str) -> u64 {
        self.state().events(rule)
    }

    /// Clients with events that are spooled for a rule: those behind one, then
    /// the others.
    fn spooled_clients(&self, rule: &str, behind: Option<&str>) -> Vec<String> {
        let state = self.state();
        let Some(clients) = state.spooled.get(rule) else {
            return Vec::new();
        };
        let is_first = |client: &&String| behind.is_none_or(|behind| client.as_str() > behind);
        let first = clients.keys().filter(is_first);
        let then = clients.keys().filter(|client| !is_first(client));
        first.chain(then).cloned().collect()
    }

    /// Notes whether a rule with spooled events is not there.
    fn note_gone(&self, rule: &Arc<str>, is_gone: bool) {
        let mut state = self.state();
        if is_gone {
            state.gone.insert(Arc::clone(rule));
        } else {
            state.gone.remove(rule);
        }
    }

    /// Only rules with spooled events are missed.
    fn forget_gone(&self, spooled: &HashSet<Arc<str>>) {
        self.state().gone.retain(|rule| spooled.contains(rule));
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
