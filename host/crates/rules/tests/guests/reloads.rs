//! Going over from one plan to the next, with events under way.

use std::sync::Arc;

use hookwire_broker::{Hook, Hooks, Verdict};
use hookwire_rules::TapFilter;

use crate::blocks::{MODULE, rule};
use crate::rig::{Rig, with_rules};
use crate::store::unavailable;

const STORE: &str = "pool = \"memory\"";

fn store(name: &str) -> String {
    format!("{MODULE}{}", rule(name, "message.publish", "store", STORE))
}

#[test]
fn what_came_under_a_plan_runs_by_it_and_before_what_is_new() {
    with_rules(&store("old"), async |mut rig: Rig| {
        rig.store.close();
        for number in 0..10 {
            rig.publish("c", "t", &number.to_string());
        }
        rig.go_over(&store("new")).await;
        for number in 10..20 {
            rig.publish("c", "t", &number.to_string());
        }
        rig.store.open();
        let verdicts = rig.verdicts().await;
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Proceed));
        let payloads: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(rig.store.column(5), payloads, "in order");
        let rules: Vec<String> = (0..20)
            .map(|number| if number < 10 { "old" } else { "new" }.to_owned())
            .collect();
        assert_eq!(rig.store.column(0), rules);
    });
}

/// A rule that stores in `pool`, and tries for a minute.
fn patient(name: &str, pool: &str) -> String {
    let more = format!("pool = \"{pool}\"\n  retry_for = \"60s\"");
    format!("{MODULE}{}", rule(name, "message.publish", "store", &more))
}

#[test]
fn what_is_tried_again_follows_its_rule_to_a_mended_pool() {
    with_rules(&patient("r", "other"), async |mut rig: Rig| {
        rig.other_store.fail_with(Some(unavailable()));
        for number in 0..5 {
            rig.publish("c", "t", &number.to_string());
        }
        rig.wait_for("the first call failed", |rig| {
            rig.rule_stats("r").errors > 0
        })
        .await;
        // Not run yet: they wait for the first, and came under the same plan.
        for number in 5..10 {
            rig.publish("c", "t", &number.to_string());
        }
        rig.go_over(&patient("r", "memory")).await;
        for number in 10..15 {
            rig.publish("c", "t", &number.to_string());
        }
        let verdicts = rig.verdicts().await;
        assert_eq!(verdicts.len(), 15);
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Proceed));
        let payloads: Vec<String> = (0..15).map(|number| number.to_string()).collect();
        assert_eq!(rig.store.column(5), payloads, "in order, each once");
    });
}

#[test]
fn what_is_tried_again_stays_where_its_rule_is_gone() {
    with_rules(&patient("r", "other"), async |mut rig: Rig| {
        rig.other_store.fail_with(Some(unavailable()));
        rig.publish("c", "t", "1");
        rig.wait_for("the call failed", |rig| rig.rule_stats("r").errors > 0)
            .await;
        let tried = rig.other_store.executed().len();
        rig.go_over(&patient("another", "memory")).await;
        rig.wait_for("it is tried again", |rig| {
            rig.other_store.executed().len() > tried + 1
        })
        .await;
        rig.other_store.fail_with(None);
        assert_eq!(rig.verdicts().await, [Verdict::Proceed]);
        assert_eq!(rig.store.executed(), []);
    });
}

#[test]
fn a_module_that_has_not_changed_keeps_its_instances() {
    with_rules(&store("same"), async |mut rig: Rig| {
        rig.verdict("c", "t", "1").await;
        let other = "\nmodule \"n\" {\n  grants = [\"clock\", \"broker.publish\"]\n}\n".to_owned()
            + &crate::blocks::rule_of("n", "another", "client.connected", "noop", "");
        rig.go_over(&(store("same") + &other)).await;
        rig.verdict("c", "t", "2").await;
        assert_eq!(rig.store.column(2), ["1", "2"], "the instance counts on");
        assert_eq!(rig.rule_stats("same").events, 2, "and so does the rule");
        assert_eq!(rig.module_stats("m").generation, 1);
        rig.go_over(&store("changed")).await;
        rig.verdict("c", "t", "3").await;
        assert_eq!(rig.store.column(2), ["1", "2", "1"], "a fresh instance");
        assert_eq!(rig.module_stats("m").generation, 2);
        assert_eq!(rig.module_stats("m").events, 3);
    });
}

