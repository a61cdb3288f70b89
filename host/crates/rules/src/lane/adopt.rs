//! The lanes that a worker has for a plan: those of the plan before where they
//! serve, new ones where they do not.

use std::rc::Rc;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::lane::before::Before;
use crate::lane::class::Class;
use crate::lane::group::{LaneGroup, Lanes};
use crate::lane::queue::{Lane, Prepared};
use crate::lane::runner::run_lane;
use crate::plan::{Plan, PlannedModule};
use crate::worker::Worker;

/// The lanes of a plan, and the tasks of those that are new.
pub(crate) struct Adopted {
    pub(crate) lanes: Rc<Lanes>,
    pub(crate) begun: Vec<JoinHandle<()>>,
}

/// Finds or makes the lanes of `plan`, and lays the prepared instances into
/// them. A lane goes over to its new module between two batches.
pub(crate) fn adopt(worker: &Rc<Worker>, plan: &Arc<Plan>, mut prepared: Vec<Prepared>) -> Adopted {
    let before = worker.current_lanes();
    let mut begun = Vec::new();
    let mut lanes = Lanes::new();
    for module in &plan.modules {
        let groups = Class::ALL.map(|class| {
            let has_rules = module.classes.get(class.index()).copied().unwrap_or(false);
            if !has_rules {
                return None;
            }
            let old = find(&before, module, class);
            let group = match old {
                Some(old) if old.lanes.len() == module.bounds.lanes => Rc::clone(old),
                _ => {
                    let group = Rc::new(fresh(worker, module, class));
                    worker.note_lanes(&group);
                    for lane in &group.lanes {
                        let lane = run_lane(Rc::clone(worker), Rc::clone(lane));
                        begun.push(tokio::task::spawn_local(lane));
                    }
                    group
                }
            };
            for lane in &group.lanes {
                lane.set_bound(module.bounds.max_queued_events);
                let serves = prepared
                    .iter()
                    .position(|prepared| Arc::ptr_eq(&prepared.module, module));
                let is_known = old.is_some() && serves.is_none();
                if !is_known {
                    let next = match serves {
                        Some(place) => prepared.swap_remove(place),
                        None => Prepared {
                            module: Arc::clone(module),
                            instance: None,
                        },
                    };
                    lane.prepared.replace(Some(next));
                    lane.notify();
                }
            }
            Some(group)
        });
        lanes.push(groups);
    }
    Adopted {
        lanes: Rc::new(lanes),
        begun,
    }
}

fn find<'a>(lanes: &'a Lanes, module: &PlannedModule, class: Class) -> Option<&'a Rc<LaneGroup>> {
    let mut groups = lanes.iter().flatten().flatten();
    groups.find(|group| group.module == module.name && group.class == class)
}

/// New lanes. Where clients change lanes, those that served the module before, in
/// whatever plan, have to be done with a client before the new ones serve it: its
/// events stay in order.
fn fresh(worker: &Worker, module: &PlannedModule, class: Class) -> LaneGroup {
    let before = worker.earlier_lanes(&module.name, class);
    let before: Vec<_> = before.iter().map(Rc::downgrade).collect();
    let lane = |_| {
        let bound = module.bounds.max_queued_events;
        let lane = Lane::new(bound, Rc::clone(&worker.pressure));
        lane.set_before(Before::of(before.clone()));
        Rc::new(lane)
    };
    LaneGroup {
        module: Arc::clone(&module.name),
        class,
        lanes: (0..module.bounds.lanes).map(lane).collect(),
    }
}
