//! Queries, on connections of their own.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookwire_driver::{Fault, RowSet};
use tokio::sync::Semaphore;

use crate::connection::open_reader;
use crate::fault::{Failure, closed, invalid, saturated, unknown};
use crate::permitted::check_query;
use crate::reading::{Query, Reading};
use crate::writer::Shared;

/// Queries that may wait for one connection; more fail as saturated.
const MAX_WAITING_PER_READER: usize = 64;

/// The reading connections.
#[derive(Debug)]
pub(crate) struct Readers {
    shared: Arc<Shared>,
    /// One permit for each connection.
    at_work: Semaphore,
    /// One permit for each query, waiting or running.
    admitted: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    reading: Reading,
    generation: u64,
}

impl Readers {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let readers = shared.options.readers.clamp(1, 1024);
        Self {
            shared,
            at_work: Semaphore::new(readers),
            admitted: Semaphore::new(readers * (1 + MAX_WAITING_PER_READER)),
            idle: Mutex::default(),
        }
    }

    /// Runs a query when a connection is free.
    ///
    /// # Errors
    /// As [`SqlPool::query`](hookwire_driver::SqlPool::query) says.
    pub(crate) async fn query(&self, query: Query) -> Result<RowSet, Fault> {
        let expected = check_query(&query.statement)?;
        if expected != query.parameters.len() {
            return Err(invalid(format!(
                "the query has {expected} parameters, {} are given",
                query.parameters.len()
            )));
        }
        let Ok(_admitted) = self.admitted.try_acquire() else {
            return Err(saturated("as many queries wait as may"));
        };
        let _permit =
            match tokio::time::timeout_at(query.deadline.into(), self.at_work.acquire()).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) => return Err(closed()),
                Err(_) => {
                    return Err(saturated(
                        "the readers were busy until the deadline; nothing was sent",
                    ));
                }
            };
        let reader = self.connect().await?;
        let deadline = query.deadline;
        let max_bytes = self.shared.options.max_result_bytes;
        let answer = reader.reading.query(query, max_bytes);
        let answered = tokio::time::timeout_at(deadline.into(), answer).await;
        match answered {
            Ok(Ok(rows)) => {
                if !self.at_work.is_closed() {
                    self.lock().push(reader);
                }
                Ok(rows)
            }
            // The connection may be at fault, or still busy: it is dropped.
            Ok(Err(failure)) => Err(failure.fault),
            Err(_) => Err(unknown()),
        }
    }

    /// Lets no query start any more, and lets idle connections close by themselves.
    pub(crate) fn shut(&self) {
        self.at_work.close();
        self.lock().clear();
    }

    /// Lets no query start any more, and closes idle connections: the writer, which
    /// can empty the log, has to be the last that closes.
    pub(crate) async fn close(&self) {
        self.at_work.close();
        let idle = std::mem::take(&mut *self.lock());
        for reader in idle {
            reader.reading.close().await;
        }
    }

    async fn connect(&self) -> Result<Idle, Fault> {
        let generation = self.shared.generation.load(Ordering::Acquire);
        while let Some(idle) = self.pop() {
            if idle.generation == generation {
                return Ok(idle);
            }
        }
        let opened = open_reader(&self.shared.options).await;
        let watched = opened.map_err(|error| Failure::of(&error).fault)?;
        let begun = Reading::begin(watched);
        let reading = begun.map_err(|error| {
            let message = format!("there is no thread to read on: {error}");
            Failure::of_driver(message).fault
        })?;
        Ok(Idle {
            reading,
            generation,
        })
    }

    fn pop(&self) -> Option<Idle> {
        self.lock().pop()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
