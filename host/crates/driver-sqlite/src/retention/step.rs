//! What is removed, step by step. Why each of it can go stands in
//! `rules/sqlite/README.md`, under "Retention".

use std::time::Duration;

use sqlx::SqliteConnection;

use super::Retention;
use super::removed::{Reason, Removed};
use super::sweep::{deletions, exchanges, properties};
use super::window::{Window, run};
use crate::pages::Pages;

/// Bytes of payload that one slice removes, unless its first row has more.
const SLICE_BYTES: u64 = 4 << 20;
/// That a client is back may reach the store late.
const SESSION_GRACE: Duration = Duration::from_secs(3600);
/// A store that was too large is brought below its bound by this part of it, so that
/// it is not too large again with the next message.
const SIZE_STEP: u64 = 20;

/// An id of a message that a broker made: others have no time in them.
pub(super) const OWN_ID: &str = "length(msgid) = 20 AND msgid NOT GLOB '*[^0-9A-Za-z]*'";

/// One kind of what is removed, and how far that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Messages past their own expiry.
    Expired,
    /// Messages that are too old, behind this id.
    Old(i64),
    /// Sessions past their end.
    Ended,
    /// What stands beside messages that are gone, behind this id.
    Properties(String),
    /// Exchanges that nobody goes on with, behind this number.
    Exchanges(i64),
    /// Deletions of retained messages, behind this topic.
    Deletions(String),
    /// The oldest messages, until so many bytes are in use; None: not known yet.
    Large(Option<u64>),
}

/// What a slice did.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    pub(crate) removed: Removed,
    /// Where the step goes on; None: it is done.
    pub(crate) next: Option<Step>,
    /// Bytes in use, where that was looked at.
    pub(crate) used_bytes: Option<u64>,
    /// More is in use than may be, and no message is left.
    pub(crate) is_stuck: bool,
}

/// What a slice goes by.
#[derive(Debug)]
pub(crate) struct Bounds<'r> {
    pub(crate) retention: &'r Retention,
    /// Rows at most.
    pub(crate) rows: usize,
    /// Milliseconds since the Unix epoch.
    pub(crate) now_ms: u64,
}

impl Bounds<'_> {
    pub(super) fn before(&self, age: Duration) -> u64 {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        self.now_ms.saturating_sub(age)
    }

    pub(super) fn limit(&self) -> i64 {
        i64::try_from(self.rows).unwrap_or(i64::MAX)
    }
}

impl Step {
    /// Runs one slice, in a transaction that was begun.
    ///
    /// # Errors
    /// What SQLite says. Nothing may be committed then.
    pub(crate) async fn run(
        &self,
        connection: &mut SqliteConnection,
        bounds: &Bounds<'_>,
    ) -> Result<Slice, sqlx::Error> {
        match self {
            Self::Expired => expired(connection, bounds).await,
            Self::Old(behind) => old(connection, bounds, *behind).await,
            Self::Ended => ended(connection, bounds).await,
            Self::Properties(behind) => properties(connection, bounds, behind).await,
            Self::Exchanges(behind) => exchanges(connection, bounds, *behind).await,
            Self::Deletions(behind) => deletions(connection, bounds, behind).await,
            Self::Large(most) => large(connection, bounds, *most).await,
        }
    }
}

async fn expired(
    connection: &mut SqliteConnection,
    bounds: &Bounds<'_>,
) -> Result<Slice, sqlx::Error> {
    let find = "SELECT p.rowid, 1, coalesce((SELECT sum(length(payload)) FROM mqtt_msg \
        WHERE msgid = p.msgid), 0) FROM hookwire_msg AS p WHERE p.expires_at_ms <= ? \
        ORDER BY p.expires_at_ms LIMIT ?";
    let query = sqlx::query(find)
        .bind(signed(bounds.now_ms))
        .bind(bounds.limit());
    let found = Window::read(connection, query, bounds.rows, SLICE_BYTES).await?;
    let mut slice = Slice::default();
    if found.chosen.is_empty() {
        return Ok(slice);
    }
    let rows = found.list();
    let ids = format!("(SELECT msgid FROM hookwire_msg WHERE rowid IN ({rows}))");
    let messages = format!("DELETE FROM mqtt_msg WHERE msgid IN {ids}");
    let messages = run(connection, messages).await?;
    // An older message that is stored late does not take its place.
    let note = format!(
        "INSERT INTO hookwire_retain_deleted (topic, msgid) SELECT topic, msgid FROM mqtt_retain \
         WHERE msgid IN {ids} AND topic IS NOT NULL AND {OWN_ID} \
         ON CONFLICT (topic) DO UPDATE SET msgid = excluded.msgid \
         WHERE hookwire_retain_deleted.msgid < excluded.msgid"
    );
    run(connection, note).await?;
    let retained = format!("DELETE FROM mqtt_retain WHERE msgid IN {ids}");
    let retained = run(connection, retained).await?;
    let beside = format!("DELETE FROM hookwire_msg WHERE rowid IN ({rows})");
    let beside = run(connection, beside).await?;
    slice.removed = Removed::from([
        (("mqtt_msg", Reason::Expired), messages),
        (("mqtt_retain", Reason::Expired), retained),
        (("hookwire_msg", Reason::Expired), beside),
    ]);
    slice.next = found.has_more.then_some(Step::Expired);
    Ok(slice)
}

