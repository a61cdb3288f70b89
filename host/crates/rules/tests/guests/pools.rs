//! Host calls to stores, and the clock.

use std::time::{Duration, Instant, SystemTime};

use hookwire_broker::Verdict;
use hookwire_driver::Value;
use hookwire_mqtt::ReasonCode;

use crate::blocks::{MODULE, rule};
use crate::rig::{Rig, with_rules};

fn blocks(action: &str, more: &str) -> String {
    let more = format!("pool = \"memory\"\n  {more}");
    format!("{MODULE}{}", rule("r", "message.publish", action, &more))
}

#[test]
fn rows_reach_the_pool_with_the_time_that_is_left() {
    with_rules(&blocks("store", ""), async |mut rig: Rig| {
        rig.publish("c", "t", "x");
        assert_eq!(rig.verdicts().await, [Verdict::Proceed]);
        let executed = rig.store.executed();
        assert_eq!(executed.len(), 1);
        assert_eq!(executed[0].statement, "INSERT INTO seen VALUES (?)");
        assert_eq!(executed[0].rows[0][5], Value::Blob(b"x".to_vec()));
        let patience = executed[0].patience;
        assert!(patience <= Duration::from_secs(10), "{patience:?}");
        assert!(patience > Duration::from_secs(8), "{patience:?}");
    });
}

#[test]
fn queries_carry_every_value_both_ways() {
    with_rules(&blocks("query", ""), async |mut rig: Rig| {
        assert_eq!(rig.verdict("c", "t", "x").await, Verdict::Proceed);
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(
            rig.store.rows(),
            [
                vec![Value::Integer(7), text("seven")],
                vec![Value::Null, Value::Float(0.5)],
                vec![text("SELECT ?, ?"), text("max 10")],
                vec![Value::Boolean(true)],
            ]
        );
    });
}

#[test]
fn a_pool_that_was_not_granted_is_denied_like_one_that_is_not_there() {
    let mut texts = Vec::new();
    for name in ["other", "nowhere"] {
        let options = format!("options {{ pool_name = \"{name}\" }}");
        with_rules(&blocks("store", &options), async |mut rig: Rig| {
            match rig.verdict("c", "t", "x").await {
                Verdict::Failed {
                    refusal, retryable, ..
                } => {
                    assert_eq!(refusal.reason, ReasonCode::NotAuthorized);
                    assert!(!retryable);
                    texts.push(refusal.text);
                }
                other => panic!("{other:?}"),
            }
            assert!(rig.other_store.executed().is_empty());
        });
    }
    assert_eq!(texts[0], texts[1]);
}

#[test]
fn a_store_that_does_not_answer_is_not_waited_for_beyond_the_deadline() {
    let blocks = blocks("store", "").replace("\"10s\"", "\"300ms\"");
    with_rules(&blocks, async |mut rig: Rig| {
        rig.publish("warm", "t", "x");
        rig.verdicts().await;
        rig.store.close();
        let started = Instant::now();
        match rig.verdict("c", "t", "x").await {
            Verdict::Failed {
                refusal, retryable, ..
            } => {
                assert_eq!(refusal.text, "rule r: no answer in time (host:deadline)");
                assert!(retryable);
            }
            other => panic!("{other:?}"),
        }
        assert!(started.elapsed() >= Duration::from_millis(200));
        let stats = rig.module_stats("m");
        assert_eq!(stats.traps, 0, "the guest settled its batch itself");
    });
}

#[test]
fn faults_of_the_store_reach_the_publisher() {
    with_rules(&blocks("store", ""), async |mut rig: Rig| {
        rig.store.fail_with(Some(crate::store::unavailable()));
        match rig.verdict("c", "t", "x").await {
            Verdict::Failed {
                refusal, retryable, ..
            } => {
                assert_eq!(
                    refusal.text,
                    "rule r: its store is not available (memory:gone)"
                );
                assert!(retryable);
            }
            other => panic!("{other:?}"),
        }
        rig.store.fail_with(None);
        assert_eq!(rig.verdict("c", "t", "x").await, Verdict::Proceed);
    });
}

#[test]
fn a_granted_clock_tells_the_time() {
    with_rules(&blocks("time", ""), async |mut rig: Rig| {
        assert_eq!(rig.verdict("c", "t", "x").await, Verdict::Proceed);
        let row = rig.store.rows().remove(0);
        assert_eq!(row[1], Value::Boolean(true), "it does not go back");
        let Value::Integer(told_ms) = row[0] else {
            panic!("{row:?}");
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now_ms = i64::try_from(now.unwrap().as_millis()).unwrap();
        assert!((now_ms - 60_000..=now_ms).contains(&told_ms));
    });
}
