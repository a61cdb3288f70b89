//! `hookwire:host/key-value`: a table that looks at the double's clock.

use std::cell::RefCell;
use std::collections::HashMap;

use super::clock::monotonic_ns;
use crate::{Fault, FaultKind};

const MAX_KEY_BYTES: usize = 1024;
const MAX_VALUE_BYTES: usize = 65_536;
const MAX_BYTES: usize = 16 * 1024 * 1024;

struct Entry {
    value: Vec<u8>,
    /// Whether `increment` wrote it.
    is_number: bool,
    /// None: it stays.
    ends_ns: Option<u64>,
}

thread_local! {
    static ENTRIES: RefCell<HashMap<String, Entry>> = RefCell::default();
}

pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
    with_living(|entries| entries.get(key).map(|entry| entry.value.clone()))
}

pub(crate) fn set(key: &str, value: &[u8], ttl_ms: Option<u64>) -> Result<(), Fault> {
    let entry = Entry {
        value: value.to_owned(),
        is_number: false,
        ends_ns: ends(ttl_ms),
    };
    with_living(|entries| put(entries, key, entry))
}

pub(crate) fn delete(key: &str) -> bool {
    with_living(|entries| entries.remove(key).is_some())
}

pub(crate) fn increment(key: &str, by: i64, ttl_ms: Option<u64>) -> Result<i64, Fault> {
    with_living(|entries| {
        let (old, ends_ns) = match entries.get(key) {
            Some(entry) if entry.is_number => (number(&entry.value), entry.ends_ns),
            Some(_) => {
                return Err(Fault::invalid(
                    "hookwire:number",
                    format!("the value of `{key}` is not a number that increment wrote"),
                ));
            }
            None => (0, ends(ttl_ms)),
        };
        let sum = old.saturating_add(by);
        let entry = Entry {
            value: sum.to_string().into_bytes(),
            is_number: true,
            ends_ns,
        };
        put(entries, key, entry).map(|()| sum)
    })
}

fn number(value: &[u8]) -> i64 {
    std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

fn put(entries: &mut HashMap<String, Entry>, key: &str, entry: Entry) -> Result<(), Fault> {
    if key.len() > MAX_KEY_BYTES || entry.value.len() > MAX_VALUE_BYTES {
        return Err(Fault::invalid(
            "hookwire:too-long",
            format!("a key has {MAX_KEY_BYTES} bytes at most, a value {MAX_VALUE_BYTES}"),
        ));
    }
    let others = entries.iter().filter(|(other, _)| *other != key);
    let held: usize = others
        .map(|(key, entry)| key.len() + entry.value.len())
        .sum();
    if held + key.len() + entry.value.len() > MAX_BYTES {
        return Err(Fault::new(
            FaultKind::Saturated,
            "hookwire:full",
            format!("the module holds {MAX_BYTES} bytes"),
        ));
    }
    entries.insert(key.to_owned(), entry);
    Ok(())
}

fn ends(ttl_ms: Option<u64>) -> Option<u64> {
    ttl_ms.map(|ttl_ms| monotonic_ns().saturating_add(ttl_ms.saturating_mul(1_000_000)))
}

/// The entries whose time is not over.
fn with_living<T>(look: impl FnOnce(&mut HashMap<String, Entry>) -> T) -> T {
    let now = monotonic_ns();
    ENTRIES.with_borrow_mut(|entries| {
        entries.retain(|_, entry| entry.ends_ns.is_none_or(|ends| ends > now));
        look(entries)
    })
}
