//! Subscriptions: those that a business server wrote into `mqtt_sub` are made on
//! behalf of the client, and those that the client makes are written there.
//!
//! What a client makes goes into `hookwire_sub`, with its options; triggers of
//! that table maintain `mqtt_sub`, so that each of both is one atomic call. They
//! know by number which rows they wrote, and touch no others.

use hookwire_sdk::metrics::Counter;
use hookwire_sdk::prelude::*;
use hookwire_sdk::sql::{BatchResult, Row};
use hookwire_sdk::topic;

/// Subscriptions of one client at most: what a query answers is bounded.
const MAX_SUBSCRIPTIONS: u32 = 10_000;

/// Rows of `mqtt_sub` that name no subscription.
const BAD_ROWS: Counter = Counter::new("bad_subscription_rows");

/// `is_own`: whether the client made it, in an earlier session.
const LOOKUP: &str = "SELECT s.topic, s.qos, o.no_local, o.retain_as_published, \
    o.retain_handling, o.identifier, o.mqtt_sub_id IS NOT NULL AS is_own \
    FROM mqtt_sub AS s LEFT JOIN hookwire_sub AS o \
    ON o.mqtt_sub_id = s.id AND o.clientid = s.clientid AND o.topic = s.topic \
    WHERE s.clientid = ? ORDER BY s.id";

const OWN: &str = "SELECT topic, qos, no_local, retain_as_published, retain_handling, identifier \
    FROM hookwire_sub WHERE clientid = ? ORDER BY rowid";

const STORE: &str = "INSERT INTO hookwire_sub (clientid, topic, qos, no_local, \
    retain_as_published, retain_handling, identifier) VALUES (?, ?, ?, ?, ?, ?, ?) \
    ON CONFLICT (clientid, topic) DO UPDATE SET qos = excluded.qos, \
    no_local = excluded.no_local, retain_as_published = excluded.retain_as_published, \
    retain_handling = excluded.retain_handling, identifier = excluded.identifier";

const DELETE: &str = "DELETE FROM hookwire_sub WHERE clientid = ? AND topic = ?";

const DELETE_ALL: &str = "DELETE FROM hookwire_sub WHERE clientid = ?";

/// Subscribes a client to the topics that mqtt_sub has for it.
#[action(hook = "session.created", interest("connection"), pool = "sql")]
pub(crate) fn on_subscribe_lookup(
    ctx: &Context,
    client: &Client,
) -> Result<Vec<RestoredSubscription>, Fault> {
    lookup(ctx, client)
}

/// Another name of on_subscribe_lookup.
#[action(hook = "session.created", interest("connection"), pool = "sql")]
pub(crate) fn on_subscription_lookup(
    ctx: &Context,
    client: &Client,
) -> Result<Vec<RestoredSubscription>, Fault> {
    lookup(ctx, client)
}

fn lookup(ctx: &Context, client: &Client) -> Result<Vec<RestoredSubscription>, Fault> {
    let clientid = &client.clientid;
    let answer = ctx
        .sql()?
        .query(LOOKUP, &[clientid.into()], MAX_SUBSCRIPTIONS)?;
    if answer.truncated {
        log_warn!(
            "{clientid} has more rows of mqtt_sub than are read: {} are",
            answer.rows.len()
        );
    }
    // Who asks for a clean session does not want what it subscribed to before; a
    // business server's rows are not the client's to end.
    let connection = client.connection.as_ref();
    let starts_clean = connection.is_some_and(|connection| connection.clean_start);
    let mut subscriptions = Vec::with_capacity(answer.rows.len());
    for row in answer.iter() {
        if starts_clean && row.get::<bool>("is_own")? {
            continue;
        }
        match subscription(&row) {
            Ok(subscription) => subscriptions.push(subscription),
            Err(why) => {
                BAD_ROWS.increment();
                log_warn!("a row of mqtt_sub for {clientid} is left out: {why}");
            }
        }
    }
    Ok(subscriptions)
}

/// What a client subscribed to itself.
pub(crate) fn own(pool: &Pool, clientid: &str) -> Result<Vec<RestoredSubscription>, Fault> {
    let answer = pool.query(OWN, &[clientid.into()], MAX_SUBSCRIPTIONS)?;
    let mut subscriptions = Vec::with_capacity(answer.rows.len());
    for row in answer.iter() {
        match subscription(&row) {
            Ok(subscription) => subscriptions.push(subscription),
            Err(why) => {
                BAD_ROWS.increment();
                log_warn!("a row of hookwire_sub for {clientid} is left out: {why}");
            }
        }
    }
    Ok(subscriptions)
}

