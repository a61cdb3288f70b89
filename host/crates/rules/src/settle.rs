//! From what a guest answered to what becomes of each publish.

use std::sync::Arc;
use std::time::Instant;

use hookwire_bindings::fault::from_guest;
use hookwire_bindings::verdict::{refusal, refusal_of_fault, replace};
use hookwire_bindings::wit::exports::hookwire::rule::actions::{
    Call, Settled, Verdict as GuestVerdict,
};
use hookwire_broker::Verdict;
use hookwire_driver::{Fault, FaultKind};
use hookwire_settings::OnError;

use crate::batch::Batch;
use crate::lane::{Item, Subject};
use crate::manifest::Hook;
use crate::plan::{PlannedRule, RuleId};
use crate::throttle::Throttle;
use crate::worker::{StepEnd, Worker};

/// Lines a lane writes in a second about rules that fail.
const FAILURE_LINES_PER_SECOND: u32 = 5;

/// Turns verdicts into what happens, and says in the log what failed.
pub(crate) struct Settler {
    ends: Vec<Option<StepEnd>>,
    log: Throttle,
}

impl Settler {
    pub(crate) fn new() -> Self {
        Self {
            ends: Vec::new(),
            log: Throttle::per_second(FAILURE_LINES_PER_SECOND),
        }
    }

    /// Acts on the answer of `handle`: calls that it leaves out proceed.
    pub(crate) fn settle(&mut self, worker: &Worker, batch: &mut Batch, mut answer: Vec<Settled>) {
        if answer.is_empty() {
            for item in batch.items.drain(..) {
                worker.step_ended(item, StepEnd::GoesOn);
            }
            return;
        }
        self.begin(batch);
        // An event's verdicts count in the order in which its rules ran.
        answer.sort_by_key(|settled| settled.call);
        for Settled { call, verdict } in answer {
            let called = usize::try_from(call)
                .ok()
                .and_then(|call| batch.calls.get(call));
            match called.copied() {
                Some(called) => self.settle_call(worker, batch, called, verdict),
                None => self.say_odd_call(worker, batch, call),
            }
        }
        self.finish(worker, batch);
    }

    /// Settles every call of a batch that got no answer by its rule's
    /// `on_error`. Whoever calls this has said why in the log.
    pub(crate) fn settle_lost(&mut self, worker: &Worker, batch: &mut Batch, fault: &Fault) {
        self.begin(batch);
        for call in 0..batch.calls.len() {
            let Some(Call { rule, event }) = batch.calls.get(call).copied() else {
                continue;
            };
            if let Some(rule) = find_rule(worker, rule) {
                rule.counters.failed();
                self.fail(batch, event, rule, fault);
            }
        }
        self.finish(worker, batch);
    }

    fn begin(&mut self, batch: &Batch) {
        self.ends.clear();
        self.ends.resize_with(batch.items.len(), || None);
    }

    fn finish(&mut self, worker: &Worker, batch: &mut Batch) {
        for (item, end) in batch.items.drain(..).zip(self.ends.drain(..)) {
            worker.step_ended(item, end.unwrap_or(StepEnd::GoesOn));
        }
    }

    fn settle_call(
        &mut self,
        worker: &Worker,
        batch: &mut Batch,
        call: Call,
        verdict: GuestVerdict,
    ) {
        let Some(rule) = find_rule(worker, call.rule) else {
            return;
        };
        match verdict {
            GuestVerdict::Proceed => {}
            GuestVerdict::Failed(fault) => {
                let fault = from_guest(fault);
                self.say_failed(worker, rule, &fault);
                rule.counters.failed();
                self.fail(batch, call.event, rule, &fault);
            }
            decision if rule.hook != Hook::MessagePublish => {
                self.refuse_verdict(worker, batch, call, rule, odd_for_event(&decision));
            }
            GuestVerdict::Replace(change) => {
                if rule.stores {
                    let why = "it stores, and changes the message".to_owned();
                    return self.refuse_verdict(worker, batch, call, rule, why);
                }
                let Some(Subject::Publish(publish)) =
                    item_mut(batch, call.event).map(|item| &mut item.subject)
                else {
                    return;
                };
                match replace(&publish.message, change) {
                    Ok(replaced) => {
                        let renamed = replaced.topic != publish.message.topic;
                        publish.message = Arc::new(replaced);
                        publish.replaced = true;
                        if renamed {
                            self.end(call.event, StepEnd::TopicChanged);
                        }
                    }
                    Err(error) => {
                        self.refuse_verdict(worker, batch, call, rule, error.to_string());
                    }
                }
            }
            GuestVerdict::Drop => self.end(call.event, StepEnd::Ended(Verdict::Drop)),
            GuestVerdict::Deny(denial) => {
                self.end(call.event, StepEnd::Ended(Verdict::Deny(refusal(denial))));
            }
            GuestVerdict::Disconnect(denial) => {
                let verdict = Verdict::Disconnect(refusal(denial));
                self.end(call.event, StepEnd::Ended(verdict));
            }
        }
    }

