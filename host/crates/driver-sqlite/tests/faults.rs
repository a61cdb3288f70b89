//! The store taken away, busy, or too slow; and back.

mod store;

use std::path::Path;
use std::time::{Duration, Instant};

use hookwire_driver::{BatchResult, Fault, FaultKind, SqlPool as _, Value};
use hookwire_driver_sqlite::{OpenError, SqliteOptions, SqlitePool};
use store::{INSERT, SCHEMA, Store, row, rows, soon, unlock, until};

/// A statement that does not end by itself.
const ENDLESS: &str = "INSERT INTO t (caller, number) SELECT 'endless', count(*) FROM (\
    WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c)";

fn in_ms(milliseconds: u64) -> Instant {
    Instant::now() + Duration::from_millis(milliseconds)
}

/// Stores one row, again and again until that works.
async fn store_again(store: &Store, caller: &str) -> BatchResult {
    let give_up = soon();
    loop {
        match store.exec_many(INSERT, rows(caller, [1])).await {
            Ok(result) => return result,
            Err(fault) => assert!(Instant::now() < give_up, "{fault}"),
        }
    }
}

async fn fault_of(store: &Store) -> Fault {
    store
        .exec_many(INSERT, rows("lost", [1]))
        .await
        .expect_err("the store is away")
}

#[tokio::test]
async fn a_lock_that_stays_is_a_fault_and_then_is_forgotten() {
    let store = Store::open().await;
    let lock = store.lock().await;
    let calls = [1, 2].map(|number| {
        let rows = rows("lost", [number]);
        store.pool.exec_many(INSERT.into(), rows, in_ms(1_200))
    });
    for call in calls {
        let fault = call.await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Saturated, "nothing was sent");
        assert!(fault.retryable);
    }
    unlock(lock).await;
    store_again(&store, "back").await;
    assert_eq!(store.stored().await, ["back 1"]);
    assert_eq!(store.pool.stats().reopened, 0, "the connection was sound");
}

/// Calls in the order in which they have to be stored, and a later one.
async fn are_stored_in_order(
    store: &Store,
    let_go: impl AsyncFnOnce(),
    expected_failures: impl Fn(u64) -> bool,
) {
    let send = |number| {
        let rows = rows("c", [number]);
        store.pool.exec_many(INSERT.into(), rows, soon())
    };
    let mut calls: Vec<_> = (0..5).map(send).collect();
    until("an attempt that fails", || {
        expected_failures(store.pool.stats().failed_transactions)
    })
    .await;
    calls.push(send(5));
    let_go().await;
    for call in calls {
        assert_eq!(call.await.expect("it is stored").failed, []);
    }
    let expected: Vec<String> = (0..6).map(|number| format!("c {number}")).collect();
    assert_eq!(store.stored().await, expected);
    assert_eq!(store.pool.stats().reopened, 0, "the connection was sound");
}

#[tokio::test]
async fn calls_outlast_a_lock_that_is_held_longer_than_a_connection_waits() {
    let store = Store::open().await;
    let mut stranger = store.stranger().await;
    sqlx::raw_sql("BEGIN EXCLUSIVE")
        .execute(&mut stranger)
        .await
        .unwrap();
    are_stored_in_order(
        &store,
        async || unlock(stranger).await,
        |failures| failures >= 2,
    )
    .await;
}

#[tokio::test]
async fn calls_outlast_a_lock_that_the_commit_meets() {
    // Without a log, a reader keeps the writer from committing.
    let schema = format!("PRAGMA journal_mode = DELETE; {SCHEMA}");
    let store = Store::open_with(&schema, |_| {}).await;
    let mut stranger = store.stranger().await;
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM t")
        .execute(&mut stranger)
        .await
        .unwrap();
    are_stored_in_order(
        &store,
        async || unlock(stranger).await,
        |failures| failures >= 1,
    )
    .await;
}

#[tokio::test]
async fn calls_that_wait_for_a_lock_count_against_the_bound() {
    let schema = format!("PRAGMA journal_mode = DELETE; {SCHEMA}");
    let store = Store::open_with(&schema, |options| options.max_waiting_rows = 4).await;
    let mut stranger = store.stranger().await;
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM t")
        .execute(&mut stranger)
        .await
        .unwrap();
    let first = store
        .pool
        .exec_many(INSERT.into(), rows("first", 0..4), soon());
    until("an attempt that fails", || {
        store.pool.stats().failed_transactions > 0 && store.pool.waiting_rows() == 4
    })
    .await;
    let second = store.exec_many(INSERT, rows("second", [0])).await;
    assert_eq!(second.unwrap_err().kind, FaultKind::Saturated);
    unlock(stranger).await;
    assert_eq!(first.await.unwrap().rows_affected, 4);
}

