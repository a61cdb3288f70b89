//! From events that a running broker recorded to a fixture.

use std::fmt::{self, Write as _};
use std::path::Path;

use hcl_edit::Span;
use hcl_edit::parser::parse_body;
use hookwire_broker::Hook;
use hookwire_rules::{EventRecord, MessageRecord, SubscriptionRecord};
use hookwire_settings::{At, Problem};

/// A fixture with these events, each at its time. `rules` are the blocks that
/// stand before them: modules, rules, pools.
///
/// It expects nothing but that each event goes on as it is, which is for the
/// author to change. `missed` is how many more there were.
#[must_use]
pub fn fixture_text(rules: &str, events: &[EventRecord], missed: u64) -> String {
    let mut text = String::new();
    // A String takes whatever is written to it.
    write(&mut text, rules, events, missed).unwrap_or_default();
    text
}

/// The blocks of a fixture that stand before its events: modules, rules, pools
/// and clients, as they are written.
///
/// # Errors
/// If it cannot be read as HCL.
pub fn setup_text(path: &Path) -> Result<String, Problem> {
    let name = path.display().to_string();
    let problem = |line, message| Problem {
        at: At {
            file: name.as_str().into(),
            line,
        },
        message,
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| problem(1, format!("cannot be read: {error}")))?;
    let body = parse_body(&text)
        .map_err(|error| problem(error.location().line(), error.message().to_owned()))?;
    let mut kept = String::new();
    for block in body.blocks() {
        let stays = ["pool", "client", "module", "rule", "http"].contains(&block.ident.as_str());
        let written = block.span().and_then(|span| text.get(span));
        if let Some(written) = written.filter(|_| stays) {
            kept.push_str(written.trim_end());
            kept.push_str("\n\n");
        }
    }
    Ok(kept)
}

fn write(text: &mut String, rules: &str, events: &[EventRecord], missed: u64) -> fmt::Result {
    let first = events.first().map(|event| event.at_ms);
    if let Some(at_ms) = first.filter(|at_ms| *at_ms > 0) {
        writeln!(text, "starts_at = {at_ms}\n")?;
    }
    text.push_str(rules.trim_end());
    text.push('\n');
    let mut now_ms = first.unwrap_or_default();
    for event in events {
        if event.at_ms > now_ms {
            writeln!(
                text,
                "\nclock {{ advance = \"{}ms\" }}",
                event.at_ms - now_ms
            )?;
            now_ms = event.at_ms;
        }
        writeln!(text, "\nevent {} {{", quoted(&event.hook))?;
        write_event(text, event)?;
        writeln!(text, "}}")?;
    }
    if missed > 0 {
        writeln!(
            text,
            "\n# {missed} events are missing, somewhere between these: they came faster than \
             they were\n# written down."
        )?;
    }
    Ok(())
}

fn write_event(text: &mut String, event: &EventRecord) -> fmt::Result {
    let hook = Hook::by_name(&event.hook);
    if let Some(client) = event
        .client
        .as_ref()
        .filter(|_| hook != Some(Hook::MessagePublish))
    {
        key(text, "clientid", quoted(&client.clientid))?;
        if let Some(username) = &client.username {
            key(text, "username", quoted(username))?;
        }
    }
    if let Some(message) = &event.message {
        write_message(text, message)?;
    }
    match (&event.subscription, hook) {
        (Some(wanted), Some(Hook::ClientAuthorize)) => {
            key(text, "operation", quoted(&event.operation))?;
            key(text, "topic", quoted(&wanted.filter))?;
            key(text, "qos", wanted.qos)?;
            key(text, "retain", wanted.retain_as_published)?;
        }
        (Some(subscription), _) => write_subscription(text, subscription)?,
        (None, _) => {}
    }
    if event.client.is_none() && hook == Some(Hook::MessageDropped) {
        key(text, "receiver", false)?;
    }
    if !event.reason.is_empty() {
        key(text, "reason", quoted(&event.reason))?;
    }
    if event.reason_code != 0 {
        key(text, "reason_code", event.reason_code)?;
    }
    Ok(())
}

