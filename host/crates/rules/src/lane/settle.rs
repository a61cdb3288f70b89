//! From what a guest answered to what becomes of each event.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_bindings::fault::from_guest;
use hookwire_bindings::verdict::{refusal, refusal_of_fault, replace};
use hookwire_bindings::wit::exports::hookwire::rule::actions::{
    Call, Settled, Verdict as GuestVerdict,
};
use hookwire_broker::{Hook, Verdict};
use hookwire_driver::{Fault, FaultKind};
use hookwire_settings::OnError;

use crate::lane::answer::{self, Outcome};
use crate::lane::batch::Batch;
use crate::lane::item::{Item, Rest};
use crate::lane::queue::Lane;
use crate::plan::{PlannedRule, RuleId};
use crate::throttle::Throttle;
use crate::worker::subject::Subject;
use crate::worker::{StepEnd, Worker};

/// Lines a lane writes in a second about rules that fail.
const FAILURE_LINES_PER_SECOND: u32 = 5;
/// Pause before a call is made again, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Turns verdicts into what happens, and says in the log what failed.
pub(crate) struct Settler {
    fates: Vec<Fate>,
    written: Vec<Written>,
    log: Throttle,
}

/// What becomes of one event.
enum Fate {
    Ends(StepEnd),
    /// Rules of the step are left to run, now or later.
    Again(Rest),
}

/// An event that is to be written down for one rule.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) event: u32,
    pub(crate) rule: RuleId,
    pub(crate) fault: Fault,
    pub(crate) kind: WrittenKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WrittenKind {
    /// To be run later.
    Spooled,
    /// For a person to look at.
    DeadLetter,
}

/// Why a rule did not do its work on an event.
pub(crate) struct Failure<'a> {
    pub(crate) fault: &'a Fault,
    /// Whether the call itself may be made again: not after a trap.
    pub(crate) may_run_again: bool,
}

impl Settler {
    pub(crate) fn new() -> Self {
        Self {
            fates: Vec::new(),
            written: Vec::new(),
            log: Throttle::per_second(FAILURE_LINES_PER_SECOND),
        }
    }

    /// Works out what the answer of `handle` means: calls that it leaves out
    /// proceed.
    pub(crate) fn judge(&mut self, batch: &mut Batch, mut answer: Vec<Settled>) {
        self.fates.clear();
        self.written.clear();
        if answer.is_empty() && batch.held_back.is_empty() && batch.behind.is_empty() {
            return;
        }
        self.fates
            .resize_with(batch.items.len(), || Fate::Ends(StepEnd::GoesOn));
        // An event's verdicts count in the order in which its rules ran.
        answer.sort_by_key(|settled| settled.call);
        for Settled { call, verdict } in answer {
            let called = usize::try_from(call)
                .ok()
                .and_then(|call| batch.calls.get(call));
            match called.copied() {
                Some(called) => self.judge_call(batch, called, verdict),
                None => self.say_odd_call(batch, call),
            }
        }
        for (event, id) in std::mem::take(&mut batch.behind) {
            if self.is_decided(batch, event) {
                continue;
            }
            self.append_to_spool(batch, event, id);
        }
        for (event, id) in std::mem::take(&mut batch.held_back) {
            if self.is_decided(batch, event) {
                continue;
            }
            let fault = Fault {
                kind: FaultKind::Unavailable,
                code: "host:breaker".to_owned(),
                message: "its breaker is open: it brought its module down again and again"
                    .to_owned(),
                retryable: true,
            };
            let failure = Failure {
                fault: &fault,
                may_run_again: false,
            };
            self.fail(batch, event, id, &failure);
        }
    }

    /// What has to be on disk before [`Settler::finish`].
    pub(crate) fn written(&self) -> &[Written] {
        &self.written
    }

    /// What was to be written down could not be: a spooled event is not done.
    pub(crate) fn not_written(&mut self, batch: &Batch, fault: &Fault) {
        for written in std::mem::take(&mut self.written) {
            let Some(item) = item(batch, written.event) else {
                continue;
            };
            let Some(rule) = item.set.plan.rules.get(written.rule) else {
                continue;
            };
            if matches!(item.subject, Subject::Publish(_)) {
                let end = StepEnd::Ended(Verdict::Failed {
                    refusal: refusal_of_fault(&rule.name, fault),
                    retryable: true,
                });
                self.set(written.event, Fate::Ends(end));
            }
        }
    }