#[tokio::test]
async fn a_call_that_waits_past_its_deadline_is_never_run() {
    let store = Store::open().await;
    let lock = store.lock().await;
    let late = store
        .pool
        .exec_many(INSERT.into(), rows("late", [1]), in_ms(30));
    let patient = store
        .pool
        .exec_many(INSERT.into(), rows("patient", [1]), soon());
    let fault = late.await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Saturated);
    assert!(fault.retryable);
    assert_eq!(store.pool.waiting_rows(), 1);
    unlock(lock).await;
    patient.await.unwrap();
    assert_eq!(store.stored().await, ["patient 1"]);
}

#[tokio::test]
async fn a_call_whose_deadline_has_passed_is_not_taken() {
    let store = Store::open().await;
    let call = store
        .pool
        .exec_many(INSERT.into(), rows("late", [1]), Instant::now());
    assert_eq!(call.await.unwrap_err().kind, FaultKind::Saturated);
    assert_eq!(store.pool.waiting_rows(), 0);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_never_run() {
    let store = Store::open().await;
    let lock = store.lock().await;
    drop(
        store
            .pool
            .exec_many(INSERT.into(), rows("gone", [1]), soon()),
    );
    let patient = store
        .pool
        .exec_many(INSERT.into(), rows("patient", [1]), soon());
    unlock(lock).await;
    patient.await.unwrap();
    assert_eq!(store.stored().await, ["patient 1"]);
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
    store_again(&store, "next").await;
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
async fn more_rows_than_may_wait_are_saturated() {
    let store = Store::open_with(SCHEMA, |options| options.max_waiting_rows = 10).await;
    let lock = store.lock().await;
    let first = store
        .pool
        .exec_many(INSERT.into(), rows("first", 0..6), soon());
    let second = store
        .pool
        .exec_many(INSERT.into(), rows("second", 0..4), soon());
    let third = store
        .pool
        .exec_many(INSERT.into(), rows("third", [0]), soon());
    let fault = third.await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Saturated);
    assert!(fault.retryable);
    unlock(lock).await;
    first.await.unwrap();
    second.await.unwrap();
    // With nobody before it, a call larger than the bound is served.
    assert_eq!(
        store
            .exec_many(INSERT, rows("large", 0..20))
            .await
            .unwrap()
            .rows_affected,
        20
    );
    assert_eq!(store.stored().await.len(), 30);
}

#[tokio::test]
async fn a_folder_that_goes_and_comes_back() {
    let store = Store::open().await;
    store_again(&store, "before").await;
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
    store_again(&store, "back").await;
    assert_eq!(store.stored().await, ["before 1", "back 1"]);
}

#[tokio::test]
async fn a_removed_file_is_made_anew() {
    let store = Store::open().await;
    store_again(&store, "before").await;
    assert_eq!(store.stored().await, ["before 1"]);
    remove(&store.path());
    store_again(&store, "after").await;
    assert_eq!(store.stored().await, ["after 1"]);
    assert_eq!(store.pool.stats().reopened, 1);
    let mut stranger = store.stranger().await;
    let caller: String = sqlx::query_scalar("SELECT caller FROM t")
        .fetch_one(&mut stranger)
        .await
        .unwrap();
    assert_eq!(caller, "after", "where others find it");
}

#[tokio::test]
async fn a_file_that_is_no_database_waits_for_a_person() {
    let store = Store::open().await;
    store_again(&store, "before").await;
    remove(&store.path());
    std::fs::write(store.path(), [7; 8192]).unwrap();
    let fault = fault_of(&store).await;
    assert_eq!(fault.code, "sqlite:26");
    assert!(!fault.retryable);
    remove(&store.path());
    store_again(&store, "mended").await;
    assert_eq!(store.stored().await, ["mended 1"]);
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        if Path::new(&file).exists() {
            std::fs::remove_file(&file).expect("the file can be removed");
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
    store_again(&store, "back").await;
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

#[tokio::test]
async fn a_dropped_pool_stores_what_was_sent() {
    let store = Store::open().await;
    let lock = store.lock().await;
    let call = store.pool.exec_many(INSERT.into(), rows("c", 0..3), soon());
    let path = store.path();
    let Store { folder, pool } = store;
    drop(pool);
    unlock(lock).await;
    assert_eq!(call.await.unwrap().rows_affected, 3);
    let log = path.with_file_name("store.db-wal");
    until("the end of the writer", || !log.exists()).await;
    drop(folder);
}
