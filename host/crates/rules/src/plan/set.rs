//! The rules that run on one event, cut into the steps in which they run.

use std::rc::Rc;
use std::sync::Arc;

use hookwire_broker::{Hook, Stores};

use crate::lane::group::Lanes;
use crate::module::interest::{MessageKind, MessageKinds};
use crate::plan::{Plan, PlannedRule, RuleId};
use crate::worker::subject::Subject;

/// Rules of one hook that run on one event, one call into a guest after another.
pub(crate) struct Set {
    pub(crate) plan: Arc<Plan>,
    /// The lanes of the plan's modules on this worker.
    pub(crate) lanes: Rc<Lanes>,
    pub(crate) hook: Hook,
    pub(crate) steps: Box<[Step]>,
    /// Messages that any of the rules has to see.
    pub(crate) kinds: MessageKinds,
    /// Whether filters must be asked for each message.
    pub(crate) asks_filters: bool,
    /// Where any of the rules stores a message that is published.
    pub(crate) stores: Stores,
}

/// Consecutive rules of one module: one call.
pub(crate) struct Step {
    pub(crate) module: usize,
    pub(crate) rules: Box<[RuleId]>,
    kinds: MessageKinds,
}

impl Set {
    pub(crate) fn of(
        plan: &Arc<Plan>,
        lanes: &Rc<Lanes>,
        hook: Hook,
        ids: &[RuleId],
        asks_filters: bool,
    ) -> Self {
        let same_step = |left: &RuleId, right: &RuleId| {
            matches!(
                (plan.rules.get(*left), plan.rules.get(*right)),
                (Some(left), Some(right)) if share_a_call(left, right)
            )
        };
        let steps: Box<[Step]> = ids
            .chunk_by(same_step)
            .map(|ids| Step::of(plan, ids))
            .collect();
        let kinds = steps
            .iter()
            .fold(MessageKinds::NONE, |kinds, step| kinds.union(step.kinds));
        let storing = ids.iter().filter_map(|id| plan.rules.get(*id));
        let storing = storing.filter(|rule| rule.stores && hook == Hook::MessagePublish);
        let stores = storing.fold(Stores::NONE, |stores, rule| stores.union(rule.store));
        Self {
            plan: Arc::clone(plan),
            lanes: Rc::clone(lanes),
            hook,
            steps,
            kinds,
            asks_filters,
            stores,
        }
    }

    /// The names of its rules, in the order in which they run.
    pub(crate) fn rule_names(&self) -> Vec<Arc<str>> {
        let ids = self.steps.iter().flat_map(|step| step.rules.iter());
        let rules = ids.filter_map(|id| self.plan.rules.get(*id));
        rules.map(|rule| Arc::clone(&rule.name)).collect()
    }

    /// The first step from number `from` on that has to see the subject.
    pub(crate) fn next_step(&self, from: usize, subject: &Subject) -> Option<usize> {
        let Some(message) = subject.message() else {
            return Some(from).filter(|step| *step < self.steps.len());
        };
        let kind = MessageKind::from(&**message);
        let has_to_see = |step: &Step| {
            step.kinds.contain(kind)
                && (!self.asks_filters
                    || step
                        .rules
                        .iter()
                        .filter_map(|id| self.plan.rules.get(*id))
                        .any(|rule| self.runs(rule, subject)))
        };
        let mut steps = self.steps.iter().enumerate().skip(from);
        steps
            .find(|(_, step)| has_to_see(step))
            .map(|(number, _)| number)
    }

    /// Whether a rule of the set runs on a subject.
    pub(crate) fn runs(&self, rule: &PlannedRule, subject: &Subject) -> bool {
        let kind = subject
            .message()
            .map(|message| MessageKind::from(&**message));
        kind.is_none_or(|kind| rule.interest.kinds.contain(kind))
            && (!self.asks_filters || subject.is_for(&rule.filter))
    }
}

/// Neighbours of one module are one call. A module is to run none of them on an
/// event that one before has changed or ended; but for the case that it does,
/// rules that store have a call of their own behind those that do not.
fn share_a_call(left: &PlannedRule, right: &PlannedRule) -> bool {
    let is_cut = left.hook.is_decision() && left.stores != right.stores;
    left.module == right.module && !is_cut
}

impl Step {
    fn of(plan: &Plan, ids: &[RuleId]) -> Self {
        let planned = || ids.iter().filter_map(|id| plan.rules.get(*id));
        Self {
            module: planned().next().map_or(usize::MAX, |rule| rule.module),
            rules: ids.into(),
            kinds: planned().fold(MessageKinds::NONE, |kinds, rule| {
                kinds.union(rule.interest.kinds)
            }),
        }
    }
}
