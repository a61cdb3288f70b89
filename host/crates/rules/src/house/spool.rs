//! The spool's way back: what was written down is run in order, client by
//! client, until it is through.
//!
//! Rules take their turns beside each other, and so do the clients of a rule, a
//! few at a time. An event that may succeed later ends its client's turn. A rule
//! that gets nothing through has longer and longer pauses.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_bindings::text::printable;
use hookwire_driver::{Fault, FaultKind, Row, Value};
use tokio::task::JoinSet;

use crate::host::fault;
use crate::house::letters::run_again;
use crate::house::record::EventRecord;
use crate::house::write::letter;
use crate::house::{House, number};
use crate::worker::NO_RULE;
use crate::worker::inbox::RulesHandle;

/// How often it is looked whether a rule's turn has come.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Longest pause between two turns of a rule.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Pause of a rule that is not there: asking for it costs little.
const PAUSE_WITHOUT_RULE: Duration = Duration::from_secs(5);
/// Clients of a rule whose events are run at once.
const CLIENTS_AT_ONCE: usize = 16;
/// Events of a client before others have their turn.
const EVENTS_AT_ONCE: u64 = 256;
/// Longest turn of a rule, about: clients that came meanwhile are in the next.
const MAX_TURN: Duration = Duration::from_secs(5);
/// Clients whose events fail, one after the other, before a rule's turn ends:
/// the others would fare no better.
const FAILURES_IN_A_ROW: usize = 64;

const FIRST: &str = "SELECT id, event FROM spool WHERE rule = ? AND clientid = ? \
    ORDER BY id LIMIT 8";

/// What is spooled for one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spooled {
    /// The rule.
    pub rule: String,
    /// Events.
    pub events: u64,
    /// Clients whose events they are.
    pub clients: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// When the oldest was written down, milliseconds since the Unix epoch.
    pub oldest_ms: u64,
}

/// How a rule's turn went.
struct Turn {
    rule: Arc<str>,
    /// Events that are through.
    done: u64,
    /// The client at which it ended.
    last: Option<String>,
    /// There is no such rule.
    is_gone: bool,
}

/// How a client's events fared.
#[derive(Default)]
struct Fared {
    done: u64,
    has_more: bool,
    /// Why the next has to wait.
    fault: Option<Fault>,
}

impl Fared {
    fn ended(self, fault: Fault) -> Self {
        Self {
            fault: Some(fault),
            ..self
        }
    }
}

/// When a rule has its next turn.
#[derive(Default)]
struct Pace {
    is_running: bool,
    due: Option<Instant>,
    pause: Duration,
    /// Behind whom it begins.
    last: Option<String>,
    is_gone: bool,
}

