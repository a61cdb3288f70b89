//! Retained messages: one row per topic in `mqtt_retain`.
//!
//! Rules may run late, or twice, so the newest message id wins, whatever the
//! order. Ids sort by time as text; an id that is not one of ours counts as older.
//! The newest deletion of a topic is kept in `hookwire_retain_deleted`, whose
//! triggers delete the row.

use hookwire_sdk::prelude::*;
use hookwire_sdk::sql::{BatchResult, Row};
use hookwire_sdk::topic;

use crate::datetime::DateTime;
use crate::message::write;
use crate::stored::{self, range};

const RETAIN: &str = "INSERT INTO mqtt_retain \
    (topic, msgid, sender, node, qos, payload, arrived) \
    SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?)) AS given WHERE NOT EXISTS \
    (SELECT 1 FROM hookwire_retain_deleted AS gone \
    WHERE gone.topic = given.column1 AND gone.msgid > given.column2) \
    ON CONFLICT (topic) DO UPDATE SET msgid = excluded.msgid, sender = excluded.sender, \
    node = excluded.node, qos = excluded.qos, payload = excluded.payload, \
    arrived = excluded.arrived WHERE mqtt_retain.msgid IS NULL \
    OR length(mqtt_retain.msgid) <> 20 OR mqtt_retain.msgid GLOB '*[^0-9A-Za-z]*' \
    OR mqtt_retain.msgid < excluded.msgid";

const DELETE: &str = "INSERT INTO hookwire_retain_deleted (topic, msgid) VALUES (?, ?) \
    ON CONFLICT (topic) DO UPDATE SET msgid = excluded.msgid \
    WHERE hookwire_retain_deleted.msgid < excluded.msgid";

/// Stores a retained message as the row of its topic in mqtt_retain.
#[action(
    hook = "message.publish",
    interest("retain", "payload-not-empty", "payload"),
    pool = "sql",
    stores
)]
pub(crate) fn on_message_retain(ctx: &Context, messages: &[&Message]) -> Result<Verdicts, Fault> {
    write(ctx, messages, 0..messages.len(), |messages| {
        let times: Vec<DateTime> = messages
            .iter()
            .map(|message| DateTime::from_unix_ms(message.at_ms))
            .collect();
        let rows = messages.iter().zip(&times).map(|(message, arrived)| {
            [
                (&message.topic).into(),
                (&message.id).into(),
                (&message.sender).into(),
                ctx.node().into(),
                message.qos.into(),
                (&message.payload).into(),
                arrived.as_str().into(),
            ]
        });
        ctx.sql()?.exec_many(RETAIN, rows)
    })
}

/// Deletes the row of a topic in mqtt_retain, at a retained message without
/// payload.
#[action(
    hook = "message.publish",
    interest("retain", "payload-empty"),
    pool = "sql",
    stores
)]
pub(crate) fn on_retain_delete(ctx: &Context, messages: &[&Message]) -> Result<BatchResult, Fault> {
    let rows = messages
        .iter()
        .map(|message| [(&message.topic).into(), (&message.id).into()]);
    ctx.sql()?.exec_many(DELETE, rows)
}

/// Topics from one on, in their order: their retained messages, and what deleted
/// those that have none. The range is what the filter has before its first wildcard.
const LOOKUP: &str = "SELECT r.topic, r.msgid, r.sender, r.qos, r.payload, r.arrived, \
    b.expires_at_ms, b.properties, b.others FROM mqtt_retain AS r \
    LEFT JOIN hookwire_msg AS b ON b.msgid = r.msgid WHERE r.topic >= ? AND r.topic < ? \
    UNION ALL SELECT d.topic, d.msgid, NULL, 0, NULL, NULL, NULL, NULL, NULL \
    FROM hookwire_retain_deleted AS d WHERE d.topic >= ? AND d.topic < ? \
    AND NOT EXISTS (SELECT 1 FROM mqtt_retain AS r WHERE r.topic = d.topic) ORDER BY 1";

