//! Published messages: one row each in `mqtt_msg`.

use hookwire_sdk::prelude::*;
use hookwire_sdk::sql::BatchResult;

use crate::datetime::DateTime;

const STORE: &str = "INSERT INTO mqtt_msg \
    (msgid, sender, topic, node, qos, retain, payload, arrived) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

/// Stores a message published with QoS 1 or 2 as a row of mqtt_msg.
#[action(
    hook = "message.publish",
    interest("qos>0", "payload"),
    pool = "sql",
    stores
)]
pub(crate) fn on_message_publish(
    ctx: &Context,
    messages: &[&Message],
) -> Result<BatchResult, Fault> {
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

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, Instance, Rule, SqlPool};

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
        assert_eq!(action.interest, ["qos>0", "payload"]);
        assert!(action.stores && action.batch);
        assert_eq!(action.pool, "sql");
    }
}
