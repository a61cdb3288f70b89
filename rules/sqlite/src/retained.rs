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

/// What `mqtt_retain` has of one topic, and what stands beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Retained {
    /// Its topic.
    pub topic: String,
    /// Its id; whatever a foreign writer put there, or nothing.
    pub msgid: Option<String>,
    /// Client id of the publisher.
    pub sender: Option<String>,
    /// 0, 1 or 2; what is out of range is 0.
    pub qos: u8,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// When it is worth nothing any more, milliseconds since the Unix epoch.
    pub expires_at_ms: Option<u64>,
    /// User properties, as JSON.
    pub properties: Option<String>,
}

/// Rows that one page looks at.
const PAGE_ROWS: u32 = 256;

/// Topics from one on, in their order. The range is what the filter has before
/// its first wildcard.
const LOOKUP: &str = "SELECT r.topic, r.msgid, r.sender, r.qos, r.payload, \
    b.expires_at_ms, b.properties FROM mqtt_retain AS r \
    LEFT JOIN hookwire_msg AS b ON b.msgid = r.msgid \
    WHERE r.topic >= ? AND r.topic < ? ORDER BY r.topic";

const LOOKUP_ONE: &str = "SELECT r.topic, r.msgid, r.sender, r.qos, r.payload, \
    b.expires_at_ms, b.properties FROM mqtt_retain AS r \
    LEFT JOIN hookwire_msg AS b ON b.msgid = r.msgid WHERE r.topic = ?";

/// A page of the retained messages that a filter matches, and the topic behind
/// which the next page begins; none at the end. A page may be short, or empty,
/// and not be the last.
///
/// # Errors
/// What the store answers.
pub fn page(
    pool: &Pool,
    filter: &str,
    behind: Option<&str>,
) -> Result<(Vec<Retained>, Option<String>), Fault> {
    let filter = topic::shared(filter).map_or(filter, |(_, filter)| filter);
    let Some((least, most)) = range(filter) else {
        let answer = pool.query(LOOKUP_ONE, &[filter.into()], 1)?;
        let found = answer.iter().map(|row| retained(&row));
        return Ok((found.collect::<Result<_, _>>()?, None));
    };
    // Behind all texts comes a blob.
    let most = most.as_ref().map_or(Value::Blob(&[]), Into::into);
    let least = behind.unwrap_or(least);
    let answer = pool.query(LOOKUP, &[least.into(), most], PAGE_ROWS)?;
    let mut found = Vec::new();
    let mut last = None;
    for row in answer.iter() {
        let topic: &str = row.get("topic")?;
        if behind != Some(topic) && topic::matches(filter, topic) {
            found.push(retained(&row)?);
        }
        last = Some(topic);
    }
    let next = last.filter(|last| answer.truncated && behind != Some(*last));
    Ok((found, next.map(str::to_owned)))
}

fn retained(row: &Row<'_>) -> Result<Retained, Fault> {
    let text = |name| row.get::<Option<String>>(name);
    Ok(Retained {
        topic: row.get("topic")?,
        msgid: text("msgid")?,
        sender: text("sender")?,
        qos: stored::qos(row)?,
        payload: stored::payload(row)?,
        expires_at_ms: stored::expires_at_ms(row)?,
        properties: text("properties")?,
    })
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
            "expires_at_ms",
            "properties",
        ];
        let rows = topics.iter().map(|topic| {
            let (id, none) = ("2PguFrHsrzEvIIBdctmb".into(), Value::Null);
            [
                (*topic).into(),
                id,
                none,
                1.into(),
                "x".into(),
                9.into(),
                Value::Null,
            ]
        });
        pool.answer(testing::rows(columns, rows));
    }

    fn topics(found: &[Retained]) -> Vec<&str> {
        found.iter().map(|retained| &*retained.topic).collect()
    }

    #[test]
    fn an_exact_filter_reads_one_row() {
        let double = SqlPool::named("main");
        answer(&double, &["a/b"]);
        let pool = Pool::open("main").expect("it is there");
        let (found, next) = page(&pool, "$share/g/a/b", None).expect("the store answers");
        assert_eq!(next, None);
        let expected = Retained {
            topic: "a/b".to_owned(),
            msgid: Some("2PguFrHsrzEvIIBdctmb".to_owned()),
            sender: None,
            qos: 1,
            payload: b"x".to_vec(),
            expires_at_ms: Some(9),
            properties: None,
        };
        assert_eq!(found, [expected]);
        assert_eq!(double.queries()[0].statement, LOOKUP_ONE);
    }

    #[test]
    fn a_wildcard_reads_its_range_in_pages() {
        let double = SqlPool::named("main");
        answer(&double, &["a", "a!b", "a/1", "a/1/2"]);
        let pool = Pool::open("main").expect("it is there");
        let (found, next) = page(&pool, "a/#", None).expect("the store answers");
        assert_eq!((topics(&found), next), (vec!["a", "a/1", "a/1/2"], None));
        let bounds = |number: usize| double.queries()[number].parameters.clone();
        let range: [Value; 2] = ["a".into(), "a0".into()];
        assert_eq!(bounds(0), range);

        let many: Vec<&str> = std::iter::repeat_n("b/1", PAGE_ROWS as usize)
            .chain(["b/2"])
            .collect();
        answer(&double, &many);
        let (_, next) = page(&pool, "+/1", None).expect("the store answers");
        assert_eq!(next.as_deref(), Some("b/1"));
        let range: [Value; 2] = ["".into(), Value::Blob(&[])];
        assert_eq!(bounds(1), range);

        answer(&double, &["b/1", "c/1"]);
        let (found, next) = page(&pool, "+/1", next.as_deref()).expect("the store answers");
        assert_eq!((topics(&found), next), (vec!["c/1"], None));
        let range: [Value; 2] = ["b/1".into(), Value::Blob(&[])];
        assert_eq!(bounds(2), range);
    }
}
