//! The words that a host of this version knows.

use syn::{Error, LitStr, Result};

use crate::nearest::hint;

/// Hooks that can be bound, and the type of their events.
const HOOKS: &[(&str, &str)] = &[
    ("node.started", "Node"),
    ("client.connect", "Client"),
    ("client.authenticate", "Credentials"),
    ("client.authorize", "Access"),
    ("client.connack", "Client"),
    ("client.connected", "Client"),
    ("client.disconnected", "Client"),
    ("client.subscribe", "Subscription"),
    ("client.unsubscribe", "Subscription"),
    ("session.created", "Client"),
    ("session.resumed", "Client"),
    ("session.subscribed", "Subscription"),
    ("session.unsubscribed", "Subscription"),
    ("session.fetch", "Fetch"),
    ("session.retained", "Fetch"),
    ("session.exchange", "Exchange"),
    ("session.discarded", "Client"),
    ("session.takenover", "Client"),
    ("session.terminated", "Client"),
    ("message.publish", "Message"),
    ("message.deliver", "Delivery"),
    ("message.acked", "Delivery"),
    ("message.position", "Delivery"),
    ("message.dropped", "Delivery"),
];

/// Another name of a hook, and the one that manifests write.
const OTHER_NAMES: &[(&str, &str)] = &[("message.delivered", "message.deliver")];

/// The type of events of every hook, for actions on hooks of several types.
pub(crate) const ANY_SUBJECT: &str = "Event";

const OF_MESSAGES: &[&str] = &["Message", "Delivery", ANY_SUBJECT];
const OF_CLIENTS: &[&str] = &[
    "Client",
    "Credentials",
    "Access",
    "Subscription",
    "Fetch",
    "Exchange",
    ANY_SUBJECT,
];

/// What an action can need to see, and the types of events that have it.
const INTERESTS: &[(&str, &[&str])] = &[
    ("payload", OF_MESSAGES),
    ("connection", OF_CLIENTS),
    ("qos>0", OF_MESSAGES),
    ("retain", OF_MESSAGES),
    ("payload-empty", OF_MESSAGES),
    ("payload-not-empty", OF_MESSAGES),
    ("fetched", OF_MESSAGES),
];

const POOLS: &[&str] = &["sql"];

/// A hook's own name, and the type of its events.
pub(crate) fn hook(word: &LitStr) -> Result<(&'static str, &'static str)> {
    let value = word.value();
    let name = OTHER_NAMES
        .iter()
        .find(|(other, _)| *other == value)
        .map_or(value.as_str(), |(_, name)| name);
    HOOKS
        .iter()
        .find(|(hook, _)| *hook == name)
        .copied()
        .ok_or_else(|| unknown("hook", word, &names(HOOKS)))
}

/// Whether some hook has events of the type of this name.
pub(crate) fn is_subject(name: &str) -> bool {
    HOOKS.iter().any(|(_, subject)| *subject == name)
}

/// An interest, if events of the type `subject` have what it names.
pub(crate) fn interest(word: &LitStr, subject: &str) -> Result<&'static str> {
    let value = word.value();
    let Some((name, subjects)) = INTERESTS.iter().find(|(name, _)| *name == value) else {
        return Err(unknown("interest", word, &names(INTERESTS)));
    };
    if subjects.contains(&subject) {
        return Ok(name);
    }
    let suiting: Vec<&str> = INTERESTS
        .iter()
        .filter(|(_, subjects)| subjects.contains(&subject))
        .map(|(name, _)| *name)
        .collect();
    Err(Error::new_spanned(
        word,
        format!(
            "events of this hook are {subject}, which has no `{name}`; there is {}",
            suiting.join(", ")
        ),
    ))
}

/// Types of answers, and the only hooks that take what they hold.
const ANSWERS: &[(&str, &[&str])] = &[
    ("Authentication", &["client.authenticate"]),
    ("Authorization", &["client.authorize"]),
    ("Restoration", &["session.created"]),
    ("RestoredSubscription", &["session.created"]),
    ("Page", &["session.fetch", "session.retained"]),
    (
        "Replacement",
        &["client.subscribe", "message.publish", "message.deliver"],
    ),
];

/// The hooks that take an answer of the type of this name; none where any does.
pub(crate) fn hooks_of_answer(name: &str) -> Option<&'static [&'static str]> {
    ANSWERS
        .iter()
        .find(|(answer, _)| *answer == name)
        .map(|(_, hooks)| *hooks)
}

/// A kind of pool.
pub(crate) fn pool(word: &LitStr) -> Result<&'static str> {
    let value = word.value();
    POOLS
        .iter()
        .find(|name| **name == value)
        .copied()
        .ok_or_else(|| unknown("kind of pool", word, POOLS))
}

fn names<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}

fn unknown(what: &str, word: &LitStr, known: &[&str]) -> Error {
    let hint = hint(&word.value(), known);
    Error::new_spanned(word, format!("no such {what}; {hint}"))
}