impl House {
    /// Empties the spool for as long as it is polled.
    pub async fn replay_spool(self: Arc<Self>, workers: Vec<RulesHandle>) {
        let workers: Arc<[RulesHandle]> = workers.into();
        let mut paces: HashMap<Arc<str>, Pace> = HashMap::new();
        let mut turns = JoinSet::new();
        loop {
            // Cancel-safe: a turn that has ended stays in its set until taken.
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                Some(ended) = turns.join_next() => {
                    if let Ok(turn) = ended {
                        self.turn_ended(&mut paces, &turn);
                    }
                }
            }
            let rules = self.spooled_rules();
            self.forget_gone(&rules);
            paces.retain(|rule, pace| pace.is_running || rules.contains(rule));
            let now = Instant::now();
            for rule in rules {
                let pace = paces.entry(Arc::clone(&rule)).or_default();
                if !pace.is_running && pace.due.is_none_or(|due| due <= now) {
                    pace.is_running = true;
                    let last = pace.last.take();
                    let turn = Arc::clone(&self).take_turn(Arc::clone(&workers), rule, last);
                    turns.spawn(turn);
                }
            }
        }
    }

    fn turn_ended(&self, paces: &mut HashMap<Arc<str>, Pace>, turn: &Turn) {
        let Some(pace) = paces.get_mut(&turn.rule) else {
            return;
        };
        pace.ended(turn, Instant::now());
        if turn.is_gone && !pace.is_gone {
            tracing::warn!(
                rule = &*turn.rule,
                events = self.spooled_of(&turn.rule),
                "spooled events wait for a rule that is not there: bring it back under its name \
                 and hook, or delete them with: hookwire ctl spool purge {}",
                turn.rule,
            );
        }
        pace.is_gone = turn.is_gone;
        self.note_gone(&turn.rule, turn.is_gone);
    }

    /// Runs what is spooled for a rule, a few clients at once.
    async fn take_turn(
        self: Arc<Self>,
        workers: Arc<[RulesHandle]>,
        rule: Arc<str>,
        behind: Option<String>,
    ) -> Turn {
        let mut clients = VecDeque::from(self.spooled_clients(&rule, behind.as_deref()));
        let mut running = JoinSet::new();
        let mut turn = Turn {
            rule: Arc::clone(&rule),
            done: 0,
            last: None,
            is_gone: false,
        };
        let mut failures = 0;
        let until = Instant::now() + MAX_TURN;
        loop {
            while running.len() < CLIENTS_AT_ONCE
                && failures < FAILURES_IN_A_ROW
                && !turn.is_gone
                && Instant::now() < until
                && let Some(clientid) = clients.pop_front()
            {
                turn.last = Some(clientid.clone());
                let (house, workers, rule) =
                    (Arc::clone(&self), Arc::clone(&workers), Arc::clone(&rule));
                running.spawn(async move {
                    let fared = house.replay_client(&workers, &rule, &clientid).await;
                    (clientid, fared)
                });
            }
            let Some(ended) = running.join_next().await else {
                return turn;
            };
            let Ok((clientid, fared)) = ended else {
                continue;
            };
            turn.done += fared.done;
            failures = if fared.done > 0 { 0 } else { failures + 1 };
            if fared.has_more {
                clients.push_back(clientid);
            }
            if let Some(fault) = fared.fault {
                turn.is_gone |= fault.code == NO_RULE;
                tracing::debug!(
                    rule = &*rule,
                    code = fault.code,
                    "what is spooled waits: {}",
                    printable(&fault.message),
                );
            }
        }
    }

    /// Runs a client's events in order, up to the first that has to wait.
    async fn replay_client(&self, workers: &[RulesHandle], rule: &str, clientid: &str) -> Fared {
        let mut fared = Fared::default();
        while fared.done < EVENTS_AT_ONCE {
            let parameters = [rule, clientid].map(|text| Value::Text(text.to_owned()));
            let rows = match self.query(FIRST, parameters.into(), 8).await {
                Ok(rows) => rows,
                Err(fault) => return fared.ended(fault),
            };
            if rows.is_empty() {
                return fared;
            }
            let mut done = Vec::new();
            for row in rows {
                let (id, event) = read(row);
                if let Err(fault) = self.replay_event(workers, rule, clientid, &event).await {
                    fared.fault = Some(fault);
                    break;
                }
                done.push((id, event.len() as u64));
            }
            let ran = done.len() as u64;
            if let Err(fault) = self.take_out(rule, clientid, done).await {
                return fared.ended(fault);
            }
            fared.done += ran;
            if fared.fault.is_some() {
                return fared;
            }
        }
        fared.has_more = true;
        fared
    }

    /// Runs one event again; one that never succeeds becomes a dead letter.
    async fn replay_event(
        &self,
        workers: &[RulesHandle],
        rule: &str,
        clientid: &str,
        event: &str,
    ) -> Result<(), Fault> {
        let fared = match serde_json::from_str::<EventRecord>(event) {
            Ok(record) => run_again(workers, rule, clientid, record).await,
            Err(error) => Err(fault(FaultKind::Invalid, "record", error.to_string())),
        };
        match fared {
            Err(fault) if !fault.retryable => {
                let row = letter(rule, ("", 0), clientid.to_owned(), event.to_owned(), &fault);
                let unwritten = self.bury(vec![row]).await.into_iter().next();
                unwritten.map_or(Ok(()), |(_, fault)| Err(fault))
            }
            fared => fared,
        }
    }

    /// Deletes events that are through, by their numbers and sizes.
    async fn take_out(
        &self,
        rule: &str,
        clientid: &str,
        done: Vec<(i64, u64)>,
    ) -> Result<(), Fault> {
        const DONE: &str = "DELETE FROM spool WHERE id = ?";
        if done.is_empty() {
            return Ok(());
        }
        // Whoever purges counts what is there, and deletes it: one or the other.
        let _not_purging = self.purging.read().await;
        let bytes = done.iter().map(|(_, bytes)| bytes).sum();
        let ids = done.iter().map(|(id, _)| vec![Value::Integer(*id)]);
        let deleted = self.exec_counted(DONE, ids.collect()).await?;
        if deleted > 0 {
            self.unmark(rule, clientid, deleted, bytes);
        }
        Ok(())
    }

    /// What is spooled, by rule.
    ///
    /// # Errors
    /// What the file answers.
    pub async fn spooled(&self) -> Result<Vec<Spooled>, Fault> {
        const LIST: &str = "SELECT rule, count(*), count(DISTINCT clientid), \
            sum(length(CAST(event AS BLOB))), min(written_ms) FROM spool GROUP BY rule ORDER BY rule";
        let rows = self.query(LIST, Vec::new(), usize::MAX).await?.into_iter();
        let spooled = rows.filter_map(|row| {
            let [Value::Text(rule), figures @ ..] = &row[..] else {
                return None;
            };
            let figure = |place: usize| figures.get(place).map_or(0, number);
            Some(Spooled {
                rule: rule.clone(),
                events: figure(0),
                clients: figure(1),
                bytes: figure(2),
                oldest_ms: figure(3),
            })
        });
        Ok(spooled.collect())
    }

    /// Deletes what is spooled for a rule, and answers how many events it was.
    ///
    /// # Errors
    /// What the file answers.
    pub async fn purge_spool(&self, rule: &str) -> Result<u64, Fault> {
        const LAST: &str = "SELECT coalesce(max(id), 0) FROM spool WHERE rule = ?";
        const COUNT: &str = "SELECT clientid, count(*), sum(length(CAST(event AS BLOB))) \
            FROM spool WHERE rule = ? AND id <= ? GROUP BY clientid";
        const DELETE: &str = "DELETE FROM spool WHERE rule = ? AND id <= ?";
        let _alone = self.purging.write().await;
        let rule_value = Value::Text(rule.to_owned());
        let last = self.query(LAST, vec![rule_value.clone()], 1).await?;
        let last = last.into_iter().flatten().next().unwrap_or(Value::Null);
        let which = vec![rule_value, last];
        let clients = self.query(COUNT, which.clone(), usize::MAX).await?;
        let deleted = self.exec_counted(DELETE, vec![which]).await?;
        for row in clients {
            if let [Value::Text(clientid), events, bytes] = &row[..] {
                self.unmark(rule, clientid, number(events), number(bytes));
            }
        }
        if deleted > 0 {
            tracing::warn!(rule, events = deleted, "spooled events were deleted");
        }
        Ok(deleted)
    }
}

