//! What is stored for a subscription: rows of `mqtt_msg` behind the client's
//! positions, in the order in which they were committed.
//!
//! A subscription's *floor* is the newest row there was when it was made, kept in
//! `hookwire_floor` before SUBACK: from there on it misses nothing, whatever
//! happens. Rows are numbered when they are committed, one transaction after the
//! other, so that nothing older appears behind a row that was read.

use std::time::Duration;

use hookwire_sdk::prelude::*;
use hookwire_sdk::topic;

use crate::datetime::DateTime;
use crate::place;
use crate::stored::{self, range};

/// What a rule says of clients that were away.
#[derive(Options)]
pub(crate) struct Offline {
    /// How far back the first subscription reaches; nothing before it without.
    time_range: Option<Duration>,
    /// Messages of one page at most.
    #[option(default = 256)]
    max_returned_count: u32,
}

/// A floor that is there stays: the client subscribes again.
const BEGIN: &str = "INSERT INTO hookwire_floor (clientid, filter, mid) \
    SELECT ?, ?, coalesce(max(id), 0) FROM mqtt_msg WHERE true ON CONFLICT DO NOTHING";

const BEGIN_SINCE: &str = "INSERT INTO hookwire_floor (clientid, filter, mid) \
    SELECT ?, ?, coalesce(max(id), 0) FROM mqtt_msg WHERE arrived < ? ON CONFLICT DO NOTHING";

const FLOOR: &str = "SELECT mid FROM hookwire_floor WHERE clientid = ? AND filter = ?";

/// Rows behind one, and behind the client's position.
const PAGE: &str = "SELECT m.id, m.msgid, m.topic, m.sender, m.qos, m.retain, m.payload, m.arrived, \
    b.expires_at_ms, b.properties, b.others FROM mqtt_msg AS m \
    LEFT JOIN hookwire_msg AS b ON b.msgid = m.msgid \
    WHERE m.id > ? \
    AND m.id > coalesce((SELECT mid FROM hookwire_acked \
    WHERE clientid = ? AND topic = m.topic AND sender = coalesce(m.sender, '')), \
    (SELECT mid FROM hookwire_acked_before WHERE clientid = ? AND topic = m.topic), \
    (SELECT mid FROM mqtt_acked WHERE clientid = ? AND topic = m.topic AND NOT EXISTS \
    (SELECT 1 FROM hookwire_acked AS a WHERE a.clientid = mqtt_acked.clientid \
    AND a.topic = mqtt_acked.topic)), 0)";

const NEWEST: &str = "SELECT max(id) AS id FROM mqtt_msg";
/// Rows that one page looks at, where others than those of the filter are among them.
const SPAN: i64 = 100_000;
/// Rows that the first page looks at before it goes by topics.
const FIRST_SPAN: i64 = 1_024;

/// Topics of a filter, by which their rows are found, and put in order afterwards.
const BY_TOPICS: &str = "AND m.topic >= ? AND m.topic < ?";
/// In the order of rows, so many at most: the `+` keeps SQLite from the topics.
const BY_ROWS: &str = "AND +m.topic >= ? AND +m.topic < ? AND m.id <= ?";

