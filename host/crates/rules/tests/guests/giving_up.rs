//! What becomes of an event when its rule gives it up: a dead letter, a place in the
//! spool, or nothing.

use std::sync::Arc;

use hookwire_broker::{Hook, Hooks as _, Verdict};
use hookwire_rules::{House, HouseBounds};

use crate::blocks::{MODULE, ONCE, STORE, rule, storing};
use crate::message_log::logged;
use crate::rig::{Rig, with_house, with_rules};
use crate::store::{MemoryStore, text, unavailable};

#[test]
fn a_message_that_the_store_refuses_for_ever_is_a_dead_letter() {
    with_rules(&storing(""), async |mut rig: Rig| {
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
    with_rules(&storing(&more), async |mut rig: Rig| {
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
    with_rules(&storing(&more), async |mut rig: Rig| {
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
    with_rules(&storing(&more), async |mut rig: Rig| {
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
