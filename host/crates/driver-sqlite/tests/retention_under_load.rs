//! Who stores, and what is removed, take turns.

mod store;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_driver::{SqlPool as _, Value};
use store::kept::{HOUR, ago, kept, messages, removed, retention, texts};
use store::soon;

/// On one thread: nothing runs between what the test looks at and its call, and who has
/// an answer runs before the writer goes on.
#[tokio::test]
async fn a_batch_is_behind_one_slice_at_most() {
    let old = ago("2 hours");
    let many = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) \
         INSERT INTO mqtt_msg (msgid, topic, payload, arrived) \
         SELECT 'm' || i, 't', zeroblob(500), {old} FROM n"
    );
    let store = kept(retention(Some(HOUR), None), &many).await;
    let insert = "INSERT INTO mqtt_msg (msgid, topic, arrived) VALUES (?, 't', datetime('now'))";
    let mut behind = Vec::new();
    let mut number = 0;
    while removed(&store, "mqtt_msg", "age") < 3000 {
        let before = store.pool.retention_stats().slices;
        let row = vec![Value::Text(format!("n{number}"))];
        let stored = store.pool.exec_many(insert.into(), vec![row], soon()).await;
        assert_eq!(stored.expect("it is stored").failed, []);
        behind.push(store.pool.retention_stats().slices - before);
        number += 1;
    }
    // The one that had the writer already.
    assert!(behind.iter().all(|slices| *slices <= 1), "{behind:?}");
    assert!(behind.contains(&1), "slices came between: {behind:?}");
    assert!(
        behind.len() > 20,
        "the store was busy meanwhile: {behind:?}"
    );
    let left = texts(&store, "SELECT count(*) FROM mqtt_msg").await;
    assert_eq!(left, [number.to_string()]);
    assert!(store.pool.retention_stats().longest_slice > Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_always_wait_do_not_keep_slices_from_their_turn() {
    let old = ago("2 hours");
    let store = kept(retention(Some(HOUR), None), &messages(&[old.as_str(); 200])).await;
    let insert = "INSERT INTO mqtt_msg (msgid, topic, arrived) VALUES (?, 't', datetime('now'))";
    let deadline = Instant::now() + Duration::from_secs(20);
    while removed(&store, "mqtt_msg", "age") < 200 {
        assert!(
            Instant::now() < deadline,
            "{:?}",
            store.pool.retention_stats()
        );
        let calls: Vec<_> = (0..20)
            .map(|number| {
                let row = vec![Value::Text(format!("n{number}"))];
                store.pool.exec_many(insert.into(), vec![row], soon())
            })
            .collect();
        for call in calls {
            call.await.expect("it is stored");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_keeps_its_size_though_callers_store_all_the_time() {
    const MAX: u64 = 4 << 20;
    let store = Arc::new(kept(retention(None, Some(MAX)), "").await);
    let insert = "INSERT INTO mqtt_msg (msgid, topic, payload, arrived) \
        VALUES (?, 't', ?, datetime('now'))";
    let callers: Vec<_> = (0..16)
        .map(|caller| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for call in 0..200 {
                    let row = |row| {
                        let id = format!("{call:05}-{caller}-{row}");
                        vec![Value::Text(id), Value::Blob(vec![7; 200])]
                    };
                    let rows = (0..32).map(row).collect();
                    let stored = store.exec_many(insert, rows).await;
                    assert_eq!(stored.expect("it is stored").failed, []);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("it ends");
    }
    // 20 MB and more were stored; what came behind the last look may be there yet.
    let used = store
        .pool
        .contents(soon())
        .await
        .expect("it is read")
        .used_bytes;
    assert!(used < 2 * MAX, "{used} bytes in use");
    let gone = removed(&store, "mqtt_msg", "size");
    let left = texts(&store, "SELECT count(*) FROM mqtt_msg").await;
    assert!(gone > 0 && left != ["0"], "{gone} gone, {left:?} left");
}