/// As [`LOOKUP`], of one topic.
const LOOKUP_ONE: &str = "SELECT r.topic, r.msgid, r.sender, r.qos, r.payload, r.arrived, \
    b.expires_at_ms, b.properties, b.others FROM mqtt_retain AS r \
    LEFT JOIN hookwire_msg AS b ON b.msgid = r.msgid WHERE r.topic = ? \
    UNION ALL SELECT d.topic, d.msgid, NULL, 0, NULL, NULL, NULL, NULL, NULL \
    FROM hookwire_retain_deleted AS d WHERE d.topic = ? \
    AND NOT EXISTS (SELECT 1 FROM mqtt_retain AS r WHERE r.topic = d.topic)";

/// Hands over the rows of mqtt_retain that a subscription matches, in the order of
/// their topics.
#[action(hook = "session.retained", pool = "sql")]
pub(crate) fn on_retain_lookup(ctx: &Context, fetch: &Fetch) -> Result<Page, Fault> {
    let pool = ctx.sql()?;
    let filter = &fetch.filter;
    let mut page = Page::default();
    let Some((least, most)) = range(filter) else {
        let answer = pool.query(LOOKUP_ONE, &[filter.into(), filter.into()], 1)?;
        for row in answer.iter() {
            page.messages.extend(message(&row, fetch.client.at_ms)?);
        }
        return Ok(page);
    };
    // Behind all texts comes a blob.
    let most = || most.as_ref().map_or(Value::Blob(&[]), Into::into);
    let behind = fetch.cursor.as_deref();
    let least = behind.unwrap_or(least);
    // The last topic of the page before is read once more.
    let rows = fetch.max_messages.max(1).saturating_add(1);
    let answer = pool.query(LOOKUP, &[least.into(), most(), least.into(), most()], rows)?;
    let mut last = None;
    for row in answer.iter() {
        let name: &str = row.get("topic")?;
        if behind != Some(name) && topic::matches(filter, name) {
            page.messages.extend(message(&row, fetch.client.at_ms)?);
        }
        last = Some(name);
    }
    match last.filter(|last| answer.truncated && behind != Some(*last)) {
        Some(last) => Ok(page.and_more(last)),
        None => Ok(page),
    }
}

