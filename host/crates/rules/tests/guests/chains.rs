//! Publishes that pass through several modules.

use hookwire_broker::{Hook, Verdict};

use crate::blocks::{MODULE, STORE, rule_of};
use crate::rig::{Rig, with_rules};
use crate::store::unavailable;

/// Module `n` beside [`MODULE`].
const SECOND_MODULE: &str = r#"
module "n" {
  grants    = ["clock", "broker.publish"]
  max_batch = 4
}
rule "sql-n" {
  hook = "message.publish"
  topic = "never/published"
  module = "n"
  action = "store"
  pool = "memory"
}
"#;

fn blocks(rules: &[String]) -> String {
    format!("{MODULE}{SECOND_MODULE}{}", rules.concat())
}

fn publish_rule(module: &str, name: &str, action: &str, more: &str) -> String {
    rule_of(module, name, "message.publish", action, more)
}

fn suffix(text: &str) -> String {
    format!("options {{ suffix = \"{text}\" }}")
}

#[test]
fn each_rule_sees_what_the_one_before_made_of_the_message() {
    let rules = [
        publish_rule("m", "store", "store", STORE),
        publish_rule("m", "first", "rewrite", &suffix("-m1")),
        publish_rule("n", "second", "rewrite", &suffix("-n")),
        publish_rule("m", "third", "rewrite", &suffix("-m2")),
    ];
    with_rules(&blocks(&rules), async |mut rig: Rig| {
        for number in 0..50 {
            rig.publish(&format!("c{}", number % 5), "a", &number.to_string());
        }
        let verdicts = rig.verdicts().await;
        for (number, verdict) in verdicts.iter().enumerate() {
            let Verdict::Replace(message) = verdict else {
                panic!("{verdict:?}");
            };
            let expected = format!("{number}-m1-n-m2");
            assert_eq!(&*message.payload, expected.as_bytes());
        }
        let mut stored = rig.store.column(5);
        stored.sort();
        let mut expected: Vec<String> = (0..50).map(|n| format!("{n}-m1-n-m2")).collect();
        expected.sort();
        assert_eq!(stored, expected, "storing rules store the final message");
    });
}

#[test]
fn a_message_that_is_ended_goes_no_further() {
    for action in ["drop", "deny", "disconnect"] {
        let rules = [
            publish_rule("m", "ends", action, "topic = \"end/#\""),
            publish_rule("n", "after", "noop", ""),
            publish_rule("m", "store", "store", STORE),
        ];
        with_rules(&blocks(&rules), async |mut rig: Rig| {
            rig.publish("c", "end/a", "x");
            rig.publish("c", "other", "x");
            let verdicts = rig.verdicts().await;
            assert_ne!(verdicts[0], Verdict::Proceed);
            assert_eq!(verdicts[1], Verdict::Proceed);
            assert_eq!(rig.rule_stats("after").events, 1);
            assert_eq!(rig.store.column(4), ["other"]);
        });
    }
}

#[test]
fn rules_behind_a_change_of_topic_match_the_new_topic() {
    let rename = "topic = \"old\"\n  options { topic = \"new\" }";
    let rules = [
        publish_rule("m", "rename", "rewrite", rename),
        publish_rule("n", "old", "drop", "topic = \"old\""),
        publish_rule(
            "n",
            "new",
            "rewrite",
            &format!("topic = \"new\"\n  {}", suffix("!")),
        ),
        publish_rule("m", "store", "store", STORE),
        publish_rule(
            "m",
            "store-old",
            "store",
            &format!("topic = \"old\"\n  {STORE}"),
        ),
    ];
    with_rules(&blocks(&rules), async |mut rig: Rig| {
        let verdict = rig.verdict("c", "old", "x").await;
        let Verdict::Replace(message) = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!((&*message.topic, &*message.payload), ("new", &b"x!"[..]));
        assert_eq!(rig.rule_stats("old").events, 0);
        let rows = rig.store.rows();
        assert_eq!(rows.len(), 1);
        assert_eq!(rig.store.column(4), ["new"]);
        assert_eq!(rig.store.column(5), ["x!"]);
    });
}

#[test]
fn a_storing_rule_cannot_be_bypassed_by_the_order_of_the_file() {
    let rules = [
        publish_rule("m", "store", "store", STORE),
        publish_rule("n", "deny", "deny", "topic = \"secret/#\""),
    ];
    with_rules(&blocks(&rules), async |mut rig: Rig| {
        let verdict = rig.verdict("c", "secret/a", "x").await;
        assert!(matches!(verdict, Verdict::Deny(_)));
        assert!(rig.store.rows().is_empty(), "what is denied is not stored");
    });
}

