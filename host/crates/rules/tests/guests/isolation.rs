//! Batches that trap: what becomes of the events beside the one that does it.

use hookwire_broker::{Hook, Verdict};

use crate::blocks::{MODULE, ONCE, rule};
use crate::rig::{Rig, with_rules};
use crate::store::unavailable;

const STORE: &str = "pool = \"memory\"";

/// A rule that stores what is published on `s`, one that traps on `boom`, in
/// this order; and one that stores clients that come.
fn blocks(more: &str) -> String {
    let stores = format!("topic = \"s\"\n  {STORE}\n  {more}");
    let up = format!("{STORE}\n  {more}");
    MODULE.to_owned()
        + &rule("stores", "message.publish", "store_plain", &stores)
        + &rule("trap", "message.publish", "trap", "topic = \"boom\"")
        + &rule("up", "client.connected", "store_plain", &up)
}

#[test]
fn who_has_not_failed_runs_again_however_many_others_trap() {
    const PAIRS: usize = 31;
    // Calls are made in this order, so that every other one traps, more of them
    // than are looked for in one go.
    let pair = |number: usize| {
        let on = |topic: &str| format!("topic = \"{topic}{number}\"\n  {ONCE}");
        rule(&format!("t{number}"), "message.publish", "trap", &on("t"))
            + &rule(&format!("n{number}"), "message.publish", "noop", &on("n"))
    };
    let rules: String = (0..PAIRS).map(pair).collect();
    with_rules(&(MODULE.to_owned() + &rules), async |mut rig: Rig| {
        rig.verdict("warm", "n0", "warm").await;
        for number in 0..PAIRS {
            rig.publish("c", &format!("t{number}"), "boom");
            rig.publish("d", &format!("n{number}"), "");
        }
        let verdicts = rig.verdicts().await;
        for pair in verdicts.chunks(2) {
            assert!(
                matches!(&pair[0], Verdict::Failed { refusal, .. }
                    if refusal.text.contains("host:trap")),
                "{pair:?}"
            );
            assert_eq!(pair[1], Verdict::Proceed, "it never failed");
        }
        for number in 0..PAIRS {
            assert_eq!(rig.rule_stats(&format!("n{number}")).errors, 0);
        }
    });
}

#[test]
fn one_clients_events_close_a_rule_to_nobody() {
    with_rules(&blocks(""), async |mut rig: Rig| {
        for _ in 0..5 {
            // A batch has five events that trap, and one beside them that does not.
            for _ in 0..5 {
                rig.publish("poison", "boom", "boom");
            }
            rig.publish("sound", "boom", "x");
            let verdicts = rig.verdicts().await;
            assert_eq!(verdicts[5], Verdict::Proceed);
            for verdict in &verdicts[..5] {
                assert!(
                    matches!(verdict, Verdict::Failed { refusal, .. }
                        if refusal.text.contains("host:trap")),
                    "{verdict:?}"
                );
            }
        }
        assert!(!rig.rule_stats("trap").breaker_is_open);
        // A batch of such events alone counts once.
        for batch in 1..=3 {
            for _ in 0..5 {
                rig.publish("poison", "boom", "boom");
            }
            rig.verdicts().await;
            assert_eq!(rig.rule_stats("trap").breaker_is_open, batch == 3);
        }
    });
}

#[test]
fn what_was_stored_is_known_when_the_module_starts_again() {
    let asks = format!("topic = \"never\"\n  {STORE}\n  options {{ ask = true }}");
    let asks = rule("asks", "message.publish", "store", &asks);
    with_rules(&(blocks("") + &asks), async |mut rig: Rig| {
        rig.verdict("warm", "s", "warm").await;
        rig.store.fail_on(Some("CREATE TABLE"));
        rig.client_event(Hook::ClientConnected, "c");
        rig.publish("c", "s", "1");
        rig.publish("d", "boom", "boom");
        rig.wait_for("no instance starts", |rig| {
            rig.module_stats("m").failed_starts > 2
        })
        .await;
        rig.store.fail_on(None);
        let verdicts = rig.verdicts().await;
        assert_eq!(verdicts[0], Verdict::Proceed);
        rig.all_ran().await;
        let mut stored = rig.store.stored(0);
        stored.sort();
        assert_eq!(stored, ["stores", "stores", "up"], "each once");
    });
}

#[test]
fn what_was_stored_is_known_when_the_store_fails_on_the_rest() {
    with_rules(&blocks(""), async |mut rig: Rig| {
        rig.verdict("warm", "s", "warm").await;
        rig.store.close();
        rig.store.fail_from(Some("2"));
        rig.publish("c", "s", "1");
        rig.publish("c", "s", "2");
        rig.publish("d", "boom", "boom");
        rig.wait_for("the store is asked", |rig| rig.store.executed().len() > 1)
            .await;
        // The first row is stored, the module traps, and with its second run the
        // store is gone.
        rig.store.fail_with(Some(unavailable()));
        rig.store.open();
        rig.wait_for("calls are made again", |rig| rig.store.executed().len() > 3)
            .await;
        rig.store.fail_from(None);
        rig.store.fail_with(None);
        let verdicts = rig.verdicts().await;
        assert_eq!(verdicts[..2], [Verdict::Proceed, Verdict::Proceed]);
        assert_eq!(rig.store.stored(5), ["warm", "1", "2"], "each once");
    });
}