/// A row as a message; without payload where it tells of a deletion. None: it is past
/// its time, or no message.
fn message(row: &Row<'_>, at_ms: u64) -> Result<Option<Message>, Fault> {
    let message = stored::message(row)?;
    let is_late = message
        .expires_at_ms
        .is_some_and(|expires| expires <= at_ms);
    let is_topic = !message.topic.is_empty() && !message.topic.contains(['+', '#', '\0']);
    let retained = Message {
        retain: true,
        ..message
    };
    Ok((is_topic && !is_late).then_some(retained))
}

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, Rule, SqlPool};

    use super::*;

    #[test]
    fn a_retained_message_is_one_row_with_what_goes_beside() {
        let pool = SqlPool::named("main");
        let rule = Rule::new(&on_message_retain::ACTION).pool("main");
        let message = Message {
            retain: true,
            expires_at_ms: Some(7),
            ..testing::message("a/b", "x")
        };
        assert_eq!(rule.run(message), Verdict::Proceed);
        let stored = pool.stored();
        assert_eq!(stored.len(), 2);
        assert!(stored[0].statement.starts_with("INSERT INTO hookwire_msg"));
        assert_eq!(stored[1].statement, RETAIN);
        let row: [Value; 7] = [
            "a/b".into(),
            "2PguFrHsrzEvIIBdctmb".into(),
            "publisher".into(),
            "hookwire@127.0.0.1".into(),
            1.into(),
            Value::Blob(b"x"),
            "2016-11-15 09:40:40".into(),
        ];
        assert_eq!(stored[1].rows, [row]);
    }

    #[test]
    fn a_deletion_names_topic_and_id() {
        let pool = SqlPool::named("main");
        let rule = Rule::new(&on_retain_delete::ACTION).pool("main");
        rule.run(testing::message("a/b", ""));
        let stored = pool.stored();
        assert_eq!(stored[0].statement, DELETE);
        let row: [Value; 2] = ["a/b".into(), "2PguFrHsrzEvIIBdctmb".into()];
        assert_eq!(stored[0].rows, [row]);
    }

    #[test]
    fn each_sees_what_concerns_it() {
        assert_eq!(
            on_message_retain::ACTION.interest,
            ["retain", "payload-not-empty", "payload"]
        );
        assert_eq!(
            on_retain_delete::ACTION.interest,
            ["retain", "payload-empty"]
        );
    }

    fn answer(pool: &SqlPool, topics: &[&'static str]) {
        let columns = [
            "topic",
            "msgid",
            "sender",
            "qos",
            "payload",
            "arrived",
            "expires_at_ms",
            "properties",
            "others",
        ];
        let rows = topics.iter().map(|topic| {
            let payload = match topic.strip_prefix("gone/") {
                Some(_) => Value::Null,
                None => "x".into(),
            };
            [
                (*topic).into(),
                "2PguFrHsrzEvIIBdctmb".into(),
                Value::Null,
                1.into(),
                payload,
                "2016-11-15 09:40:40".into(),
                if *topic == "late" {
                    1.into()
                } else {
                    Value::Null
                },
                Value::Null,
                r#"[["content-type","text/plain"]]"#.into(),
            ]
        });
        pool.answer(testing::rows(columns, rows));
    }

    fn look_up(filter: &str, cursor: Option<&str>, max_messages: u32) -> Page {
        let rule = Rule::new(&on_retain_lookup::ACTION).pool("main");
        let fetch = Fetch {
            cursor: cursor.map(str::to_owned),
            max_messages,
            ..testing::fetch("c", filter)
        };
        match rule.run(fetch) {
            Verdict::Page(page) => page,
            other => panic!("no page: {other:?}"),
        }
    }

    fn topics(page: &Page) -> Vec<&str> {
        page.messages
            .iter()
            .map(|message| &*message.topic)
            .collect()
    }

    #[test]
    fn an_exact_filter_reads_one_row() {
        let double = SqlPool::named("main");
        answer(&double, &["a/b"]);
        let page = look_up("a/b", None, 256);
        assert_eq!(page.next, None);
        let expected = Message {
            id: "2PguFrHsrzEvIIBdctmb".to_owned(),
            sender: String::new(),
            retain: true,
            at_ms: 1_479_202_840_000,
            extras: vec![("content-type".to_owned(), "text/plain".to_owned())],
            ..testing::message("a/b", "x")
        };
        assert_eq!(page.messages, [expected]);
        assert_eq!(double.queries()[0].statement, LOOKUP_ONE);
    }

    #[test]
    fn a_deletion_has_no_payload_and_what_is_late_or_no_topic_is_left_out() {
        let double = SqlPool::named("main");
        answer(&double, &["gone/b", "late", "", "a/+"]);
        let page = look_up("#", None, 256);
        assert_eq!(topics(&page), ["gone/b"]);
        assert!(page.messages[0].payload.is_empty() && page.messages[0].retain);
    }

    #[test]
    fn a_wildcard_reads_its_range_in_pages() {
        let double = SqlPool::named("main");
        answer(&double, &["a", "a!b", "a/1", "a/1/2"]);
        let page = look_up("a/#", None, 256);
        assert_eq!(
            (topics(&page), page.next.clone()),
            (vec!["a", "a/1", "a/1/2"], None)
        );
        let bounds = |number: usize| double.queries()[number].parameters.clone();
        let range: [Value; 4] = ["a".into(), "a0".into(), "a".into(), "a0".into()];
        assert_eq!(bounds(0), range);

        answer(&double, &["a/1", "b/1", "b/2"]);
        let page = look_up("+/1", None, 1);
        assert_eq!(page.next.as_deref(), Some("b/1"));
        let range: [Value; 4] = ["".into(), Value::Blob(&[]), "".into(), Value::Blob(&[])];
        assert_eq!(bounds(1), range);

        answer(&double, &["b/1", "c/1"]);
        let page = look_up("+/1", page.next.as_deref(), 1);
        assert_eq!((topics(&page), page.next.as_deref()), (vec!["c/1"], None));
        let range: [Value; 4] = [
            "b/1".into(),
            Value::Blob(&[]),
            "b/1".into(),
            Value::Blob(&[]),
        ];
        assert_eq!(bounds(2), range);
    }
}
