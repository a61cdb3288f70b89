//! From what a guest answered to what becomes of each event.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_bindings::fault::from_guest;
use hookwire_bindings::refusal::refusal;
use hookwire_bindings::text::printable;
use hookwire_bindings::verdict::replace;
use hookwire_bindings::wit::exports::hookwire::rule::actions::{
    Call, Settled, Verdict as GuestVerdict,
};
use hookwire_broker::Verdict;
use hookwire_driver::{Fault, FaultKind};

use crate::lane::answer::{self, Outcome};
use crate::lane::batch::Batch;
use crate::lane::give_up::Failure;
use crate::lane::item::{Item, Rest};
use crate::lane::journal::Known;
use crate::lane::queue::Lane;
use crate::plan::{PlannedRule, RuleId};
use crate::throttle::Throttle;
use crate::worker::subject::Subject;
use crate::worker::{StepEnd, Worker};

/// Lines a lane writes in a second about rules that fail.
const FAILURE_LINES_PER_SECOND: u32 = 5;

/// Turns verdicts into what happens, and says in the log what failed.
pub(crate) struct Settler {
    fates: Vec<Fate>,
    pub(super) written: Vec<Written>,
    /// Rules that did not do their work on an event, and do not run on it again.
    pub(super) failed: Vec<(u32, RuleId)>,
    log: Throttle,
}

/// What becomes of one event.
pub(super) enum Fate {
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

impl Settler {
    pub(crate) fn new() -> Self {
        Self {
            fates: Vec::new(),
            written: Vec::new(),
            failed: Vec::new(),
            log: Throttle::per_second(FAILURE_LINES_PER_SECOND),
        }
    }

    /// Works out what the answer of `handle` means: calls that it leaves out
    /// proceed.
    pub(crate) fn judge(&mut self, batch: &mut Batch, mut answer: Vec<Settled>) {
        self.fates.clear();
        self.written.clear();
        self.failed.clear();
        if answer.is_empty()
            && batch.left.is_empty()
            && batch.held_back.is_empty()
            && batch.behind.is_empty()
        {
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
        for (event, id) in std::mem::take(&mut batch.left) {
            if self.is_decided(batch, event) {
                continue;
            }
            self.run_again_as_left(batch, event, id);
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

    /// Sends every event on its way; those that are left to run take with them
    /// what is known of their rows.
    pub(crate) fn finish(
        &mut self,
        worker: &Worker,
        lane: &Lane,
        batch: &mut Batch,
        known: Option<&Known>,
    ) {
        if self.fates.is_empty() {
            for mut item in batch.items.drain(..) {
                item.note_stored(&[], &[]);
                let end = changed_before(&item).map_or(StepEnd::GoesOn, StepEnd::Changed);
                worker.step_ended(item, end);
            }
            return;
        }
        let mut again: Vec<Item> = Vec::new();
        let events = (0_u32..).zip(batch.items.drain(..).zip(self.fates.drain(..)));
        for (event, (mut item, mut fate)) in events {
            let failed: Vec<RuleId> = self
                .failed
                .iter()
                .filter(|(of, _)| *of == event)
                .map(|(_, rule)| *rule)
                .collect();
            let left = match &fate {
                Fate::Again(rest) => &*rest.rules,
                Fate::Ends(_) => &[],
            };
            item.note_stored(&failed, left);
            if let (Fate::Ends(StepEnd::GoesOn), Some(id)) = (&fate, changed_before(&item)) {
                fate = Fate::Ends(StepEnd::Changed(id));
            }
            if let Fate::Ends(StepEnd::Changed(id)) = fate
                && again.iter().any(|before| before.client == item.client)
            {
                // Where it goes now, what is before it has no place yet.
                let mut held = rest(Vec::new(), 0, Instant::now(), Duration::ZERO);
                held.changed = Some(id);
                fate = Fate::Again(held);
            }
            match fate {
                Fate::Ends(end) => worker.step_ended(item, end),
                Fate::Again(mut rest) => {
                    rest.known = known.cloned();
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

    /// A decision's remaining rules run without this one.
    pub(super) fn go_on_behind(&mut self, event: u32, id: RuleId, item: &Item) {
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

    pub(super) fn fate(&mut self, event: u32) -> Option<&mut Fate> {
        self.fates.get_mut(usize::try_from(event).ok()?)
    }

    pub(super) fn set(&mut self, event: u32, fate: Fate) {
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
                printable(fault.message.lines().next().unwrap_or_default()),
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

/// The rule that changed an item's event, where all else of its step has run.
fn changed_before(item: &Item) -> Option<RuleId> {
    item.rest.as_ref()?.changed
}

/// The rules of an item from `id` on.
pub(super) fn from(item: &Item, id: RuleId) -> Vec<RuleId> {
    let rules = item.rules().iter().copied();
    rules.skip_while(|rule| *rule != id).collect()
}

pub(super) fn rest(rules: Vec<RuleId>, attempts: u32, since: Instant, pause: Duration) -> Rest {
    Rest {
        rules,
        attempts,
        since,
        due: Instant::now() + pause,
        changed: None,
        known: None,
    }
}

pub(super) fn item(batch: &Batch, event: u32) -> Option<&Item> {
    batch.items.get(usize::try_from(event).ok()?)
}

fn item_mut(batch: &mut Batch, event: u32) -> Option<&mut Item> {
    batch.items.get_mut(usize::try_from(event).ok()?)
}
