//! Queues: order, batches, bounds, and lanes side by side.

use std::collections::HashMap;

use hookwire_broker::{Hook, Hooks, Verdict};

use crate::blocks::{MODULE, rule};
use crate::rig::{Rig, with_rules};

const STORE: &str = "pool = \"memory\"";

fn blocks(module: &[(&str, &str)], rules: &[String]) -> String {
    let mut blocks = MODULE.to_owned();
    for (from, to) in module {
        assert!(blocks.contains(from), "{from}");
        blocks = blocks.replace(from, to);
    }
    blocks + &rules.concat()
}

fn store_all() -> [String; 4] {
    [
        rule("publish", "message.publish", "store", STORE),
        rule("up", "client.connected", "store", STORE),
        rule("down", "client.disconnected", "store", STORE),
        rule("acked", "message.acked", "store", STORE),
    ]
}

#[test]
fn events_of_a_client_stay_in_order_over_many_batches_and_lanes() {
    let module = [
        ("lanes     = 1", "lanes = 3"),
        ("max_batch = 64", "max_batch = 7"),
    ];
    with_rules(&blocks(&module, &store_all()), async |mut rig: Rig| {
        let clients: Vec<String> = (0..10).map(|client| format!("client-{client}")).collect();
        for round in 0..30 {
            for client in &clients {
                // A client that comes and goes within one batch.
                rig.client_event(Hook::ClientConnected, client);
                rig.publish(client, &format!("t/{round}"), "a");
                rig.publish(client, &format!("t/{round}"), "b");
                rig.client_event(Hook::ClientDisconnected, client);
            }
            // Lets lanes take some of it while more comes.
            tokio::task::yield_now().await;
        }
        rig.verdicts().await;
        rig.all_ran().await;
        let mut seen: HashMap<String, Vec<String>> = HashMap::new();
        for row in rig.store.rows() {
            let row: Vec<String> = row.iter().map(crate::store::text).collect();
            let what = match row[1].as_str() {
                "message.publish" => format!("{} {}", row[4], row[5]),
                hook => hook.to_owned(),
            };
            seen.entry(row[3].clone()).or_default().push(what);
        }
        let expected: Vec<String> = (0..30)
            .flat_map(|round| {
                [
                    "client.connected".to_owned(),
                    format!("t/{round} a"),
                    format!("t/{round} b"),
                    "client.disconnected".to_owned(),
                ]
            })
            .collect();
        assert_eq!(seen.len(), clients.len());
        for (client, seen) in seen {
            assert_eq!(seen, expected, "{client}");
        }
        let stats = rig.module_stats("m");
        assert_eq!(stats.events, 1_200);
        assert!(stats.handle_calls < 600, "batches: {stats:?}");
        assert!(stats.max_batch_seen <= 7, "{stats:?}");
    });
}

#[test]
fn what_waits_becomes_one_batch_and_one_store_call_a_rule() {
    with_rules(&blocks(&[], &store_all()), async |mut rig: Rig| {
        // The lane's instance is up, so that what follows meets an idle lane.
        rig.publish("warm", "t", "");
        rig.verdicts().await;
        for client in 0..20 {
            rig.publish(&format!("c{client}"), "t", "");
            rig.client_event(Hook::ClientDisconnected, &format!("d{client}"));
        }
        rig.verdicts().await;
        rig.all_ran().await;
        let calls: Vec<usize> = rig.store.executed().iter().map(|c| c.rows.len()).collect();
        assert_eq!(calls, [1, 20, 20], "events of other clients are regrouped");
        assert_eq!(rig.module_stats("m").handle_calls, 2);
        assert_eq!(rig.module_stats("m").max_batch_seen, 40);
        assert_eq!(rig.rule_stats("publish").calls, 2);
        assert_eq!(rig.rule_stats("publish").events, 21);
    });
}

