//! An event whose call is made again goes over to the plan that runs now, where
//! that has the same rules for it: what made the call fail may be mended there.

use std::rc::Rc;
use std::sync::Arc;

use crate::lane::item::Item;
use crate::lane::queue::Lane;
use crate::plan::set::Set;
use crate::plan::{Plan, PlannedRule, RuleId};
use crate::worker::Worker;

impl Worker {
    /// Has the rules that are left of an event run by the current plan, if they
    /// store, if the event visits no other lane behind this one, and if each of
    /// them has its like there in the same lane.
    pub(crate) fn rebind(&self, item: &mut Item, lane: &Lane) {
        let mut current = self.current.borrow_mut();
        if Arc::ptr_eq(&item.set.plan, &current.plan) {
            return;
        }
        let visits_others = item.set.hook.is_decision()
            && item.set.next_step(item.step + 1, &item.subject).is_some();
        if visits_others {
            return;
        }
        let Some(rules) = item.likes_in(&current.plan) else {
            return;
        };
        let set = current.sets.set_of(item.set.hook, &rules);
        let is_served_here = set.steps.len() == 1
            && Self::lane_of(&set, 0, item.client).is_some_and(|served| is_same(served, lane));
        if !is_served_here {
            return;
        }
        item.set = set;
        item.step = 0;
        if let Some(rest) = &mut item.rest {
            rest.rules = rules;
        }
    }
}

impl Item {
    /// The rules of another plan that are like those that are left to run, in the
    /// order in which they run there. None: not all are there.
    fn likes_in(&self, plan: &Plan) -> Option<Vec<RuleId>> {
        let old: &Set = &self.set;
        let left = self.rules().iter().filter_map(|id| old.plan.rules.get(*id));
        let mut likes = Vec::new();
        for rule in left.filter(|rule| old.runs(rule, &self.subject)) {
            let mut chain = plan.rules.chain(old.hook);
            let like = chain.find(|id| {
                let like = plan.rules.get(*id);
                like.is_some_and(|like| is_like((&old.plan, rule), (plan, like)))
            })?;
            likes.push(like);
        }
        likes.sort_unstable();
        (!likes.is_empty()).then_some(likes)
    }
}

/// Whether a rule does in its plan what another does in its own.
fn is_like((old_plan, old): (&Plan, &PlannedRule), (plan, rule): (&Plan, &PlannedRule)) -> bool {
    let module = |plan: &Plan, rule: &PlannedRule| {
        let module = plan.modules.get(rule.module)?;
        Some(Arc::clone(&module.name))
    };
    old.stores
        && rule.stores
        && old.name == rule.name
        && old.action == rule.action
        && old.interest.kinds == rule.interest.kinds
        && module(old_plan, old) == module(plan, rule)
}

fn is_same(served: &Rc<Lane>, lane: &Lane) -> bool {
    std::ptr::eq(Rc::as_ptr(served), lane)
}
