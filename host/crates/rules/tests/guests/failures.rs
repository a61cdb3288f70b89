//! Guests that trap, and instances that take their place.

use hookwire_broker::{Hook, Verdict};
use hookwire_mqtt::ReasonCode;

use crate::blocks::{MODULE, ONCE, rule};
use crate::message_log::logged;
use crate::rig::{Rig, with_rules};

const STORE: &str = "pool = \"memory\"";

fn blocks(rules: &[String]) -> String {
    format!("{MODULE}{}", rules.concat())
}

#[track_caller]
fn assert_failed(verdict: &Verdict, expected: &str) {
    match verdict {
        Verdict::Failed {
            refusal, retryable, ..
        } => {
            assert_eq!(refusal.text, expected);
            assert_eq!(refusal.reason, ReasonCode::UnspecifiedError);
            assert_eq!(
                *retryable,
                expected.contains("host:start"),
                "what brings the module down does so again"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_trap_ends_the_batch_and_a_fresh_instance_goes_on() {
    let rules = [
        rule("trap", "message.publish", "trap", ""),
        rule("store", "message.publish", "store", STORE),
    ];
    with_rules(&blocks(&rules), async |mut rig: Rig| {
        assert_eq!(rig.verdict("c", "t", "one").await, Verdict::Proceed);
        assert_eq!(rig.verdict("c", "t", "two").await, Verdict::Proceed);
        let verdict = rig.verdict("c", "t", "boom").await;
        assert_failed(&verdict, "rule trap: it failed (host:trap)");
        assert_eq!(rig.verdict("c", "t", "three").await, Verdict::Proceed);
        // The guest counts its calls since it was made: two a message.
        let batches = rig.store.column(2);
        assert_eq!(batches, ["2", "4", "2"], "the third met a fresh instance");
        let stats = rig.module_stats("m");
        assert_eq!((stats.traps, stats.deadline_misses), (1, 0));
        assert_eq!(rig.rule_stats("trap").errors, 1);
    });
}

#[test]
fn on_error_decides_about_the_event_that_traps_and_no_other() {
    let rules = [
        rule(
            "trap",
            "message.publish",
            "trap",
            "topic = \"boom\"\n  on_error = \"continue\"",
        ),
        rule("deny", "message.publish", "noop", "topic = \"denied\""),
        rule(
            "go",
            "message.publish",
            "noop",
            "topic = \"goes-on\"\n  on_error = \"continue\"",
        ),
        rule(
            "store",
            "message.publish",
            "store_plain",
            &format!("topic = \"boom\"\n  {STORE}"),
        ),
        rule("up", "client.connected", "store_plain", STORE),
    ];
    with_rules(&blocks(&rules), async |mut rig: Rig| {
        rig.publish("warm", "goes-on", "");
        rig.verdicts().await;
        rig.client_event(Hook::ClientConnected, "d");
        rig.publish("d", "denied", "");
        rig.publish("c", "boom", "boom");
        rig.publish("e", "goes-on", "");
        let verdicts = rig.verdicts().await;
        assert_eq!(
            verdicts,
            [Verdict::Proceed, Verdict::Proceed, Verdict::Proceed]
        );
        rig.all_ran().await;
        assert_eq!(rig.rule_stats("trap").errors, 1);
        assert_eq!(
            rig.rule_stats("up").errors + rig.rule_stats("deny").errors,
            0
        );
        let mut stored = rig.store.column(0);
        stored.sort();
        assert_eq!(
            stored,
            ["store", "up"],
            "each once: what was stored before the trap is not stored again"
        );
    });
}

#[test]
fn the_log_says_what_trapped_and_where() {
    let rules = [
        rule("first", "message.publish", "trap", "topic = \"a\""),
        rule("second", "message.publish", "panic", "topic = \"b\""),
    ];
    let log = logged(|| {
        with_rules(&blocks(&rules), async |mut rig: Rig| {
            rig.verdict("c", "a", "boom").await;
            rig.verdict("c", "b", "boom").await;
        });
    });
    let trap = "the module trapped: wasm trap: wasm `unreachable` instruction executed";
    assert!(log.contains(trap), "{log}");
    let line = "module=\"m\" generation=1 rules=\"first\" events=1";
    assert!(log.contains(line), "{log}");
    assert!(log.contains("rules=\"second\""), "{log}");
    assert!(
        log.contains("backtrace=") && log.contains("hookwire_rule_testguest::actions::run"),
        "the backtrace has the guest's functions: {log}"
    );
}

#[test]
fn failed_rows_fail_their_messages_alone() {
    let rules = [rule("store", "message.publish", "store", STORE)];
    with_rules(&blocks(&rules), async |mut rig: Rig| {
        for payload in ["good", "bad", "good"] {
            rig.publish("c", "t", payload);
        }
        let verdicts = rig.verdicts().await;
        assert_eq!(verdicts[0], Verdict::Proceed);
        assert_eq!(verdicts[2], Verdict::Proceed);
        match &verdicts[1] {
            Verdict::Failed {
                refusal, retryable, ..
            } => {
                assert_eq!(refusal.reason, ReasonCode::PayloadFormatInvalid);
                assert!(!retryable);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(rig.rule_stats("store").errors, 1);
    });
}

#[test]
fn failures_of_event_rules_are_logged_and_counted() {
    let once = format!("{STORE}\n  {ONCE}");
    let rules = [rule("up", "client.connected", "store", &once)];
    let log = logged(|| {
        with_rules(&blocks(&rules), async |mut rig: Rig| {
            rig.store.fail_with(Some(crate::store::unavailable()));
            for client in 0..100 {
                rig.client_event(Hook::ClientConnected, &client.to_string());
            }
            rig.all_ran().await;
            assert_eq!(rig.rule_stats("up").errors, 100);
        });
    });
    let line = "module=\"m\" rule=\"up\" kind=Unavailable code=\"memory:gone\" retryable=true";
    assert!(log.contains(line), "{log}");
    assert!(log.contains("a rule failed: the store is gone"), "{log}");
    let lines = log.matches("a rule failed").count();
    assert!((1..=20).contains(&lines), "bounded: {lines}");
}

#[test]
fn an_instance_that_does_not_come_up_is_made_again_for_the_next_batch() {
    let asks = format!("{STORE}\n  {ONCE}\n  options {{ ask = true }}");
    let rules = [rule("store", "message.publish", "store", &asks)];
    let log = logged(|| {
        with_rules(&blocks(&rules), async |mut rig: Rig| {
            rig.store.fail_with(Some(crate::store::unavailable()));
            let verdict = rig.verdict("c", "t", "x").await;
            assert_failed(&verdict, "rule store: it failed (host:start)");
            assert_eq!(rig.module_stats("m").failed_starts, 1);
            assert_eq!(rig.module_stats("m").handle_calls, 0);
            rig.store.fail_with(None);
            assert_eq!(rig.verdict("c", "t", "x").await, Verdict::Proceed);
        });
    });
    let line = "the module does not start: it refuses its rules: the store is gone";
    assert!(log.contains(line), "{log}");
}