/// Hands over the rows of mqtt_msg that the client has not acknowledged.
#[action(hook = "session.fetch", pool = "sql", options = Offline)]
pub(crate) fn on_message_fetch(
    ctx: &Context,
    options: &Offline,
    fetch: &Fetch,
) -> Result<Page, Fault> {
    let pool = ctx.sql()?;
    let (clientid, filter) = (&fetch.client.clientid, &fetch.filter);
    if fetch.begins {
        begin(&pool, fetch, options.time_range)?;
    }
    let mut page = Page::default();
    let behind: i64 = match &fetch.cursor {
        None => {
            let floor = pool.query(FLOOR, &[clientid.into(), filter.into()], 1)?;
            let floor = floor.iter().next().map(|row| row.get::<i64>("mid"));
            let floor = floor.transpose()?.unwrap_or(0);
            page.extras.push(("floor".to_owned(), floor.to_string()));
            floor
        }
        // It is of a row that was behind the floor.
        Some(cursor) => cursor.parse().map_err(|_| {
            Fault::invalid(
                "sqlite:cursor",
                format!("the cursor {cursor:?} is no number"),
            )
        })?,
    };
    let rows = options.max_returned_count.min(fetch.max_messages).max(1);
    let range = range(filter);
    let is_span = fetch.cursor.is_some() && matches!(range, Some((_, Some(_))));
    let answer = read(&pool, fetch, behind, rows)?;
    let mut last = None;
    for row in answer.iter() {
        let number: i64 = row.get("id")?;
        last = Some(number);
        let name: &str = row.get("topic")?;
        if topic::matches(filter, name) {
            let mut message = stored::message(&row)?;
            if message.id.is_empty() {
                message.id = place::write(number);
            }
            message.retain = row
                .get::<Option<i64>>("retain")?
                .is_some_and(|flag| flag != 0);
            let is_late = |at_ms: u64| at_ms <= fetch.client.at_ms;
            if !message.expires_at_ms.is_some_and(is_late) {
                page.messages.push(message);
            }
        }
    }
    match last {
        Some(last) if answer.truncated => Ok(page.and_more(last.to_string())),
        _ if is_span && has_more(&pool, behind.saturating_add(SPAN))? => {
            Ok(page.and_more(behind.saturating_add(SPAN).to_string()))
        }
        _ => Ok(page),
    }
}

/// Rows behind this one that the filter may match, so many at most.
fn read(pool: &Pool, fetch: &Fetch, behind: i64, rows: u32) -> Result<RowSet, Fault> {
    let clientid = || Value::from(&fetch.client.clientid);
    let query = |within: &str, more: &[Value<'_>]| {
        let mut parameters = vec![behind.into(), clientid(), clientid(), clientid()];
        parameters.extend_from_slice(more);
        // One more tells that there are more; what is behind it is not read in vain.
        // The sum keeps SQLite from compiling the statement anew for each number.
        parameters.push((i64::from(rows) + 1).into());
        let statement = format!("{PAGE} {within} ORDER BY m.id LIMIT 0 + ?");
        pool.query(&statement, &parameters, rows)
    };
    let (least, most) = match range(&fetch.filter) {
        None => return query("AND m.topic = ?", &[(&fetch.filter).into()]),
        Some((_, None)) => return query("", &[]),
        Some((least, Some(most))) => (least, most),
    };
    let by_rows = |rows: i64| {
        let end = behind.saturating_add(rows);
        query(BY_ROWS, &[least.into(), (&most).into(), end.into()])
    };
    if fetch.cursor.is_some() {
        // There are many: in the order of rows, and not all of the topics for each
        // page, but so many rows at most.
        return by_rows(SPAN);
    }
    let first = by_rows(FIRST_SPAN)?;
    if first.truncated {
        return Ok(first);
    }
    query(BY_TOPICS, &[least.into(), (&most).into()])
}

/// Whether there are rows behind this one.
fn has_more(pool: &Pool, row: i64) -> Result<bool, Fault> {
    let answer = pool.query(NEWEST, &[], 1)?;
    let newest = answer.iter().next().map(|row| row.get::<Option<i64>>("id"));
    Ok(newest.transpose()?.flatten().is_some_and(|id| id > row))
}

