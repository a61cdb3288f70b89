//! A batch brought its instance down: which event of which rule was it?
//!
//! The calls are made again in halves, each on a fresh instance, until the one
//! that does it stands alone: it fails, and all others have their own answer.
//! What stores answered the first time is not asked of them again, see
//! [`crate::lane::journal`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_bindings::fault::to_guest;
use hookwire_bindings::text::bounded;
use hookwire_bindings::wit::exports::hookwire::rule::actions::{Call, Settled, Verdict};
use hookwire_driver::{Fault, FaultKind};

use crate::lane::batch::Batch;
use crate::lane::breaker::Breaker;
use crate::lane::runner::{Lost, Runner};
use crate::module::instance::GuestError;
use crate::plan::{PlannedModule, PlannedRule};

/// Calls of `handle` in search of what brings a batch down. A batch with one
/// such event takes twice as many as it halves. Where many do, some are found,
/// and what was not called until then runs in another batch.
const MAX_RUNS: u32 = 64;
/// Longest account of a trap that is kept.
const MAX_MESSAGE_BYTES: usize = 4096;
/// The least time that a part of a batch has.
const MIN_DEADLINE: Duration = Duration::from_millis(50);

/// Answers each call of a batch that ended with `lost`, but for those that are
/// left to run in another.
pub(crate) async fn find_poison(
    runner: &mut Runner<'_>,
    module: &Arc<PlannedModule>,
    batch: &mut Batch,
    lost: Lost,
) -> Vec<Settled> {
    let mut fared = Fared::default();
    let answer = search(runner, module, batch, lost, &mut fared).await;
    fared.tell();
    answer
}

async fn search(
    runner: &mut Runner<'_>,
    module: &Arc<PlannedModule>,
    batch: &mut Batch,
    lost: Lost,
    fared: &mut Fared,
) -> Vec<Settled> {
    runner.say_lost(module, batch, &lost);
    let mut answer = Vec::new();
    let all = 0..batch.calls.len();
    if matches!(lost, Lost::Start(_)) {
        // No part of it would fare better.
        settle_lost(batch, all, &lost, &mut answer);
        return answer;
    }
    let is_stopped =
        |lost: &Lost| matches!(lost, Lost::Guest(GuestError::Deadline | GuestError::Held));
    if all.len() == 1 && is_stopped(&lost) {
        blame(batch, 0, &lost, &mut answer, fared);
        return answer;
    }
    // Parts in order, the next one last.
    let middle = all.len().div_ceil(2);
    let mut parts = vec![middle..all.len(), 0..middle];
    let mut runs = 0;
    // What brings down an instance that has run long may spare a fresh one.
    let mut is_fresh = true;
    while let Some(part) = parts.pop() {
        let ended = ended_events(batch, &answer);
        let calls: Vec<Call> = batch
            .calls
            .get(part.clone())
            .unwrap_or_default()
            .iter()
            .filter(|call| !ended.contains(&call.event))
            .copied()
            .collect();
        if calls.is_empty() {
            continue;
        }
        if runs >= MAX_RUNS {
            let left = calls.iter().filter_map(|call| {
                let (id, _) = batch.rule(*call)?;
                Some((call.event, id))
            });
            let left: Vec<_> = left.collect();
            batch.left.extend(left);
            continue;
        }
        runs += 1;
        let share = module.deadline() * u32::try_from(calls.len()).unwrap_or(u32::MAX)
            / u32::try_from(batch.calls.len().max(1)).unwrap_or(u32::MAX);
        let deadline = Instant::now() + share.max(MIN_DEADLINE).min(module.deadline());
        match runner.call(module, batch, &calls, deadline).await {
            Ok(settled) => {
                is_fresh = false;
                fared.came_back(batch, &calls);
                for Settled { call, verdict } in settled {
                    let called = calls.get(usize::try_from(call).unwrap_or(usize::MAX));
                    let place = called.and_then(|called| place_of(batch, *called));
                    if let Some(call) = place {
                        answer.push(Settled { call, verdict });
                    }
                }
            }
            Err(lost @ Lost::Start(_)) => {
                // Nor would what comes behind it, and it would overtake.
                settle_lost(batch, part, &lost, &mut answer);
                while let Some(part) = parts.pop() {
                    settle_lost(batch, part, &lost, &mut answer);
                }
            }
            Err(lost) if calls.len() == 1 && (is_fresh || is_stopped(&lost)) => {
                is_fresh = true;
                if let Some(place) = calls.first().and_then(|call| place_of(batch, *call)) {
                    blame(batch, place, &lost, &mut answer, fared);
                }
            }
            Err(_) if calls.len() == 1 => {
                is_fresh = true;
                parts.push(part);
            }
            Err(_) => {
                is_fresh = true;
                let middle = part.start + part.len().div_ceil(2);
                parts.push(middle..part.end);
                parts.push(part.start..middle);
            }
        }
    }
    answer
}

