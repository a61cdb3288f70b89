//! The spool and the dead letters on a real file.

use std::sync::Arc;
use std::time::Instant;

use hookwire_broker::{Hook, Verdict};
use hookwire_driver::{Fault, FaultKind, SqlPool as _};
use hookwire_driver_sqlite::{SqliteOptions, SqlitePool};
use hookwire_rules::{House, HouseBounds, HouseStats};

use crate::blocks::{MODULE, ONCE, rule};
use crate::message_log::logged;
use crate::rig::{PATIENCE, Rig, with_house};
use crate::store::{MemoryStore, unavailable};

fn rules(on_error: &str) -> String {
    rules_with("store", on_error)
}

/// As [`rules`], with the action of the rule on publishes.
fn rules_with(action: &str, on_error: &str) -> String {
    let more = format!("pool = \"memory\"\n  on_error = \"{on_error}\"\n  {ONCE}");
    MODULE.to_owned()
        + &rule("r", "message.publish", action, &more)
        + &rule(
            "up",
            "client.connected",
            "store",
            &format!("pool = \"memory\"\n  {ONCE}"),
        )
}

/// Runs `test` with a house in a file.
fn on_disk<F: Future<Output = ()>>(
    on_error: &str,
    bounds: HouseBounds,
    test: impl FnOnce(Rig, Arc<House>) -> F,
) {
    in_file(on_error, bounds, |rig, house, _| test(rig, house));
}

/// As [`on_disk`], with the pool behind the house.
fn in_file<F: Future<Output = ()>>(
    on_error: &str,
    bounds: HouseBounds,
    test: impl FnOnce(Rig, Arc<House>, Arc<SqlitePool>) -> F,
) {
    let directory = tempfile::tempdir().unwrap();
    let service = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let options = SqliteOptions {
        schema: Some(House::SCHEMA.to_owned()),
        ..SqliteOptions::new(directory.path().join("house.db"))
    };
    let pool = service.block_on(SqlitePool::open(options)).unwrap();
    let house = service
        .block_on(House::open(Arc::clone(&pool) as _, bounds))
        .unwrap();
    let opened = Arc::clone(&house);
    with_house(
        &rules(on_error),
        async { Ok(opened) },
        MemoryStore::new(),
        async |rig| test(rig, Arc::clone(&house), Arc::clone(&pool)).await,
    );
    // What one run leaves, the next finds.
    let found = service.block_on(House::open(Arc::clone(&pool) as _, bounds));
    assert_eq!(found.unwrap().stats(), house.stats());
    service.block_on(pool.close());
}

#[test]
fn the_spool_empties_in_order_when_the_store_is_back() {
    on_disk("spool", HouseBounds::default(), async |mut rig, house| {
        rig.store.fail_with(Some(unavailable()));
        for number in 0..5 {
            let client = if number == 3 { "d" } else { "c" };
            let verdict = rig.verdict(client, "t", &number.to_string()).await;
            assert_eq!(verdict, Verdict::Proceed);
        }
        assert_eq!(house.stats().spooled, 5);
        rig.store.fail_with(None);
        let seen = rig.store.column(5).len();
        let replay = Arc::clone(&house).replay_spool(vec![rig.rules.handle()]);
        let replay = tokio::task::spawn_local(replay);
        rig.wait_for("the spool is empty", |rig| {
            rig.decided_so_far();
            house.stats().spooled == 0
        })
        .await;
        replay.abort();
        let mut replayed = rig.store.column(5).split_off(seen);
        let of_d = replayed.iter().position(|payload| payload == "3").unwrap();
        replayed.remove(of_d);
        assert_eq!(replayed, ["0", "1", "2", "4"]);
        assert_eq!(house.stats().spool_bytes, 0);
        assert_eq!(rig.verdict("c", "t", "5").await, Verdict::Proceed);
    });
}

