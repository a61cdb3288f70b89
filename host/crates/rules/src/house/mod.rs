//! What is written down because a rule could not do its work: the spool, to be
//! run later, and dead letters, for a person to look at.
//!
//! Both are tables of one SQLite file of the broker's own, which is synced
//! before anybody relies on it. While events of a client wait in the spool for
//! a rule, later ones of that client come behind them.

pub(crate) mod letters;
pub(crate) mod record;
pub(crate) mod spool;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookwire_driver::{BatchResult, Fault, FaultKind, Row, SqlPool, Value};
use hookwire_settings::Settings;

use crate::host::clock::wall_ms;
use crate::host::fault;
use crate::house::record::EventRecord;
use crate::lane::batch::Batch;
use crate::lane::settle::{Written, WrittenKind};

/// How long a write or a read may take.
const DEADLINE: Duration = Duration::from_secs(10);
const SPOOL: &str = "INSERT INTO spool (rule, clientid, event, written_ms) VALUES (?, ?, ?, ?)";
const BURY: &str = "INSERT INTO dead_letters \
    (rule, module, generation, clientid, event, code, message, written_ms) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

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
    bounds: HouseBounds,
    state: Mutex<State>,
    /// Whether anything is spooled: asked for each event of a rule that spools.
    has_spooled: AtomicBool,
}

#[derive(Default)]
struct State {
    /// By rule, then by client: spooled events.
    spooled: HashMap<Arc<str>, HashMap<String, u64>>,
    spool_bytes: u64,
    letters: u64,
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

    /// Writes down events of a batch; on disk when it returns.
    ///
    /// # Errors
    /// Nothing of it can be relied on.
    pub(crate) async fn write(&self, batch: &Batch, written: &[Written]) -> Result<(), Fault> {
        let (mut spool, mut letters) = (Vec::new(), Vec::new());
        let mut marks = Vec::new();
        for entry in written {
            let item = batch
                .items
                .get(usize::try_from(entry.event).unwrap_or(usize::MAX));
            let Some(item) = item else { continue };
            let Some(rule) = item.set.plan.rules.get(entry.rule) else {
                continue;
            };
            let clientid = item.subject.clientid().to_owned();
            let event = serde_json::to_string(&EventRecord::of(&item.subject))
                .map_err(|error| fault(FaultKind::Other, "record", error.to_string()))?;
            match entry.kind {
                WrittenKind::Spooled => {
                    marks.push(Mark {
                        rule: Arc::clone(&rule.name),
                        clientid: clientid.clone(),
                        bytes: event.len() as u64,
                    });
                    spool.push(vec![
                        Value::Text(rule.name.to_string()),
                        Value::Text(clientid),
                        Value::Text(event),
                        now(),
                    ]);
                }
                WrittenKind::DeadLetter => letters.push(letter(
                    &rule.name,
                    item.module()
                        .map_or(("", 0), |module| (&module.name, module.generation)),
                    clientid,
                    event,
                    &entry.fault,
                )),
            }
        }
        if !spool.is_empty() {
            self.spool(spool, &marks).await?;
        }
        self.bury(letters).await
    }

    /// Appends to the spool. Clients are marked first, so that what comes
    /// meanwhile is not run before.
    async fn spool(&self, rows: Vec<Row>, marks: &[Mark]) -> Result<(), Fault> {
        let bytes: u64 = marks.iter().map(|mark| mark.bytes).sum();
        {
            let mut state = self.state();
            if state.spool_bytes.saturating_add(bytes) > self.bounds.max_spool_bytes {
                let message = format!(
                    "the spool has max_spool_bytes = {}",
                    self.bounds.max_spool_bytes
                );
                return Err(fault(FaultKind::Saturated, "spool", message));
            }
            state.spool_bytes += bytes;
            for mark in marks {
                let of_rule = state.spooled.entry(Arc::clone(&mark.rule)).or_default();
                *of_rule.entry(mark.clientid.clone()).or_default() += 1;
            }
        }
        self.has_spooled.store(true, Ordering::Release);
        let stored = self.exec(SPOOL, rows).await;
        if stored.is_err() {
            for mark in marks {
                self.unmark(&mark.rule, &mark.clientid, mark.bytes);
            }
        }
        stored
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

    pub(crate) async fn bury(&self, letters: Vec<Row>) -> Result<(), Fault> {
        const FORGET: &str = "DELETE FROM dead_letters WHERE id IN \
            (SELECT id FROM dead_letters ORDER BY id LIMIT ?)";
        let count = letters.len() as u64;
        if count == 0 {
            return Ok(());
        }
        self.exec(BURY, letters).await?;
        let surplus = {
            let mut state = self.state();
            state.letters += count;
            let surplus = state.letters.saturating_sub(self.bounds.max_dead_letters);
            state.letters -= surplus;
            surplus
        };
        if surplus > 0 {
            let surplus = Value::Integer(i64::try_from(surplus).unwrap_or(i64::MAX));
            self.exec(FORGET, vec![vec![surplus]]).await?;
        }
        Ok(())
    }

    pub(crate) fn forgot_letters(&self, count: u64) {
        let mut state = self.state();
        state.letters = state.letters.saturating_sub(count);
    }

    /// Runs a statement over rows, all or nothing as far as the caller knows.
    pub(crate) async fn exec(&self, statement: &str, rows: Vec<Row>) -> Result<(), Fault> {
        self.exec_counted(statement, rows).await.map(drop)
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
        let missing = || {
            fault(
                FaultKind::Unavailable,
                "house",
                "nothing is written down here",
            )
        };
        self.pool.as_ref().ok_or_else(missing)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One event on its way into the spool.
struct Mark {
    rule: Arc<str>,
    clientid: String,
    bytes: u64,
}

/// A row of `dead_letters`.
pub(crate) fn letter(
    rule: &str,
    (module, generation): (&str, u64),
    clientid: String,
    event: String,
    fault: &Fault,
) -> Row {
    vec![
        Value::Text(rule.to_owned()),
        Value::Text(module.to_owned()),
        Value::Integer(i64::try_from(generation).unwrap_or(i64::MAX)),
        Value::Text(clientid),
        Value::Text(event),
        Value::Text(fault.code.clone()),
        Value::Text(fault.message.clone()),
        now(),
    ]
}

fn now() -> Value {
    Value::Integer(i64::try_from(wall_ms()).unwrap_or(i64::MAX))
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