/// The subscription that a row names, or why it names none.
fn subscription(row: &Row<'_>) -> Result<RestoredSubscription, String> {
    let column = |error: Fault| error.message;
    let filter: &str = row.get("topic").map_err(column)?;
    if !topic::is_filter(filter) {
        return Err(format!("{filter:?} is no topic filter"));
    }
    let qos: i64 = row.get("qos").map_err(column)?;
    let qos = u8::try_from(qos)
        .ok()
        .filter(|qos| *qos <= 2)
        .ok_or_else(|| format!("{filter:?} has QoS {qos}"))?;
    let flag = |name| row.get::<Option<i64>>(name).map(|flag| flag.unwrap_or(0));
    Ok(RestoredSubscription {
        no_local: flag("no_local").map_err(column)? != 0,
        retain_as_published: flag("retain_as_published").map_err(column)? != 0,
        retain_handling: u8::try_from(flag("retain_handling").map_err(column)?)
            .ok()
            .filter(|handling| *handling <= 2)
            .unwrap_or(0),
        identifier: row
            .get::<Option<i64>>("identifier")
            .map_err(column)?
            .and_then(|identifier| u32::try_from(identifier).ok()),
        ..RestoredSubscription::new(filter, qos)
    })
}

/// Writes a client's subscription, with its options, into hookwire_sub and into
/// mqtt_sub.
#[action(hook = "session.subscribed", pool = "sql", stores)]
pub(crate) fn on_subscription_store(
    ctx: &Context,
    subscriptions: &[&Subscription],
) -> Result<BatchResult, Fault> {
    let rows = subscriptions.iter().map(|subscription| {
        [
            (&subscription.client.clientid).into(),
            (&subscription.filter).into(),
            subscription.qos.into(),
            i64::from(subscription.no_local).into(),
            i64::from(subscription.retain_as_published).into(),
            subscription.retain_handling.into(),
            subscription.identifier.into(),
        ]
    });
    ctx.sql()?.exec_many(STORE, rows)
}

