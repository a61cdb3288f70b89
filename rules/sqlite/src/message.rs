//! Published messages: one row each in `mqtt_msg`, and beside it what that table
//! has no column for.

use hookwire_sdk::prelude::*;
use hookwire_sdk::sql::BatchResult;
use hookwire_sdk::{RuleInfo, serde_json, topic};

use crate::datetime::DateTime;
use crate::session;

const STORE: &str = "INSERT INTO mqtt_msg \
    (msgid, sender, topic, node, qos, retain, payload, arrived) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

/// A message that is tried again has the same id.
const PROPERTIES: &str = "INSERT INTO hookwire_msg (msgid, expires_at_ms, properties, others) \
    VALUES (?, ?, ?, ?) ON CONFLICT (msgid) DO UPDATE SET expires_at_ms = excluded.expires_at_ms, \
    properties = excluded.properties, others = excluded.others";

/// Stores a message published with QoS 1 or 2 as a row of mqtt_msg.
#[action(
    hook = "message.publish",
    interest("qos>0", "payload", "fetched"),
    pool = "sql",
    stores,
    check = stored_once
)]
pub(crate) fn on_message_publish(ctx: &Context, messages: &[&Message]) -> Result<Verdicts, Fault> {
    store(ctx, messages)
}

/// Stores a message published with any QoS as a row of mqtt_msg.
#[action(
    hook = "message.publish",
    interest("payload", "fetched"),
    pool = "sql",
    stores,
    check = stored_once
)]
pub(crate) fn on_message_store(ctx: &Context, messages: &[&Message]) -> Result<Verdicts, Fault> {
    store(ctx, messages)
}

fn store(ctx: &Context, messages: &[&Message]) -> Result<Verdicts, Fault> {
    let earlier: Vec<&RuleInfo> = rivals(ctx).collect();
    let is_stored = |message: &Message| earlier.iter().any(|rule| stores(rule, message));
    let is_new = |place: &usize| !is_stored(messages[*place]);
    write(ctx, messages, (0..messages.len()).filter(is_new), |rows| {
        write_messages(ctx, rows)
    })
}

fn write_messages(ctx: &Context, messages: &[&Message]) -> Result<BatchResult, Fault> {
    let times: Vec<DateTime> = messages
        .iter()
        .map(|message| DateTime::from_unix_ms(message.at_ms))
        .collect();
    let rows = messages.iter().zip(&times).map(|(message, arrived)| {
        [
            (&message.id).into(),
            (&message.sender).into(),
            (&message.topic).into(),
            ctx.node().into(),
            message.qos.into(),
            i64::from(message.retain).into(),
            (&message.payload).into(),
            arrived.as_str().into(),
        ]
    });
    ctx.sql()?.exec_many(STORE, rows)
}

/// Writes what goes beside the messages at `places`, and then, by `write`, those
/// for which it was written: whoever finds a message finds that too.
pub(crate) fn write(
    ctx: &Context,
    messages: &[&Message],
    places: impl Iterator<Item = usize>,
    write: impl FnOnce(&[&Message]) -> Result<BatchResult, Fault>,
) -> Result<Verdicts, Fault> {
    let mut verdicts = Verdicts::proceed();
    let mut places: Vec<usize> = places.collect();
    let has_properties = |place: &usize| {
        let message = messages[*place];
        message.expires_at_ms.is_some()
            || !message.user_properties.is_empty()
            || message.properties().next().is_some()
    };
    let beside: Vec<usize> = places.iter().copied().filter(has_properties).collect();
    if !beside.is_empty() {
        let rows = beside.iter().map(|place| messages[*place]);
        let failed = write_properties(ctx, rows)?.failed;
        for row in failed {
            if let Some(place) = beside.get(row.row as usize) {
                verdicts.set(*place, Verdict::Failed(row.fault));
                places.retain(|kept| kept != place);
            }
        }
    }
    if places.is_empty() {
        return Ok(verdicts);
    }
    let rows: Vec<&Message> = places.iter().map(|place| messages[*place]).collect();
    session::taken(ctx, rows.iter().copied())?;
    for row in write(&rows)?.failed {
        if let Some(place) = places.get(row.row as usize) {
            verdicts.set(*place, Verdict::Failed(row.fault));
        }
    }
    Ok(verdicts)
}

fn write_properties<'m>(
    ctx: &Context,
    messages: impl Iterator<Item = &'m Message>,
) -> Result<BatchResult, Fault> {
    let rows: Vec<(&Message, Option<String>, Option<String>)> = messages
        .map(|message| {
            let has_any = !message.user_properties.is_empty();
            let json = has_any.then(|| serde_json::to_string(&message.user_properties));
            let others: Vec<_> = message.properties().collect();
            let others = (!others.is_empty()).then(|| serde_json::to_string(&others));
            Ok((message, json.transpose()?, others.transpose()?))
        })
        .collect::<Result<_, Fault>>()?;
    let rows = rows.iter().map(|(message, json, others)| {
        [
            (&message.id).into(),
            message.expires_at_ms.map(Value::unsigned).into(),
            json.as_ref().into(),
            others.as_ref().into(),
        ]
    });
    ctx.sql()?.exec_many(PROPERTIES, rows)
}