fn write_message(text: &mut String, message: &MessageRecord) -> fmt::Result {
    key(text, "id", quoted(&message.id))?;
    key(text, "topic", quoted(&message.topic))?;
    if !message.payload.is_empty() {
        let name = match message.payload_encoding.as_str() {
            "base64" => "payload_base64",
            _ => "payload",
        };
        key(text, name, quoted(&message.payload))?;
    }
    key(text, "sender", quoted(&message.sender))?;
    key(text, "qos", message.qos)?;
    if message.retain {
        key(text, "retain", true)?;
    }
    if !message.user_properties.is_empty() {
        let pairs = message.user_properties.iter();
        let pairs = pairs.map(|(name, value)| format!("[{}, {}]", quoted(name), quoted(value)));
        let pairs: Vec<String> = pairs.collect();
        key(text, "user_properties", format!("[{}]", pairs.join(", ")))?;
    }
    Ok(())
}

fn write_subscription(text: &mut String, subscription: &SubscriptionRecord) -> fmt::Result {
    key(text, "filter", quoted(&subscription.filter))?;
    key(text, "qos", subscription.qos)?;
    for (name, is_set) in [
        ("no_local", subscription.no_local),
        ("retain_as_published", subscription.retain_as_published),
    ] {
        if is_set {
            key(text, name, true)?;
        }
    }
    if subscription.retain_handling != 0 {
        key(text, "retain_handling", subscription.retain_handling)?;
    }
    if let Some(identifier) = subscription.identifier {
        key(text, "identifier", identifier)?;
    }
    key(text, "is_new", subscription.is_new)
}

fn key(text: &mut String, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(text, "  {name} = {value}")
}

/// Text in quotes, as HCL reads it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if rest.peek() == Some(&'{') => {
                out.push(character);
                out.push(character);
            }
            control if control.is_control() => {
                // A String takes whatever is written to it.
                write!(out, "\\u{:04x}", u32::from(control)).unwrap_or_default();
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    const RULES: &str = "module \"m\" {}\n";

    fn record(json: &str) -> EventRecord {
        serde_json::from_str(json).expect("it is a record")
    }

    #[test]
    fn what_is_recorded_reads_as_a_fixture() {
        let text = fixture_text(
            RULES,
            &[
                record(
                    r#"{"hook": "message.publish", "at_ms": 1000, "message": {
                        "id": "2PguFrHsrzEvIIBdctmb", "topic": "a/b", "sender": "s1", "qos": 2,
                        "payload": "say \"${x}\"\n\u0001", "retain": true, "at_ms": 1000,
                        "user_properties": [["unit", "C"], ["unit", "K"]]}}"#,
                ),
                record(
                    r#"{"hook": "client.authorize", "at_ms": 1500,
                        "client": {"clientid": "c1", "username": "u"}, "operation": "subscribe",
                        "subscription": {"filter": "a/\u00e9", "qos": 1}}"#,
                ),
                record(
                    r#"{"hook": "message.dropped", "at_ms": 1500, "reason": "no-subscriber",
                        "message": {"id": "2PguFrHsrzEvIIBdctmb", "topic": "a", "sender": "s",
                        "payload": "AJ//", "payload_encoding": "base64", "qos": 0, "at_ms": 1}}"#,
                ),
                record(
                    r#"{"hook": "session.subscribed", "client": {"clientid": "c1"},
                        "subscription": {"filter": "a/#", "qos": 1, "identifier": 7,
                        "retain_handling": 2, "no_local": true, "is_new": true}}"#,
                ),
                record(
                    r#"{"hook": "client.disconnected", "client": {"clientid": "c1"},
                        "reason": "keep-alive", "reason_code": 141}"#,
                ),
            ],
            3,
        );
        let fixture = Fixture::parse("recorded.hcl", &text);
        let fixture = fixture.unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"));
        assert_eq!(fixture.events().count(), 5);
        assert!(text.contains("starts_at = 1000"), "{text}");
        assert!(text.contains("clock { advance = \"500ms\" }"), "{text}");
        assert!(
            text.contains(r#"payload = "say \"$${x}\"\n\u0001""#),
            "{text}"
        );
        assert!(text.contains(r#"payload_base64 = "AJ//""#), "{text}");
        assert!(text.contains("\n# 3 events are missing"), "{text}");
    }

    #[test]
    fn where_nothing_is_missing_nothing_is_said() {
        let event = record(r#"{"hook": "client.connected", "client": {"clientid": "c1"}}"#);
        let text = fixture_text(RULES, &[event], 0);
        assert!(!text.contains("missing"), "{text}");
    }
}
