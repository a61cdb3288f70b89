//! What is stored, in which order, and what happens to rows that are refused.

mod store;

use std::sync::Arc;

use hookwire_driver::{FaultKind, SqlPool as _, Value};
use store::{INSERT, SCHEMA, Store, bad_row, row, rows, soon, unlock};

#[tokio::test]
async fn calls_that_wait_are_one_transaction() {
    let store = Store::open().await;
    let lock = store.lock().await;
    let calls: Vec<_> = (0..50)
        .map(|number| {
            store
                .pool
                .exec_many(INSERT.into(), rows("c", [number]), soon())
        })
        .collect();
    assert_eq!(store.pool.waiting_rows(), 50);
    unlock(lock).await;
    for call in calls {
        let result = call.await.unwrap();
        assert_eq!(result.rows_affected, 1);
        assert_eq!(result.failed, []);
    }
    let stats = store.pool.stats();
    assert_eq!((stats.transactions, stats.calls, stats.rows), (1, 50, 50));
    assert_eq!(stats.largest_transaction_rows, 50);
    let expected: Vec<String> = (0..50).map(|number| format!("c {number}")).collect();
    assert_eq!(store.stored().await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_callers_rows_keep_their_order() {
    let store = Arc::new(Store::open().await);
    let callers: Vec<_> = (0..8)
        .map(|caller| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let name = format!("c{caller}");
                for call in 0..20 {
                    // Batches of many sizes, so that statements split everywhere.
                    let numbers = (0..=(call * 7 + caller) % 40).map(|row| call * 100 + row);
                    let result = store.exec_many(INSERT, rows(&name, numbers)).await;
                    assert_eq!(result.unwrap().failed, []);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let stored = store.stored().await;
    for caller in 0..8 {
        let name = format!("c{caller}");
        let expected: Vec<i64> = (0..20)
            .flat_map(|call| (0..=(call * 7 + caller) % 40).map(move |row| call * 100 + row))
            .collect();
        let found: Vec<i64> = stored
            .iter()
            .filter_map(|line| line.strip_prefix(&format!("{name} "))?.parse().ok())
            .collect();
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(store.pool.stats().rows, stored.len() as u64);
}

#[tokio::test]
async fn different_statements_of_one_transaction_keep_their_order() {
    let store = Store::open().await;
    store
        .exec("CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT)")
        .await;
    const ON: &str =
        "INSERT INTO state VALUES (?, 'on') ON CONFLICT (name) DO UPDATE SET value = 'on'";
    const OFF: &str = "UPDATE state SET value = 'off' WHERE name = ?";
    let lock = store.lock().await;
    let name = |name: &str| vec![vec![Value::Text(name.to_owned())]];
    let calls = [
        (ON, "a"),
        (ON, "b"),
        (OFF, "a"),
        (ON, "c"),
        (OFF, "c"),
        (ON, "a"),
    ]
    .map(|(sql, client)| store.pool.exec_many(sql.into(), name(client), soon()));
    unlock(lock).await;
    for call in calls {
        assert_eq!(call.await.unwrap().rows_affected, 1);
    }
    assert_eq!(store.pool.stats().transactions, 2);
    let states = store
        .query("SELECT name, value FROM state ORDER BY name")
        .await
        .unwrap();
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(
        states.rows,
        [
            [text("a"), text("on")],
            [text("b"), text("on")],
            [text("c"), text("off")],
        ]
    );
}

#[tokio::test]
async fn a_transaction_holds_no_more_rows_than_it_may() {
    let store = Store::open_with(SCHEMA, |options| options.max_transaction_rows = 10).await;
    let lock = store.lock().await;
    let calls: Vec<_> = [4, 4, 4, 25, 1]
        .map(|count| {
            store
                .pool
                .exec_many(INSERT.into(), rows("c", 0..count), soon())
        })
        .into();
    unlock(lock).await;
    for call in calls {
        call.await.unwrap();
    }
    let stats = store.pool.stats();
    assert_eq!((stats.transactions, stats.rows), (4, 38));
    assert_eq!(
        stats.largest_transaction_rows, 25,
        "one call is never split"
    );
}

#[tokio::test]
async fn a_refused_row_fails_alone() {
    let store = Store::open().await;
    let lock = store.lock().await;
    let before = store
        .pool
        .exec_many(INSERT.into(), rows("before", 0..3), soon());
    let mut mixed = rows("mixed", 0..300);
    for bad in [0, 137, 299] {
        mixed[bad] = bad_row();
    }
    let mixed = store.pool.exec_many(INSERT.into(), mixed, soon());
    let after = store
        .pool
        .exec_many(INSERT.into(), rows("after", 0..3), soon());
    unlock(lock).await;

    assert_eq!(before.await.unwrap().failed, []);
    assert_eq!(after.await.unwrap().failed, []);
    let result = mixed.await.unwrap();
    assert_eq!(result.rows_affected, 297);
    let failed: Vec<usize> = result.failed.iter().map(|failed| failed.row).collect();
    assert_eq!(failed, [0, 137, 299]);
    for failed in &result.failed {
        assert_eq!(failed.fault.kind, FaultKind::Refused);
        assert_eq!(failed.fault.code, "sqlite:19");
        assert!(!failed.fault.retryable);
    }
    let stored = store.stored().await;
    assert_eq!(stored.len(), 303);
    let mixed: Vec<String> = (0..300)
        .filter(|number| ![0, 137, 299].contains(number))
        .map(|number| format!("mixed {number}"))
        .collect();
    assert_eq!(stored[3..300], mixed, "the others keep their order");
    assert_eq!(store.pool.stats().refused_rows, 3);
}

#[tokio::test]
async fn a_row_that_rolls_the_transaction_back_fails_alone() {
    let store = Store::open_with(SCHEMA, |options| options.allows_triggers = true).await;
    store
        .exec(
            "CREATE TRIGGER refuse BEFORE INSERT ON t WHEN new.number = 13 \
             BEGIN SELECT RAISE(ROLLBACK, 'unlucky'); END",
        )
        .await;
    let lock = store.lock().await;
    let first = store
        .pool
        .exec_many(INSERT.into(), rows("a", 10..16), soon());
    let second = store.pool.exec_many(INSERT.into(), rows("b", 0..2), soon());
    unlock(lock).await;
    let first = first.await.unwrap();
    let failed: Vec<usize> = first.failed.iter().map(|failed| failed.row).collect();
    assert_eq!(failed, [3]);
    assert_eq!(first.failed[0].fault.kind, FaultKind::Refused);
    assert_eq!(second.await.unwrap().failed, []);
    assert_eq!(
        store.stored().await,
        ["a 10", "a 11", "a 12", "a 14", "a 15", "b 0", "b 1"]
    );
}

#[tokio::test]
async fn a_table_that_keeps_rows_before_the_refused_one_gets_none_twice() {
    let store = Store::open().await;
    store
        .exec("CREATE TABLE u (number INTEGER UNIQUE ON CONFLICT FAIL)")
        .await;
    let numbers = [1, 2, 3, 2, 4].map(|number| vec![Value::Integer(number)]);
    let result = store
        .exec_many("INSERT INTO u VALUES (?)", numbers.into())
        .await
        .unwrap();
    let failed: Vec<usize> = result.failed.iter().map(|failed| failed.row).collect();
    assert_eq!(failed, [3]);
    let count = store.query("SELECT count(*) FROM u").await.unwrap();
    assert_eq!(count.rows, [[Value::Integer(4)]]);
}

#[tokio::test]
async fn rows_affected_counts_what_changed() {
    let store = Store::open().await;
    store.exec("CREATE TABLE u (number INTEGER UNIQUE)").await;
    let numbers = |numbers: [i64; 3]| numbers.map(|number| vec![Value::Integer(number)]).into();
    const IGNORE: &str = "INSERT OR IGNORE INTO u VALUES (?)";
    let lock = store.lock().await;
    let first = store
        .pool
        .exec_many(IGNORE.into(), numbers([1, 2, 2]), soon());
    let second = store
        .pool
        .exec_many(IGNORE.into(), numbers([2, 3, 4]), soon());
    unlock(lock).await;
    assert_eq!(first.await.unwrap().rows_affected, 2);
    assert_eq!(second.await.unwrap().rows_affected, 2);
    let result = store
        .exec_many("DELETE FROM u WHERE number > ?", numbers([3, 1, 0]))
        .await;
    assert_eq!(result.unwrap().rows_affected, 4);
}

#[tokio::test]
async fn values_come_back_as_they_went() {
    let store = Store::open().await;
    store
        .exec("CREATE TABLE v (a, b TEXT, c BLOB, d INTEGER, e REAL, f DATETIME, g BOOLEAN)")
        .await;
    let values = vec![
        Value::Null,
        Value::Text("größer 'als' \0 ?".to_owned()),
        Value::Blob(vec![0, 255, 39]),
        Value::Integer(i64::MIN),
        Value::Float(-0.125),
        Value::Text("2016-11-15 09:40:40".to_owned()),
        Value::Boolean(true),
    ];
    let empty = vec![
        Value::Null,
        Value::Text(String::new()),
        Value::Blob(Vec::new()),
        Value::Integer(0),
        Value::Float(1e300),
        Value::Null,
        Value::Boolean(false),
    ];
    let result = store
        .exec_many(
            "INSERT INTO v VALUES (?, ?, ?, ?, ?, ?, ?)",
            vec![values.clone(), empty.clone()],
        )
        .await;
    assert_eq!(result.unwrap().rows_affected, 2);
    let found = store.query("SELECT * FROM v").await.unwrap();
    assert_eq!(found.columns, ["a", "b", "c", "d", "e", "f", "g"]);
    // SQLite has no truth values: they are 0 and 1.
    let expected = [(values, 1), (empty, 0)].map(|(mut row, truth)| {
        row[6] = Value::Integer(truth);
        row
    });
    assert_eq!(found.rows, expected);
}

#[tokio::test]
async fn a_wrong_call_fails_and_leaves_others_alone() {
    let store = Store::open().await;
    let lock = store.lock().await;
    let exec = |sql: &str, row| store.pool.exec_many(sql.into(), vec![row], soon());
    let good = exec(INSERT, row("good", 1));
    let short = exec(INSERT, vec![Value::Null]);
    let pragma = exec("PRAGMA synchronous = OFF", vec![]);
    let commit = exec("COMMIT", vec![]);
    let nowhere = exec("INSERT INTO nowhere VALUES (?)", vec![Value::Null]);
    let last = exec(INSERT, row("good", 2));
    unlock(lock).await;

    assert_eq!(good.await.unwrap().failed, []);
    assert_eq!(last.await.unwrap().failed, []);
    assert_eq!(short.await.unwrap_err().kind, FaultKind::Invalid);
    assert_eq!(pragma.await.unwrap_err().kind, FaultKind::Denied);
    assert_eq!(commit.await.unwrap_err().kind, FaultKind::Denied);
    let nowhere = nowhere.await.unwrap();
    assert_eq!(nowhere.failed[0].fault.kind, FaultKind::Invalid);
    assert!(nowhere.failed[0].fault.message.contains("nowhere"));
    assert_eq!(store.stored().await, ["good 1", "good 2"]);
}

#[tokio::test]
async fn an_answered_call_is_on_disk() {
    let store = Store::open().await;
    store.exec_many(INSERT, rows("c", 0..100)).await.unwrap();
    // The files as they are now are what a kill would leave.
    let copy = tempfile::tempdir().unwrap();
    for file in ["store.db", "store.db-wal"] {
        std::fs::copy(store.path().with_file_name(file), copy.path().join(file)).unwrap();
    }
    let mut reopened = store::connect(&copy.path().join("store.db")).await;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM t")
        .fetch_one(&mut reopened)
        .await
        .unwrap();
    assert_eq!(count, 100);
}

#[tokio::test]
async fn closing_stores_what_waits() {
    let store = Store::open().await;
    let lock = store.lock().await;
    let calls: Vec<_> = (0..10)
        .map(|number| {
            store
                .pool
                .exec_many(INSERT.into(), rows("c", [number]), soon())
        })
        .collect();
    // Closing is polled first: it waits for the lock, as the writer does.
    tokio::join!(store.pool.close(), unlock(lock));
    for call in calls {
        assert_eq!(call.await.unwrap().rows_affected, 1);
    }
    let late = store
        .exec_many(INSERT, rows("late", [1]))
        .await
        .unwrap_err();
    assert_eq!(
        (late.kind, late.code.as_str()),
        (FaultKind::Unavailable, "sqlite:closed")
    );
    assert!(store.query("SELECT 1").await.is_err());
    assert!(
        !store.path().with_file_name("store.db-wal").exists(),
        "the log is in the file"
    );
    let mut stranger = store.stranger().await;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM t WHERE caller = 'c'")
        .fetch_one(&mut stranger)
        .await
        .unwrap();
    assert_eq!(count, 10);
}

#[tokio::test]
async fn the_shipped_tables_never_give_an_id_twice() {
    let schema = include_str!("../../../../etc/sql/sqlite-emqx3.sql");
    let store = Store::open_with(&format!("{schema}{schema}"), |_| {}).await;
    for table in [
        "mqtt_client",
        "mqtt_sub",
        "mqtt_msg",
        "mqtt_retain",
        "mqtt_acked",
    ] {
        let insert = match table {
            "mqtt_msg" => "INSERT INTO mqtt_msg (topic, arrived) VALUES ('t', '')".to_owned(),
            table => format!("INSERT INTO {table} DEFAULT VALUES"),
        };
        store.exec(&insert).await;
        store.exec(&insert).await;
        store.exec(&format!("DELETE FROM {table}")).await;
        store.exec(&insert).await;
        let ids = store
            .query(&format!("SELECT id FROM {table}"))
            .await
            .unwrap();
        assert_eq!(ids.rows, [[Value::Integer(3)]], "{table}");
    }
}