/// Rules that may store the same messages into the same pool, before this one.
fn rivals(ctx: &Context) -> impl Iterator<Item = &RuleInfo> {
    ctx.earlier_rules().filter(|rule| {
        rule.pool.as_deref() == ctx.pool()
            && (rule.action == "on_message_publish" || rule.action == "on_message_store")
    })
}

/// Whether the rule stores the message.
fn stores(rule: &RuleInfo, message: &Message) -> bool {
    let takes_qos = message.qos > 0 || rule.action == "on_message_store";
    takes_qos && topic::matches(&rule.topic, &message.topic)
}

fn stored_once(ctx: &Context, findings: &mut Findings) {
    for rule in rivals(ctx).filter(|rule| topic::overlap(&rule.topic, ctx.topic_filter())) {
        findings.warn(format!(
            "what rule {:?} stores into pool {:?} by {} on {:?} is not stored there a second time \
             by this one",
            rule.name,
            ctx.pool().unwrap_or_default(),
            rule.action,
            rule.topic
        ));
    }
}

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, Instance, Rule, SqlPool, Stored};

    use super::*;
    use crate::Module;

    #[test]
    fn a_message_becomes_a_row() {
        let pool = SqlPool::named("main");
        let rule = Rule::new(&on_message_publish::ACTION)
            .node("hookwire@a")
            .pool("main");
        let first = Message {
            qos: 2,
            retain: true,
            ..testing::message("a/b", [0, 159, 255])
        };
        let second = testing::message("a/c", "");
        let verdicts = rule.run_batch([first, second]);
        assert_eq!(verdicts, [Verdict::Proceed, Verdict::Proceed]);
        let stored = pool.stored();
        let [call] = stored.as_slice() else {
            panic!("{stored:?}");
        };
        assert_eq!(call.statement, STORE);
        let row = |topic, qos: i64, retain: i64, payload: &'static [u8]| -> [Value<'static>; 8] {
            [
                "2PguFrHsrzEvIIBdctmb".into(),
                "publisher".into(),
                topic,
                "hookwire@a".into(),
                qos.into(),
                retain.into(),
                payload.into(),
                "2016-11-15 09:40:40".into(),
            ]
        };
        let expected = [
            row("a/b".into(), 2, 1, &[0, 159, 255]),
            row("a/c".into(), 1, 0, &[]),
        ];
        assert_eq!(call.rows, expected);
    }

    #[test]
    fn a_row_that_is_refused_fails_its_message() {
        let pool = SqlPool::named("main");
        let refusal = Fault::new(FaultKind::Refused, "sqlite:18", "too big");
        let answer = refusal.clone();
        pool.refuse_rows(move |row| (row[2].as_text() == Some("b")).then(|| answer.clone()));
        let rule = Rule::new(&on_message_publish::ACTION).pool("main");
        let verdicts = rule.run_batch(["a", "b", "c"].map(|topic| testing::message(topic, "")));
        assert_eq!(
            verdicts,
            [Verdict::Proceed, Verdict::Failed(refusal), Verdict::Proceed]
        );
    }

    #[test]
    fn the_host_may_skip_what_is_not_stored() {
        let manifest = Instance::<Module>::describe();
        let action = manifest
            .actions
            .iter()
            .find(|action| action.name == "on_message_publish")
            .unwrap();
        assert_eq!(action.interest, ["qos>0", "payload", "fetched"]);
        assert!(action.stores && action.batch);
        assert_eq!(action.pool, "sql");
    }

    /// Two rules on one pool, as a broker would bind them, and what they write of
    /// these messages.
    fn stored_by(
        first: Rule,
        second: Rule,
        messages: &[Message],
        calls: &[(u32, u32)],
    ) -> (Vec<String>, Vec<Stored>) {
        let pool = SqlPool::named("main");
        let rules = vec![first.pool("main"), second.pool("main")];
        let module = Instance::<Module>::configure(rules).expect("the rules fit");
        let events: Vec<Event> = messages.iter().cloned().map(Event::from).collect();
        assert_eq!(module.handle(&events, calls), []);
        let warnings = module.warnings().iter();
        let warnings = warnings.map(|warning| format!("{} {}", warning.rule, warning.message));
        (warnings.collect(), pool.stored())
    }

    fn topics(stored: &[Stored]) -> Vec<&str> {
        let rows = stored.iter().flat_map(|call| &call.rows);
        rows.filter_map(|row| row[2].as_text()).collect()
    }

    #[test]
    fn two_rules_store_a_message_once() {
        let publish = Rule::new(&on_message_publish::ACTION).named("reliable");
        let everything = Rule::new(&on_message_store::ACTION)
            .named("all")
            .topic("a/#");
        let messages = [
            testing::message("a/1", ""),
            Message {
                qos: 0,
                ..testing::message("a/0", "")
            },
            testing::message("b", ""),
        ];
        // The broker calls a rule for what its filter and its interest let through.
        let calls = [(0, 0), (0, 1), (1, 0), (1, 2)];
        let (warnings, stored) = stored_by(everything, publish, &messages, &calls);
        assert_eq!(
            warnings,
            [
                "1 what rule \"all\" stores into pool \"main\" by on_message_store on \"a/#\" is not \
                 stored there a second time by this one"
            ]
        );
        assert_eq!(topics(&stored), ["a/1", "a/0", "b"]);
        let (warnings, _) = stored_by(
            Rule::new(&on_message_publish::ACTION).topic("a/+"),
            Rule::new(&on_message_store::ACTION).topic("b/+"),
            &[],
            &[],
        );
        assert!(
            warnings.is_empty(),
            "their filters have nothing in common: {warnings:?}"
        );
    }

    #[test]
    fn a_rule_that_does_not_take_qos_0_leaves_it_to_the_next() {
        let publish = Rule::new(&on_message_publish::ACTION);
        let everything = Rule::new(&on_message_store::ACTION);
        let quick = Message {
            qos: 0,
            ..testing::message("a/0", "")
        };
        let messages = [testing::message("a/1", ""), quick];
        let calls = [(0, 0), (1, 0), (1, 1)];
        let (_, stored) = stored_by(publish, everything, &messages, &calls);
        assert_eq!(topics(&stored), ["a/1", "a/0"]);
    }

    #[test]
    fn other_pools_are_other_stores() {
        let (main, other) = (SqlPool::named("main"), SqlPool::named("other"));
        let rules = vec![
            Rule::new(&on_message_publish::ACTION).pool("main"),
            Rule::new(&on_message_store::ACTION).pool("other"),
        ];
        let module = Instance::<Module>::configure(rules).expect("the rules fit");
        assert!(module.warnings().is_empty());
        let settled = module.handle(&[testing::message("a", "").into()], &[(0, 0), (1, 0)]);
        assert_eq!(settled, []);
        assert_eq!((main.stored().len(), other.stored().len()), (1, 1));
    }

    #[test]
    fn what_has_no_column_goes_first_and_beside() {
        let pool = SqlPool::named("main");
        let rule = Rule::new(&on_message_publish::ACTION).pool("main");
        let plain = testing::message("a", "");
        let expiring = Message {
            id: "2PguFrHsrzEvIIBdctm1".to_owned(),
            expires_at_ms: Some(1_479_202_900_000),
            ..testing::message("b", "")
        };
        let told = Message {
            id: "2PguFrHsrzEvIIBdctm2".to_owned(),
            user_properties: vec![("unit".into(), "°C".into()), ("unit".into(), "\"".into())],
            extras: vec![
                ("packet-id".into(), "7".into()),
                ("content-type".into(), "text/plain".into()),
            ],
            ..testing::message("c", "")
        };
        let verdicts = rule.run_batch([plain, expiring, told]);
        assert_eq!(
            verdicts,
            [Verdict::Proceed, Verdict::Proceed, Verdict::Proceed]
        );
        let stored = pool.stored();
        let statements: Vec<&str> = stored.iter().map(|call| &*call.statement).collect();
        assert_eq!(statements, [PROPERTIES, STORE]);
        let rows: [[Value; 4]; 2] = [
            [
                "2PguFrHsrzEvIIBdctm1".into(),
                1_479_202_900_000_i64.into(),
                Value::Null,
                Value::Null,
            ],
            [
                "2PguFrHsrzEvIIBdctm2".into(),
                Value::Null,
                r#"[["unit","°C"],["unit","\""]]"#.into(),
                r#"[["content-type","text/plain"]]"#.into(),
            ],
        ];
        assert_eq!(stored[0].rows, rows);
        assert_eq!(stored[1].rows.len(), 3);
    }

    #[test]
    fn a_message_is_not_stored_without_what_goes_beside() {
        let pool = SqlPool::named("main");
        let refusal = Fault::new(FaultKind::Refused, "sqlite:19", "no");
        let answer = refusal.clone();
        pool.refuse_rows(move |row| (row.len() == 4).then(|| answer.clone()));
        let rule = Rule::new(&on_message_store::ACTION).pool("main");
        let expiring = Message {
            expires_at_ms: Some(1),
            ..testing::message("b", "")
        };
        let verdicts = rule.run_batch([
            testing::message("a", ""),
            expiring,
            testing::message("c", ""),
        ]);
        assert_eq!(
            verdicts,
            [Verdict::Proceed, Verdict::Failed(refusal), Verdict::Proceed]
        );
        assert_eq!(topics(&pool.stored()[1..]), ["a", "c"]);
    }
}
