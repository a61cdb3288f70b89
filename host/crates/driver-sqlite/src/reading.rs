//! A reading connection on a thread of its own.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use hookwire_driver::{Row, RowSet};
use sqlx::{Connection as _, SqliteConnection};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::connection::{STATEMENT_CACHE, Watched};
use crate::deadline::Deadline;
use crate::fault::Failure;
use crate::rows::{Database, Statement};

/// One query.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) statement: Arc<str>,
    pub(crate) parameters: Row,
    pub(crate) max_rows: usize,
    pub(crate) deadline: Instant,
}

/// A connection that reads. Dropping it lets the query that runs end at its
/// deadline, and closes it then.
#[derive(Debug)]
pub(crate) struct Reading {
    queries: Sender<Asked>,
    deadline: Deadline,
    /// Ends when the connection is closed.
    closed: oneshot::Receiver<()>,
}

#[derive(Debug)]
struct Asked {
    query: Query,
    max_bytes: usize,
    answer: oneshot::Sender<Result<RowSet, Failure>>,
}

impl Reading {
    /// Has a connection read, on a thread that it begins.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub(crate) fn begin(watched: Watched) -> io::Result<Self> {
        let Watched {
            connection,
            deadline,
        } = watched;
        let (queries, asked) = channel();
        let (closes, closed) = oneshot::channel();
        let runtime = Handle::current();
        thread::Builder::new()
            .name("sqlite-reads".to_owned())
            .spawn(move || {
                serve(&runtime, connection, &asked);
                drop(closes);
            })?;
        Ok(Self {
            queries,
            deadline,
            closed,
        })
    }

    /// Runs a query, until its deadline.
    ///
    /// # Errors
    /// What SQLite says, and a connection that is lost.
    pub(crate) async fn query(&self, query: Query, max_bytes: usize) -> Result<RowSet, Failure> {
        self.deadline.set(query.deadline);
        let (answer, answered) = oneshot::channel();
        let asked = Asked {
            query,
            max_bytes,
            answer,
        };
        let lost = || Failure::of_driver("the connection that reads is lost".to_owned());
        self.queries.send(asked).map_err(|_| lost())?;
        let answer = answered.await.map_err(|_| lost())?;
        self.deadline.clear();
        answer
    }

    /// Closes the connection.
    pub(crate) async fn close(self) {
        let Self {
            queries, closed, ..
        } = self;
        drop(queries);
        // It ends without a word, which is an error to wait for one.
        let _ended = closed.await;
    }
}

/// Answers queries until nobody can ask any more, and closes the connection.
fn serve(runtime: &Handle, mut connection: SqliteConnection, asked: &Receiver<Asked>) {
    match runtime.block_on(connection.lock_handle()) {
        Ok(lock) => {
            let database = Database::of(lock);
            let mut kept = Kept::of(&database);
            for asked in asked {
                let answer = kept.read(&asked.query, asked.max_bytes);
                // Who asked may have given up.
                drop(asked.answer.send(answer));
            }
        }
        Err(error) => tracing::warn!(%error, "a reader of the SQLite database cannot begin"),
    }
    if let Err(error) = runtime.block_on(connection.close()) {
        tracing::debug!(%error, "closing a reader of the SQLite database");
    }
}

/// Statements that were run before.
struct Kept<'d> {
    database: &'d Database<'d>,
    /// Each with when it ran last, by count.
    statements: HashMap<Arc<str>, (u64, Statement<'d>)>,
    runs: u64,
}

impl<'d> Kept<'d> {
    fn of(database: &'d Database<'d>) -> Self {
        Self {
            database,
            statements: HashMap::new(),
            runs: 0,
        }
    }

    fn read(&mut self, query: &Query, max_bytes: usize) -> Result<RowSet, Failure> {
        self.runs += 1;
        if !self.statements.contains_key(&query.statement) {
            let statement = self.database.prepare(&query.statement)?;
            self.make_room();
            let entry = (self.runs, statement);
            self.statements.insert(Arc::clone(&query.statement), entry);
        }
        let Some((ran, statement)) = self.statements.get_mut(&query.statement) else {
            return Err(Failure::of_driver("a statement is lost".to_owned()));
        };
        *ran = self.runs;
        statement.read(&query.parameters, query.max_rows, max_bytes)
    }

    /// Forgets the statement that has not run for longest, where there are many.
    fn make_room(&mut self) {
        if self.statements.len() < STATEMENT_CACHE {
            return;
        }
        let oldest = self.statements.iter().min_by_key(|(_, (ran, _))| *ran);
        if let Some(oldest) = oldest.map(|(sql, _)| Arc::clone(sql)) {
            self.statements.remove(&oldest);
        }
    }
}