/// Has the spool emptied, until something holds.
async fn while_replaying(
    rig: &mut Rig,
    house: &Arc<House>,
    what: &str,
    mut holds: impl FnMut(&mut Rig) -> bool,
) {
    let replay = Arc::clone(house).replay_spool(vec![rig.rules.handle()]);
    let replay = tokio::task::spawn_local(replay);
    rig.wait_for(what, |rig| {
        rig.decided_so_far();
        holds(rig)
    })
    .await;
    replay.abort();
}

#[test]
fn a_client_whose_events_wait_holds_up_no_other() {
    on_disk("spool", HouseBounds::default(), async |mut rig, house| {
        rig.store.fail_with(Some(unavailable()));
        for client in ["z", "a", "b"] {
            for number in 0..2 {
                let payload = format!("{client}{number}");
                rig.verdict(client, "t", &payload).await;
            }
        }
        rig.store.fail_with(None);
        rig.store.fail_from(Some("z0"));
        // Nor is a call made again for long while others wait.
        rig.go_over(&rules("spool").replace(ONCE, "retry_for = \"60s\""))
            .await;
        while_replaying(&mut rig, &house, "others are through", |_| {
            house.stats().spooled == 2
        })
        .await;
        let mut stored = rig.store.stored(5);
        stored.sort();
        assert_eq!(stored, ["a0", "a1", "b0", "b1"]);
        rig.store.fail_from(None);
        while_replaying(&mut rig, &house, "all are through", |_| {
            house.stats().spooled == 0
        })
        .await;
        assert_eq!(rig.store.stored(5)[4..], ["z0", "z1"]);
    });
}

#[test]
fn what_is_spooled_for_a_rule_that_is_gone_stays() {
    let log = logged(|| {
        on_disk("spool", HouseBounds::default(), async |mut rig, house| {
            rig.store.fail_with(Some(unavailable()));
            for client in ["c", "d"] {
                // Its characters have more than one byte.
                rig.verdict(client, "t", "café").await;
            }
            let before = house.stats();
            rig.store.fail_with(None);
            rig.go_over("").await;
            while_replaying(&mut rig, &house, "it is noticed", |_| {
                house.stats().spooled_without_rule == 2
            })
            .await;
            let spooled = house.spooled().await.unwrap();
            let [spooled] = spooled.as_slice() else {
                panic!("{spooled:?}");
            };
            assert_eq!((&*spooled.rule, spooled.events), ("r", 2));
            assert_eq!((spooled.clients, spooled.bytes), (2, before.spool_bytes));
            assert!(spooled.oldest_ms > 0);
            rig.go_over(&rules("spool")).await;
            while_replaying(&mut rig, &house, "it is back", |_| {
                house.stats().spooled == 0
            })
            .await;
            assert_eq!(rig.store.stored(5), ["café", "café"]);
            assert_eq!(house.stats(), HouseStats::default());
        });
    });
    let line = "spooled events wait for a rule that is not there";
    assert_eq!(log.matches(line).count(), 1, "{log}");
    assert!(
        log.contains("events=2") && log.contains("ctl spool purge r"),
        "{log}"
    );
}

#[test]
fn what_is_spooled_for_a_rule_is_purged() {
    on_disk("spool", HouseBounds::default(), async |mut rig, house| {
        rig.store.fail_with(Some(unavailable()));
        for client in ["c", "c", "d"] {
            rig.verdict(client, "t", "x").await;
        }
        rig.store.fail_with(None);
        assert_eq!(house.purge_spool("another").await.unwrap(), 0);
        assert_eq!(house.purge_spool("r").await.unwrap(), 3);
        assert_eq!(house.stats(), HouseStats::default());
        assert!(house.spooled().await.unwrap().is_empty());
        assert_eq!(rig.verdict("c", "t", "y").await, Verdict::Proceed);
        assert_eq!(rig.store.stored(5), ["y"], "nothing is before it");
    });
}