#[test]
fn a_lane_that_waits_for_its_store_does_not_hold_up_another() {
    let module = [("lanes     = 1", "lanes = 4")];
    let rules = [
        rule(
            "slow",
            "message.publish",
            "store",
            "topic = \"slow\"\n  pool = \"other\"",
        ),
        rule("quick", "message.publish", "noop", "topic = \"quick\""),
    ];
    with_rules(&blocks(&module, &rules), async |mut rig: Rig| {
        rig.other_store.close();
        let slow = rig.publish("stuck", "slow", "");
        rig.wait_for("the store is asked", |rig| {
            !rig.other_store.executed().is_empty()
        })
        .await;
        let quick: Vec<u64> = (0..64)
            .map(|client| rig.publish(&format!("c{client}"), "quick", ""))
            .collect();
        // Clients of the stuck lane wait, and there are others.
        rig.wait_for("clients of other lanes are served", |rig| {
            rig.decided_so_far().len() > 16
        })
        .await;
        let decided = rig.decided_so_far();
        assert!(!decided.contains(&slow));
        assert!(decided.iter().all(|key| quick.contains(key)));
        rig.other_store.open();
        assert_eq!(rig.verdicts().await.len(), 65);
    });
}

#[test]
fn publishes_pipeline_and_are_answered_together() {
    with_rules(&blocks(&[], &store_all()), async |mut rig: Rig| {
        rig.store.close();
        for number in 0..10 {
            rig.publish("c", "t", &number.to_string());
        }
        rig.wait_for("the batch is under way", |rig| {
            !rig.store.executed().is_empty()
        })
        .await;
        for number in 10..30 {
            rig.publish("c", "t", &number.to_string());
        }
        assert_eq!(rig.rules.outstanding(), 30);
        rig.store.open();
        let verdicts = rig.verdicts().await;
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Proceed));
        assert_eq!(rig.rules.outstanding(), 0);
        let expected: Vec<String> = (0..30).map(|number| number.to_string()).collect();
        assert_eq!(rig.store.column(5), expected);
        assert_eq!(rig.store.executed().len(), 2, "group commit");
    });
}

#[test]
fn a_full_lane_says_so_and_wakes_the_core_when_there_is_room() {
    let module = [
        ("max_batch = 64", "max_batch = 4\n  max_queued_events = 10"),
        ("lanes     = 1", "lanes = 2"),
    ];
    with_rules(&blocks(&module, &store_all()), async |mut rig: Rig| {
        rig.store.close();
        rig.publish("c", "t", "");
        rig.wait_for("the lane is busy", |rig| !rig.store.executed().is_empty())
            .await;
        for _ in 0..9 {
            assert!(rig.rules.has_room("c"));
            rig.publish("c", "t", "");
        }
        assert!(rig.rules.has_room("c"));
        rig.publish("c", "t", "");
        assert!(!rig.rules.has_room("c"), "ten wait");
        rig.publish("c", "t", "");
        let others = (0..16).filter(|other| rig.rules.has_room(&format!("other-{other}")));
        let others = others.count();
        assert!((1..16).contains(&others), "the other lane has room");

        let woken = std::sync::Arc::new(CountingWaker::default());
        rig.rules.set_waker(std::sync::Arc::clone(&woken).into());
        rig.store.open();
        rig.wait_for("the core is woken", |_| woken.count() > 0)
            .await;
        rig.wait_for("there is room again", |rig| rig.rules.has_room("c"))
            .await;
        let verdicts = rig.verdicts().await;
        assert_eq!(verdicts.len(), 12, "what came beyond the bound is not lost");
    });
}

#[test]
fn the_core_is_woken_once_a_batch() {
    with_rules(&blocks(&[], &store_all()), async |mut rig: Rig| {
        rig.publish("c", "t", "");
        rig.verdicts().await;
        let woken = std::sync::Arc::new(CountingWaker::default());
        rig.rules.set_waker(std::sync::Arc::clone(&woken).into());
        for _ in 0..64 {
            rig.publish("c", "t", "");
        }
        rig.wait_for("all are decided", |rig| rig.decided_so_far().len() == 64)
            .await;
        assert_eq!(woken.count(), 1);
    });
}

