//! What becomes of an event that a rule did not do its work on: its call is made
//! again, it is written down, or it is denied.

use std::time::{Duration, Instant};

use hookwire_bindings::refusal::refusal_of_fault;
use hookwire_broker::{Hook, Verdict};
use hookwire_driver::{Fault, FaultKind};
use hookwire_settings::OnError;

use crate::lane::answer;
use crate::lane::batch::Batch;
use crate::lane::item::Item;
use crate::lane::settle::{Fate, Settler, Written, WrittenKind, from, item, rest};
use crate::plan::{PlannedRule, RuleId};
use crate::worker::StepEnd;
use crate::worker::subject::Subject;

/// Pause before a call is made again, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// How long an event that can be written down nowhere is kept in memory, beyond
/// the time that its rule tries.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// Why a rule did not do its work on an event.
pub(crate) struct Failure<'a> {
    pub(crate) fault: &'a Fault,
    /// Whether the call itself may be made again: not after a trap.
    pub(crate) may_run_again: bool,
}

impl Settler {
    /// A rule did not do its work on an event: it runs again, or its `on_error`
    /// decides.
    pub(crate) fn fail(&mut self, batch: &Batch, event: u32, id: RuleId, failure: &Failure<'_>) {
        let Some(item) = item(batch, event) else {
            return;
        };
        let Some(rule) = item.set.plan.rules.get(id) else {
            return;
        };
        rule.counters.failed();
        let now = Instant::now();
        let since = item.rest.as_ref().map_or(now, |rest| rest.since);
        // What is run again from disk is there all the while, and holds up nobody.
        let is_in_time =
            item.replay.is_none() && now.saturating_duration_since(since) < rule.retry_for;
        if failure.fault.retryable && failure.may_run_again && is_in_time {
            return self.run_again(item, event, id, since);
        }
        self.give_up(item, event, id, rule, failure.fault);
    }

    /// Nothing is said against a rule that was to run on an event, and was not
    /// called: it runs in another batch.
    pub(super) fn run_again_as_left(&mut self, batch: &Batch, event: u32, id: RuleId) {
        if let Some(item) = item(batch, event) {
            let since = item
                .rest
                .as_ref()
                .map_or_else(Instant::now, |rest| rest.since);
            self.run_again(item, event, id, since);
        }
    }

    fn run_again(&mut self, item: &Item, event: u32, id: RuleId, since: Instant) {
        let attempts = item.rest.as_ref().map_or(0, |rest| rest.attempts);
        let pause = FIRST_PAUSE
            .saturating_mul(1 << attempts.min(10))
            .min(MAX_PAUSE);
        if item.set.hook.is_decision() {
            let rules = from(item, id);
            return self.set(event, Fate::Again(rest(rules, attempts + 1, since, pause)));
        }
        match self.fate(event) {
            Some(Fate::Again(rest)) => rest.rules.push(id),
            _ => self.set(
                event,
                Fate::Again(rest(vec![id], attempts + 1, since, pause)),
            ),
        }
    }

    fn give_up(&mut self, item: &Item, event: u32, id: RuleId, rule: &PlannedRule, fault: &Fault) {
        self.failed.push((event, id));
        if item.replay.is_some() {
            // Whoever runs it again has it on disk.
            return self.set(event, Fate::Ends(StepEnd::Lost(fault.clone())));
        }
        let mut write = |kind| {
            self.written.push(Written {
                event,
                rule: id,
                fault: fault.clone(),
                kind,
            });
        };
        let is_decision = item.set.hook.is_decision();
        match rule.on_error {
            OnError::Deny | OnError::Retry if is_decision => {
                if rule.hook == Hook::MessagePublish && !fault.retryable {
                    write(WrittenKind::DeadLetter);
                }
                let end = denied(item, rule, fault);
                return self.set(event, Fate::Ends(end));
            }
            OnError::Spool if fault.retryable => write(WrittenKind::Spooled),
            OnError::Spool => write(WrittenKind::DeadLetter),
            OnError::Deny | OnError::Retry | OnError::Continue if rule.stores && !is_decision => {
                write(WrittenKind::DeadLetter);
            }
            OnError::Deny | OnError::Retry | OnError::Continue => {}
        }
        self.go_on_behind(event, id, item);
    }

    /// Earlier events of the client wait in the spool for this rule: this one
    /// comes behind them.
    pub(super) fn append_to_spool(&mut self, batch: &Batch, event: u32, id: RuleId) {
        let Some(item) = item(batch, event) else {
            return;
        };
        self.failed.push((event, id));
        self.written.push(Written {
            event,
            rule: id,
            fault: Fault {
                kind: FaultKind::Unavailable,
                code: "host:behind".to_owned(),
                message: "earlier events of the client wait".to_owned(),
                retryable: true,
            },
            kind: WrittenKind::Spooled,
        });
        self.go_on_behind(event, id, item);
    }

    /// Some of what was to be written down could not be, by its number in
    /// [`Settler::written`]. A publisher is told, and a question is answered: no.
    /// An event that nobody waits for is kept, and its rule runs again.
    pub(crate) fn not_written(&mut self, batch: &Batch, unwritten: &[(usize, Fault)]) {
        let written = std::mem::take(&mut self.written);
        for (number, fault) in unwritten {
            let Some(Written {
                event, rule: id, ..
            }) = written.get(*number)
            else {
                continue;
            };
            let Some(item) = item(batch, *event) else {
                continue;
            };
            let Some(rule) = item.set.plan.rules.get(*id) else {
                continue;
            };
            if item.set.hook.is_decision() {
                let fault = Fault {
                    retryable: true,
                    ..fault.clone()
                };
                self.set(*event, Fate::Ends(denied(item, rule, &fault)));
                continue;
            }
            let now = Instant::now();
            let since = item.rest.as_ref().map_or(now, |rest| rest.since);
            if is_kept(fault, now.saturating_duration_since(since), rule.retry_for) {
                self.run_again(item, *event, *id, since);
            } else {
                rule.counters.lost_event();
                tracing::error!(
                    rule = &*rule.name,
                    hook = item.set.hook.name(),
                    code = fault.code,
                    "an event is lost: its rule failed on it, and it cannot be written down: {}",
                    fault.message,
                );
            }
        }
    }
}

/// Whether an event that could not be written down stays in memory.
fn is_kept(fault: &Fault, tried: Duration, retry_for: Duration) -> bool {
    fault.retryable && tried < retry_for.saturating_add(KEPT_FOR)
}

fn denied(item: &Item, rule: &PlannedRule, fault: &Fault) -> StepEnd {
    let refusal = refusal_of_fault(&rule.name, fault);
    match &item.subject {
        Subject::Asked(asked) => StepEnd::Answered(answer::of_failure(&asked.question, refusal)),
        _ => StepEnd::Ended(Verdict::Failed {
            refusal,
            retryable: fault.retryable,
            // Not a statement that is wrong, or a module that breaks: they can be mended.
            is_refused: !fault.retryable && fault.kind == FaultKind::Refused,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_down_is_not_kept_for_ever() {
        let fault = |retryable| Fault {
            kind: FaultKind::Other,
            code: String::new(),
            message: String::new(),
            retryable,
        };
        let minute = Duration::from_secs(60);
        let second = Duration::from_secs(1);
        assert!(is_kept(&fault(true), Duration::ZERO, Duration::ZERO));
        assert!(is_kept(&fault(true), minute, second));
        assert!(!is_kept(&fault(true), minute + second, second));
        assert!(!is_kept(&fault(false), Duration::ZERO, minute));
    }
}
