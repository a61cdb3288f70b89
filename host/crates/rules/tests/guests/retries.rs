//! Calls that are made again.

use hookwire_broker::Verdict;

use crate::blocks::{MODULE, STORE, rule, storing};
use crate::rig::{Rig, with_rules};
use crate::store::unavailable;

/// Payloads of what the store was given, each once, in the order of the first.
fn first_seen(rig: &Rig) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for payload in rig.store.column(5) {
        if !seen.contains(&payload) {
            seen.push(payload);
        }
    }
    seen
}

#[test]
fn a_store_that_comes_back_gets_everything_in_order() {
    with_rules(&storing(""), async |mut rig: Rig| {
        rig.store.fail_with(Some(unavailable()));
        for number in 0..5 {
            rig.publish("c", "t", &number.to_string());
        }
        rig.wait_for("the first call failed", |rig| {
            rig.rule_stats("r").errors > 0
        })
        .await;
        for number in 5..10 {
            rig.publish("c", "t", &number.to_string());
        }
        rig.wait_for("calls are made again", |rig| rig.rule_stats("r").calls > 3)
            .await;
        assert_eq!(first_seen(&rig).len(), 5, "what came later waits");
        rig.store.fail_with(None);
        let verdicts = rig.verdicts().await;
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Proceed));
        let expected: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        assert_eq!(first_seen(&rig), expected);
    });
}

#[test]
fn a_store_that_goes_away_within_a_call_gets_everything_in_order() {
    with_rules(&storing(""), async |mut rig: Rig| {
        rig.store.fail_from(Some("2"));
        let clients = ["c", "d", "c", "c", "d"];
        for (number, client) in clients.iter().enumerate() {
            rig.publish(client, "t", &number.to_string());
        }
        rig.wait_for("a row failed", |rig| rig.rule_stats("r").errors > 0)
            .await;
        assert_eq!(rig.store.stored(5), ["0", "1"], "the call stopped there");
        for (number, client) in clients.iter().enumerate() {
            rig.publish(client, "t", &(number + 5).to_string());
        }
        rig.wait_for("calls are made again", |rig| rig.rule_stats("r").calls > 3)
            .await;
        rig.store.fail_from(None);
        let mut decided = Vec::new();
        rig.wait_for("all are decided", |rig| {
            decided = rig.decided_so_far();
            decided.len() == 10
        })
        .await;
        assert!(decided.is_sorted(), "{decided:?}");
        let expected: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        assert_eq!(rig.store.stored(5), expected);
    });
}

#[test]
fn others_do_not_wait_for_a_client_whose_call_is_made_again() {
    let broken = "pool = \"other\"\n  topic = \"broken\"";
    let sound = format!("{STORE}\n  topic = \"sound\"");
    let blocks = [
        rule("broken", "message.publish", "store", broken),
        rule("sound", "message.publish", "store", &sound),
    ];
    with_rules(
        &(MODULE.to_owned() + &blocks.concat()),
        async |mut rig: Rig| {
            rig.other_store.fail_with(Some(unavailable()));
            let stuck = rig.publish("a", "broken", "x");
            for number in 0..20 {
                rig.publish("b", "sound", &number.to_string());
            }
            rig.wait_for("the other client is served", |rig| {
                rig.decided_so_far().len() == 20
            })
            .await;
            assert!(!rig.decided_so_far().contains(&stuck));
            rig.other_store.fail_with(None);
            assert_eq!(rig.verdicts().await.len(), 21);
        },
    );
}

#[test]
fn patience_ends() {
    with_rules(&storing("retry_for = \"100ms\""), async |mut rig: Rig| {
        rig.store.fail_with(Some(unavailable()));
        let verdict = rig.verdict("c", "t", "x").await;
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
        assert!(rig.rule_stats("r").calls > 1);
        assert!(rig.house.rows().is_empty(), "the publisher knows");
    });
}

#[test]
fn what_a_batch_published_before_it_trapped_is_published_once() {
    use hookwire_broker::{BrokerCall, Hooks};
    let alert = rule(
        "alert",
        "message.publish",
        "publish",
        "options {\n    topic = \"alert\"\n  }",
    );
    with_rules(&(MODULE.to_owned() + &alert), async |mut rig: Rig| {
        for payload in ["1", "2", "boom", "3"] {
            rig.publish("c", "t", payload);
        }
        let verdicts = rig.verdicts().await;
        assert!(matches!(verdicts[2], Verdict::Failed { .. }));
        let mut calls = Vec::new();
        rig.rules.take_calls(&mut calls);
        let published: Vec<Vec<u8>> = calls
            .into_iter()
            .map(|call| match call {
                BrokerCall::Publish(message) => {
                    assert_eq!((&*message.sender, message.hops), ("$rule/m", 1));
                    message.payload
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(published, [b"1", b"2", b"3"]);
    });
}

#[test]
fn a_store_that_fails_one_call_is_asked_no_more_in_the_batch() {
    let on = |topic: &str| format!("{STORE}\n  topic = \"{topic}\"");
    let blocks = MODULE.to_owned()
        + &rule("first", "message.publish", "store", &on("a"))
        + &rule("second", "message.publish", "store", &on("b"));
    with_rules(&blocks, async |mut rig: Rig| {
        rig.store.fail_from(Some("1"));
        rig.publish("c", "a", "1");
        rig.publish("c", "b", "2");
        rig.wait_for("both wait", |rig| {
            rig.rule_stats("first").errors > 1 && rig.rule_stats("second").errors > 1
        })
        .await;
        assert!(rig.store.stored(5).is_empty(), "nothing overtakes it");
        rig.store.fail_from(None);
        let verdicts = rig.verdicts().await;
        assert_eq!(verdicts, [Verdict::Proceed, Verdict::Proceed]);
        assert_eq!(rig.store.stored(5), ["1", "2"]);
    });
}
