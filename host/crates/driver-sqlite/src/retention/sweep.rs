//! Goes through whole tables, part by part, for rows that nothing belongs to.

use std::time::Duration;

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::removed::{Reason, Removed};
use super::step::{Bounds, OWN_ID, Slice, Step};
use super::window::part;

/// A row that nothing belongs to yet may be older than what it will belong to, for as
/// long as a rule tries again: a day at most.
const ORPHAN_AGE: Duration = Duration::from_secs(2 * 24 * 3600);

pub(super) async fn properties(
    connection: &mut SqliteConnection,
    bounds: &Bounds<'_>,
    behind: &str,
) -> Result<Slice, sqlx::Error> {
    let find = "SELECT max(msgid), count(*) FROM (SELECT msgid FROM hookwire_msg \
        WHERE msgid > ? AND msgid < ? ORDER BY msgid LIMIT ?)";
    let query = sqlx::query(find)
        .bind(behind.to_owned())
        .bind(id_at(bounds.before(ORPHAN_AGE)))
        .bind(bounds.limit());
    let Some((last, has_more)) = part::<String>(connection, query, bounds).await? else {
        return Ok(Slice::default());
    };
    let delete = format!(
        "DELETE FROM hookwire_msg WHERE msgid > ? AND msgid <= ? AND {OWN_ID} \
         AND NOT EXISTS (SELECT 1 FROM mqtt_msg AS m WHERE m.msgid = hookwire_msg.msgid) \
         AND NOT EXISTS (SELECT 1 FROM mqtt_retain AS r WHERE r.msgid = hookwire_msg.msgid)"
    );
    let rows = sqlx::query(AssertSqlSafe(delete))
        .bind(behind.to_owned())
        .bind(last.clone())
        .execute(connection)
        .await?
        .rows_affected();
    Ok(Slice {
        removed: Removed::from([(("hookwire_msg", Reason::Orphaned), rows)]),
        next: has_more.then_some(Step::Properties(last)),
        ..Slice::default()
    })
}

/// A session that is gone goes on with nothing. A publish that was taken, and a
/// delivery that was completed, count while their message is there. A packet id that a
/// client may still know stays taken.
pub(super) async fn exchanges(
    connection: &mut SqliteConnection,
    bounds: &Bounds<'_>,
    behind: i64,
) -> Result<Slice, sqlx::Error> {
    let find = "SELECT max(number), count(*) FROM (SELECT number FROM hookwire_exchange \
        WHERE number > ? ORDER BY number LIMIT ?)";
    let query = sqlx::query(find).bind(behind).bind(bounds.limit());
    let Some((last, has_more)) = part::<i64>(connection, query, bounds).await? else {
        return Ok(Slice::default());
    };
    let delete = format!(
        "DELETE FROM hookwire_exchange WHERE number > ? AND number <= ? AND msgid < ? \
         AND {OWN_ID} AND (NOT EXISTS (SELECT 1 FROM hookwire_session AS s \
         WHERE s.clientid = hookwire_exchange.clientid) \
         OR ((direction = 'in' OR state = 'completed') AND NOT EXISTS \
         (SELECT 1 FROM mqtt_msg AS m WHERE m.msgid = hookwire_exchange.msgid)))"
    );
    let rows = sqlx::query(AssertSqlSafe(delete))
        .bind(behind)
        .bind(last)
        .bind(id_at(bounds.before(ORPHAN_AGE)))
        .execute(connection)
        .await?
        .rows_affected();
    Ok(Slice {
        removed: Removed::from([(("hookwire_exchange", Reason::Orphaned), rows)]),
        next: has_more.then_some(Step::Exchanges(last)),
        ..Slice::default()
    })
}

pub(super) async fn deletions(
    connection: &mut SqliteConnection,
    bounds: &Bounds<'_>,
    behind: &str,
) -> Result<Slice, sqlx::Error> {
    let Some(max_age) = bounds.retention.max_age else {
        return Ok(Slice::default());
    };
    let find = "SELECT max(topic), count(*) FROM (SELECT topic FROM hookwire_retain_deleted \
        WHERE topic > ? ORDER BY topic LIMIT ?)";
    let query = sqlx::query(find)
        .bind(behind.to_owned())
        .bind(bounds.limit());
    let Some((last, has_more)) = part::<String>(connection, query, bounds).await? else {
        return Ok(Slice::default());
    };
    let delete = format!(
        "DELETE FROM hookwire_retain_deleted \
         WHERE topic > ? AND topic <= ? AND msgid < ? AND {OWN_ID}"
    );
    let rows = sqlx::query(AssertSqlSafe(delete))
        .bind(behind.to_owned())
        .bind(last.clone())
        .bind(id_at(bounds.before(max_age)))
        .execute(connection)
        .await?
        .rows_affected();
    Ok(Slice {
        removed: Removed::from([(("hookwire_retain_deleted", Reason::Age), rows)]),
        next: has_more.then_some(Step::Deletions(last)),
        ..Slice::default()
    })
}

/// The text before which ids of earlier messages sort: a message id begins with
/// its time in milliseconds and 16 bits of its node, as ten digits to the base 62.
fn id_at(at_ms: u64) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut left = (at_ms & ((1 << 43) - 1)) << 16;
    let mut text = [b'0'; 20];
    for place in text[..10].iter_mut().rev() {
        *place = DIGITS[usize::try_from(left % 62).unwrap_or(0)];
        left /= 62;
    }
    text.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::id_at;

    #[test]
    fn ids_of_a_time_sort_behind_those_before_it() {
        assert_eq!(id_at(0), "00000000000000000000");
        // As a broker makes them: in that millisecond, by node 7.
        let made = "8EGOeVbdVX0000000001";
        assert!(id_at(1_700_000_000_000).as_str() < made);
        assert!(id_at(1_700_000_000_001).as_str() > made);
        assert!(id_at(u64::MAX) > id_at(4_000_000_000_000));
    }
}
