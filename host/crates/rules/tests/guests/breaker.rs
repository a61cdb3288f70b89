//! Rules that are held back, because they bring their module down.

use hookwire_broker::Verdict;

use crate::blocks::{MODULE, rule};
use crate::rig::{Rig, with_rules};

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