/// Deletes what on_subscription_store wrote: one subscription, or all of a
/// session that has ended.
#[action(
    hook = "session.unsubscribed",
    hook = "session.discarded",
    hook = "session.terminated",
    pool = "sql",
    stores
)]
pub(crate) fn on_subscription_delete(
    ctx: &Context,
    events: &[&Event],
) -> Result<BatchResult, Fault> {
    if ctx.hook() == "session.unsubscribed" {
        let rows = events.iter().map(|event| match event {
            Event::Subscription(subscription) => [
                (&subscription.client.clientid).into(),
                (&subscription.filter).into(),
            ],
            _ => [Value::Null, Value::Null],
        });
        return ctx.sql()?.exec_many(DELETE, rows);
    }
    let rows = events.iter().map(|event| match event {
        Event::Client(client) => [(&client.clientid).into()],
        _ => [Value::Null],
    });
    ctx.sql()?.exec_many(DELETE_ALL, rows)
}

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, Rule, SqlPool};

    use super::*;

    fn looked_up(rows: Vec<[Value<'static>; 7]>, clean_start: bool) -> Verdict {
        let pool = SqlPool::named("main");
        pool.answer(testing::rows(
            [
                "topic",
                "qos",
                "no_local",
                "retain_as_published",
                "retain_handling",
                "identifier",
                "is_own",
            ],
            rows,
        ));
        let connection = testing::connection();
        let client = Client {
            connection: Some(hookwire_sdk::Connection {
                clean_start,
                ..connection
            }),
            ..testing::client("c1")
        };
        let verdict = Rule::new(&on_subscribe_lookup::ACTION)
            .pool("main")
            .run(client);
        let queries = pool.queries();
        assert_eq!(queries[0].statement, LOOKUP);
        assert_eq!(queries[0].parameters[0].as_text(), Some("c1"));
        verdict
    }

    fn written(topic: Value<'static>, qos: Value<'static>) -> [Value<'static>; 7] {
        let none = || Value::Null;
        [topic, qos, none(), none(), none(), none(), 0.into()]
    }

    fn own(topic: &'static str) -> [Value<'static>; 7] {
        [
            topic.into(),
            1.into(),
            1.into(),
            1.into(),
            2.into(),
            7.into(),
            1.into(),
        ]
    }

    #[test]
    fn rows_become_subscriptions_and_no_session() {
        let verdict = looked_up(
            vec![
                written("a/#".into(), 2.into()),
                written("$share/g/b".into(), 0.into()),
            ],
            true,
        );
        let expected = Restoration::new()
            .subscribe("a/#", 2)
            .subscribe("$share/g/b", 0);
        assert!(!expected.is_present);
        assert_eq!(verdict, Verdict::restore(expected));
        assert_eq!(looked_up(Vec::new(), true), Verdict::Proceed);
    }

    #[test]
    fn bad_rows_are_left_out_told_and_counted() {
        let bad = [
            written("a/#/b".into(), 1.into()),
            written("".into(), 1.into()),
            written("a".into(), 3.into()),
            written("a".into(), (-1).into()),
            written("a".into(), Value::Null),
            written(Value::Null, 1.into()),
            written("a".into(), "one".into()),
        ];
        let count = bad.len();
        let good = written("good".into(), 1.into());
        let rows = [good].into_iter().chain(bad).collect();
        let expected = Restoration::new().subscribe("good", 1);
        assert_eq!(looked_up(rows, true), Verdict::restore(expected));
        assert_eq!(testing::counter("bad_subscription_rows"), count as u64);
        let log = testing::take_log();
        assert_eq!(log.len(), count);
        assert!(log[2].1.contains("\"a\" has QoS 3"), "{log:?}");
    }

    #[test]
    fn what_the_client_made_comes_back_with_its_options_unless_it_starts_clean() {
        let expected = RestoredSubscription {
            no_local: true,
            retain_as_published: true,
            retain_handling: 2,
            identifier: Some(7),
            ..RestoredSubscription::new("a", 1)
        };
        let rows = || vec![own("a"), written("b".into(), 1.into())];
        let both = Restoration::new().with(expected).subscribe("b", 1);
        assert_eq!(looked_up(rows(), false), Verdict::restore(both));
        let one = Restoration::new().subscribe("b", 1);
        assert_eq!(looked_up(rows(), true), Verdict::restore(one));
    }

    #[test]
    fn a_store_that_fails_fails_the_lookup() {
        let pool = SqlPool::named("main");
        let fault = Fault::new(FaultKind::Unavailable, "sqlite:10", "no disk");
        pool.fail_next(fault.clone());
        let rule = Rule::new(&on_subscription_lookup::ACTION).pool("main");
        assert_eq!(rule.run(testing::client("c1")), Verdict::Failed(fault));
    }

    #[test]
    fn subscriptions_are_stored_with_their_options() {
        let pool = SqlPool::named("main");
        let rule = Rule::new(&on_subscription_store::ACTION).pool("main");
        let subscription = Subscription {
            qos: 2,
            no_local: true,
            retain_as_published: true,
            retain_handling: 1,
            identifier: Some(9),
            ..testing::subscription("c1", "a/#")
        };
        rule.run_batch([subscription, testing::subscription("c1", "b")]);
        let stored = pool.stored();
        assert_eq!(stored.len(), 1, "one call for the batch");
        let rows: [[Value; 7]; 2] = [
            [
                "c1".into(),
                "a/#".into(),
                2.into(),
                1.into(),
                1.into(),
                1.into(),
                9.into(),
            ],
            [
                "c1".into(),
                "b".into(),
                1.into(),
                0.into(),
                0.into(),
                0.into(),
                Value::Null,
            ],
        ];
        assert_eq!(stored[0].rows, rows);
    }

    #[test]
    fn one_is_deleted_or_all_of_a_session() {
        let pool = SqlPool::named("main");
        let rule = Rule::new(&on_subscription_delete::ACTION).pool("main");
        rule.run(testing::subscription("c1", "a/#"));
        rule.hook("session.terminated").run(testing::client("c1"));
        let stored = pool.stored();
        let statements: Vec<&str> = stored.iter().map(|call| &*call.statement).collect();
        assert_eq!(statements, [DELETE, DELETE_ALL]);
        let one: [Value; 2] = ["c1".into(), "a/#".into()];
        assert_eq!(stored[0].rows, [one]);
        let all: [Value; 1] = ["c1".into()];
        assert_eq!(stored[1].rows, [all]);
    }
}