#[test]
fn nothing_of_a_client_overtakes_its_publish_in_a_later_module() {
    let rules = [
        publish_rule(
            "n",
            "slow",
            "store",
            "pool = \"other\"\n  topic = \"slow/#\"",
        ),
        publish_rule("m", "store", "store", STORE),
        rule_of("m", "down", "client.disconnected", "store", STORE),
    ];
    with_rules(&blocks(&rules), async |mut rig: Rig| {
        rig.other_store.close();
        rig.publish("c", "slow/1", "");
        rig.publish("c", "quick/2", "");
        rig.client_event(Hook::ClientDisconnected, "c");
        // Others are not held up.
        rig.publish("d", "quick/3", "");
        rig.client_event(Hook::ClientDisconnected, "d");
        rig.wait_for("the other client's events are stored", |rig| {
            rig.store.rows().len() == 2 && !rig.decided_so_far().is_empty()
        })
        .await;
        assert_eq!(rig.decided_so_far(), [3]);
        rig.other_store.open();
        rig.verdicts().await;
        rig.all_ran().await;
        let of_c: Vec<String> = rig
            .store
            .rows()
            .iter()
            .map(|row| row.iter().map(crate::store::text).collect::<Vec<_>>())
            .filter(|row| row[3] == "c")
            .map(|row| row[4].clone())
            .collect();
        assert_eq!(of_c, ["slow/1", "quick/2", "user"]);
    });
}

#[test]
fn what_waited_behind_a_publish_that_is_ended_goes_on() {
    let slow = "pool = \"other\"\n  topic = \"slow/#\"";
    let rules = [
        publish_rule("n", "slow", "store", slow),
        publish_rule("m", "store", "store", STORE),
    ];
    with_rules(&blocks(&rules), async |mut rig: Rig| {
        rig.other_store.close();
        rig.other_store.fail_with(Some(unavailable()));
        rig.publish("c", "slow/1", "");
        rig.publish("c", "quick/2", "");
        rig.publish("d", "quick/3", "");
        rig.wait_for(
            "the store is asked, and the lane behind it has looked",
            |rig| !rig.other_store.executed().is_empty() && rig.decided_so_far() == [3],
        )
        .await;
        rig.other_store.open();
        let verdicts = rig.verdicts().await;
        assert!(matches!(verdicts[0], Verdict::Failed { .. }));
        assert_eq!(verdicts[1..], [Verdict::Proceed, Verdict::Proceed]);
        assert_eq!(rig.store.column(4), ["quick/3", "quick/2"]);
    });
}

#[test]
fn a_change_of_topic_keeps_its_place_among_what_its_client_did() {
    let rename = "topic = \"old\"\n  options { topic = \"new\" }";
    let rules = [
        publish_rule("n", "rename", "rewrite", rename),
        publish_rule("m", "store", "store", STORE),
        rule_of("m", "down", "client.disconnected", "store", STORE),
    ];
    with_rules(&blocks(&rules), async |mut rig: Rig| {
        rig.publish("c", "new", "0");
        rig.publish("c", "old", "1");
        rig.publish("c", "new", "2");
        rig.publish("c", "old", "3");
        rig.client_event(Hook::ClientDisconnected, "c");
        rig.verdicts().await;
        rig.all_ran().await;
        let topics = rig.store.column(4);
        assert_eq!(topics, ["new", "new", "new", "new", "user"]);
        assert_eq!(rig.store.column(5)[..4], ["0", "1", "2", "3"]);
    });
}

#[test]
fn a_change_of_topic_overtakes_nothing_that_is_tried_again() {
    let fails = "topic = \"old/1\"\n  on_error = \"continue\"\n  retry_for = \"100ms\"\n  \
                 options {\n    kind = \"unavailable\"\n    retryable = true\n  }";
    let rename = "topic = \"old/#\"\n  options { topic = \"new\" }";
    let stores = format!("topic = \"new\"\n  {STORE}");
    let rules = [
        publish_rule("m", "fails", "fail", fails),
        publish_rule("m", "rename", "rewrite", rename),
        publish_rule("n", "store", "store", &stores),
    ];
    with_rules(&blocks(&rules), async |mut rig: Rig| {
        rig.publish("c", "old/1", "1");
        rig.publish("c", "old/2", "2");
        rig.publish("d", "old/3", "other");
        rig.wait_for("another client's is not held up", |rig| {
            rig.decided_so_far() == [3]
        })
        .await;
        rig.verdicts().await;
        assert_eq!(rig.store.column(5), ["other", "1", "2"]);
        assert!(rig.rule_stats("fails").errors > 1, "it was tried again");
    });
}
