//! A store between a module and its real one: writes every call down, and fails
//! those that the fixture wants to fail.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hookwire_driver::{BatchResult, FailedRow, Fault, PoolFuture, Row, RowSet, SqlPool};

use crate::fixture::FaultStep;

/// One call of a store, as it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreCall {
    /// Name of the pool.
    pub pool: String,
    /// The statement.
    pub statement: String,
    /// Its parameters: one row for a query, as many as there are for a batch.
    pub rows: Vec<Row>,
    /// The fault that the fixture answered, to all of it or to some rows.
    pub fault: Option<Fault>,
}

/// What is written down of all pools of a run, in the order of the calls.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Vec<StoreCall>>);

impl Journal {
    pub(crate) fn take(&self) -> Vec<StoreCall> {
        std::mem::take(&mut *lock(&self.0))
    }
}

/// A pool under test.
pub(crate) struct Watched {
    name: String,
    store: Arc<dyn SqlPool>,
    journal: Arc<Journal>,
    faults: Mutex<Vec<FaultStep>>,
}

impl Watched {
    pub(crate) fn new(name: &str, store: Arc<dyn SqlPool>, journal: Arc<Journal>) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            store,
            journal,
            faults: Mutex::default(),
        })
    }

    /// Has later calls fail.
    pub(crate) fn fail(&self, fault: FaultStep) {
        lock(&self.faults).push(fault);
    }

    /// The store itself, to look into.
    pub(crate) fn store(&self) -> &Arc<dyn SqlPool> {
        &self.store
    }

    /// The fault that this call meets, and the rows that it is for.
    fn meets(&self, statement: &str) -> Option<(Fault, Vec<usize>)> {
        met(&mut lock(&self.faults), |fault| {
            statement.contains(&fault.statement)
        })
    }

    fn write_down(&self, statement: &str, rows: Vec<Row>, fault: Option<Fault>) {
        lock(&self.journal.0).push(StoreCall {
            pool: self.name.clone(),
            statement: statement.to_owned(),
            rows,
            fault,
        });
    }
}

impl SqlPool for Watched {
    fn exec_many(
        &self,
        statement: Arc<str>,
        rows: Vec<Row>,
        deadline: Instant,
    ) -> PoolFuture<BatchResult> {
        let met = self.meets(&statement);
        let fault = met.as_ref().map(|(fault, _)| fault.clone());
        self.write_down(&statement, rows.clone(), fault);
        match met {
            None => self.store.exec_many(statement, rows, deadline),
            Some((fault, failing)) if failing.is_empty() => Box::pin(async { Err(fault) }),
            Some((fault, failing)) => {
                let failed: Vec<FailedRow> = (0..rows.len())
                    .filter(|row| failing.contains(row))
                    .map(|row| FailedRow {
                        row,
                        fault: fault.clone(),
                    })
                    .collect();
                let (places, kept): (Vec<usize>, Vec<Row>) = rows
                    .into_iter()
                    .enumerate()
                    .filter(|(row, _)| !failing.contains(row))
                    .unzip();
                let stored = self.store.exec_many(statement, kept, deadline);
                Box::pin(async move { Ok(joined(stored.await?, &places, failed)) })
            }
        }
    }

    fn query(
        &self,
        statement: Arc<str>,
        parameters: Row,
        max_rows: usize,
        deadline: Instant,
    ) -> PoolFuture<RowSet> {
        let fault = self.meets(&statement).map(|(fault, _)| fault);
        self.write_down(&statement, vec![parameters.clone()], fault.clone());
        match fault {
            Some(fault) => Box::pin(async { Err(fault) }),
            None => self.store.query(statement, parameters, max_rows, deadline),
        }
    }
}

/// The answer to all rows of a call, of which some were held back.
fn joined(stored: BatchResult, places: &[usize], mut failed: Vec<FailedRow>) -> BatchResult {
    failed.extend(stored.failed.into_iter().filter_map(|row| {
        let place = places.get(row.row).copied()?;
        Some(FailedRow { row: place, ..row })
    }));
    failed.sort_by_key(|row| row.row);
    BatchResult {
        failed,
        rows_affected: stored.rows_affected,
    }
}

/// The fault that a call meets for which `is_meant` is true.
pub(crate) fn met(
    faults: &mut Vec<FaultStep>,
    is_meant: impl Fn(&FaultStep) -> bool,
) -> Option<(Fault, Vec<usize>)> {
    let place = faults.iter().position(is_meant)?;
    let step = faults.get_mut(place)?;
    if step.after > 0 {
        step.after -= 1;
        return None;
    }
    step.calls -= 1;
    let met = (step.fault.clone(), step.rows.clone());
    if step.calls == 0 {
        faults.remove(place);
    }
    Some(met)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