#[test]
fn what_is_spooled_and_no_longer_taken_becomes_a_dead_letter() {
    on_disk("spool", HouseBounds::default(), async |mut rig, house| {
        rig.store.fail_with(Some(unavailable()));
        for payload in ["1", "2"] {
            rig.verdict("c", "t", payload).await;
        }
        rig.store.fail_with(None);
        let tried = rig.store.executed().len();
        // It takes retained messages alone.
        rig.go_over(&rules_with("retained", "spool")).await;
        while_replaying(&mut rig, &house, "the spool is empty", |_| {
            house.stats().spooled == 0
        })
        .await;
        assert_eq!(rig.store.executed().len(), tried, "nothing ran");
        let letters = house.dead_letters(0, 10).await.unwrap();
        assert_eq!(letters.len(), 2);
        for letter in &letters {
            assert_eq!((&*letter.rule, &*letter.code), ("r", "host:not-taken"));
            let why = "rule \"r\" no longer takes this event";
            assert!(letter.message.contains(why), "{letter:?}");
        }
        let failed = replayed(&mut rig, &house, letters[0].id).await.unwrap_err();
        assert_eq!(failed.code, "host:not-taken");
        assert_eq!(house.stats().dead_letters, 2, "it stays");
        rig.go_over(&rules("spool")).await;
        for letter in &letters {
            replayed(&mut rig, &house, letter.id).await.unwrap();
        }
        assert_eq!(rig.store.stored(5), ["1", "2"]);
        assert_eq!(house.stats(), HouseStats::default());
    });
}

#[test]
fn a_full_spool_refuses() {
    let bounds = HouseBounds {
        max_spool_bytes: 10,
        ..HouseBounds::default()
    };
    on_disk("spool", bounds, async |mut rig, house| {
        rig.store.fail_with(Some(unavailable()));
        let verdict = rig.verdict("c", "t", "1").await;
        assert!(
            matches!(
                verdict,
                Verdict::Failed {
                    retryable: true,
                    ..
                }
            ),
            "{verdict:?}"
        );
        assert_eq!(house.stats().spooled, 0);
    });
}

/// Replays a dead letter, with the worker at its work.
async fn replayed(rig: &mut Rig, house: &Arc<House>, id: i64) -> Result<(), Fault> {
    let workers = [rig.rules.handle()];
    let mut replay = std::pin::pin!(house.replay(id, &workers));
    std::future::poll_fn(|cx| {
        rig.decided_so_far();
        let polled = replay.as_mut().poll(cx);
        cx.waker().wake_by_ref();
        polled
    })
    .await
}

#[test]
fn a_letter_that_cannot_be_read_is_listed_and_purged_with_the_others() {
    in_file(
        "deny",
        HouseBounds::default(),
        async |mut rig, house, pool| {
            rig.store.fail_with(Some(unavailable()));
            for client in ["c", "d", "e"] {
                rig.client_event(Hook::ClientConnected, client);
            }
            rig.all_ran().await;
            rig.store.fail_with(None);
            // As another version, or a disk, leaves them.
            for (client, event) in [("c", "'{\"hook'"), ("d", "x'00ff'")] {
                let damage =
                    format!("UPDATE dead_letters SET event = {event} WHERE clientid = '{client}'");
                let deadline = Instant::now() + PATIENCE;
                pool.exec_many(damage.into(), vec![Vec::new()], deadline)
                    .await
                    .unwrap();
            }
            let letters = house.dead_letters(0, 10).await.unwrap();
            let is_read: Vec<bool> = letters.iter().map(|letter| letter.event.is_ok()).collect();
            assert_eq!(is_read, [false, false, true]);
            assert_eq!((&*letters[0].rule, &*letters[0].clientid), ("up", "c"));
            assert_eq!(letters[0].code, "memory:gone");
            let failed = replayed(&mut rig, &house, letters[0].id).await.unwrap_err();
            assert!(
                failed.message.contains("its event cannot be read"),
                "{failed:?}"
            );
            replayed(&mut rig, &house, letters[2].id).await.unwrap();
            assert_eq!(house.stats().dead_letters, 2, "those stay");
            let purged = house.purge(Some(&[letters[0].id])).await.unwrap();
            assert_eq!(purged, 1);
        },
    );
}