    /// Sends every event on its way.
    pub(crate) fn finish(&mut self, worker: &Worker, lane: &Lane, batch: &mut Batch) {
        if self.fates.is_empty() {
            for item in batch.items.drain(..) {
                worker.step_ended(item, StepEnd::GoesOn);
            }
            return;
        }
        let mut again = Vec::new();
        for (mut item, fate) in batch.items.drain(..).zip(self.fates.drain(..)) {
            match fate {
                Fate::Ends(end) => worker.step_ended(item, end),
                Fate::Again(rest) => {
                    let has_failed = rest.attempts > 0;
                    item.rest = Some(Box::new(rest));
                    if has_failed {
                        worker.rebind(&mut item, lane);
                    }
                    again.push(item);
                }
            }
        }
        lane.put_back(again.into_iter());
    }

    fn judge_call(&mut self, batch: &mut Batch, call: Call, verdict: GuestVerdict) {
        let Some((id, set)) = batch.rule(call) else {
            return;
        };
        let Some(rule) = set.plan.rules.get(id) else {
            return;
        };
        if rule.hook.is_decision() && !self.goes_on(call.event) {
            // The event did not come this far: a module need not know.
            return;
        }
        match verdict {
            GuestVerdict::Proceed => {}
            GuestVerdict::Failed(fault) => {
                let fault = from_guest(fault);
                self.fail_as_said(batch, call.event, id, rule, &fault);
            }
            verdict => match self.act(batch, call.event, id, rule, verdict) {
                Ok(()) => {}
                Err(why) => {
                    let fault = Fault {
                        kind: FaultKind::Invalid,
                        code: "host:verdict".to_owned(),
                        message: why,
                        retryable: false,
                    };
                    self.fail_as_said(batch, call.event, id, rule, &fault);
                }
            },
        }
    }

    /// Acts on a verdict that decides something.
    fn act(
        &mut self,
        batch: &mut Batch,
        event: u32,
        id: RuleId,
        rule: &PlannedRule,
        verdict: GuestVerdict,
    ) -> Result<(), String> {
        let Some(item) = item_mut(batch, event) else {
            return Ok(());
        };
        let end = match &mut item.subject {
            Subject::Publish(publish) => match verdict {
                GuestVerdict::Replace(_) if rule.stores => {
                    return Err("it stores, and changes the message".to_owned());
                }
                GuestVerdict::Replace(change) => {
                    let replaced =
                        replace(&publish.message, change).map_err(|error| error.to_string())?;
                    let keeps_topic = replaced.topic == publish.message.topic;
                    publish.message = Arc::new(replaced);
                    publish.replaced = true;
                    if keeps_topic {
                        self.go_on_behind(event, id, item);
                        return Ok(());
                    }
                    StepEnd::Changed(id)
                }
                GuestVerdict::Drop => StepEnd::Ended(Verdict::Drop),
                GuestVerdict::Deny(denial) => StepEnd::Ended(Verdict::Deny(refusal(denial))),
                GuestVerdict::Disconnect(denial) => {
                    StepEnd::Ended(Verdict::Disconnect(refusal(denial)))
                }
                other => {
                    let word = answer::word(&other);
                    return Err(format!(
                        "it answered {word:?}, and message.publish takes none"
                    ));
                }
            },
            Subject::Asked(asked) => match answer::of_verdict(asked, verdict) {
                Outcome::GoesOn => {
                    self.go_on_behind(event, id, item);
                    return Ok(());
                }
                Outcome::Changed => StepEnd::Changed(id),
                Outcome::Answered(answer) => StepEnd::Answered(answer),
                Outcome::Odd(why) => return Err(why),
            },
            _ => {
                let word = answer::word(&verdict);
                return Err(format!(
                    "it answered {word:?}, and nothing waits for its verdict"
                ));
            }
        };
        self.set(event, Fate::Ends(end));
        Ok(())
    }

