//! From SQLite's result codes to faults.

use std::time::Duration;

use hookwire_driver::{Fault, FaultKind};

/// What a failed statement means for the transaction it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The statement or its values: other rows can be stored.
    Row,
    /// Another process holds the lock: a later attempt can store the same
    /// rows. The connection is sound.
    Busy,
    /// One statement took longer than one may: others can be stored, in another
    /// transaction. The connection is sound.
    Slow,
    /// The time is up; the connection is sound.
    Late,
    /// The file or the connection: nothing can be stored until it is mended.
    Store,
}

/// A failed statement.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) scope: Scope,
}

impl Failure {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        let code = match error {
            sqlx::Error::Database(database) => {
                database.code().and_then(|code| code.parse::<i32>().ok())
            }
            _ => None,
        };
        let message = match error {
            sqlx::Error::Database(database) => database.message().to_owned(),
            other => other.to_string(),
        };
        match code {
            Some(code) => Self::of_code(code, message),
            None => Self::of_driver(message),
        }
    }

    /// Something that SQLite has no code for.
    pub(crate) fn of_driver(message: String) -> Self {
        Self {
            fault: fault(FaultKind::Unavailable, "driver", true, message),
            scope: Scope::Store,
        }
    }

    /// The same fault, blamed on the connection.
    pub(crate) fn of_store(self) -> Self {
        Self {
            scope: Scope::Store,
            ..self
        }
    }

    /// Codes and their meaning: <https://www.sqlite.org/rescode.html>.
    pub(crate) fn of_code(code: i32, message: String) -> Self {
        // The low byte is the primary code; the rest says more of the same.
        let code = code & 0xff;
        let (kind, retryable, scope) = match code {
            // ERROR, RANGE: the statement, or a function in it, is wrong.
            1 | 25 => (FaultKind::Invalid, false, Scope::Row),
            // PERM, AUTH
            3 | 23 => (FaultKind::Denied, false, Scope::Row),
            // BUSY, LOCKED
            5 | 6 => (FaultKind::Unavailable, true, Scope::Busy),
            // TOOBIG, CONSTRAINT, MISMATCH
            18..=20 => (FaultKind::Refused, false, Scope::Row),
            // INTERRUPT: the driver stopped it at its deadline.
            9 => (FaultKind::Unknown, true, Scope::Late),
            // NOMEM, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL, SCHEMA: what is
            // in the way can go away.
            7 | 8 | 10 | 13..=15 | 17 => (FaultKind::Unavailable, true, Scope::Store),
            // CORRUPT, NOTADB: only a person can mend the file.
            11 | 26 => (FaultKind::Unavailable, false, Scope::Store),
            _ => (FaultKind::Other, false, Scope::Store),
        };
        Self {
            fault: fault(kind, &code.to_string(), retryable, message),
            scope,
        }
    }
}

fn fault(kind: FaultKind, code: &str, retryable: bool, message: String) -> Fault {
    Fault {
        kind,
        code: format!("sqlite:{code}"),
        message,
        retryable,
    }
}

/// SQLite's code for a file that is damaged.
pub(crate) const CORRUPT: i32 = 11;

/// What SQLite says of damage, on one line.
pub(crate) fn damage_in_words(found: &str) -> String {
    let found = found.trim_start_matches("*** in database main ***").trim();
    found.replace('\n', "; ")
}

/// What a person can do about an error of opening or writing a database; empty where
/// SQLite's own words have to do.
pub(crate) fn advice(error: &sqlx::Error) -> &'static str {
    let code = match error {
        sqlx::Error::Database(database) => database.code(),
        _ => None,
    };
    let code = code.and_then(|code| code.parse::<i32>().ok());
    advice_on(code.map_or(0, |code| code & 0xff))
}

/// As [`advice`], for a primary code of SQLite.
pub(crate) fn advice_on(code: i32) -> &'static str {
    match code {
        3 | 8 | 14 | 23 => {
            "; the user that runs the broker has to be able to write the file, those beside it \
             (-wal, -shm) and its folder, on a file system that is not read-only"
        }
        5 | 6 => "; another process has the file locked: end its transaction, or that process",
        10 => "; see what the system's log says of the disk, and the limits of file sizes",
        CORRUPT => {
            "; the file is damaged: take it from a backup, or save what can be read with \
             `sqlite3 FILE .recover | sqlite3 NEW`; it is not replaced by an empty one"
        }
        13 => "; the disk, or the user's quota, is full: make room",
        26 => {
            "; the file is none of SQLite's, or its beginning is damaged: take it from a backup, \
             or move it away to begin with an empty store; it is not replaced by an empty one"
        }
        _ => "",
    }
}

/// The pool has no room, or had none until the deadline.
pub(crate) fn saturated(message: &str) -> Fault {
    Fault {
        kind: FaultKind::Saturated,
        code: "sqlite:saturated".to_owned(),
        message: message.to_owned(),
        retryable: true,
    }
}

