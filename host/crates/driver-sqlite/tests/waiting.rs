//! Calls that wait while somebody else has the store: in their order, within their
//! deadlines, and so many at most.

mod store;

use std::time::Instant;

use hookwire_driver::{FaultKind, SqlPool as _};
use store::{INSERT, SCHEMA, Store, in_ms, rows, soon, unlock, until};

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
    store.exec_until_stored("back").await;
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
