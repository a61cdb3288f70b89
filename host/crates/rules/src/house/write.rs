//! What a batch writes down: into the spool, among the dead letters.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hookwire_driver::{Fault, FaultKind, Row, Value};

use crate::host::clock::wall_ms;
use crate::host::fault;
use crate::house::House;
use crate::house::record::EventRecord;
use crate::lane::batch::Batch;
use crate::lane::item::Item;
use crate::lane::settle::{Written, WrittenKind};

const SPOOL: &str = "INSERT INTO spool (rule, clientid, event, written_ms) VALUES (?, ?, ?, ?)";
const SPOOL_IS_FULL: &str = "host:spool";
const BURY: &str = "INSERT INTO dead_letters \
    (rule, module, generation, clientid, event, code, message, written_ms) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

impl House {
    /// Writes down events of a batch; on disk when it returns. Answers which of
    /// them are not, by their number in `written`.
    pub(crate) async fn write(&self, batch: &Batch, written: &[Written]) -> Vec<(usize, Fault)> {
        let mut unwritten = Vec::new();
        let mut spool = Vec::new();
        let mut letters = Vec::new();
        for (number, entry) in written.iter().enumerate() {
            let place = usize::try_from(entry.event).unwrap_or(usize::MAX);
            let Some(item) = batch.items.get(place) else {
                continue;
            };
            let Some(rule) = item.set.plan.rules.get(entry.rule) else {
                continue;
            };
            let note = match Note::of(number, item, &rule.name, entry) {
                Ok(note) => note,
                Err(fault) => {
                    unwritten.push((number, fault));
                    continue;
                }
            };
            match entry.kind {
                WrittenKind::Spooled => spool.push(note),
                WrittenKind::DeadLetter => letters.push(note),
            }
        }
        for (note, fault) in self.spool(spool).await {
            // The spool is full: where nobody can be told, a person may look at it.
            if fault.code == SPOOL_IS_FULL && !note.is_decision {
                letters.push(note);
            } else {
                unwritten.push((note.number, fault));
            }
        }
        let rows = letters.iter().map(Note::letter).collect();
        let failed = self.bury(rows).await.into_iter();
        let failed = failed.filter_map(|(row, fault)| Some((letters.get(row)?.number, fault)));
        unwritten.extend(failed);
        unwritten
    }

    /// Appends to the spool, and answers what is not there. Clients are marked
    /// first, so that what comes meanwhile is not run before.
    async fn spool(&self, mut notes: Vec<Note>) -> Vec<(Note, Fault)> {
        if notes.is_empty() {
            return Vec::new();
        }
        let full = self.mark(&notes);
        let refused = notes.split_off(full.unwrap_or(notes.len()));
        let message = || {
            let bound = self.bounds.max_spool_bytes;
            fault(
                FaultKind::Saturated,
                "spool",
                format!("the spool has max_spool_bytes = {bound}"),
            )
        };
        let mut unwritten: Vec<(Note, Fault)> =
            refused.into_iter().map(|note| (note, message())).collect();
        if notes.is_empty() {
            return unwritten;
        }
        self.has_spooled.store(true, Ordering::Release);
        let rows = notes.iter().map(Note::spooled).collect();
        let mut failed = self.exec_each(SPOOL, rows).await.into_iter().peekable();
        for (row, note) in notes.into_iter().enumerate() {
            if let Some((_, fault)) = failed.next_if(|(failed, _)| *failed == row) {
                self.unmark(&note.rule, &note.clientid, 1, note.bytes());
                unwritten.push((note, fault));
            }
        }
        unwritten
    }

    /// Counts what is going to be spooled, up to the first for which there is no
    /// room: what comes behind it is not spooled before it.
    fn mark(&self, notes: &[Note]) -> Option<usize> {
        let mut state = self.state();
        for (number, note) in notes.iter().enumerate() {
            let bytes = state.spool_bytes.saturating_add(note.bytes());
            if bytes > self.bounds.max_spool_bytes {
                return Some(number);
            }
            state.spool_bytes = bytes;
            let of_rule = state.spooled.entry(Arc::clone(&note.rule)).or_default();
            *of_rule.entry(note.clientid.clone()).or_default() += 1;
        }
        None
    }

    /// Writes dead letters, and answers the rows that are not there.
    pub(crate) async fn bury(&self, letters: Vec<Row>) -> Vec<(usize, Fault)> {
        let given = letters.len();
        if given == 0 {
            return Vec::new();
        }
        let failed = self.exec_each(BURY, letters).await;
        let count = given.saturating_sub(failed.len()) as u64;
        let surplus = {
            let mut state = self.state();
            state.letters += count;
            let surplus = state.letters.saturating_sub(self.bounds.max_dead_letters);
            state.letters -= surplus;
            surplus
        };
        if surplus > 0
            && let Err(fault) = self.forget(surplus).await
        {
            // They are there, and more than there may be: the next makes up for it.
            self.state().letters += surplus;
            tracing::warn!(
                code = fault.code,
                "the oldest dead letters do not make way: {}",
                fault.message
            );
        }
        failed
    }

    /// Deletes the oldest dead letters.
    async fn forget(&self, count: u64) -> Result<(), Fault> {
        const FORGET: &str = "DELETE FROM dead_letters WHERE id IN \
            (SELECT id FROM dead_letters ORDER BY id LIMIT ?)";
        let most = Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
        self.exec(FORGET, vec![vec![most]]).await
    }
}

/// One event on its way into the file.
struct Note {
    /// Its number among those of its batch.
    number: usize,
    is_decision: bool,
    rule: Arc<str>,
    module: Arc<str>,
    generation: u64,
    clientid: String,
    event: String,
    fault: Fault,
}

impl Note {
    fn of(number: usize, item: &Item, rule: &Arc<str>, entry: &Written) -> Result<Self, Fault> {
        let event = serde_json::to_string(&EventRecord::of(&item.subject))
            .map_err(|error| fault(FaultKind::Other, "record", error.to_string()))?;
        let (module, generation) = match item.module() {
            Some(module) => (Arc::clone(&module.name), module.generation),
            None => ("".into(), 0),
        };
        Ok(Self {
            number,
            is_decision: item.set.hook.is_decision(),
            rule: Arc::clone(rule),
            module,
            generation,
            clientid: item.subject.clientid().to_owned(),
            event,
            fault: entry.fault.clone(),
        })
    }

    fn bytes(&self) -> u64 {
        self.event.len() as u64
    }

    fn spooled(&self) -> Row {
        vec![
            Value::Text(self.rule.to_string()),
            Value::Text(self.clientid.clone()),
            Value::Text(self.event.clone()),
            now(),
        ]
    }

    fn letter(&self) -> Row {
        letter(
            &self.rule,
            (&self.module, self.generation),
            self.clientid.clone(),
            self.event.clone(),
            &self.fault,
        )
    }
}

/// A row of `dead_letters`.
pub(crate) fn letter(
    rule: &str,
    (module, generation): (&str, u64),
    clientid: String,
    event: String,
    fault: &Fault,
) -> Row {
    vec![
        Value::Text(rule.to_owned()),
        Value::Text(module.to_owned()),
        Value::Integer(i64::try_from(generation).unwrap_or(i64::MAX)),
        Value::Text(clientid),
        Value::Text(event),
        Value::Text(fault.code.clone()),
        Value::Text(fault.message.clone()),
        now(),
    ]
}

fn now() -> Value {
    Value::Integer(i64::try_from(wall_ms()).unwrap_or(i64::MAX))
}