    fn fail_as_said(
        &mut self,
        batch: &Batch,
        event: u32,
        id: RuleId,
        rule: &PlannedRule,
        fault: &Fault,
    ) {
        if let Some(item) = item(batch, event) {
            self.say_failed(item, rule, fault);
        }
        let failure = Failure {
            fault,
            may_run_again: true,
        };
        self.fail(batch, event, id, &failure);
    }

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
        let is_in_time = now.saturating_duration_since(since) < rule.retry_for;
        if failure.fault.retryable && failure.may_run_again && is_in_time {
            return self.run_again(item, event, id, since);
        }
        self.give_up(item, event, id, rule, failure.fault);
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
    fn append_to_spool(&mut self, batch: &Batch, event: u32, id: RuleId) {
        let Some(item) = item(batch, event) else {
            return;
        };
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

    /// A decision's remaining rules run without this one.
    fn go_on_behind(&mut self, event: u32, id: RuleId, item: &Item) {
        if !item.set.hook.is_decision() {
            return;
        }
        let rules: Vec<RuleId> = from(item, id).into_iter().skip(1).collect();
        if !rules.is_empty() {
            let now = Instant::now();
            self.set(event, Fate::Again(rest(rules, 0, now, Duration::ZERO)));
        }
    }

    /// Whether an event that somebody waits for did not come as far as the rules
    /// that were not called: one before them ended it, changed it, or runs again.
    fn is_decided(&mut self, batch: &Batch, event: u32) -> bool {
        let is_decision = item(batch, event).is_some_and(|item| item.set.hook.is_decision());
        is_decision && !self.goes_on(event)
    }

    fn goes_on(&mut self, event: u32) -> bool {
        matches!(self.fate(event), Some(Fate::Ends(StepEnd::GoesOn)) | None)
    }

    fn fate(&mut self, event: u32) -> Option<&mut Fate> {
        self.fates.get_mut(usize::try_from(event).ok()?)
    }

    fn set(&mut self, event: u32, fate: Fate) {
        if let Some(slot) = self.fate(event) {
            *slot = fate;
        }
    }

    fn say_failed(&mut self, item: &Item, rule: &PlannedRule, fault: &Fault) {
        if let Some(pass) = self.log.pass(Instant::now()) {
            tracing::warn!(
                module = item.module().map_or("", |module| &module.name),
                rule = &*rule.name,
                kind = ?fault.kind,
                code = fault.code,
                retryable = fault.retryable,
                failures_not_shown = pass.held_back,
                "a rule failed: {}",
                fault.message.lines().next().unwrap_or_default(),
            );
        }
    }

    fn say_odd_call(&mut self, batch: &Batch, call: u32) {
        if let Some(module) = batch.items.first().and_then(Item::module)
            && self.log.pass(Instant::now()).is_some()
        {
            tracing::warn!(
                module = &*module.name,
                "the module answered call {call} of a batch of {}",
                batch.calls.len(),
            );
        }
    }
}

fn denied(item: &Item, rule: &PlannedRule, fault: &Fault) -> StepEnd {
    let refusal = refusal_of_fault(&rule.name, fault);
    match &item.subject {
        Subject::Asked(asked) => StepEnd::Answered(answer::of_failure(&asked.question, refusal)),
        _ => StepEnd::Ended(Verdict::Failed {
            refusal,
            retryable: fault.retryable,
        }),
    }
}

/// The rules of an item from `id` on.
fn from(item: &Item, id: RuleId) -> Vec<RuleId> {
    let rules = item.rules().iter().copied();
    rules.skip_while(|rule| *rule != id).collect()
}

fn rest(rules: Vec<RuleId>, attempts: u32, since: Instant, pause: Duration) -> Rest {
    Rest {
        rules,
        attempts,
        since,
        due: Instant::now() + pause,
    }
}

fn item(batch: &Batch, event: u32) -> Option<&Item> {
    batch.items.get(usize::try_from(event).ok()?)
}

fn item_mut(batch: &mut Batch, event: u32) -> Option<&mut Item> {
    batch.items.get_mut(usize::try_from(event).ok()?)
}