    /// Treats a verdict that cannot be acted on as a failure of its rule.
    fn refuse_verdict(
        &mut self,
        worker: &Worker,
        batch: &Batch,
        call: Call,
        rule: &PlannedRule,
        why: String,
    ) {
        let fault = Fault {
            kind: FaultKind::Invalid,
            code: "host:verdict".to_owned(),
            message: why,
            retryable: false,
        };
        self.say_failed(worker, rule, &fault);
        rule.counters.failed();
        self.fail(batch, call.event, rule, &fault);
    }

    fn fail(&mut self, batch: &Batch, event: u32, rule: &PlannedRule, fault: &Fault) {
        let is_publish = usize::try_from(event)
            .ok()
            .and_then(|event| batch.items.get(event))
            .is_some_and(|item| matches!(item.subject, Subject::Publish(_)));
        if is_publish && rule.on_error == OnError::Deny {
            self.end(
                event,
                StepEnd::Ended(Verdict::Failed {
                    refusal: refusal_of_fault(&rule.name, fault),
                    retryable: fault.retryable,
                }),
            );
        }
    }

    /// The first rule that ends an event decides.
    fn end(&mut self, event: u32, end: StepEnd) {
        let place = usize::try_from(event).ok();
        if let Some(slot) = place.and_then(|event| self.ends.get_mut(event))
            && !matches!(slot, Some(StepEnd::Ended(_)))
        {
            *slot = Some(end);
        }
    }

    fn say_failed(&mut self, worker: &Worker, rule: &PlannedRule, fault: &Fault) {
        if let Some(pass) = self.log.pass(Instant::now()) {
            tracing::warn!(
                module = module_name(worker, rule),
                rule = rule.name,
                kind = ?fault.kind,
                code = fault.code,
                retryable = fault.retryable,
                failures_not_shown = pass.held_back,
                "a rule failed: {}",
                fault.message,
            );
        }
    }

    fn say_odd_call(&mut self, worker: &Worker, batch: &Batch, call: u32) {
        let rule = batch
            .calls
            .first()
            .and_then(|call| find_rule(worker, call.rule));
        if let (Some(rule), Some(_)) = (rule, self.log.pass(Instant::now())) {
            tracing::warn!(
                module = module_name(worker, rule),
                "the module answered call {call} of a batch of {}",
                batch.calls.len(),
            );
        }
    }
}

fn odd_for_event(verdict: &GuestVerdict) -> String {
    let name = match verdict {
        GuestVerdict::Proceed => "proceed",
        GuestVerdict::Replace(_) => "replace",
        GuestVerdict::Drop => "drop",
        GuestVerdict::Deny(_) => "deny",
        GuestVerdict::Disconnect(_) => "disconnect",
        GuestVerdict::Failed(_) => "failed",
    };
    format!("it answered {name:?}, and nothing waits for its verdict")
}

fn module_name<'a>(worker: &'a Worker, rule: &PlannedRule) -> &'a str {
    let module = worker.plan.modules.get(rule.module);
    module.map_or("", |module| &*module.name)
}

fn find_rule(worker: &Worker, rule: u32) -> Option<&PlannedRule> {
    worker.plan.rules.get(RuleId::try_from(rule).ok()?)
}

fn item_mut(batch: &mut Batch, event: u32) -> Option<&mut Item> {
    batch.items.get_mut(usize::try_from(event).ok()?)
}