#[test]
fn a_client_with_events_under_way_may_not_connect_yet() {
    with_rules(&blocks(&[], &store_all()), async |mut rig: Rig| {
        assert!(rig.rules.may_connect("c"));
        rig.store.close();
        rig.client_event(Hook::ClientDisconnected, "c");
        rig.publish("p", "t", "");
        assert!(!rig.rules.may_connect("c"));
        for client in ["p", "other"] {
            assert!(
                rig.rules.may_connect(client),
                "{client} waits for nobody else"
            );
        }
        rig.wait_for("the batch is under way", |rig| {
            !rig.store.executed().is_empty()
        })
        .await;
        assert!(!rig.rules.may_connect("c"), "its event has not run");
        let woken = std::sync::Arc::new(CountingWaker::default());
        rig.rules.set_waker(std::sync::Arc::clone(&woken).into());
        rig.store.open();
        rig.wait_for("the core is woken", |_| woken.count() > 0)
            .await;
        rig.wait_for("it may connect", |rig| rig.rules.may_connect("c"))
            .await;
    });
}

#[test]
fn publishes_that_are_abandoned_are_not_run() {
    let rules = [
        rule("first", "message.publish", "noop", "topic = \"two/#\""),
        rule("store", "message.publish", "store", STORE),
    ];
    let module = [("max_batch = 64", "max_batch = 1")];
    with_rules(&blocks(&module, &rules), async |mut rig: Rig| {
        rig.store.close();
        let running = rig.publish("c", "t", "running");
        rig.wait_for("the batch is under way", |rig| {
            !rig.store.executed().is_empty()
        })
        .await;
        let waits = rig.publish("c", "t", "waits");
        let waits_in_chain = rig.publish("c", "two/steps", "waits");
        let kept = rig.publish("c", "two/steps", "kept");
        let woken = std::sync::Arc::new(CountingWaker::default());
        rig.rules.set_waker(std::sync::Arc::clone(&woken).into());
        for key in [running, waits, waits_in_chain] {
            rig.rules.abandon(key);
        }
        assert!(woken.count() > 0);
        let mut decided = rig.decided_so_far();
        decided.sort_unstable();
        assert_eq!(decided, [waits, waits_in_chain], "what runs goes on");
        rig.store.open();
        let verdicts = rig.verdicts().await;
        assert_eq!(verdicts[0], Verdict::Proceed);
        assert!(matches!(verdicts[1], Verdict::Failed { .. }));
        assert!(matches!(verdicts[2], Verdict::Failed { .. }));
        assert_eq!(verdicts[kept as usize - 1], Verdict::Proceed);
        assert_eq!(rig.store.column(5), ["running", "kept"]);
        assert_eq!(rig.rules.outstanding(), 0);
        assert!(rig.rules.may_connect("c"));
    });
}

#[test]
fn a_batch_holds_no_more_payload_than_its_guest_has_memory_for() {
    // An eighth of it: 1 MiB.
    let module = [(
        "max_batch = 64",
        "max_batch = 64\n  max_memory_bytes = \"8MiB\"",
    )];
    with_rules(&blocks(&module, &store_all()), async |mut rig: Rig| {
        rig.publish("c", "t", "");
        rig.verdicts().await;
        let large = "x".repeat(400_000);
        for _ in 0..6 {
            rig.publish("c", "t", &large);
        }
        let verdicts = rig.verdicts().await;
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Proceed));
        let calls: Vec<usize> = rig.store.executed().iter().map(|c| c.rows.len()).collect();
        assert_eq!(calls, [1, 3, 3]);
    });
}

#[derive(Default)]
struct CountingWaker(std::sync::atomic::AtomicUsize);

impl CountingWaker {
    fn count(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

impl std::task::Wake for CountingWaker {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}