#[test]
fn clients_that_change_lanes_stay_in_order() {
    with_rules(&store("r"), async |mut rig: Rig| {
        rig.store.close();
        for number in 0..64 {
            rig.publish(&format!("c{}", number % 8), "t", &number.to_string());
        }
        let wider = store("r").replace("lanes     = 1", "lanes     = 3");
        rig.go_over(&wider).await;
        for number in 64..128 {
            rig.publish(&format!("c{}", number % 8), "t", &number.to_string());
        }
        rig.store.open();
        rig.verdicts().await;
        let rows = rig.store.rows().into_iter();
        let rows: Vec<(String, u32)> = rows
            .map(|row| {
                let payload = crate::store::text(&row[5]).parse().unwrap();
                (crate::store::text(&row[3]), payload)
            })
            .collect();
        assert_eq!(rows.len(), 128);
        for client in 0..8 {
            let name = format!("c{client}");
            let of_client = rows.iter().filter(|(sender, _)| *sender == name);
            let numbers: Vec<u32> = of_client.map(|(_, number)| *number).collect();
            assert!(numbers.is_sorted(), "{name}: {numbers:?}");
        }
    });
}

#[test]
fn a_module_that_is_gone_finishes_what_it_has() {
    with_rules(&store("r"), async |mut rig: Rig| {
        rig.store.close();
        rig.publish("c", "t", "1");
        rig.client_event(Hook::ClientConnected, "c");
        let before = rig.rules.generation();
        rig.go_over("").await;
        assert_eq!(rig.rules.generation(), before + 1);
        assert!(!rig.rules.wants(Hook::MessagePublish));
        rig.store.open();
        assert_eq!(rig.verdicts().await, [Verdict::Proceed]);
        assert_eq!(rig.store.column(5), ["1"]);
        rig.go_over(&store("r")).await;
        assert_eq!(rig.verdict("c", "t", "2").await, Verdict::Proceed);
    });
}

#[test]
fn a_chain_over_two_modules_ends_as_it_began() {
    let second = "\nmodule \"n\" {\n  grants = [\"clock\", \"broker.publish\"]\n}\n";
    let rules = |suffix: &str| {
        let options = format!("options {{ suffix = \"{suffix}\" }}");
        let change = crate::blocks::rule_of("n", "change", "message.publish", "rewrite", &options);
        store("keep") + second + &change
    };
    with_rules(&rules("-old"), async |mut rig: Rig| {
        for number in 0..50 {
            rig.publish(&format!("c{}", number % 5), "t", &number.to_string());
        }
        rig.go_over(&rules("-new")).await;
        for number in 50..100 {
            rig.publish(&format!("c{}", number % 5), "t", &number.to_string());
        }
        rig.verdicts().await;
        let mut stored = rig.store.column(5);
        stored.sort();
        let mut expected: Vec<String> = (0..100)
            .map(|number| {
                let suffix = if number < 50 { "-old" } else { "-new" };
                format!("{number}{suffix}")
            })
            .collect();
        expected.sort();
        assert_eq!(stored, expected);
    });
}

#[test]
fn somebody_is_told_of_events_whether_rules_see_them_or_not() {
    with_rules("", async |mut rig: Rig| {
        let (sender, mut lines) = tokio::sync::mpsc::channel(8);
        let handle = rig.rules.handle();
        let filter = TapFilter {
            hook: Hook::MessagePublish,
            filter: hookwire_mqtt::TopicFilter::new("told/#").ok(),
            payloads: false,
        };
        let missed = Arc::default();
        let tapped = handle.tap(filter, sender, Arc::clone(&missed));
        let mut decided = Vec::new();
        tokio::join!(tapped, async { rig.rules.take_decided(&mut decided) });
        rig.publish("c", "told/a", "secret");
        rig.publish("c", "other", "x");
        assert_eq!(rig.verdicts().await, [Verdict::Proceed, Verdict::Proceed]);
        let line = lines.recv().await.unwrap();
        assert!(line.contains("\"topic\":\"told/a\""), "{line}");
        assert!(!line.contains("secret"), "{line}");
        assert!(lines.try_recv().is_err(), "one was meant");
        assert_eq!(missed.load(std::sync::atomic::Ordering::Relaxed), 0);
        drop(lines);
        rig.rules.take_decided(&mut Vec::new());
        assert!(!rig.rules.wants(Hook::MessagePublish), "nobody listens");
    });
}

