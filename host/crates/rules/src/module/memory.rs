//! What a module keeps in the memory of this node: keys with values, and
//! figures. Shared by its instances on all workers, and kept over a reload.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookwire_driver::{Fault, FaultKind};

use crate::host::fault;
use crate::module::figures::Metrics;

/// Longest key, in bytes.
const MAX_KEY_BYTES: usize = 1024;
/// Longest value, in bytes.
const MAX_VALUE_BYTES: usize = 64 * 1024;
/// What an entry takes beside its key and value, about.
const ENTRY_BYTES: usize = 160;
/// Times of entries that are gone, beside as many as there are entries, until
/// they are cleared away.
const MAX_VOID_TIMES: usize = 64;

/// The keys, values and figures of one module.
#[derive(Debug, Default)]
pub(crate) struct ModuleMemory {
    entries: Mutex<Entries>,
    pub(super) metrics: Mutex<Metrics>,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Arc<str>, Entry>,
    /// When entries are past their time, the next first. One that was set again
    /// or deleted has left its time here, which means nothing any more.
    times: BinaryHeap<Reverse<(Instant, Arc<str>)>>,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    value: Value,
    until: Option<Instant>,
}

#[derive(Debug)]
enum Value {
    Bytes(Vec<u8>),
    Number(i64),
}

impl ModuleMemory {
    /// Bounds what is kept from now on.
    pub(crate) fn set_bound(&self, max_bytes: usize) {
        self.entries().max_bytes = max_bytes;
    }

    /// Bounds what is kept, unless that was done: a module that is configured for
    /// the first time may keep something, and one that serves goes on as it was.
    pub(crate) fn set_first_bound(&self, max_bytes: usize) {
        let mut entries = self.entries();
        if entries.max_bytes == 0 {
            entries.max_bytes = max_bytes;
        }
    }

    pub(crate) fn get(&self, key: &str, now: Instant) -> Option<Vec<u8>> {
        let entries = self.entries();
        let entry = entries.by_key.get(key).filter(|entry| entry.is_kept(now))?;
        Some(match &entry.value {
            Value::Bytes(bytes) => bytes.clone(),
            Value::Number(number) => number.to_string().into_bytes(),
        })
    }