#[test]
fn dead_letters_are_listed_replayed_and_purged() {
    on_disk("deny", HouseBounds::default(), async |mut rig, house| {
        rig.store.fail_with(Some(unavailable()));
        rig.client_event(Hook::ClientConnected, "c");
        rig.client_event(Hook::ClientConnected, "d");
        rig.all_ran().await;
        let letters = house.dead_letters(0, 10).await.unwrap();
        assert_eq!(letters.len(), 2);
        assert_eq!((&*letters[0].rule, &*letters[0].module), ("up", "m"));
        assert_eq!((&*letters[0].clientid, letters[0].generation), ("c", 1));
        let event = letters[0].event.as_ref().unwrap();
        assert_eq!(event.hook, "client.connected");
        assert_eq!(
            house.dead_letters(letters[0].id, 10).await.unwrap().len(),
            1
        );

        let replay = async |rig: &mut Rig, id: i64| replayed(rig, &house, id).await;
        let failed = replay(&mut rig, letters[0].id).await.unwrap_err();
        assert_eq!(failed.code, "memory:gone", "it stays");
        assert_eq!(house.stats().dead_letters, 2);
        rig.store.fail_with(None);
        replay(&mut rig, letters[0].id).await.unwrap();
        assert_eq!(rig.store.column(3).last().unwrap(), "c");
        assert_eq!(house.stats().dead_letters, 1);
        let unknown = replay(&mut rig, 999).await.unwrap_err();
        assert_eq!(unknown.kind, FaultKind::Invalid);
        rig.go_over("").await;
        let gone = replay(&mut rig, letters[1].id).await.unwrap_err();
        assert!(gone.message.contains("there is no rule \"up\""), "{gone:?}");
        assert_eq!(house.purge(Some(&[letters[1].id, 999])).await.unwrap(), 1);
        assert_eq!(house.purge(None).await.unwrap(), 0);
    });
}

#[test]
fn a_dead_letter_is_run_again_by_one_at_a_time() {
    on_disk("deny", HouseBounds::default(), async |mut rig, house| {
        rig.store.fail_with(Some(unavailable()));
        rig.client_event(Hook::ClientConnected, "c");
        rig.all_ran().await;
        rig.store.fail_with(None);
        let id = house.dead_letters(0, 10).await.unwrap()[0].id;
        let workers = [rig.rules.handle()];
        let replay = || house.replay(id, &workers);
        let mut replays = std::pin::pin!(async { tokio::join!(replay(), replay(), replay()) });
        let (first, second, third) = std::future::poll_fn(|cx| {
            rig.decided_so_far();
            let polled = replays.as_mut().poll(cx);
            cx.waker().wake_by_ref();
            polled
        })
        .await;
        assert_eq!(first, Ok(()));
        for other in [second, third] {
            let fault = other.unwrap_err();
            assert!(fault.message.contains("is being run again"), "{fault}");
        }
        assert_eq!(rig.store.stored(3), ["c"], "once");
        let gone = replayed(&mut rig, &house, id).await.unwrap_err();
        assert!(gone.message.contains("there is no dead letter"), "{gone}");
    });
}

#[test]
fn the_oldest_letters_make_way() {
    let bounds = HouseBounds {
        max_dead_letters: 3,
        ..HouseBounds::default()
    };
    on_disk("deny", bounds, async |mut rig, house| {
        for number in 0..5 {
            // The store refuses such rows for ever.
            rig.verdict(&format!("c{number}"), "t", "bad").await;
        }
        let letters = house.dead_letters(0, 10).await.unwrap();
        let clients: Vec<&str> = letters.iter().map(|letter| &*letter.clientid).collect();
        assert_eq!(clients, ["c2", "c3", "c4"]);
        assert_eq!(house.stats().dead_letters, 3);
    });
}
