//! A database as its administrator sees it: what is in it, what is missing, and what
//! is wrong with it.
//!
//! Each question opens the file and closes it again. Only [`StoreAdmin::init`] writes;
//! the others have read-only connections, and a broker may write meanwhile.

mod check;
mod layout;
mod stats;

use std::path::PathBuf;

use hookwire_driver::{AdminError, AdminFuture, CheckDepth, Difference, StoreAdmin, StoreStats};
use sqlx::SqliteConnection;

use crate::connection::{Writing, open_reader};
use crate::fault::advice;
use crate::options::SqliteOptions;
use layout::Layout;

/// A SQLite file, and the schema that it has to have.
#[derive(Debug)]
pub struct SqliteStore {
    /// As the configuration calls its pool, for advice.
    pool: String,
    options: SqliteOptions,
    schema: String,
}

impl SqliteStore {
    /// The file of the pool of this name.
    #[must_use]
    pub fn new(pool: &str, path: PathBuf, schema: &str) -> Self {
        Self {
            pool: pool.to_owned(),
            options: SqliteOptions {
                schema: Some(SqliteOptions::at_once(schema)),
                ..SqliteOptions::new(path)
            },
            schema: schema.to_owned(),
        }
    }

    /// What makes the things that are missing.
    fn init_command(&self) -> String {
        format!("`hookwire store init {}` makes it", self.pool)
    }

    async fn read(&self) -> Result<SqliteConnection, AdminError> {
        let path = self.options.path.display();
        if !self.options.path.exists() {
            let pool = &self.pool;
            return Err(AdminError(format!(
                "there is no database {path}; `hookwire store init {pool}` makes it"
            )));
        }
        let opened = open_reader(&self.options).await;
        let watched = opened.map_err(|error| self.failed(&error))?;
        Ok(watched.connection)
    }

    /// The layout of the file, where there is one.
    async fn layout(&self) -> Result<Layout, AdminError> {
        if !self.options.path.exists() {
            return Ok(Layout::default());
        }
        let mut connection = self.read().await?;
        let layout = Layout::read(&mut connection).await;
        layout.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &sqlx::Error) -> AdminError {
        let path = self.options.path.display();
        AdminError(format!(
            "cannot read the SQLite database {path}: {error}{}",
            advice(error)
        ))
    }
}

impl StoreAdmin for SqliteStore {
    fn init(&self) -> AdminFuture<'_, Vec<String>> {
        Box::pin(async {
            let before = self.layout().await?;
            let opened = Writing::open(&self.options).await;
            let writing = opened.map_err(|error| AdminError(error.to_string()))?;
            writing.close().await;
            let after = self.layout().await?;
            Ok(after.added_to(&before))
        })
    }

    fn check(&self, depth: CheckDepth) -> AdminFuture<'_, Vec<Difference>> {
        Box::pin(async move {
            let mut connection = self.read().await?;
            let checked = check::check(self, &mut connection, depth).await;
            checked.map_err(|error| self.failed(&error))
        })
    }

    fn stats(&self) -> AdminFuture<'_, StoreStats> {
        Box::pin(async {
            let mut connection = self.read().await?;
            let stats = stats::stats(&mut connection, &self.options.path).await;
            stats.map_err(|error| self.failed(&error))
        })
    }
}