fn begin(pool: &Pool, fetch: &Fetch, reach: Option<Duration>) -> Result<(), Fault> {
    let (clientid, filter) = ((&fetch.client.clientid).into(), (&fetch.filter).into());
    match reach {
        None => pool.exec(BEGIN, &[clientid, filter])?,
        Some(reach) => {
            let reach_ms = u64::try_from(reach.as_millis()).unwrap_or(u64::MAX);
            let since = DateTime::from_unix_ms(fetch.client.at_ms.saturating_sub(reach_ms));
            pool.exec(BEGIN_SINCE, &[clientid, filter, since.as_str().into()])?
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, Rule, SqlPool};

    use super::*;

    /// Asks for the page behind row 7, which has no row of the filter; the last
    /// statement for it, and where the next page begins.
    fn page_behind(filter: &str, newest: i64) -> (String, Option<String>) {
        let pool = SqlPool::named("main");
        let columns = [
            "id", "msgid", "topic", "sender", "qos", "retain", "payload", "arrived",
        ];
        pool.answer(testing::rows(columns, []));
        pool.answer(testing::rows(["id"], [[newest.into()]]));
        let fetch = Fetch {
            cursor: Some("7".to_owned()),
            ..testing::fetch("c1", filter)
        };
        let rule = Rule::new(&on_message_fetch::ACTION).pool("main");
        let Verdict::Page(page) = rule.run(fetch) else {
            panic!("{filter} has no page");
        };
        let queries = pool.queries();
        (queries[0].statement.clone(), page.next)
    }

    /// The statements for a first page, where so many rows are near the floor.
    fn first_page(filter: &str, near: usize) -> Vec<String> {
        let pool = SqlPool::named("main");
        pool.answer(testing::rows(["mid"], []));
        let columns = [
            "id",
            "msgid",
            "topic",
            "sender",
            "qos",
            "retain",
            "payload",
            "arrived",
            "expires_at_ms",
            "properties",
            "others",
        ];
        let row = |id: i64| -> [Value<'static>; 11] {
            let [msgid, topic, sender, payload, arrived] =
                ["m", "a/b/c", "p", "", ""].map(Value::from);
            let [expires, properties, others] = [Value::Null, Value::Null, Value::Null];
            let (qos, retain) = (1.into(), 0.into());
            [
                id.into(),
                msgid,
                topic,
                sender,
                qos,
                retain,
                payload,
                arrived,
                expires,
                properties,
                others,
            ]
        };
        let mut near = testing::rows(columns, (1..).take(near).map(row));
        near.truncated = near.rows.len() > 1;
        near.rows.truncate(1);
        pool.answer(near);
        pool.answer(testing::rows(columns, []));
        let fetch = Fetch {
            max_messages: 1,
            ..testing::fetch("c1", filter)
        };
        let rule = Rule::new(&on_message_fetch::ACTION).pool("main");
        assert!(matches!(rule.run(fetch), Verdict::Page(_)), "{filter}");
        let queries = pool.queries().into_iter().skip(1);
        queries.map(|query| query.statement.clone()).collect()
    }

    #[test]
    fn a_first_page_goes_by_topics_unless_many_rows_are_near() {
        let is = |statements: Vec<String>, expected: &[&str]| {
            let within = statements.iter().map(|statement| {
                let (_, end) = statement.split_once(PAGE).expect("it is a page");
                let end = end.strip_suffix(" ORDER BY m.id LIMIT 0 + ?");
                end.expect("it is bounded").trim()
            });
            assert_eq!(within.collect::<Vec<_>>(), expected);
        };
        is(first_page("a/+/c", 2), &[BY_ROWS]);
        is(first_page("a/+/c", 1), &[BY_ROWS, BY_TOPICS]);
        is(first_page("a/b", 1), &["AND m.topic = ?"]);
        is(first_page("#", 1), &[""]);
    }

    #[test]
    fn a_page_among_other_topics_looks_at_so_many_rows_and_says_where_it_ended() {
        let (statement, next) = page_behind("a/+/c", 7 + SPAN + 1);
        assert!(
            statement.ends_with("AND m.id <= ? ORDER BY m.id LIMIT 0 + ?"),
            "{statement}"
        );
        assert_eq!(next, Some((7 + SPAN).to_string()));
        let (_, next) = page_behind("a/+/c", 7 + SPAN);
        assert_eq!(next, None, "nothing is behind it");
        for filter in ["a/b", "#"] {
            let (statement, next) = page_behind(filter, i64::MAX);
            assert!(!statement.contains("m.id <= ?"), "{statement}");
            assert_eq!(next, None, "{filter}");
        }
    }
}
