//! `hookwire:sql`: a guest's calls to the SQL pools that its rules were granted.
//!
//! The pool lives on another runtime; the instance's fiber waits here, on the
//! worker, and the worker goes on with others. A call never outlasts the batch
//! it is part of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_bindings::fault;
use hookwire_bindings::sql::{OpenPool, batch_to_guest, row_from_guest, rows_to_guest};
use hookwire_bindings::wit::hookwire::sql::sql::{
    BatchResult, Host as SqlHost, HostPool, RowSet, Value,
};
use hookwire_bindings::wit::hookwire::types::faults::Fault as GuestFault;
use hookwire_driver::{BatchResult as BatchOutcome, Fault, FaultKind, PoolFuture, Row};
use wasmtime::component::Resource;

use crate::host::Host;

/// Time kept back from store calls, so that a guest told of a late answer can
/// still settle its batch: a tenth of what is left, and this at most.
const MAX_RESERVE: Duration = Duration::from_millis(50);

impl SqlHost for Host {}

impl HostPool for Host {
    async fn open(
        &mut self,
        name: String,
    ) -> wasmtime::Result<Result<Resource<OpenPool>, GuestFault>> {
        self.check_may_call("sql.pool.open")?;
        let pool = match self.open_pool(&name) {
            Ok(pool) => pool,
            Err(refused) => return Ok(Err(fault::to_guest(refused))),
        };
        Ok(match self.handles.push(pool) {
            Ok(handle) => Ok(handle),
            Err(_) => Err(fault::to_guest(too_many_handles())),
        })
    }

    async fn exec_many(
        &mut self,
        handle: Resource<OpenPool>,
        statement: String,
        rows: Vec<Vec<Value>>,
    ) -> wasmtime::Result<Result<BatchResult, GuestFault>> {
        self.check_may_call("sql.pool.exec-many")?;
        let pool = self.pool(&handle)?;
        let mut parameters = Vec::with_capacity(rows.len());
        for row in rows {
            match row_from_guest(row) {
                Ok(row) => parameters.push(row),
                Err(refused) => return Ok(Err(fault::to_guest(refused))),
            }
        }
        let result = self.exec_rows(&pool, statement.into(), parameters).await;
        Ok(result.map(batch_to_guest).map_err(fault::to_guest))
    }

    async fn query(
        &mut self,
        handle: Resource<OpenPool>,
        statement: String,
        parameters: Vec<Value>,
        max_rows: u32,
    ) -> wasmtime::Result<Result<RowSet, GuestFault>> {
        self.check_may_call("sql.pool.query")?;
        let OpenPool { name, pool } = self.pool(&handle)?;
        let parameters = match row_from_guest(parameters) {
            Ok(row) => row,
            Err(refused) => return Ok(Err(fault::to_guest(refused))),
        };
        let max_rows = usize::try_from(max_rows).unwrap_or(usize::MAX);
        let deadline = self.store_deadline();
        let call = pool.query(statement.into(), parameters, max_rows, deadline);
        let answered = answer(call, deadline).await;
        if let Err(failed) = &answered {
            self.journal.stop(&name, failed);
        }
        Ok(answered.map(rows_to_guest).map_err(fault::to_guest))
    }

    async fn drop(&mut self, handle: Resource<OpenPool>) -> wasmtime::Result<()> {
        self.handles.delete(handle)?;
        Ok(())
    }
}

impl Host {
    /// A pool that was granted by this name.
    pub(crate) fn open_pool(&self, name: &str) -> Result<OpenPool, Fault> {
        match self.access.pools.get(name) {
            Some(Some(pool)) => Ok(OpenPool {
                pool: Arc::clone(pool),
                name: name.into(),
            }),
            Some(None) => Err(not_opened(name)),
            None => Err(not_granted(name)),
        }
    }

    fn pool(&self, handle: &Resource<OpenPool>) -> wasmtime::Result<OpenPool> {
        Ok(self.handles.get(handle)?.clone())
    }

    /// Stores rows, but for those of which the journal knows what became.
    pub(crate) async fn exec_rows(
        &mut self,
        OpenPool { name, pool }: &OpenPool,
        statement: Arc<str>,
        rows: Vec<Row>,
    ) -> Result<BatchOutcome, Fault> {
        if let Some(stopped) = self.journal.stopped(name) {
            return Err(stopped.clone());
        }
        let deadline = self.store_deadline();
        let mut split = self.journal.split(name, &statement, rows);
        let rows = std::mem::take(&mut split.rows);
        let result = if split.is_answered() {
            BatchOutcome::default()
        } else {
            let call = pool.exec_many(statement, rows, deadline);
            match answer(call, deadline).await {
                Ok(result) => result,
                Err(failed) => {
                    self.journal.call_failed(split);
                    self.journal.stop(name, &failed);
                    return Err(failed);
                }
            }
        };
        // Where one row may be stored later, so may the last.
        if let Some(last) = result.failed.last() {
            self.journal.stop(name, &last.fault);
        }
        Ok(self.journal.join(split, result))
    }

    /// When a host call has to be answered.
    pub(crate) fn store_deadline(&self) -> Instant {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let reserve = (left / 10).min(MAX_RESERVE);
        self.deadline.checked_sub(reserve).unwrap_or(self.deadline)
    }
}

/// Waits for a pool until the deadline. Pools keep deadlines themselves; this
/// holds when one does not.
async fn answer<T>(call: PoolFuture<T>, deadline: Instant) -> Result<T, Fault> {
    match tokio::time::timeout_at(deadline.into(), call).await {
        Ok(answered) => answered,
        Err(_) => Err(Fault {
            kind: FaultKind::Unknown,
            code: "host:deadline".to_owned(),
            message: "sent, and not answered before the deadline".to_owned(),
            retryable: true,
        }),
    }
}

fn not_granted(name: &str) -> Fault {
    Fault {
        kind: FaultKind::Denied,
        code: "host:pool".to_owned(),
        message: format!("no pool {name:?} is granted"),
        retryable: false,
    }
}

fn not_opened(name: &str) -> Fault {
    Fault {
        kind: FaultKind::Unavailable,
        code: "host:pool".to_owned(),
        message: format!("pool {name:?} is not opened while a configuration is checked"),
        retryable: true,
    }
}

fn too_many_handles() -> Fault {
    Fault {
        kind: FaultKind::Saturated,
        code: "host:handles".to_owned(),
        message: "too many pool handles are open".to_owned(),
        retryable: false,
    }
}