/// Rows stand in the order in which they came, by and large: from the first on, until
/// among as many as one slice has none is too old.
async fn old(
    connection: &mut SqliteConnection,
    bounds: &Bounds<'_>,
    behind: i64,
) -> Result<Slice, sqlx::Error> {
    let Some(max_age) = bounds.retention.max_age else {
        return Ok(Slice::default());
    };
    let find = "SELECT id, arrived GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' \
        AND arrived < datetime(?, 'unixepoch'), coalesce(length(payload), 0) \
        FROM mqtt_msg WHERE id > ? ORDER BY id LIMIT ?";
    let query = sqlx::query(find)
        .bind(signed(bounds.before(max_age) / 1000))
        .bind(behind)
        .bind(bounds.limit());
    let found = Window::read(connection, query, bounds.rows, SLICE_BYTES).await?;
    let goes_on = found.has_more && !found.chosen.is_empty();
    Ok(Slice {
        removed: remove_messages(connection, &found, Reason::Age).await?,
        next: goes_on.then_some(Step::Old(found.last)),
        ..Slice::default()
    })
}

async fn large(
    connection: &mut SqliteConnection,
    bounds: &Bounds<'_>,
    most: Option<u64>,
) -> Result<Slice, sqlx::Error> {
    let used = Pages::of(connection).await?.used_bytes();
    let mut slice = Slice {
        used_bytes: Some(used),
        ..Slice::default()
    };
    let Some(max_bytes) = bounds.retention.max_bytes else {
        return Ok(slice);
    };
    let most = most.unwrap_or_else(|| match used > max_bytes {
        true => max_bytes - max_bytes / SIZE_STEP,
        false => used,
    });
    if used <= most {
        return Ok(slice);
    }
    let find = "SELECT id, 1, coalesce(length(payload), 0) FROM mqtt_msg ORDER BY id LIMIT ?";
    let query = sqlx::query(find).bind(bounds.limit());
    let bytes = SLICE_BYTES.min(used - most);
    let found = Window::read(connection, query, bounds.rows, bytes).await?;
    slice.is_stuck = found.chosen.is_empty();
    slice.next = (!slice.is_stuck).then_some(Step::Large(Some(most)));
    slice.removed = remove_messages(connection, &found, Reason::Size).await?;
    Ok(slice)
}

/// Removes messages with what stands beside them, unless others stand beside it, too.
async fn remove_messages(
    connection: &mut SqliteConnection,
    found: &Window,
    reason: Reason,
) -> Result<Removed, sqlx::Error> {
    if found.chosen.is_empty() {
        return Ok(Removed::new());
    }
    let ids = found.list();
    let beside = format!(
        "DELETE FROM hookwire_msg WHERE msgid IN (SELECT msgid FROM mqtt_msg WHERE id IN ({ids})) \
         AND NOT EXISTS (SELECT 1 FROM mqtt_msg AS m WHERE m.msgid = hookwire_msg.msgid \
         AND m.id NOT IN ({ids})) \
         AND NOT EXISTS (SELECT 1 FROM mqtt_retain AS r WHERE r.msgid = hookwire_msg.msgid)"
    );
    let beside = run(connection, beside).await?;
    let messages = format!("DELETE FROM mqtt_msg WHERE id IN ({ids})");
    let messages = run(connection, messages).await?;
    Ok(Removed::from([
        (("mqtt_msg", reason), messages),
        (("hookwire_msg", reason), beside),
    ]))
}

/// The schema's own way to end a session takes all along that it leaves.
async fn ended(
    connection: &mut SqliteConnection,
    bounds: &Bounds<'_>,
) -> Result<Slice, sqlx::Error> {
    let find = "SELECT rowid, 1, 0 FROM hookwire_session WHERE ends_at_ms <= ? \
        ORDER BY ends_at_ms LIMIT ?";
    // Each may leave as many rows as it has subscriptions and positions.
    let most = bounds.rows.div_ceil(16);
    let query = sqlx::query(find)
        .bind(signed(bounds.before(SESSION_GRACE)))
        .bind(i64::try_from(most).unwrap_or(i64::MAX));
    let found = Window::read(connection, query, most, SLICE_BYTES).await?;
    let mut slice = Slice::default();
    if !found.chosen.is_empty() {
        let end = format!(
            "INSERT INTO hookwire_ended (clientid) \
             SELECT clientid FROM hookwire_session WHERE rowid IN ({})",
            found.list()
        );
        run(connection, end).await?;
        let count = found.chosen.len() as u64;
        slice.removed = Removed::from([(("hookwire_session", Reason::Expired), count)]);
        slice.next = found.has_more.then_some(Step::Ended);
    }
    Ok(slice)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
