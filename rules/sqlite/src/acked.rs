//! Read positions: one row per client, topic and publisher in `hookwire_acked`, and
//! the newest of a topic in `mqtt_acked`, which triggers of the schema keep.

use hookwire_sdk::prelude::*;
use hookwire_sdk::sql::BatchResult;
use hookwire_sdk::topic;

use crate::place;
use crate::session::forget_completed;

/// The position is the number of the message's row, the first where the message
/// was stored twice. It only goes forward; a message without a row moves nothing.
/// Other writers may give an id again on another topic, or none: the last value is
/// the number of a row without.
const ACKED: &str = "INSERT INTO hookwire_acked (clientid, topic, sender, mid) \
    SELECT ?, topic, coalesce(sender, ''), id FROM mqtt_msg \
    WHERE +topic = ? AND id = coalesce( \
    (SELECT id FROM mqtt_msg WHERE msgid = ? AND +topic = ? ORDER BY id LIMIT 1), \
    (SELECT id FROM mqtt_msg WHERE id = ? AND coalesce(msgid, '') = '')) \
    ON CONFLICT (clientid, topic, sender) DO UPDATE SET mid = excluded.mid \
    WHERE hookwire_acked.mid < excluded.mid";

const FORGET_FLOOR: &str = "DELETE FROM hookwire_floor WHERE clientid = ? AND filter = ?";

/// Filters of a client but for one.
const OTHERS: &str = "SELECT filter FROM hookwire_floor WHERE clientid = ? AND filter <> ?";
/// More than a client may be restored with.
const MAX_FILTERS: u32 = 10_000;

const FORGET: &str = "DELETE FROM mqtt_acked WHERE clientid = ? AND topic = ?";

/// Moves the client's position in what the publisher stored on the message's topic to
/// the message.
#[action(
    hook = "message.acked",
    hook = "message.position",
    pool = "sql",
    stores
)]
pub(crate) fn on_message_acked(
    ctx: &Context,
    deliveries: &[&Delivery],
) -> Result<BatchResult, Fault> {
    let rows = deliveries.iter().map(|delivery| {
        let Message { id, topic, .. } = &delivery.message;
        [
            (&delivery.clientid).into(),
            topic.into(),
            id.into(),
            topic.into(),
            place::read(id).map_or(Value::Null, Value::from),
        ]
    });
    let moved = ctx.sql()?.exec_many(ACKED, rows)?;
    forget_completed(ctx, deliveries)?;
    Ok(moved)
}

/// Deletes the client's positions on the topic that it no longer subscribes to, unless
/// another subscription of it reads there, and where the subscription began.
#[action(hook = "session.unsubscribed", pool = "sql", stores)]
pub(crate) fn on_acked_delete(
    ctx: &Context,
    subscriptions: &[&Subscription],
) -> Result<BatchResult, Fault> {
    let pool = ctx.sql()?;
    // In this order: a floor without a position loses nothing.
    let mut unread = Vec::new();
    for subscription in subscriptions {
        if !is_read_otherwise(&pool, subscription)? {
            unread.push(row(subscription));
        }
    }
    if !unread.is_empty() {
        let failed = pool.exec_many(FORGET, unread)?.failed;
        if let Some(failed) = failed.into_iter().next() {
            // A row of a batch that is not all of it says nothing of the others.
            return Err(failed.fault);
        }
    }
    pool.exec_many(FORGET_FLOOR, subscriptions.iter().map(|of| row(of)))
}

fn row(subscription: &Subscription) -> [Value<'_>; 2] {
    [
        (&subscription.client.clientid).into(),
        (&subscription.filter).into(),
    ]
}

/// Whether another subscription of the client reads on the topic that is the filter of
/// this one. Filters with wildcards are nobody's topic.
fn is_read_otherwise(pool: &Pool, subscription: &Subscription) -> Result<bool, Fault> {
    let name = &subscription.filter;
    if name.contains(['+', '#']) {
        return Ok(false);
    }
    let others = pool.query(OTHERS, &row(subscription), MAX_FILTERS)?;
    for other in others.iter() {
        if topic::matches(other.get("filter")?, name) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, Rule, SqlPool};

    use super::*;

    #[test]
    fn a_position_names_client_topic_and_message() {
        let pool = SqlPool::named("main");
        let rule = Rule::new(&on_message_acked::ACTION).pool("main");
        let acked =
            ["c1", "c2"].map(|clientid| testing::delivery(clientid, testing::message("a/b", "")));
        assert_eq!(rule.run_batch(acked), [Verdict::Proceed, Verdict::Proceed]);
        let stored = pool.stored();
        assert_eq!(stored.len(), 1, "one call for the batch");
        assert_eq!(stored[0].statement, ACKED);
        let rows: [[Value; 5]; 2] = ["c1", "c2"].map(|clientid| {
            let (topic, id) = ("a/b", "2PguFrHsrzEvIIBdctmb");
            [
                clientid.into(),
                topic.into(),
                id.into(),
                topic.into(),
                Value::Null,
            ]
        });
        assert_eq!(stored[0].rows, rows);
    }

    #[test]
    fn a_position_is_forgotten_with_its_subscription() {
        let pool = SqlPool::named("main");
        pool.answer(testing::rows(["filter"], []));
        let rule = Rule::new(&on_acked_delete::ACTION).pool("main");
        rule.run(testing::subscription("c1", "a/b"));
        let stored = pool.stored();
        assert_eq!(stored[0].statement, FORGET);
        let row: [Value; 2] = ["c1".into(), "a/b".into()];
        assert_eq!(stored[0].rows, [row]);
        assert_eq!(stored[1].statement, FORGET_FLOOR);
    }

    #[test]
    fn a_position_that_another_subscription_reads_stays() {
        for (other, stays) in [("a/+", true), ("#", true), ("a/c", false), ("b/#", false)] {
            let pool = SqlPool::named("main");
            pool.answer(testing::rows(["filter"], [[other.into()]]));
            let rule = Rule::new(&on_acked_delete::ACTION).pool("main");
            rule.run(testing::subscription("c1", "a/b"));
            let stored = pool.stored();
            let statements: Vec<_> = stored.iter().map(|call| call.statement.as_str()).collect();
            let expected = if stays {
                vec![FORGET_FLOOR]
            } else {
                vec![FORGET, FORGET_FLOOR]
            };
            assert_eq!(statements, expected, "beside {other}");
        }
    }
}
