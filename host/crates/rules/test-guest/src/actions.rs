//! The actions.

use std::cell::Cell;

use crate::bindings::exports::hookwire::rule::actions::{
    Allowance, Denial, Event, Fault, Page, Replacement, Restoration, RestoredSubscription, Rule,
    Settled, Verdict,
};
use crate::bindings::hookwire::broker::broker::{self, Outgoing};
use crate::bindings::hookwire::host::{clock, log};
use crate::bindings::hookwire::sql::sql::{Pool, Value};
use crate::bindings::hookwire::types::events::Message;
use crate::bindings::hookwire::types::faults::FaultKind;
use crate::judge::judge;
use crate::rows::row;
use crate::tell::tell;

thread_local! {
    /// Batches that this instance has seen.
    static BATCHES: Cell<i64> = const { Cell::new(0) };
}

/// Why the module does not take a rule: because it says so, or because its
/// store, which it is to ask, does not answer.
pub(crate) fn refusal(rule: &Rule) -> Option<String> {
    if option(rule, "ask").is_some() {
        let name = rule.pool.clone().unwrap_or_default();
        let asked = Pool::open(&name).and_then(|pool| pool.exec_many("CREATE TABLE seen", &[]));
        return asked.err().map(|fault| fault.message);
    }
    option(rule, "refuse")
}

/// What the module warns of about a rule: what the rule says.
pub(crate) fn warning(rule: &Rule) -> Option<String> {
    option(rule, "warn")
}

/// Runs a rule on events, of which the first is call number `first`.
pub(crate) fn run(rule: &Rule, events: &[&Event], first: u32, settled: &mut Vec<Settled>) {
    BATCHES.set(BATCHES.get() + 1);
    match rule.action.as_str() {
        "noop" | "noop_payload" | "options" => {}
        "store" | "store_blind" | "store_plain" | "retained" | "position" => {
            store(rule, events, first, settled);
        }
        "tell" => tell(rule, events, first, settled),
        "query" => query(rule, events, first, settled),
        "time" => time(rule, events, first, settled),
        "odd_answer" => settled.push(Settled {
            call: 9_999,
            verdict: Verdict::Drop,
        }),
        _ => settle(first, settled, events.iter().map(|event| one(rule, event))),
    }
}

pub(crate) fn settle(
    first: u32,
    settled: &mut Vec<Settled>,
    verdicts: impl Iterator<Item = Verdict>,
) {
    let numbered = (first..).zip(verdicts);
    settled.extend(numbered.map(|(call, verdict)| Settled { call, verdict }));
}

fn one(rule: &Rule, event: &Event) -> Verdict {
    let payload = match event {
        Event::Message(message) => message.payload.as_slice(),
        _ => &[],
    };
    match rule.action.as_str() {
        "drop" => Verdict::Drop,
        "allow" => Verdict::Allow(Allowance {
            data: Some(b"welcome".to_vec()),
            keep_ms: Some(5),
            extras: Vec::new(),
        }),
        "challenge" => challenge(event),
        "pages" => page(event),
        "restore" => Verdict::Restore(Restoration {
            exchanges: Vec::new(),
            subscriptions: vec![RestoredSubscription {
                filter: format!("restored/{}", rule.name),
                qos: 1,
                no_local: false,
                retain_as_published: true,
                retain_handling: 2,
                identifier: Some(9),
                extras: Vec::new(),
            }],
            is_present: rule.name == "second",
            extras: Vec::new(),
        }),
        "filter" => Verdict::Replace(Replacement {
            topic: Some("other/filter".to_owned()),
            qos: Some(0),
            ..unchanged()
        }),
        "rename" => Verdict::Replace(Replacement {
            topic: Some("renamed".to_owned()),
            ..unchanged()
        }),
        "publish" => publish(rule, payload),
        "deny" | "no" => Verdict::Deny(denial()),
        "disconnect" => Verdict::Disconnect(denial()),
        "rewrite" => Verdict::Replace(rewrite(rule, payload)),
        "rename_badly" => Verdict::Replace(Replacement {
            topic: Some("not/#/a/topic".to_owned()),
            ..unchanged()
        }),
        "fail" => Verdict::Failed(fault(rule)),
        "judge" => judge(event),
        "trap" if payload == b"boom" => trap(),
        "panic" if payload == b"boom" => panic!("a panic on purpose"),
        "spin" if payload == b"spin" => spin(),
        "grow" if payload == b"grow" => grow(),
        "say" => {
            for line in 0..1_000 {
                log::write(log::Level::Info, &format!("line {line}"));
            }
            log::write(log::Level::Error, &"x".repeat(100_000));
            Verdict::Proceed
        }
        _ => Verdict::Proceed,
    }
}

/// Lets in who answers the challenge, and asks whoever has not been asked.
fn challenge(event: &Event) -> Verdict {
    match event {
        Event::Credentials(credentials) if credentials.step == "connect" => {
            Verdict::Challenge(b"who?".to_vec())
        }
        Event::Credentials(credentials) if credentials.data.as_deref() == Some(b"me") => {
            Verdict::Allow(Allowance {
                data: None,
                keep_ms: None,
                extras: Vec::new(),
            })
        }
        _ => Verdict::Deny(denial()),
    }
}