impl Pace {
    /// A turn that got something through is followed by the next; otherwise the
    /// pauses grow.
    fn ended(&mut self, turn: &Turn, now: Instant) {
        self.is_running = false;
        self.last.clone_from(&turn.last);
        self.pause = if turn.is_gone {
            PAUSE_WITHOUT_RULE
        } else if turn.done > 0 {
            LOOK_AGAIN
        } else {
            self.pause.saturating_mul(2).clamp(LOOK_AGAIN, MAX_PAUSE)
        };
        self.due = Some(now + self.pause);
    }
}

fn read(row: Row) -> (i64, String) {
    let mut row = row.into_iter();
    let id = match row.next() {
        Some(Value::Integer(id)) => id,
        _ => 0,
    };
    let event = match row.next() {
        Some(Value::Text(event)) => event,
        // It is no event, and will be a dead letter.
        Some(Value::Blob(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    };
    (id, event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(done: u64, is_gone: bool) -> Turn {
        Turn {
            rule: "r".into(),
            done,
            last: None,
            is_gone,
        }
    }

    #[test]
    fn a_rule_that_gets_nothing_through_has_longer_pauses() {
        let now = Instant::now();
        let mut pace = Pace::default();
        let mut after = |turn: &Turn| {
            pace.ended(turn, now);
            (pace.due.unwrap() - now).as_secs()
        };
        let pauses: Vec<u64> = (0..8).map(|_| after(&turn(0, false))).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(after(&turn(1, false)), 1);
        assert_eq!(after(&turn(0, false)), 2);
        assert_eq!(after(&turn(0, true)), 5);
    }
}