    pub(crate) fn set(
        &self,
        key: String,
        value: Vec<u8>,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Result<(), Fault> {
        if value.len() > MAX_VALUE_BYTES {
            let message = format!("a value has {} bytes, 65536 at most", value.len());
            return Err(fault(FaultKind::Invalid, "value", message));
        }
        let until = ttl.and_then(|ttl| now.checked_add(ttl));
        let value = Value::Bytes(value);
        self.entries().put(key, Entry { value, until }, now)
    }

    pub(crate) fn delete(&self, key: &str, now: Instant) -> bool {
        let removed = self.entries().remove(key);
        removed.is_some_and(|entry| entry.is_kept(now))
    }

    pub(crate) fn increment(
        &self,
        key: String,
        by: i64,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Result<i64, Fault> {
        let mut entries = self.entries();
        if let Some(entry) = entries
            .by_key
            .get_mut(key.as_str())
            .filter(|entry| entry.is_kept(now))
        {
            let Value::Number(number) = &mut entry.value else {
                let message = format!("the value of {key:?} is no number");
                return Err(fault(FaultKind::Invalid, "value", message));
            };
            *number = number.saturating_add(by);
            return Ok(*number);
        }
        let until = ttl.and_then(|ttl| now.checked_add(ttl));
        let value = Value::Number(by);
        entries.put(key, Entry { value, until }, now)?;
        Ok(by)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn put(&mut self, key: String, entry: Entry, now: Instant) -> Result<(), Fault> {
        if key.len() > MAX_KEY_BYTES {
            let message = format!("a key has {} bytes, 1024 at most", key.len());
            return Err(fault(FaultKind::Invalid, "key", message));
        }
        self.sweep(now);
        let key: Arc<str> = key.into();
        let before = self.by_key.get(&key).map_or(0, |old| old.bytes(&key));
        let after = entry.bytes(&key);
        if self.bytes - before + after > self.max_bytes {
            let message = format!(
                "the keys and values of this module have max_key_value_bytes = {}",
                self.max_bytes
            );
            return Err(fault(FaultKind::Saturated, "key-value", message));
        }
        self.bytes = self.bytes - before + after;
        if let Some(until) = entry.until {
            self.times.push(Reverse((until, Arc::clone(&key))));
        }
        self.by_key.insert(key, entry);
        if self.times.len() > 2 * self.by_key.len() + MAX_VOID_TIMES {
            self.clear_times();
        }
        Ok(())
    }

    fn remove(&mut self, key: &str) -> Option<Entry> {
        let entry = self.by_key.remove(key)?;
        self.bytes -= entry.bytes(key);
        Some(entry)
    }

    /// Forgets what is past its time, and looks at nothing else. Answers at how
    /// many times it looked.
    fn sweep(&mut self, now: Instant) -> usize {
        let mut looked_at = 0;
        while self.times.peek().is_some_and(|next| next.0.0 <= now) {
            let Some(Reverse((_, key))) = self.times.pop() else {
                break;
            };
            looked_at += 1;
            if self
                .by_key
                .get(&key)
                .is_some_and(|entry| !entry.is_kept(now))
            {
                self.remove(&key);
            }
        }
        looked_at
    }

    /// Keeps the times that mean something.
    fn clear_times(&mut self) {
        let with_time = self.by_key.iter().filter_map(|(key, entry)| {
            let until = entry.until?;
            Some(Reverse((until, Arc::clone(key))))
        });
        self.times = with_time.collect();
    }
}

impl Entry {
    fn is_kept(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    fn bytes(&self, key: &str) -> usize {
        let value = match &self.value {
            Value::Bytes(bytes) => bytes.len(),
            Value::Number(_) => 8,
        };
        key.len() + value + ENTRY_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(max_bytes: usize) -> ModuleMemory {
        let memory = ModuleMemory::default();
        memory.set_bound(max_bytes);
        memory
    }

    #[test]
    fn values_are_gone_after_their_time() {
        let memory = memory(10_000);
        let now = Instant::now();
        let ttl = Some(Duration::from_millis(10));
        memory.set("a".to_owned(), b"1".to_vec(), ttl, now).unwrap();
        assert_eq!(memory.get("a", now), Some(b"1".to_vec()));
        let later = now + Duration::from_millis(10);
        assert_eq!(memory.get("a", later), None);
        assert!(!memory.delete("a", later));
    }

    #[test]
    fn what_is_past_its_time_makes_room() {
        let memory = memory(2 * (ENTRY_BYTES + 10));
        let now = Instant::now();
        let ttl = Some(Duration::from_millis(10));
        let put = |key: &str, ttl, now| memory.set(key.to_owned(), vec![0; 8], ttl, now);
        put("a", ttl, now).unwrap();
        put("b", None, now).unwrap();
        assert_eq!(put("c", None, now).unwrap_err().kind, FaultKind::Saturated);
        put("b", None, now).expect("a value takes the place of the one before");
        put("c", None, now + Duration::from_millis(10)).unwrap();
    }

    #[test]
    fn only_what_is_past_its_time_is_looked_at() {
        let memory = memory(1_000 * (ENTRY_BYTES + 12));
        let now = Instant::now();
        let later = |ms| now + Duration::from_millis(ms);
        for number in 0..1_000 {
            let ttl = Some(Duration::from_millis(1_000 + number));
            let set = memory.set(format!("{number:04}"), vec![0; 8], ttl, now);
            set.unwrap();
        }
        let full = memory.set("more".to_owned(), vec![0; 8], None, later(999));
        assert_eq!(full.unwrap_err().kind, FaultKind::Saturated);
        assert_eq!(memory.entries().sweep(later(999)), 0);
        assert_eq!(memory.entries().sweep(later(1_009)), 10);
        let bytes = memory.entries().bytes;
        assert_eq!(bytes, 990 * (ENTRY_BYTES + 12));
    }

    #[test]
    fn times_that_mean_nothing_are_cleared_away() {
        let memory = memory(10_000);
        let now = Instant::now();
        let put = |ms, now| {
            let ttl = Some(Duration::from_millis(ms));
            memory.set("k".to_owned(), b"v".to_vec(), ttl, now).unwrap();
        };
        for _ in 0..10_000 {
            put(10, now);
        }
        assert!(memory.entries().times.len() <= 2 + MAX_VOID_TIMES);
        put(1_000, now);
        let later = now + Duration::from_millis(10);
        memory.entries().sweep(later);
        assert_eq!(memory.get("k", later), Some(b"v".to_vec()));
        assert!(memory.delete("k", later));
        assert_eq!(memory.entries().bytes, 0);
        assert_eq!(memory.entries().sweep(later + Duration::from_secs(1)), 1);
    }

    #[test]
    fn numbers_are_added_to() {
        let memory = memory(10_000);
        let now = Instant::now();
        let ttl = Some(Duration::from_millis(10));
        let add = |by, now| memory.increment("n".to_owned(), by, ttl, now).unwrap();
        assert_eq!(add(2, now), 2);
        assert_eq!(add(3, now + Duration::from_millis(9)), 5);
        assert_eq!(add(1, now + Duration::from_millis(10)), 1, "it began anew");
        assert_eq!(memory.get("n", now), Some(b"1".to_vec()));
        memory
            .set("t".to_owned(), b"x".to_vec(), None, now)
            .unwrap();
        let odd = memory.increment("t".to_owned(), 1, None, now).unwrap_err();
        assert_eq!(odd.kind, FaultKind::Invalid);
    }
}
