//! What `mqtt_msg` and `mqtt_retain` have in common: columns that a business server
//! may have written, and topics that a filter can match.

use hookwire_sdk::prelude::*;
use hookwire_sdk::serde_json;
use hookwire_sdk::sql::Row;

use crate::arrived::unix_ms;

/// A row with what stands beside it, as it was published; not retained.
pub(crate) fn message(row: &Row<'_>) -> Result<Message, Fault> {
    let text = |name| row.get::<Option<String>>(name);
    let pairs = |name| match text(name)? {
        Some(json) => Ok::<_, Fault>(serde_json::from_str(&json)?),
        None => Ok(Vec::new()),
    };
    let arrived = row.get::<Option<&str>>("arrived")?;
    Ok(Message {
        id: text("msgid")?.unwrap_or_default(),
        topic: row.get("topic")?,
        payload: payload(row)?,
        sender: text("sender")?.unwrap_or_default(),
        qos: qos(row)?,
        retain: false,
        at_ms: arrived.and_then(unix_ms).unwrap_or(0),
        expires_at_ms: expires_at_ms(row)?,
        user_properties: pairs("properties")?,
        extras: pairs("others")?,
    })
}

/// 0, 1 or 2; what is out of range is 0.
fn qos(row: &Row<'_>) -> Result<u8, Fault> {
    let qos = row.get::<Option<i64>>("qos")?;
    let qos = qos.and_then(|qos| u8::try_from(qos).ok());
    Ok(qos.filter(|qos| *qos <= 2).unwrap_or(0))
}

/// The payload's bytes. A business server may write text.
fn payload(row: &Row<'_>) -> Result<Vec<u8>, Fault> {
    Ok(match row.get::<&OwnedValue>("payload")? {
        OwnedValue::Blob(bytes) => bytes.clone(),
        OwnedValue::Text(text) => text.clone().into_bytes(),
        _ => Vec::new(),
    })
}

/// When the message is worth nothing any more, milliseconds since the Unix epoch.
fn expires_at_ms(row: &Row<'_>) -> Result<Option<u64>, Fault> {
    let at_ms = row.get::<Option<i64>>("expires_at_ms")?;
    Ok(at_ms.and_then(|at_ms| u64::try_from(at_ms).ok()))
}

/// The least topic that a filter with wildcards can match, and the one before which
/// all are; none where there is no such. None for a filter that is a topic.
///
/// `a/#` matches `a` as well, which sorts before `a/`. Behind `/` comes `0`.
pub(crate) fn range(filter: &str) -> Option<(&str, Option<String>)> {
    let (before, _) = filter.split_once(['+', '#'])?;
    let least = before.trim_end_matches('/');
    Some((least, (!least.is_empty()).then(|| format!("{least}0"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_what_its_filter_matches() {
        let check = |filter, expected: Option<(&str, Option<&str>)>| {
            let expected = expected.map(|(least, most)| (least, most.map(str::to_owned)));
            assert_eq!(range(filter), expected, "{filter}");
        };
        check("a/b", None);
        check("a/#", Some(("a", Some("a0"))));
        check("a/+/b", Some(("a", Some("a0"))));
        check("+/b", Some(("", None)));
        check("#", Some(("", None)));
    }
}