/// Events that decide something and have not come further.
fn ended_events(batch: &Batch, answer: &[Settled]) -> Vec<u32> {
    let ended = answer.iter().filter_map(|settled| {
        let call = batch.calls.get(usize::try_from(settled.call).ok()?)?;
        let item = batch.items.get(usize::try_from(call.event).ok()?)?;
        let ends = item.set.hook.is_decision() && !matches!(settled.verdict, Verdict::Proceed);
        ends.then_some(call.event)
    });
    ended.collect()
}

fn place_of(batch: &Batch, call: Call) -> Option<u32> {
    let same = |other: &Call| other.rule == call.rule && other.event == call.event;
    let place = batch.calls.iter().position(same)?;
    u32::try_from(place).ok()
}

/// How the rules of a batch fared that were blamed, or had calls that came back:
/// their breakers are told once a batch.
#[derive(Default)]
struct Fared(Vec<RuleFared>);

struct RuleFared {
    name: Arc<str>,
    breaker: Arc<Breaker>,
    came_back: bool,
}

impl Fared {
    fn of(&mut self, rule: &PlannedRule) -> Option<&mut RuleFared> {
        let known = |fared: &RuleFared| Arc::ptr_eq(&fared.breaker, &rule.breaker);
        let place = self.0.iter().position(known).unwrap_or_else(|| {
            self.0.push(RuleFared {
                name: Arc::clone(&rule.name),
                breaker: Arc::clone(&rule.breaker),
                came_back: false,
            });
            self.0.len() - 1
        });
        self.0.get_mut(place)
    }

    fn came_back(&mut self, batch: &Batch, calls: &[Call]) {
        for run in calls.chunk_by(|left, right| left.rule == right.rule) {
            let found = run.first().and_then(|call| batch.rule(*call));
            if let Some((id, set)) = found
                && let Some(rule) = set.plan.rules.get(id)
                && let Some(fared) = self.of(rule)
            {
                fared.came_back = true;
            }
        }
    }

    fn tell(self) {
        for fared in self.0 {
            if fared.came_back {
                fared.breaker.came_back();
            } else if let Some(pause) = fared.breaker.lost(Instant::now()) {
                tracing::error!(
                    rule = &*fared.name,
                    "its breaker opens for {pause:?}: it brings its module down again and again",
                );
            }
        }
    }
}

/// The call that brings instances down is found.
fn blame(batch: &Batch, place: u32, lost: &Lost, answer: &mut Vec<Settled>, fared: &mut Fared) {
    let call = batch
        .calls
        .get(usize::try_from(place).unwrap_or(usize::MAX));
    let found = call.and_then(|call| batch.rule(*call));
    if let Some((id, set)) = found
        && let Some(rule) = set.plan.rules.get(id)
    {
        rule.counters.lost();
        fared.of(rule);
    }
    answer.push(Settled {
        call: place,
        verdict: Verdict::Failed(to_guest(fault(lost))),
    });
}

fn settle_lost(
    batch: &Batch,
    part: std::ops::Range<usize>,
    lost: &Lost,
    answer: &mut Vec<Settled>,
) {
    let ended = ended_events(batch, answer);
    for place in part {
        let is_ended = batch
            .calls
            .get(place)
            .is_none_or(|call| ended.contains(&call.event));
        if let Some(call) = u32::try_from(place).ok().filter(|_| !is_ended) {
            let verdict = Verdict::Failed(to_guest(fault(lost)));
            answer.push(Settled { call, verdict });
        }
    }
}

/// What is said of a call that brought its instance down. It would do so again,
/// so it is not made again; where the module did not even start, it may be.
fn fault(lost: &Lost) -> Fault {
    let (code, message, retryable) = match lost {
        Lost::Start(error) => {
            let message = format!("the module does not start: {error}");
            ("host:start", message, true)
        }
        Lost::Guest(GuestError::Deadline | GuestError::Held) => {
            let message = "the module was stopped at its deadline".to_owned();
            ("host:deadline", message, false)
        }
        Lost::Guest(GuestError::Trap { cause, backtrace }) => {
            // The first line is for the log, all of it for a dead letter.
            let message = format!("the module trapped: {cause}\n{backtrace}");
            ("host:trap", bounded(message, MAX_MESSAGE_BYTES), false)
        }
    };
    Fault {
        kind: FaultKind::Other,
        code: code.to_owned(),
        message,
        retryable,
    }
}
