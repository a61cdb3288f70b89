//! Opening the database file.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};

use crate::deadline::Deadline;
use crate::fault::{Failure, Scope, damage_in_words};
use crate::options::{OpenError, SqliteOptions};

/// How long a connection waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);
/// Prepared statements kept by a connection.
pub(crate) const STATEMENT_CACHE: usize = 256;

/// A connection, and the deadline that stops what it runs.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) connection: SqliteConnection,
    pub(crate) deadline: Deadline,
}

/// The writing connection, and which file it has open.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) watched: Watched,
    file: Option<FileIdentity>,
}

impl Writing {
    /// Opens the file for writing, creating it and its tables if missing.
    pub(crate) async fn open(options: &SqliteOptions) -> Result<Self, OpenError> {
        Self::open_or(options, true).await
    }

    /// Opens the file for writing once more. One that is gone meanwhile is not made anew:
    /// what it has was acknowledged.
    pub(crate) async fn open_again(options: &SqliteOptions) -> Result<Self, OpenError> {
        Self::open_or(options, false).await
    }

    async fn open_or(options: &SqliteOptions, creates: bool) -> Result<Self, OpenError> {
        let connect = base(options)
            .create_if_missing(creates)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let database = |source| OpenError::Database {
            path: options.path.clone(),
            source,
        };
        let mut connection = connect.connect().await.map_err(database)?;
        if let Some(schema) = &options.schema {
            sqlx::raw_sql(AssertSqlSafe(schema.as_str()))
                .execute(&mut connection)
                .await
                .map_err(|source| OpenError::Schema {
                    path: options.path.clone(),
                    source,
                })?;
        }
        limit(&mut connection, options).await.map_err(database)?;
        let deadline = Deadline::watch(&mut connection).await.map_err(database)?;
        Ok(Self {
            watched: Watched {
                connection,
                deadline,
            },
            file: FileIdentity::of(&options.path),
        })
    }

    /// Makes sure that it can be written: SQLite opens a file that is read-only for
    /// reading, and says nothing. Another process may have it locked.
    ///
    /// # Errors
    /// Why it cannot.
    pub(crate) async fn check_writable(
        &mut self,
        options: &SqliteOptions,
    ) -> Result<(), OpenError> {
        // Where nothing can be written, a transaction alone begins as one that reads.
        const WRITE: &str = "BEGIN IMMEDIATE; PRAGMA main.user_version = 1; ROLLBACK";
        let connection = &mut self.watched.connection;
        match sqlx::raw_sql(WRITE).execute(connection).await {
            Ok(_) => Ok(()),
            Err(error) if Failure::of(&error).scope == Scope::Busy => Ok(()),
            Err(source) => Err(OpenError::Database {
                path: options.path.clone(),
                source,
            }),
        }
    }

    /// Looks for damage, for so long.
    ///
    /// # Errors
    /// The first that is found.
    pub(crate) async fn check(
        &mut self,
        options: &SqliteOptions,
        most: Duration,
    ) -> Result<(), OpenError> {
        let path = options.path.clone();
        let watched = &mut self.watched;
        watched.deadline.begin_statement(most);
        let checked = sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)")
            .fetch_one(&mut watched.connection)
            .await;
        watched.deadline.end_statement();
        match checked {
            Ok(found) if found == "ok" => Ok(()),
            Ok(found) => Err(OpenError::Damaged {
                path,
                what: damage_in_words(&found),
            }),
            Err(error) => match Failure::of(&error).scope {
                Scope::Late => {
                    let path = path.display();
                    tracing::info!(
                        %path,
                        "the SQLite file is too large to be looked through at the start; \
                         `hookwire store check` does"
                    );
                    Ok(())
                }
                _ => Err(OpenError::Database {
                    path,
                    source: error,
                }),
            },
        }
    }

    /// Whether the file at the path is still the one that is open. SQLite
    /// writes on into a file that was removed, where nobody will find it.
    pub(crate) fn is_in_place(&self, path: &Path) -> bool {
        self.file == FileIdentity::of(path)
    }

    /// Closes after a checkpoint. Errors do not matter any more: what was
    /// answered is in the log.
    pub(crate) async fn close(self) {
        if let Err(error) = self.watched.connection.close().await {
            tracing::debug!(%error, "closing the SQLite database");
        }
    }
}

/// Opens the file for queries.
pub(crate) async fn open_reader(options: &SqliteOptions) -> Result<Watched, sqlx::Error> {
    let mut connection = base(options).read_only(true).connect().await?;
    limit(&mut connection, options).await?;
    let deadline = Deadline::watch(&mut connection).await?;
    Ok(Watched {
        connection,
        deadline,
    })
}

/// Has SQLite itself refuse `ATTACH`, whatever a statement hides it in: other
/// files are none of a rule's business. And has it refuse to make values that
/// would take the memory of the broker: those of a guest do not count there.
#[allow(unsafe_code, reason = "sqlx has no safe way to set a limit")]
async fn limit(
    connection: &mut SqliteConnection,
    options: &SqliteOptions,
) -> Result<(), sqlx::Error> {
    let limits = [
        (libsqlite3_sys::SQLITE_LIMIT_ATTACHED, 0),
        (
            libsqlite3_sys::SQLITE_LIMIT_LENGTH,
            options.max_value_bytes(),
        ),
    ];
    let mut handle = connection.lock_handle().await?;
    for (limit, most) in limits {
        // SAFETY: the connection is open, and locked for as long as the handle lives.
        unsafe {
            libsqlite3_sys::sqlite3_limit(handle.as_raw_handle().as_ptr(), limit, most);
        }
    }
    Ok(())
}

fn base(options: &SqliteOptions) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&options.path)
        .foreign_keys(false)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENT_CACHE)
        .thread_name(|number| format!("sqlite-{number}"))
        .disable_statement_logging()
}

/// Tells a file from another one at the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }

    /// An open file cannot be removed there.
    #[cfg(not(unix))]
    fn of(path: &Path) -> Option<Self> {
        path.exists().then_some(Self {
            device: 0,
            inode: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn no_connection_reaches_another_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let other = folder.path().join("other.db");
        let options = SqliteOptions::new(folder.path().join("own.db"));
        let attach = format!("ATTACH '{}' AS other", other.display());
        let writing = Writing::open(&options).await.expect("it opens");
        let reading = open_reader(&options).await.expect("it opens");
        for mut watched in [writing.watched, reading] {
            let attached = sqlx::raw_sql(AssertSqlSafe(attach.as_str()))
                .execute(&mut watched.connection)
                .await;
            let error = attached.expect_err("it is refused").to_string();
            assert!(error.contains("too many attached databases"), "{error}");
        }
        assert!(!other.exists());
    }
}
