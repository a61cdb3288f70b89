//! The store taken away, damaged, or given statements that take too long or too much;
//! and back.

mod store;

use std::path::Path;
use std::time::{Duration, Instant};

use hookwire_driver::{Fault, FaultKind, SqlPool as _, Value};
use hookwire_driver_sqlite::{OpenError, SqliteOptions, SqlitePool};
use store::{INSERT, SCHEMA, Store, in_ms, row, rows, soon, unlock};

/// A statement that does not end by itself.
const ENDLESS: &str = "INSERT INTO t (caller, number) SELECT 'endless', count(*) FROM (\
    WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c)";

async fn fault_of(store: &Store) -> Fault {
    store
        .exec_many(INSERT, rows("lost", [1]))
        .await
        .expect_err("the store is away")
}

#[tokio::test]
async fn a_statement_that_runs_past_its_deadline_is_unknown_and_stopped() {
    let store = Store::open().await;
    let endless = store
        .pool
        .exec_many(ENDLESS.into(), vec![vec![]], in_ms(100));
    let fault = endless.await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unknown);
    assert!(fault.retryable);
    store.exec_until_stored("next").await;
    assert_eq!(store.stored().await, ["next 1"], "it was rolled back");
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_refused_and_others_are_stored() {
    let most = Duration::from_millis(100);
    let store = Store::open_with(SCHEMA, |options| options.max_statement = Some(most)).await;
    // Endless for the rows that say so.
    let slow = "INSERT INTO t (caller, number) SELECT ?, count(*) FROM (WITH RECURSIVE c(x) AS \
        (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE ?) SELECT x FROM c)";
    let row =
        |caller: &str, is_endless| vec![Value::Text(caller.to_owned()), Value::Boolean(is_endless)];
    let lock = store.lock().await;
    let send = |statement: &str, rows| store.pool.exec_many(statement.into(), rows, soon());
    let before = send(INSERT, rows("before", 0..3));
    let first = send(
        slow,
        vec![
            row("quick", false),
            row("endless", true),
            row("behind", false),
        ],
    );
    let second = send(slow, vec![row("second", false)]);
    let mixed = send(
        INSERT,
        vec![vec![Value::Null, Value::Null], store::row("after", 1)],
    );
    unlock(lock).await;
    assert_eq!(before.await.unwrap().failed, []);
    let first = first.await.unwrap();
    let failed: Vec<_> = first
        .failed
        .iter()
        .map(|row| (row.row, &row.fault))
        .collect();
    let [(1, endless), (2, behind)] = failed[..] else {
        panic!("{failed:?}");
    };
    assert_eq!(
        (endless.kind, &*endless.code),
        (FaultKind::Refused, "sqlite:slow")
    );
    assert!(!endless.retryable);
    assert!(endless.message.contains("longer than 100ms"), "{endless}");
    assert_eq!(
        (behind.kind, behind.retryable),
        (FaultKind::Saturated, true)
    );
    let second = second.await.unwrap();
    assert_eq!(
        second.failed[0].fault.kind,
        FaultKind::Saturated,
        "once a transaction"
    );
    let mixed = mixed.await.unwrap();
    assert_eq!(mixed.failed[0].fault.kind, FaultKind::Refused);
    assert_eq!((mixed.failed.len(), mixed.rows_affected), (1, 1));
    assert_eq!(
        store.stored().await,
        ["before 0", "before 1", "before 2", "quick 1", "after 1"]
    );
    assert_eq!(store.pool.stats().reopened, 0, "the connection was sound");
}

#[tokio::test]
async fn rows_that_take_too_long_together_are_stored_one_by_one() {
    let most = Duration::from_millis(250);
    let store = Store::open_with(SCHEMA, |options| options.max_statement = Some(most)).await;
    // A few milliseconds for each row, and more than a second for all.
    let hard = "INSERT INTO t (caller, number) VALUES (?, length(replace(hex(zeroblob(?)), '0', \
        'xy')))";
    let count = 128;
    let began = Instant::now();
    let rows = (0..count).map(|_| vec![Value::Text("hard".to_owned()), Value::Integer(2_000_000)]);
    let result = store.exec_many(hard, rows.collect()).await.unwrap();
    assert_eq!(result.failed, []);
    assert_eq!(result.rows_affected, count);
    assert!(began.elapsed() > most, "they took longer than one may");
}

