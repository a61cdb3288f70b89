//! Dead letters, as commands see them.

use std::sync::Arc;

use hookwire_broker::worker_of;
use hookwire_driver::{Fault, FaultKind, Row, Value};

use crate::host::fault;
use crate::house::record::EventRecord;
use crate::house::{House, number};
use crate::worker::inbox::RulesHandle;

/// An event that a rule could not do its work on.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// Its number; they only grow.
    pub id: i64,
    /// The rule.
    pub rule: String,
    /// Its module, and the generation of it that failed.
    pub module: String,
    /// See `module`.
    pub generation: u64,
    /// The client whose event it is.
    pub clientid: String,
    /// The event, or why it cannot be read: another version wrote it, or the
    /// file is damaged.
    pub event: Result<EventRecord, String>,
    /// Code of the fault: `host:trap`, `sqlite:18`, ...
    pub code: String,
    /// What the fault says.
    pub message: String,
    /// When it was written down, milliseconds since the Unix epoch.
    pub written_ms: u64,
}

const LIST: &str = "SELECT id, rule, module, generation, clientid, event, code, message, written_ms \
    FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?";
const GET: &str = "SELECT id, rule, module, generation, clientid, event, code, message, written_ms \
    FROM dead_letters WHERE id = ?";

impl House {
    /// The dead letters above number `after`, oldest first, `limit` at most.
    ///
    /// # Errors
    /// What the file answers.
    pub async fn dead_letters(&self, after: i64, limit: usize) -> Result<Vec<DeadLetter>, Fault> {
        let most = Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self
            .query(LIST, vec![Value::Integer(after), most], limit)
            .await?;
        Ok(rows.into_iter().map(read).collect())
    }

    /// Deletes dead letters: those of `ids`, or all.
    ///
    /// # Errors
    /// What the file answers.
    pub async fn purge(&self, ids: Option<&[i64]>) -> Result<u64, Fault> {
        let count = match ids {
            Some(ids) => {
                let rows = ids.iter().map(|id| vec![Value::Integer(*id)]).collect();
                self.exec_counted("DELETE FROM dead_letters WHERE id = ?", rows)
                    .await?
            }
            None => {
                self.exec_counted("DELETE FROM dead_letters", vec![Vec::new()])
                    .await?
            }
        };
        self.forgot_letters(count);
        Ok(count)
    }

    /// Runs a dead letter's rule over it again, and deletes it if that goes
    /// well. One that is being run again is left to whoever does: it would be
    /// stored twice.
    ///
    /// # Errors
    /// Why it stays.
    pub async fn replay(self: &Arc<Self>, id: i64, workers: &[RulesHandle]) -> Result<(), Fault> {
        let _claim = Claim::of(self, id)?;
        let rows = self.query(GET, vec![Value::Integer(id)], 1).await?;
        let invalid = |message| fault(FaultKind::Invalid, "dead-letter", message);
        let Some(letter) = rows.into_iter().next().map(read) else {
            return Err(invalid(format!(
                "there is no dead letter {id}: see `hookwire ctl deadletters list`"
            )));
        };
        let event = letter.event.map_err(|error| {
            invalid(format!(
                "its event cannot be read, and so not run again: {error}"
            ))
        })?;
        run_again(workers, &letter.rule, &letter.clientid, event).await?;
        self.purge(Some(&[id])).await?;
        Ok(())
    }
}

/// A dead letter that is being run again, for as long as this is there.
struct Claim<'a> {
    house: &'a House,
    id: i64,
}

impl<'a> Claim<'a> {
    fn of(house: &'a House, id: i64) -> Result<Self, Fault> {
        if house.state().replaying.insert(id) {
            return Ok(Self { house, id });
        }
        let message = format!("dead letter {id} is being run again by somebody else");
        Err(fault(FaultKind::Saturated, "dead-letter", message))
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.house.state().replaying.remove(&self.id);
    }
}

/// Runs a rule over an event on the worker of its client.
pub(crate) async fn run_again(
    workers: &[RulesHandle],
    rule: &str,
    clientid: &str,
    event: EventRecord,
) -> Result<(), Fault> {
    match workers.get(worker_of(clientid, workers.len())) {
        Some(worker) => worker.run_again(rule, event).await,
        None => Err(fault(
            FaultKind::Unavailable,
            "worker",
            "there is no worker",
        )),
    }
}

fn read(row: Row) -> DeadLetter {
    let mut row = row.into_iter();
    let integer = |row: &mut std::vec::IntoIter<Value>| match row.next() {
        Some(Value::Integer(number)) => number,
        _ => 0,
    };
    let text = |row: &mut std::vec::IntoIter<Value>| match row.next() {
        Some(Value::Text(text)) => text,
        _ => String::new(),
    };
    let id = integer(&mut row);
    let (rule, module) = (text(&mut row), text(&mut row));
    let generation = row.next().as_ref().map_or(0, number);
    let clientid = text(&mut row);
    let event = serde_json::from_str(&text(&mut row)).map_err(|error| error.to_string());
    DeadLetter {
        id,
        rule,
        module,
        generation,
        clientid,
        event,
        code: text(&mut row),
        message: text(&mut row),
        written_ms: row.next().as_ref().map_or(0, number),
    }
}
