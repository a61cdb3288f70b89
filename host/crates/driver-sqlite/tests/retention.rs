//! What is removed from the stock tables, and what stays.

mod store;

use store::kept::{HOUR, ago, kept, messages, passes, removed, retention, run, texts};
use store::{unlock, until};

#[tokio::test(flavor = "multi_thread")]
async fn messages_go_by_age_and_nothing_younger_goes() {
    let (old, young) = (ago("2 hours"), ago("10 minutes"));
    // More than some slices; one came late, and some have no time that is one.
    let mut times: Vec<&str> = vec![&old; 40];
    times.extend([&*young, &old, "'1479202840'", "'yesterday'", &young]);
    let store = kept(retention(Some(HOUR), None), &messages(&times)).await;
    until("the old ones go", || {
        removed(&store, "mqtt_msg", "age") >= 41
    })
    .await;
    passes(&store).await;
    let left = texts(&store, "SELECT msgid FROM mqtt_msg ORDER BY id").await;
    assert_eq!(left, ["m40", "m42", "m43", "m44"]);
    assert_eq!(removed(&store, "mqtt_msg", "age"), 41);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_beside_a_message_goes_with_the_last_that_has_it() {
    let beside: String = ["m0", "m1", "m2"]
        .iter()
        .map(|id| format!("INSERT INTO hookwire_msg (msgid, properties) VALUES ('{id}', '[]');"))
        .collect();
    let (old, young) = (ago("2 hours"), ago("1 minutes"));
    let before = messages(&[&old, &old, &old])
        + &beside
        // Stored twice, and retained.
        + &format!("INSERT INTO mqtt_msg (msgid, topic, arrived) VALUES ('m1', 't', {young});")
        + "INSERT INTO mqtt_retain (topic, msgid) VALUES ('t', 'm2');";
    let store = kept(retention(Some(HOUR), None), &before).await;
    until("the old ones go", || {
        removed(&store, "mqtt_msg", "age") == 3
    })
    .await;
    let left = texts(&store, "SELECT msgid FROM hookwire_msg ORDER BY msgid").await;
    assert_eq!(left, ["m1", "m2"]);
    assert_eq!(removed(&store, "hookwire_msg", "age"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_go_when_the_store_is_too_large_and_no_more_than_that() {
    let time = ago("1 minutes");
    let many = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) \
         INSERT INTO mqtt_msg (msgid, topic, payload, arrived) \
         SELECT 'm' || i, 't', zeroblob(2000), {time} FROM n"
    );
    const MAX: u64 = 2 << 20;
    let store = kept(retention(None, Some(MAX)), &many).await;
    until("it is smaller", || {
        let used = store.pool.retention_stats().used_bytes;
        (1..=MAX).contains(&used)
    })
    .await;
    passes(&store).await;
    let used = store.pool.retention_stats().used_bytes;
    assert!(
        used > MAX - MAX / 20 - 7 * 4096,
        "{used} is less than it has to be"
    );
    let left = texts(&store, "SELECT id FROM mqtt_msg ORDER BY id").await;
    let gone = removed(&store, "mqtt_msg", "size");
    assert_eq!(gone + left.len() as u64, 2000);
    assert_eq!(left[0], (gone + 1).to_string(), "the oldest went");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_past_its_own_expiry_goes_and_a_late_one_does_not_take_its_place() {
    let before = "
        INSERT INTO mqtt_msg (msgid, topic, arrived) VALUES
            ('over', 't', datetime('now')), ('lasts', 't', datetime('now')),
            ('plain', 't', datetime('now'));
        INSERT INTO mqtt_retain (topic, msgid) VALUES
            ('over', '0zzzzzzzzzzzzzzzzzz0'), ('lasts', 'lasts'), ('plain', 'p');
        INSERT INTO hookwire_msg (msgid, expires_at_ms) VALUES
            ('over', 5), ('0zzzzzzzzzzzzzzzzzz0', 6), ('lasts', 32503680000000);";
    let store = kept(retention(None, None), before).await;
    until("it goes", || {
        removed(&store, "hookwire_msg", "expired") == 2
    })
    .await;
    passes(&store).await;
    let left = texts(&store, "SELECT msgid FROM mqtt_msg ORDER BY id").await;
    assert_eq!(left, ["lasts", "plain"]);
    let left = texts(&store, "SELECT topic FROM mqtt_retain ORDER BY id").await;
    assert_eq!(left, ["lasts", "plain"]);
    let noted = texts(&store, "SELECT msgid FROM hookwire_retain_deleted").await;
    assert_eq!(noted, ["0zzzzzzzzzzzzzzzzzz0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_goes_with_all_that_it_leaves() {
    let session = |id: &str, ends: &str| {
        format!(
            "INSERT INTO hookwire_session (clientid, node, expiry_s, ends_at_ms) \
                VALUES ('{id}', 'n', 60, {ends});
             INSERT INTO hookwire_sub (clientid, topic, qos) VALUES ('{id}', 't', 1);
             INSERT INTO hookwire_floor VALUES ('{id}', 't', 3);
             INSERT INTO hookwire_acked VALUES ('{id}', 't', 's', 4);
             INSERT INTO hookwire_exchange (clientid, direction, packet_id, msgid, state) \
                VALUES ('{id}', 'out', 1, 'x', 'sent');"
        )
    };
    let now_ms = "strftime('%s', 'now') * 1000";
    let before = session("over", "5")
        + &session("online", "NULL")
        + &session("away", &format!("{now_ms} + 60000"))
        // That it is back may be on its way to the store.
        + &session("just", &format!("{now_ms} - 60000"))
        + "INSERT INTO mqtt_sub (clientid, topic, qos) VALUES ('over', 'of-a-server', 1);
           INSERT INTO mqtt_client (clientid) VALUES ('over');";
    let store = kept(retention(Some(HOUR), Some(1 << 30)), &before).await;
    until("it goes", || {
        removed(&store, "hookwire_session", "expired") == 1
    })
    .await;
    passes(&store).await;
    for table in [
        "hookwire_session",
        "hookwire_sub",
        "hookwire_floor",
        "hookwire_acked",
        "mqtt_acked",
        "hookwire_exchange",
    ] {
        let query = format!("SELECT clientid FROM {table} ORDER BY clientid");
        assert_eq!(
            texts(&store, &query).await,
            ["away", "just", "online"],
            "{table}"
        );
    }
    let query = "SELECT topic FROM mqtt_sub WHERE clientid = 'over'";
    assert_eq!(texts(&store, query).await, ["of-a-server"]);
    assert_eq!(
        texts(&store, "SELECT clientid FROM mqtt_client").await,
        ["over"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_nothing_goes_once_nothing_can_come() {
    let exchange = |number: u32, client: &str, direction: &str, state: &str, id: &str| {
        format!(
            "INSERT INTO hookwire_exchange (number, clientid, direction, packet_id, msgid, state) \
             VALUES ({number}, '{client}', '{direction}', {number}, '{id}', '{state}');"
        )
    };
    let stored = "1aZ00000000000000000";
    let before = format!(
        "INSERT INTO mqtt_msg (msgid, topic, arrived) VALUES ('{stored}', 't', datetime('now'));
         INSERT INTO mqtt_retain (topic, msgid) VALUES ('t', '1bZ00000000000000000');
         INSERT INTO hookwire_msg (msgid) VALUES
            ('{stored}'), ('1bZ00000000000000000'), ('1cZ00000000000000000'), ('zNew'),
            ('zzzzzzzzzz0000000000'), ('foreign');
         INSERT INTO hookwire_session (clientid, node, expiry_s) VALUES ('kept', 'n', 60);
         INSERT INTO hookwire_retain_deleted VALUES
            ('old', '1aZ00000000000000000'), ('new', 'zzzzzzzzzz0000000000');"
    ) + &exchange(1, "kept", "in", "received", stored)
        + &exchange(2, "kept", "in", "received", "1cZ00000000000000000")
        + &exchange(3, "kept", "out", "completed", "1cZ00000000000000000")
        // The client may know their packet ids.
        + &exchange(4, "kept", "out", "sent", "1cZ00000000000000000")
        + &exchange(5, "kept", "out", "received", "1cZ00000000000000000")
        + &exchange(6, "gone", "out", "sent", "1cZ00000000000000000")
        // Its message may be about to be stored.
        + &exchange(7, "kept", "in", "received", "zzzzzzzzzz0000000000");
    let store = kept(retention(Some(HOUR), None), &before).await;
    until("they go", || {
        removed(&store, "hookwire_msg", "orphaned") == 1
            && removed(&store, "hookwire_exchange", "orphaned") == 3
            && removed(&store, "hookwire_retain_deleted", "age") == 1
    })
    .await;
    passes(&store).await;
    let left = texts(&store, "SELECT msgid FROM hookwire_msg ORDER BY msgid").await;
    let expected = [
        stored,
        "1bZ00000000000000000",
        "foreign",
        "zNew",
        "zzzzzzzzzz0000000000",
    ];
    assert_eq!(left, expected);
    let left = texts(
        &store,
        "SELECT number FROM hookwire_exchange ORDER BY number",
    )
    .await;
    assert_eq!(left, ["1", "4", "5", "7"]);
    let left = texts(&store, "SELECT topic FROM hookwire_retain_deleted").await;
    assert_eq!(left, ["new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_bounds_messages_stay() {
    let old = ago("9000 days");
    let store = kept(retention(None, None), &messages(&[&old, &old])).await;
    passes(&store).await;
    assert_eq!(
        texts(&store, "SELECT msgid FROM mqtt_msg ORDER BY id").await,
        ["m0", "m1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_another_process_delays_what_is_removed() {
    let store = kept(retention(Some(HOUR), None), "").await;
    let lock = store.lock().await;
    let old = ago("2 hours");
    let mut holder = lock;
    run(&mut holder, &messages(&[&old, &old])).await;
    run(&mut holder, "COMMIT; BEGIN IMMEDIATE").await;
    let before = texts(&store, "SELECT count(*) FROM mqtt_msg").await;
    unlock(holder).await;
    assert_eq!(before, ["2"]);
    until("they go", || removed(&store, "mqtt_msg", "age") == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_there_stops_its_own_step_alone() {
    let old = ago("2 hours");
    let before = messages(&[&old]) + "DROP VIEW hookwire_ended; DROP TABLE hookwire_session;";
    let store = kept(retention(Some(HOUR), None), &before).await;
    // The schema makes them again; so they go once more, under the open pool.
    until("the old one goes", || {
        removed(&store, "mqtt_msg", "age") == 1
    })
    .await;
    let mut stranger = store.stranger().await;
    run(
        &mut stranger,
        "DROP VIEW hookwire_ended; DROP TABLE hookwire_session",
    )
    .await;
    run(&mut stranger, &messages(&[&old])).await;
    until("the next one goes", || {
        removed(&store, "mqtt_msg", "age") == 2
    })
    .await;
    store
        .exec("INSERT INTO mqtt_msg (topic, arrived) VALUES ('t', datetime('now'))")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_ends_its_retention_removes_nothing_more() {
    let store = kept(retention(Some(HOUR), None), "").await;
    passes(&store).await;
    store.pool.end_retention();
    let insert = "INSERT INTO mqtt_msg (topic, arrived) VALUES ('t', '2000-01-01 00:00:00')";
    store.exec(insert).await;
    let slices = store.pool.retention_stats().slices;
    store.exec(insert).await;
    store.exec(insert).await;
    assert_eq!(store.pool.retention_stats().slices, slices);
    assert_eq!(texts(&store, "SELECT count(*) FROM mqtt_msg").await, ["3"]);
}