#[tokio::test]
async fn a_value_that_would_fill_the_memory_is_refused() {
    let store = Store::open().await;
    let large = "SELECT length(hex(zeroblob(480000000)))";
    let fault = store.query(large).await.unwrap_err();
    assert_eq!(
        (fault.kind, &*fault.code),
        (FaultKind::Refused, "sqlite:18")
    );
    assert!(!fault.retryable);
    let insert = "INSERT INTO t (caller, number) VALUES (?, length(hex(zeroblob(480000000))))";
    let result = store
        .exec_many(insert, vec![vec![Value::Text("c".to_owned())]])
        .await
        .unwrap();
    assert_eq!(result.failed[0].fault.code, "sqlite:18");
    let roomy = Store::open_with(SCHEMA, |options| options.max_result_bytes = 300 << 20).await;
    assert!(
        store
            .query("SELECT zeroblob(100000000) IS NULL")
            .await
            .is_err()
    );
    roomy
        .query("SELECT zeroblob(100000000) IS NULL")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_folder_that_goes_and_comes_back() {
    let store = Store::open().await;
    store.exec_until_stored("before").await;
    let (here, away) = (
        store.folder.path().join("data"),
        store.folder.path().join("away"),
    );
    std::fs::rename(&here, &away).unwrap();
    let fault = fault_of(&store).await;
    assert_eq!(fault.kind, FaultKind::Unavailable);
    assert_eq!(fault.code, "sqlite:14");
    assert!(fault.retryable);
    std::fs::rename(&away, &here).unwrap();
    store.exec_until_stored("back").await;
    assert_eq!(store.stored().await, ["before 1", "back 1"]);
}

#[tokio::test]
async fn a_file_that_is_moved_away_is_not_made_anew_and_loses_nothing() {
    let store = Store::open().await;
    store.exec_until_stored("before").await;
    let away = store.folder.path().join("away.db");
    std::fs::rename(store.path(), &away).unwrap();
    for _ in 0..2 {
        let fault = fault_of(&store).await;
        assert_eq!(fault.code, "sqlite:14");
        assert!(fault.retryable);
        assert!(!store.path().exists());
    }
    std::fs::rename(&away, store.path()).unwrap();
    store.exec_until_stored("back").await;
    assert_eq!(store.stored().await, ["before 1", "back 1"]);
    assert_eq!(store.pool.stats().reopened, 1);
    let mut stranger = store.stranger().await;
    let callers: Vec<String> = sqlx::query_scalar("SELECT caller FROM t")
        .fetch_all(&mut stranger)
        .await
        .unwrap();
    assert_eq!(callers, ["before", "back"], "where others find it");
}

#[tokio::test]
async fn a_file_that_is_no_database_waits_for_a_person() {
    let store = Store::open().await;
    store.exec_until_stored("before").await;
    let away = store.folder.path().join("away.db");
    rename(&store.path(), &away);
    std::fs::write(store.path(), [7; 8192]).unwrap();
    let fault = fault_of(&store).await;
    assert_eq!(fault.code, "sqlite:26");
    assert!(!fault.retryable);
    rename(&away, &store.path());
    store.exec_until_stored("mended").await;
    assert_eq!(store.stored().await, ["before 1", "mended 1"]);
}

/// Renames a database with the files beside it.
fn rename(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let with_suffix = |path: &Path| {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            file
        };
        let from = with_suffix(from);
        if Path::new(&from).exists() {
            std::fs::rename(from, with_suffix(to)).expect("the file can be renamed");
        }
    }
}

#[tokio::test]
async fn one_fault_fails_all_that_wait_alike() {
    let store = Store::open().await;
    let (here, away) = (
        store.folder.path().join("data"),
        store.folder.path().join("away"),
    );
    std::fs::rename(&here, &away).unwrap();
    let calls: Vec<_> = (0..5)
        .map(|number| {
            store
                .pool
                .exec_many(INSERT.into(), vec![row("c", number)], soon())
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap_err().code, "sqlite:14");
    }
    std::fs::rename(&away, &here).unwrap();
    store.exec_until_stored("back").await;
    assert_eq!(store.stored().await, ["back 1"]);
}

#[tokio::test]
async fn a_pool_that_cannot_open_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let missing = SqlitePool::open(SqliteOptions::new(folder.path().join("no/such/store.db")));
    let error = missing.await.unwrap_err();
    assert!(matches!(error, OpenError::Database { .. }), "{error}");
    assert!(error.to_string().contains("no/such/store.db"), "{error}");
    let mut options = SqliteOptions::new(folder.path().join("store.db"));
    options.schema = Some("CREATE TABEL t (a)".to_owned());
    let error = SqlitePool::open(options).await.unwrap_err();
    assert!(matches!(error, OpenError::Schema { .. }), "{error}");
}
