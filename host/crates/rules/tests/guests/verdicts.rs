//! From what an action answers to what the core is told.

use hookwire_broker::{Hook, Hooks, PublishFacts, RuleSet, Verdict};
use hookwire_mqtt::{QoS, ReasonCode};

use crate::blocks::{MODULE, rule};
use crate::rig::{Rig, with_rules};

fn publish_rule(action: &str, more: &str) -> String {
    format!("{MODULE}{}", rule("r", "message.publish", action, more))
}

fn options(lines: &str) -> String {
    format!("options {{\n{lines}\n}}")
}

#[track_caller]
fn denial(verdict: &Verdict) -> (ReasonCode, &str) {
    match verdict {
        Verdict::Deny(refusal) | Verdict::Disconnect(refusal) => (refusal.reason, &refusal.text),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn failure(verdict: &Verdict) -> (ReasonCode, &str, bool) {
    match verdict {
        Verdict::Failed {
            refusal, retryable, ..
        } => (refusal.reason, &refusal.text, *retryable),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rule_that_does_nothing_lets_messages_proceed() {
    with_rules(&publish_rule("noop", ""), async |mut rig: Rig| {
        assert_eq!(rig.verdict("c", "a", "x").await, Verdict::Proceed);
        assert_eq!(rig.rule_stats("r").events, 1);
        assert_eq!(rig.rule_stats("sql").events, 0);
    });
}

#[test]
fn messages_are_dropped_denied_and_disconnected() {
    with_rules(&publish_rule("drop", ""), async |mut rig: Rig| {
        assert_eq!(rig.verdict("c", "a", "x").await, Verdict::Drop);
    });
    let expected = (ReasonCode::NotAuthorized, "on purpose");
    with_rules(&publish_rule("deny", ""), async |mut rig: Rig| {
        let verdict = rig.verdict("c", "a", "x").await;
        assert!(matches!(verdict, Verdict::Deny(_)));
        assert_eq!(denial(&verdict), expected);
    });
    with_rules(&publish_rule("disconnect", ""), async |mut rig: Rig| {
        let verdict = rig.verdict("c", "a", "x").await;
        assert!(matches!(verdict, Verdict::Disconnect(_)));
        assert_eq!(denial(&verdict), expected);
    });
}

#[test]
fn messages_are_replaced() {
    let change = options("topic = \"b\"\nsuffix = \"!\"");
    with_rules(&publish_rule("rewrite", &change), async |mut rig: Rig| {
        let message = rig.message("c", "a", "x");
        rig.publish_message(message.clone());
        let Verdict::Replace(replaced) = rig.verdicts().await.remove(0) else {
            panic!("it is replaced");
        };
        assert_eq!((replaced.id, &*replaced.topic), (message.id, "b"));
        assert_eq!(&*replaced.payload, b"x!");
        assert_eq!(&*replaced.properties, b"\x26\0\x02by\0\x01r");
    });
}

#[test]
fn a_replacement_that_cannot_be_published_is_a_failure_of_the_rule() {
    with_rules(&publish_rule("rename_badly", ""), async |mut rig: Rig| {
        let verdict = rig.verdict("c", "a", "x").await;
        let text = "rule r: it failed (host:verdict)";
        let expected = (ReasonCode::UnspecifiedError, text, false);
        assert_eq!(failure(&verdict), expected);
        assert_eq!(rig.rule_stats("r").errors, 1);
    });
}

#[test]
fn a_failed_rule_denies_or_continues() {
    let fault = options("kind = \"saturated\"\ncode = \"x:1\"\nretryable = true");
    let fault = format!("{fault}\n{}", crate::blocks::ONCE);
    with_rules(&publish_rule("fail", &fault), async |mut rig: Rig| {
        let verdict = rig.verdict("c", "a", "x").await;
        let text = "rule r: too much at once (x:1)";
        assert_eq!(failure(&verdict), (ReasonCode::QuotaExceeded, text, true));
    });
    let goes_on = format!("{fault}\non_error = \"continue\"");
    with_rules(&publish_rule("fail", &goes_on), async |mut rig: Rig| {
        assert_eq!(rig.verdict("c", "a", "x").await, Verdict::Proceed);
        assert_eq!(rig.rule_stats("r").errors, 1);
    });
}

#[test]
fn permanent_faults_have_their_codes() {
    let check = |kind: &str, code: &str, expected: ReasonCode| {
        let fault = options(&format!("kind = \"{kind}\"\ncode = \"{code}\""));
        with_rules(&publish_rule("fail", &fault), async |mut rig: Rig| {
            let verdict = rig.verdict("c", "a", "x").await;
            let (reason, _, retryable) = failure(&verdict);
            assert_eq!((reason, retryable), (expected, false));
        });
    };
    check(
        "refused",
        "sqlstate:22001",
        ReasonCode::PayloadFormatInvalid,
    );
    check("refused", "sqlite:19", ReasonCode::UnspecifiedError);
    check("denied", "", ReasonCode::NotAuthorized);
    check("other", "", ReasonCode::UnspecifiedError);
}

#[test]
fn an_answer_to_no_call_changes_nothing() {
    with_rules(&publish_rule("odd_answer", ""), async |mut rig: Rig| {
        assert_eq!(rig.verdict("c", "a", "x").await, Verdict::Proceed);
    });
}

#[test]
fn a_verdict_on_an_event_is_counted_as_an_error() {
    let blocks = format!(
        "{MODULE}{}",
        rule("r", "client.connected", "rename_badly", "")
    );
    with_rules(&blocks, async |mut rig: Rig| {
        rig.client_event(Hook::ClientConnected, "c");
        rig.all_ran().await;
        assert_eq!(rig.rule_stats("r").errors, 1);
    });
}

#[test]
fn rules_are_asked_only_for_what_they_want_to_see() {
    let blocks = publish_rule("retained", "pool = \"memory\"\n  topic = \"a/#\"");
    with_rules(&blocks, async |mut rig: Rig| {
        let set = rig.matching("a/b");
        let wants = |rig: &Rig, retain, payload_bytes| {
            rig.rules.wants_publish(
                set,
                PublishFacts {
                    qos: QoS::AtMostOnce,
                    retain,
                    payload_bytes,
                },
            )
        };
        assert!(wants(&rig, true, 1));
        assert!(!wants(&rig, true, 0));
        assert!(!wants(&rig, false, 1));
        assert_eq!(rig.matching("b"), RuleSet::NONE);
        assert!(!rig.rules.wants(Hook::ClientConnected));
    });
}

#[test]
fn the_guest_sees_the_whole_message_and_the_payload_if_a_rule_reads_it() {
    let blocks = [
        MODULE,
        &rule(
            "reads",
            "message.publish",
            "store",
            "pool = \"memory\"\n  topic = \"a\"",
        ),
        &rule(
            "blind",
            "message.publish",
            "store_blind",
            "pool = \"memory\"\n  topic = \"b\"",
        ),
    ];
    with_rules(&blocks.concat(), async |mut rig: Rig| {
        let mut message = rig.message("c", "a", "payload");
        message.properties = b"\x01\x01\x26\0\x01k\0\x01v\x26\0\x02k2\0\0"
            .as_slice()
            .into();
        message.retain = true;
        let id = message.id.to_string();
        rig.publish_message(message);
        rig.publish("c", "b", "payload");
        assert_eq!(rig.verdicts().await, [Verdict::Proceed, Verdict::Proceed]);
        let mut rows = rig.store.rows();
        rows.sort_by_key(|row| crate::store::text(&row[4]));
        let seen: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(crate::store::text).collect())
            .collect();
        let expected = [
            "reads",
            "message.publish",
            "1",
            "c",
            "a",
            "payload",
            "1",
            "true",
            "1000",
            "k=v,k2=",
            &id,
        ];
        assert_eq!(seen[0], expected);
        assert_eq!(seen[1][4..6], ["b", ""], "nobody asked for the payload");
    });
}

#[test]
fn the_guest_sees_clients_and_deliveries() {
    let store = "pool = \"memory\"";
    let blocks = [
        MODULE,
        &rule("up", "client.connected", "store", store),
        &rule("down", "client.disconnected", "store", store),
        &rule("acked", "message.acked", "store", store),
    ];
    with_rules(&blocks.concat(), async |mut rig: Rig| {
        assert!(rig.rules.wants(Hook::ClientConnected));
        rig.client_event(Hook::ClientConnected, "c");
        let message = rig.message("sender", "a", "x");
        let topic = hookwire_mqtt::TopicName::new("a").unwrap();
        let set = rig.rules.match_topic(Hook::MessageAcked, topic);
        let client = std::sync::Arc::new(hookwire_broker::ClientInfo {
            clientid: "c".into(),
            username: None,
            connection: None,
        });
        rig.rules
            .submit_acked(set, &client, std::sync::Arc::new(message));
        rig.client_event(Hook::ClientDisconnected, "c");
        assert_eq!(rig.rules.outstanding(), 3);
        rig.all_ran().await;
        let rows = rig.store.rows().into_iter();
        let rows: Vec<Vec<String>> = rows
            .map(|row| row.iter().map(crate::store::text).collect())
            .collect();
        assert_eq!(rows[0][..2], ["up", "client.connected"]);
        assert_eq!(rows[0][3..], ["c", "user", "", "2000"]);
        assert_eq!(rows[1][..2], ["acked", "message.acked"]);
        assert_eq!(rows[1][3..7], ["c", "sender", "a", "x"]);
        assert_eq!(rows[2][3..], ["c", "user", "normal", "2000"]);
    });
}