/// Sent, and not answered before the deadline.
pub(crate) fn unknown() -> Fault {
    Fault {
        kind: FaultKind::Unknown,
        code: "sqlite:deadline".to_owned(),
        message: "the transaction had not ended at the deadline".to_owned(),
        retryable: true,
    }
}

/// One statement took longer than the pool lets it, alone with its row.
pub(crate) fn slow(most: Duration) -> Fault {
    Fault {
        kind: FaultKind::Refused,
        code: "sqlite:slow".to_owned(),
        message: format!(
            "the statement was stopped: it took longer than {most:?}, the longest that one may \
             keep a pool's writer from others"
        ),
        retryable: false,
    }
}

/// Not tried, because it would be run behind one that was too slow.
pub(crate) fn behind_slow() -> Fault {
    saturated("a row of the same statement took too long; this one was not tried")
}

/// The pool is closed.
pub(crate) fn closed() -> Fault {
    Fault {
        kind: FaultKind::Unavailable,
        code: "sqlite:closed".to_owned(),
        message: "the pool is closed".to_owned(),
        retryable: true,
    }
}

/// The statement is not one that a pool runs.
pub(crate) fn denied(message: String) -> Fault {
    Fault {
        kind: FaultKind::Denied,
        code: "sqlite:statement".to_owned(),
        message,
        retryable: false,
    }
}

/// The request itself is wrong.
pub(crate) fn invalid(message: String) -> Fault {
    Fault {
        kind: FaultKind::Invalid,
        code: "sqlite:statement".to_owned(),
        message,
        retryable: false,
    }
}

#[cfg(test)]
mod tests {
    use hookwire_driver::FaultKind;
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

    use super::{Failure, Scope};

    async fn connect(folder: &std::path::Path) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(folder.join("faults.db"))
            .create_if_missing(true)
            .connect()
            .await
            .unwrap()
    }

    async fn failure(connection: &mut SqliteConnection, sql: &str) -> Failure {
        let error = sqlx::query(AssertSqlSafe(sql))
            .execute(connection)
            .await
            .unwrap_err();
        Failure::of(&error)
    }

    #[tokio::test]
    async fn what_sqlite_says_becomes_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = connect(folder.path()).await;
        sqlx::raw_sql("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)")
            .execute(&mut connection)
            .await
            .unwrap();
        let mut check = async |sql, code, kind, retryable, scope| {
            let failure = failure(&mut connection, sql).await;
            assert_eq!(failure.fault.code, code, "{sql}: {}", failure.fault);
            assert_eq!(failure.fault.kind, kind, "{sql}");
            assert_eq!(failure.fault.retryable, retryable, "{sql}");
            assert_eq!(failure.scope, scope, "{sql}");
        };
        use FaultKind::{Invalid, Refused, Unavailable};
        check(
            "INSERT INTO t VALUES (1, NULL)",
            "sqlite:19",
            Refused,
            false,
            Scope::Row,
        )
        .await;
        check(
            "INSERT INTO t VALUES ('x', 'y')",
            "sqlite:20",
            Refused,
            false,
            Scope::Row,
        )
        .await;
        check(
            "INSERT INTO t VALUES (1, zeroblob(2000000000))",
            "sqlite:18",
            Refused,
            false,
            Scope::Row,
        )
        .await;
        check(
            "INSERT INTO u VALUES (1)",
            "sqlite:1",
            Invalid,
            false,
            Scope::Row,
        )
        .await;
        check("INSERT INT", "sqlite:1", Invalid, false, Scope::Row).await;
        check(
            "PRAGMA max_page_count = 1; INSERT INTO t VALUES (1, hex(zeroblob(100000)))",
            "sqlite:13",
            Unavailable,
            true,
            Scope::Store,
        )
        .await;
        check(
            "PRAGMA query_only = 1; INSERT INTO t VALUES (1, '')",
            "sqlite:8",
            Unavailable,
            true,
            Scope::Store,
        )
        .await;
    }

    #[tokio::test]
    async fn a_lock_of_another_process_is_busy() {
        let folder = tempfile::tempdir().unwrap();
        let mut holder = connect(folder.path()).await;
        sqlx::raw_sql("CREATE TABLE t (a); BEGIN EXCLUSIVE")
            .execute(&mut holder)
            .await
            .unwrap();
        let mut other = SqliteConnectOptions::new()
            .filename(folder.path().join("faults.db"))
            .busy_timeout(std::time::Duration::ZERO)
            .connect()
            .await
            .unwrap();
        let failure = failure(&mut other, "INSERT INTO t VALUES (1)").await;
        assert_eq!(failure.fault.code, "sqlite:5");
        assert!(failure.fault.retryable);
        assert_eq!(failure.scope, Scope::Busy);
        holder.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_stays_so() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("faults.db"), [7; 4096]).unwrap();
        let error = SqliteConnectOptions::new()
            .filename(folder.path().join("faults.db"))
            .pragma("user_version", "1")
            .connect()
            .await
            .unwrap_err();
        let failure = Failure::of(&error);
        assert_eq!(failure.fault.code, "sqlite:26");
        assert!(!failure.fault.retryable);
        assert_eq!(failure.scope, Scope::Store);
    }
}
