//! Calls that are made again, and what is written down of those that are not.

use std::sync::Arc;

use hookwire_broker::{Hook, Hooks as _, Verdict};
use hookwire_rules::{House, HouseBounds};

use crate::blocks::{MODULE, ONCE, rule};
use crate::message_log::logged;
use crate::rig::{Rig, with_house, with_rules};
use crate::store::{MemoryStore, text, unavailable};

const STORE: &str = "pool = \"memory\"";

fn store(more: &str) -> String {
    let more = format!("{STORE}\n  {more}");
    format!("{MODULE}{}", rule("r", "message.publish", "store", &more))
}

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
    with_rules(&store(""), async |mut rig: Rig| {
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
    with_rules(&store(""), async |mut rig: Rig| {
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
    with_rules(&store("retry_for = \"100ms\""), async |mut rig: Rig| {
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
fn a_message_that_the_store_refuses_for_ever_is_a_dead_letter() {
    with_rules(&store(""), async |mut rig: Rig| {
        let verdict = rig.verdict("c", "t", "bad").await;
        assert!(matches!(
            verdict,
            Verdict::Failed {
                retryable: false,
                is_refused: true,
                ..
            }
        ));
        let letters = rig.house.rows();
        let [letter] = letters.as_slice() else {
            panic!("{letters:?}");
        };
        let texts: Vec<String> = letter.iter().map(text).collect();
        assert_eq!(texts[..4], ["r", "m", "1", "c"]);
        assert!(texts[4].contains("\"payload\":\"bad\""), "{}", texts[4]);
        assert_eq!(texts[5..7], ["sqlstate:22001", "too long"]);
    });
}

#[test]
fn an_event_that_a_storing_rule_gave_up_is_a_dead_letter() {
    let more = format!("{STORE}\n  {ONCE}");
    let blocks = MODULE.to_owned() + &rule("up", "client.connected", "store", &more);
    with_rules(&blocks, async |mut rig: Rig| {
        rig.store.fail_with(Some(unavailable()));
        rig.client_event(Hook::ClientConnected, "c");
        rig.all_ran().await;
        assert_eq!(rig.house.column(5), ["memory:gone"]);
        assert!(rig.house.column(4)[0].contains("client.connected"));
    });
}

#[test]
fn what_is_spooled_comes_before_what_follows_it() {
    let more = format!("on_error = \"spool\"\n  {ONCE}");
    with_rules(&store(&more), async |mut rig: Rig| {
        rig.store.fail_with(Some(unavailable()));
        assert_eq!(rig.verdict("c", "t", "1").await, Verdict::Proceed);
        rig.store.fail_with(None);
        let calls = rig.rule_stats("r").calls;
        assert_eq!(rig.verdict("c", "t", "2").await, Verdict::Proceed);
        assert_eq!(rig.rule_stats("r").calls, calls, "it is behind the first");
        assert_eq!(rig.verdict("d", "t", "3").await, Verdict::Proceed);
        assert_eq!(
            rig.rule_stats("r").calls,
            calls + 1,
            "another client is not"
        );
        let spooled = rig.house.column(2);
        assert_eq!(spooled.len(), 2);
        assert!(spooled[0].contains("\"payload\":\"1\""));
        assert!(spooled[1].contains("\"payload\":\"2\""));
    });
}

#[test]
fn nothing_is_acknowledged_that_could_not_be_spooled() {
    let more = format!("on_error = \"spool\"\n  {ONCE}");
    with_rules(&store(&more), async |mut rig: Rig| {
        rig.store.fail_with(Some(unavailable()));
        rig.house.fail_with(Some(unavailable()));
        let verdict = rig.verdict("c", "t", "1").await;
        assert!(matches!(
            verdict,
            Verdict::Failed {
                retryable: true,
                ..
            }
        ));
        rig.house.fail_with(None);
        rig.store.fail_with(None);
        assert_eq!(rig.verdict("c", "t", "2").await, Verdict::Proceed);
        assert_eq!(
            rig.store.column(5),
            ["1", "2"],
            "nothing is spooled before it"
        );
    });
}

#[test]
fn each_of_what_is_written_down_is_answered_for_itself() {
    let more = format!("on_error = \"spool\"\n  {ONCE}");
    with_rules(&store(&more), async |mut rig: Rig| {
        rig.house.fail_on(Some("dead_letters"));
        rig.store.fail_from(Some("2"));
        rig.publish("c", "t", "bad");
        rig.publish("d", "t", "2");
        let verdicts = rig.verdicts().await;
        assert!(
            matches!(
                verdicts[0],
                Verdict::Failed {
                    retryable: true,
                    ..
                }
            ),
            "it is no dead letter yet: {verdicts:?}"
        );
        assert_eq!(verdicts[1], Verdict::Proceed, "it is in the spool");
        assert_eq!(rig.house.stored(1), ["d"]);
    });
}

#[test]
fn an_event_that_cannot_be_written_down_is_kept_until_it_can() {
    let up = format!("{STORE}\n  {ONCE}");
    let spooling = format!("{up}\n  on_error = \"spool\"");
    let blocks = MODULE.to_owned()
        + &rule("up", "client.connected", "store", &up)
        + &rule("down", "client.disconnected", "store", &spooling);
    with_rules(&blocks, async |mut rig: Rig| {
        rig.store.fail_with(Some(unavailable()));
        rig.house.fail_with(Some(unavailable()));
        rig.client_event(Hook::ClientConnected, "c");
        rig.client_event(Hook::ClientDisconnected, "c");
        rig.wait_for("they ran again", |rig| {
            rig.rule_stats("up").errors > 1 && rig.rule_stats("down").errors > 1
        })
        .await;
        assert_eq!(rig.rules.outstanding(), 2);
        rig.house.fail_with(None);
        rig.all_ran().await;
        let mut written = rig.house.stored(0);
        written.sort();
        assert_eq!(written, ["down", "up"]);
        assert_eq!(rig.rule_stats("up").events_lost, 0);
    });
}

#[test]
fn an_event_for_which_the_spool_has_no_room_is_a_dead_letter() {
    let more = format!("{STORE}\n  {ONCE}\n  on_error = \"spool\"");
    let blocks = MODULE.to_owned() + &rule("up", "client.connected", "store", &more);
    let written = MemoryStore::new();
    let bounds = HouseBounds {
        max_spool_bytes: 0,
        ..HouseBounds::default()
    };
    let house = House::open(Arc::clone(&written) as _, bounds);
    with_house(&blocks, house, written, async |mut rig: Rig| {
        rig.store.fail_with(Some(unavailable()));
        rig.client_event(Hook::ClientConnected, "c");
        rig.all_ran().await;
        assert_eq!(rig.house.stored(5), ["memory:gone"], "why its rule failed");
    });
}

#[test]
fn an_event_that_there_is_nothing_to_keep_in_is_lost_loudly() {
    let more = format!("{STORE}\n  {ONCE}");
    let blocks = MODULE.to_owned() + &rule("up", "client.connected", "store", &more);
    let log = logged(|| {
        let house = async { Ok(House::without_store()) };
        with_house(&blocks, house, MemoryStore::new(), async |mut rig: Rig| {
            rig.store.fail_with(Some(unavailable()));
            rig.client_event(Hook::ClientConnected, "c");
            rig.all_ran().await;
            assert_eq!(rig.rule_stats("up").events_lost, 1);
        });
    });
    assert!(log.contains("an event is lost"), "{log}");
    assert!(log.contains("rule=\"up\""), "{log}");
}

#[test]
fn a_rule_that_brings_its_module_down_is_held_back() {
    let trap = rule("trap", "message.publish", "trap", "topic = \"trap\"");
    let noop = rule("noop", "message.publish", "noop", "topic = \"noop\"");
    with_rules(
        &(MODULE.to_owned() + &trap + &noop),
        async |mut rig: Rig| {
            for _ in 0..3 {
                rig.verdict("c", "trap", "boom").await;
            }
            assert!(rig.rule_stats("trap").breaker_is_open);
            let traps = rig.module_stats("m").traps;
            let verdict = rig.verdict("c", "trap", "boom").await;
            assert!(matches!(
                verdict,
                Verdict::Failed {
                    retryable: true,
                    ..
                }
            ));
            assert_eq!(rig.module_stats("m").traps, traps, "it did not run");
            assert_eq!(rig.verdict("c", "noop", "").await, Verdict::Proceed);
            rig.wait_for("it opens half", |rig| {
                !rig.rule_stats("trap").breaker_is_open
            })
            .await;
            assert_eq!(rig.verdict("c", "trap", "").await, Verdict::Proceed);
        },
    );
}

#[test]
fn a_rule_that_is_held_back_overrides_no_decision() {
    let blocks = [
        rule("no", "message.publish", "deny", "topic = \"both\""),
        rule("held", "message.publish", "trap", "on_error = \"continue\""),
        rule("more", "message.publish", "noop", "topic = \"both\""),
    ];
    with_rules(
        &(MODULE.to_owned() + &blocks.concat()),
        async |mut rig: Rig| {
            for _ in 0..3 {
                rig.verdict("c", "trap", "boom").await;
            }
            assert!(rig.rule_stats("held").breaker_is_open);
            let verdict = rig.verdict("c", "both", "x").await;
            assert!(matches!(verdict, Verdict::Deny(_)), "{verdict:?}");
            assert_eq!(rig.verdict("c", "other", "x").await, Verdict::Proceed);
        },
    );
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