/// Three pages of a message each; the last has a topic that is none, if the filter
/// asks for it.
fn page(event: &Event) -> Verdict {
    let Event::Fetch(fetch) = event else {
        return Verdict::Proceed;
    };
    let number = match fetch.cursor.as_deref() {
        None => 0,
        Some("1") => 1,
        Some(_) => 2,
    };
    let is_odd = fetch.filter == "odd/#" && number == 2;
    let message = Message {
        id: format!("0000000000000000000{number}"),
        topic: if is_odd { "not/#" } else { "pages/topic" }.to_owned(),
        payload: format!("{} {}", number, fetch.begins).into_bytes(),
        sender: "somebody".to_owned(),
        qos: 1,
        retain: false,
        at_ms: 7,
        expires_at_ms: None,
        user_properties: vec![("k".to_owned(), "v".to_owned())],
        extras: Vec::new(),
    };
    Verdict::Page(Page {
        messages: vec![message],
        next: (number < 2).then(|| (number + 1).to_string()),
        extras: Vec::new(),
    })
}

/// Publishes the payload once more, and then does what the payload says.
fn publish(rule: &Rule, payload: &[u8]) -> Verdict {
    let published = broker::publish(&Outgoing {
        topic: option(rule, "topic").unwrap_or_default(),
        payload: payload.to_vec(),
        qos: 1,
        retain: false,
        expiry_s: None,
        user_properties: Vec::new(),
        extras: Vec::new(),
    });
    match published {
        Ok(()) if payload == b"boom" => trap(),
        Ok(()) => Verdict::Proceed,
        Err(fault) => Verdict::Failed(fault),
    }
}

fn denial() -> Denial {
    Denial {
        reason_code: 0x87,
        reason: "on purpose".to_owned(),
        extras: Vec::new(),
    }
}

fn unchanged() -> Replacement {
    Replacement {
        topic: None,
        payload: None,
        qos: None,
        retain: None,
        user_properties: None,
        extras: Vec::new(),
    }
}

fn rewrite(rule: &Rule, payload: &[u8]) -> Replacement {
    let suffix = option(rule, "suffix");
    Replacement {
        topic: option(rule, "topic"),
        payload: suffix.map(|suffix| [payload, suffix.as_bytes()].concat()),
        user_properties: Some(vec![("by".to_owned(), rule.name.clone())]),
        ..unchanged()
    }
}

fn fault(rule: &Rule) -> Fault {
    let kind = match option(rule, "kind").as_deref() {
        Some("unavailable") => FaultKind::Unavailable,
        Some("saturated") => FaultKind::Saturated,
        Some("denied") => FaultKind::Denied,
        Some("refused") => FaultKind::Refused,
        _ => FaultKind::Other,
    };
    Fault {
        kind,
        code: option(rule, "code").unwrap_or_default(),
        message: "on purpose".to_owned(),
        retryable: option(rule, "retryable").as_deref() == Some("true"),
        extras: Vec::new(),
    }
}

#[cfg(target_arch = "wasm32")]
fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_arch = "wasm32"))]
fn trap() -> ! {
    std::process::abort()
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

fn grow() -> Verdict {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}

fn store(rule: &Rule, events: &[&Event], first: u32, settled: &mut Vec<Settled>) {
    // An instance that takes the place of another counts from the beginning.
    let batches = match rule.action.as_str() {
        "store_plain" => 0,
        _ => BATCHES.get(),
    };
    let rows: Vec<Vec<Value>> = events
        .iter()
        .map(|event| row(rule, event, batches))
        .collect();
    let name = option(rule, "pool_name").or_else(|| rule.pool.clone());
    let stored = Pool::open(&name.unwrap_or_default())
        .and_then(|pool| pool.exec_many("INSERT INTO seen VALUES (?)", &rows));
    match stored {
        Ok(result) => settled.extend(result.failed.into_iter().map(|failed| Settled {
            call: first + failed.row,
            verdict: Verdict::Failed(failed.fault),
        })),
        Err(fault) => settle(
            first,
            settled,
            events.iter().map(|_| Verdict::Failed(fault.clone())),
        ),
    }
}

fn query(rule: &Rule, events: &[&Event], first: u32, settled: &mut Vec<Settled>) {
    let name = rule.pool.clone().unwrap_or_default();
    let answer = Pool::open(&name).and_then(|pool| {
        let parameters = [Value::Integer(7), Value::Text("seven".to_owned())];
        let set = pool.query("SELECT ?, ?", &parameters, 10)?;
        let mut rows = set.rows;
        rows.extend([set.columns.into_iter().map(Value::Text).collect()]);
        rows.extend([vec![Value::Boolean(set.truncated)]]);
        pool.exec_many("INSERT INTO answers VALUES (?)", &rows)
    });
    if let Err(fault) = answer {
        settle(
            first,
            settled,
            events.iter().map(|_| Verdict::Failed(fault.clone())),
        );
    }
}

fn time(rule: &Rule, events: &[&Event], first: u32, settled: &mut Vec<Settled>) {
    let (earlier, now_ms, later) = (
        clock::monotonic_ns(),
        clock::now_ms(),
        clock::monotonic_ns(),
    );
    let advances = Value::Boolean(later >= earlier);
    let now_ms = Value::Integer(i64::try_from(now_ms).unwrap_or_default());
    let name = rule.pool.clone().unwrap_or_default();
    let stored = Pool::open(&name).and_then(|pool| {
        pool.exec_many("INSERT INTO times VALUES (?, ?)", &[vec![now_ms, advances]])
    });
    if let Err(fault) = stored {
        settle(
            first,
            settled,
            events.iter().map(|_| Verdict::Failed(fault.clone())),
        );
    }
}

/// An option as text: a JSON string without its quotes, anything else as it is.
pub(crate) fn option(rule: &Rule, name: &str) -> Option<String> {
    let (_, json) = rule.options.iter().find(|(key, _)| key == name)?;
    match serde_json::from_str(json) {
        Ok(serde_json::Value::String(text)) => Some(text),
        _ => Some(json.clone()),
    }
}