fn with_lanes(lanes: u32) -> String {
    store("r").replace("lanes     = 1", &format!("lanes     = {lanes}"))
}

#[test]
fn clients_that_change_lanes_twice_stay_in_order() {
    with_rules(&with_lanes(1), async |mut rig: Rig| {
        rig.store.fail_with(Some(crate::store::unavailable()));
        rig.publish("c", "t", "0");
        rig.wait_for("its call waits to be made again", |rig| {
            rig.rule_stats("r").errors > 2
        })
        .await;
        // Nothing ever comes to the lanes between.
        rig.go_over(&with_lanes(2)).await;
        rig.go_over(&with_lanes(1)).await;
        rig.store.fail_with(None);
        rig.publish("c", "t", "1");
        rig.verdicts().await;
        assert_eq!(rig.store.stored(5), ["0", "1"]);
    });
}

#[test]
fn others_do_not_wait_for_a_client_that_is_stuck_in_earlier_lanes() {
    with_rules(&with_lanes(1), async |mut rig: Rig| {
        rig.store.fail_from(Some("stuck"));
        let mut stuck = vec![rig.publish("c", "t", "stuck")];
        rig.wait_for("its call waits to be made again", |rig| {
            rig.rule_stats("r").errors > 2
        })
        .await;
        stuck.push(rig.publish("c", "t", "1"));
        rig.go_over(&with_lanes(3)).await;
        for number in 2..20 {
            stuck.push(rig.publish("c", "t", &number.to_string()));
            for client in 0..8 {
                rig.publish(&format!("other{client}"), "t", "x");
            }
        }
        rig.wait_for("the others are served", |rig| {
            rig.decided_so_far().len() == 18 * 8
        })
        .await;
        let decided = rig.decided_so_far();
        assert!(stuck.iter().all(|stuck| !decided.contains(stuck)));
        // The same again, with two generations of lanes behind the new ones.
        rig.go_over(&with_lanes(2)).await;
        let other = rig.publish("other", "t", "x");
        rig.wait_for("another is served", |rig| {
            rig.decided_so_far().contains(&other)
        })
        .await;
        rig.store.fail_from(None);
        rig.verdicts().await;
        let stored = rig.store.stored(5).into_iter().filter(|row| row != "x");
        let numbers = (1..20).map(|number| number.to_string());
        let expected: Vec<String> = ["stuck".to_owned()].into_iter().chain(numbers).collect();
        assert_eq!(stored.collect::<Vec<_>>(), expected);
    });
}

#[test]
fn what_came_before_a_module_went_is_before_what_comes_when_it_is_back() {
    with_rules(&with_lanes(1), async |mut rig: Rig| {
        rig.store.fail_with(Some(crate::store::unavailable()));
        rig.publish("c", "t", "0");
        rig.wait_for("its call waits to be made again", |rig| {
            rig.rule_stats("r").errors > 2
        })
        .await;
        rig.go_over("").await;
        rig.go_over(&with_lanes(1)).await;
        rig.store.fail_with(None);
        rig.publish("c", "t", "1");
        rig.verdicts().await;
        assert_eq!(rig.store.stored(5), ["0", "1"]);
    });
}

#[test]
fn what_waits_in_the_lanes_of_an_earlier_plan_is_abandoned() {
    with_rules(&with_lanes(1), async |mut rig: Rig| {
        rig.store.close();
        rig.publish("c", "t", "0");
        rig.wait_for("it runs", |rig| !rig.store.executed().is_empty())
            .await;
        let waiting = rig.publish("c", "t", "1");
        rig.go_over(&with_lanes(2)).await;
        rig.go_over(&with_lanes(1)).await;
        rig.rules.abandon(waiting);
        assert_eq!(rig.decided_so_far(), [waiting]);
        rig.store.open();
        assert_eq!(rig.verdicts().await[0], Verdict::Proceed);
        assert_eq!(rig.store.stored(5), ["0"]);
    });
}
