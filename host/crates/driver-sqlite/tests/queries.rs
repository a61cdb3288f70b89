//! Queries: bounds, deadlines, and callers on other runtimes.

mod store;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_driver::{FaultKind, SqlPool as _, Value};
use store::{INSERT, SCHEMA, Store, rows, soon};

const ENDLESS: &str =
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c";

#[tokio::test]
async fn answers_rows_and_columns() {
    let store = Store::open().await;
    store.exec_many(INSERT, rows("c", 0..5)).await.unwrap();
    let found = store
        .pool
        .query(
            "SELECT number, caller AS who FROM t WHERE number > ? ORDER BY number".into(),
            vec![Value::Integer(2)],
            10,
            soon(),
        )
        .await
        .unwrap();
    assert_eq!(found.columns, ["number", "who"]);
    let row = |number| vec![Value::Integer(number), Value::Text("c".to_owned())];
    assert_eq!(found.rows, [row(3), row(4)]);
    assert!(!found.truncated);
}

#[tokio::test]
async fn values_come_as_they_are_held_and_go_as_they_are_given() {
    let store = Store::open().await;
    let text = |text: &str| Value::Text(text.to_owned());
    for value in [
        Value::Null,
        Value::Integer(i64::MIN),
        Value::Float(-0.5),
        text(""),
        text("21 °C\0 and on"),
        Value::Blob(Vec::new()),
        Value::Blob(vec![0, 159, 255]),
    ] {
        let query = store
            .pool
            .query("SELECT ?".into(), vec![value.clone()], 1, soon());
        assert_eq!(query.await.unwrap().rows[0][0], value);
    }
    let query = store
        .pool
        .query("SELECT ?".into(), vec![Value::Boolean(true)], 1, soon());
    assert_eq!(query.await.unwrap().rows, [[Value::Integer(1)]]);
    // SQLite does not check that text is UTF-8.
    let found = store.query("SELECT CAST(x'ff00' AS TEXT)").await.unwrap();
    assert_eq!(found.rows, [[Value::Blob(vec![255, 0])]]);
}

#[tokio::test]
async fn a_statement_that_ran_before_runs_on_the_tables_of_now() {
    let store = Store::open_with(SCHEMA, |options| options.readers = 1).await;
    let before = store.query("SELECT * FROM t").await.unwrap();
    store
        .exec("ALTER TABLE t ADD COLUMN more TEXT DEFAULT 'm'")
        .await;
    store.exec_many(INSERT, rows("c", [1])).await.unwrap();
    let after = store.query("SELECT * FROM t").await.unwrap();
    assert_eq!(after.columns.len(), before.columns.len() + 1);
    assert_eq!(after.rows[0].last(), Some(&Value::Text("m".to_owned())));
}

#[tokio::test]
async fn more_statements_than_are_kept_run_all_the_same() {
    let store = Store::open_with(SCHEMA, |options| options.readers = 1).await;
    for number in (0..600).chain(0..600) {
        let found = store.query(&format!("SELECT {number}")).await.unwrap();
        assert_eq!(found.rows, [[Value::Integer(number)]]);
    }
}

#[tokio::test]
async fn no_rows_have_columns_too() {
    let store = Store::open().await;
    let found = store.query("SELECT id, caller FROM t").await.unwrap();
    assert_eq!(found.columns, ["id", "caller"]);
    assert!(found.rows.is_empty() && !found.truncated);
}

#[tokio::test]
async fn stops_at_the_row_limit() {
    let store = Store::open().await;
    store.exec_many(INSERT, rows("c", 0..500)).await.unwrap();
    let check = async |max_rows, count, truncated| {
        let query = store
            .pool
            .query("SELECT * FROM t".into(), vec![], max_rows, soon());
        let found = query.await.unwrap();
        assert_eq!(
            (found.rows.len(), found.truncated),
            (count, truncated),
            "{max_rows}"
        );
    };
    check(500, 500, false).await;
    check(499, 499, true).await;
    check(1, 1, true).await;
    check(0, 0, true).await;
    check(501, 500, false).await;
}

#[tokio::test]
async fn stops_at_the_byte_limit() {
    let store = Store::open_with(SCHEMA, |options| options.max_result_bytes = 1000).await;
    store
        .exec_many(INSERT, rows(&"x".repeat(100), 0..50))
        .await
        .unwrap();
    let found = store.query("SELECT caller FROM t").await.unwrap();
    assert_eq!(found.rows.len(), 10);
    assert!(found.truncated);
    // One row that is too large by itself is not answered either.
    let found = store.query("SELECT zeroblob(1001)").await.unwrap();
    assert_eq!(found.rows.len(), 0);
    assert!(found.truncated);
}

#[tokio::test]
async fn a_query_only_asks() {
    let store = Store::open().await;
    let fault = store.query("DELETE FROM t").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied);
    let fault = store
        .query("WITH x AS (SELECT 1) INSERT INTO t (caller) SELECT 'c' FROM x")
        .await
        .unwrap_err();
    assert_eq!(fault.code, "sqlite:8");
    let fault = store.query("SELECT nothing FROM t").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    let fault = store.query("SELECT ?").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert_eq!(store.stored().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_query_that_runs_past_its_deadline_frees_its_connection() {
    let store = Store::open_with(SCHEMA, |options| options.readers = 1).await;
    for _ in 0..3 {
        let deadline = Instant::now() + Duration::from_millis(50);
        let endless = store.pool.query(ENDLESS.into(), vec![], 1, deadline);
        assert_eq!(endless.await.unwrap_err().kind, FaultKind::Unknown);
    }
    let found = store.query("SELECT 1").await.unwrap();
    assert_eq!(found.rows, [[Value::Integer(1)]]);
}

#[tokio::test]
async fn a_query_that_finds_no_free_connection_was_never_sent() {
    let store = Store::open_with(SCHEMA, |options| options.readers = 1).await;
    let (sooner, later) = (Duration::from_millis(50), Duration::from_millis(500));
    let endless = store
        .pool
        .query(ENDLESS.into(), vec![], 1, Instant::now() + later);
    let waiting = store
        .pool
        .query("SELECT 1".into(), vec![], 1, Instant::now() + sooner);
    assert_eq!(waiting.await.unwrap_err().kind, FaultKind::Saturated);
    assert_eq!(endless.await.unwrap_err().kind, FaultKind::Unknown);
}

#[tokio::test]
async fn a_read_sees_what_was_answered_before() {
    let store = Store::open().await;
    for number in 0..50 {
        store.exec_many(INSERT, rows("c", [number])).await.unwrap();
        let count = store.query("SELECT count(*) FROM t").await.unwrap();
        assert_eq!(count.rows, [[Value::Integer(number + 1)]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_need_no_runtime_of_the_pools_kind() {
    let store = Arc::new(Store::open().await);
    let caller = {
        let store = Arc::clone(&store);
        std::thread::spawn(move || {
            // No timers, no I/O: the futures must not ask for them.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            runtime.block_on(async {
                store.exec_many(INSERT, rows("c", [1])).await.unwrap();
                store.query("SELECT number FROM t").await.unwrap().rows
            })
        })
    };
    let found = tokio::task::spawn_blocking(move || caller.join().unwrap())
        .await
        .unwrap();
    assert_eq!(found, [[Value::Integer(1)]]);
}
