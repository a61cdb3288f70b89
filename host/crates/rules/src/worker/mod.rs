//! The rules of one worker: its lanes, what is in them, and the verdicts and
//! answers on their way back. Shared by the core's port and the lanes' tasks,
//! all on one thread.

pub(crate) mod chain;
pub(crate) mod dispatch;
pub(crate) mod inbox;
pub(crate) mod subject;
pub(crate) mod tap;

mod publishes;
mod questions;
mod readers;
mod rebind;

use std::cell::{Cell, RefCell};
use std::collections::hash_map::Entry;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Waker;

use hookwire_broker::{Answered, BrokerCall, Decided, RuleSet, Verdict};
use hookwire_driver::{Fault, FaultKind};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::host::fault;
use crate::house::House;
use crate::lane::class::Class;
use crate::lane::group::{LaneGroup, Lanes};
use crate::lane::item::{Item, Replay};
use crate::lane::queue::{Lane, Pressure};
use crate::plan::set::Set;
use crate::plan::sets::Sets;
use crate::plan::{Plan, RuleId};
use crate::worker::chain::Chains;
use crate::worker::inbox::tell;
use crate::worker::readers::Readers;
use crate::worker::subject::{ClientHash, Subject, client_hash};

pub(crate) struct Worker {
    pub(crate) house: Arc<House>,
    current: RefCell<Current>,
    /// Lanes of this plan and of earlier ones that something may be left in.
    groups: RefCell<Vec<Weak<LaneGroup>>>,
    chains: RefCell<Chains>,
    /// Items that came.
    came: Cell<u64>,
    pub(crate) pressure: Rc<Pressure>,
    decided: RefCell<Vec<Decided>>,
    answers: RefCell<Vec<Answered>>,
    calls: RefCell<Vec<BrokerCall>>,
    waker: RefCell<Option<Waker>>,
    /// Publishes and questions whose answer was not taken, and events that did
    /// not run.
    outstanding: Cell<usize>,
    /// What clients want to read while they have something to write.
    readers: RefCell<Readers>,
    waiting: RefCell<Waiting>,
}

/// The plan that new events run by.
struct Current {
    plan: Arc<Plan>,
    lanes: Rc<Lanes>,
    sets: Sets,
}

/// Clients with events about them that did not run. The last of a connection
/// comes behind everything else of it, so nothing else has to be counted.
#[derive(Default)]
struct Waiting {
    events: FxHashMap<ClientHash, u32>,
    /// Clients that may not connect until theirs are through.
    refused: FxHashSet<ClientHash>,
}

impl Waiting {
    fn begin(&mut self, client: ClientHash) {
        *self.events.entry(client).or_default() += 1;
    }

    /// Whether the core has to be told that the client may connect now.
    fn end(&mut self, client: ClientHash) -> bool {
        if let Entry::Occupied(mut entry) = self.events.entry(client) {
            if *entry.get() > 1 {
                *entry.get_mut() -= 1;
                return false;
            }
            entry.remove();
        }
        !self.refused.is_empty() && self.refused.remove(&client)
    }
}

/// Code of the fault that says that a rule is not there.
pub(crate) const NO_RULE: &str = "host:rule";
/// Code of the fault that says that a rule is there and would not be called.
const NOT_TAKEN: &str = "host:not-taken";

/// What became of a subject in one step.
pub(crate) enum StepEnd {
    /// It goes on, as it is in the item.
    GoesOn,
    /// It was changed: the rules behind this one are looked for again.
    Changed(RuleId),
    /// The publish goes no further.
    Ended(Verdict),
    /// The question is answered.
    Answered(hookwire_broker::Answer),
    /// The event, run again from disk, failed again.
    Lost(Fault),
}

impl Worker {
    pub(crate) fn new(plan: Arc<Plan>, house: Arc<House>) -> Self {
        let lanes = Rc::new(Lanes::new());
        Self {
            house,
            current: RefCell::new(Current {
                sets: Sets::new(Arc::clone(&plan), Rc::clone(&lanes)),
                plan,
                lanes,
            }),
            groups: RefCell::default(),
            chains: RefCell::default(),
            came: Cell::default(),
            pressure: Rc::default(),
            decided: RefCell::default(),
            answers: RefCell::default(),
            calls: RefCell::default(),
            waker: RefCell::default(),
            outstanding: Cell::default(),
            readers: RefCell::default(),
            waiting: RefCell::default(),
        }
    }

    /// New events run by this plan, in these lanes.
    pub(crate) fn adopt(&self, plan: Arc<Plan>, lanes: Rc<Lanes>) {
        self.current.replace(Current {
            sets: Sets::new(Arc::clone(&plan), Rc::clone(&lanes)),
            plan,
            lanes,
        });
    }

    pub(crate) fn current_lanes(&self) -> Rc<Lanes> {
        Rc::clone(&self.current.borrow().lanes)
    }

    pub(crate) fn with_sets<T>(&self, ask: impl FnOnce(&mut Sets) -> T) -> T {
        ask(&mut self.current.borrow_mut().sets)
    }

    pub(crate) fn set(&self, set: RuleSet) -> Option<Rc<Set>> {
        self.current.borrow().sets.get(set).map(Rc::clone)
    }

    /// Every lane, also those that no new events go to.
    fn lanes(&self) -> Vec<Rc<Lane>> {
        self.lanes_of(|_| true)
    }

    /// The lanes of a module and class, of this plan and of earlier ones.
    pub(crate) fn earlier_lanes(&self, module: &str, class: Class) -> Vec<Rc<Lane>> {
        self.lanes_of(|group| &*group.module == module && group.class == class)
    }

    fn lanes_of(&self, is_meant: impl Fn(&LaneGroup) -> bool) -> Vec<Rc<Lane>> {
        let groups = self.groups.borrow();
        let groups = groups.iter().filter_map(Weak::upgrade);
        let groups = groups.filter(|group| is_meant(group));
        groups
            .flat_map(|group| group.lanes.iter().map(Rc::clone).collect::<Vec<_>>())
            .collect()
    }

    /// There are new lanes.
    pub(crate) fn note_lanes(&self, group: &Rc<LaneGroup>) {
        let mut groups = self.groups.borrow_mut();
        groups.retain(|group| group.strong_count() > 0);
        groups.push(Rc::downgrade(group));
    }

    fn next_came(&self) -> u64 {
        let came = self.came.get() + 1;
        self.came.set(came);
        came
    }

    fn lane_of(set: &Set, step: usize, client: ClientHash) -> Option<&Rc<Lane>> {
        let module = set.steps.get(step)?.module;
        let group = set.lanes.get(module)?.get(Class::of(set.hook).index())?;
        group.as_ref()?.of(client)
    }

    pub(crate) fn has_room(&self, clientid: &str) -> bool {
        if self.pressure.is_none() {
            return true;
        }
        let client = client_hash(clientid);
        let current = self.current.borrow();
        let mut groups = current.lanes.iter().flatten().flatten();
        groups.all(|group| group.of(client).is_none_or(|lane| lane.has_room()))
    }

    pub(crate) fn may_connect(&self, clientid: &str) -> bool {
        let client = client_hash(clientid);
        let mut waiting = self.waiting.borrow_mut();
        if waiting.events.contains_key(&client) {
            waiting.refused.insert(client);
            return false;
        }
        drop(waiting);
        self.has_room(clientid)
    }

    /// Takes a subject on after one of its steps has run.
    pub(crate) fn step_ended(&self, mut item: Item, end: StepEnd) {
        if let Some(replay) = item.replay.take() {
            let fared = match end {
                StepEnd::Lost(fault) => Err(fault),
                _ => Ok(()),
            };
            return tell(replay, fared);
        }
        match item.subject {
            Subject::Publish(_) => self.publish_step_ended(item, end),
            Subject::Asked(_) => self.question_step_ended(item, end),
            _ => {
                let outstanding = self.outstanding.get();
                self.outstanding.set(outstanding.saturating_sub(1));
                self.write_ended(item.client);
                if is_about_client(&item.subject) && self.waiting.borrow_mut().end(item.client) {
                    self.wake_core();
                }
            }
        }
    }

    /// Runs the steps of a set over an event that nothing waits for. Every
    /// module gets it at once, so that it keeps its place among the events of
    /// its client in each.
    pub(crate) fn submit_event(&self, set: &Rc<Set>, subject: &Subject) {
        let client = client_hash(subject.clientid());
        let mut from = 0;
        while let Some(step) = set.next_step(from, subject) {
            from = step + 1;
            let Some(lane) = Self::lane_of(set, step, client) else {
                continue;
            };
            self.outstanding.set(self.outstanding.get() + 1);
            self.readers.borrow_mut().write_began(client);
            if is_about_client(subject) {
                self.waiting.borrow_mut().begin(client);
            }
            lane.push(Item {
                client,
                came: self.next_came(),
                subject: subject.clone(),
                set: Rc::clone(set),
                step,
                chain: None,
                rest: None,
                replay: None,
            });
        }
    }

    /// Runs one rule of the current plan over an event from disk.
    pub(crate) fn run_again(&self, rule: &str, subject: Subject, replay: Replay) {
        let gone = |replay: Replay, message: String| {
            let fault = Fault {
                code: NO_RULE.to_owned(),
                ..fault(FaultKind::Unavailable, "rule", message)
            };
            tell(replay, Err(fault));
        };
        let mut current = self.current.borrow_mut();
        let hook = subject.hook();
        let found = current.plan.rules.chain(hook).find(|id| {
            let named = current.plan.rules.get(*id);
            named.is_some_and(|named| &*named.name == rule)
        });
        let Some(id) = found else {
            let message = format!("there is no rule {rule:?} on {}", hook.name());
            return gone(replay, message);
        };
        let set = current.sets.set_of(hook, &[id]);
        let named = current.plan.rules.get(id);
        if !named.is_some_and(|named| set.runs(named, &subject)) {
            // Nothing would be called, which is not the same as going well.
            let message = format!("rule {rule:?} no longer takes this event: see its action");
            let fault = Fault {
                code: NOT_TAKEN.to_owned(),
                ..fault(FaultKind::Invalid, "rule", message)
            };
            return tell(replay, Err(fault));
        }
        let client = client_hash(subject.clientid());
        match Self::lane_of(&set, 0, client).map(Rc::clone) {
            Some(lane) => lane.push(Item {
                client,
                came: self.next_came(),
                subject,
                set,
                step: 0,
                chain: None,
                rest: None,
                replay: Some(replay),
            }),
            None => gone(replay, format!("the module of rule {rule:?} has no lane")),
        }
    }

    /// Fills `items` for a lane's next batch.
    pub(crate) fn take(&self, lane: &Lane, items: &mut Vec<Item>) {
        if lane.take(&mut self.chains.borrow_mut(), items) {
            self.wake_core();
        }
    }

    pub(crate) fn take_decided(&self, decided: &mut Vec<Decided>) {
        let mut ready = self.decided.borrow_mut();
        let outstanding = self.outstanding.get();
        self.outstanding
            .set(outstanding.saturating_sub(ready.len()));
        decided.append(&mut ready);
    }

    pub(crate) fn take_answers(&self, answers: &mut Vec<Answered>) {
        let mut ready = self.answers.borrow_mut();
        let outstanding = self.outstanding.get();
        self.outstanding
            .set(outstanding.saturating_sub(ready.len()));
        answers.append(&mut ready);
    }

    pub(crate) fn put_down(&self, calls: impl Iterator<Item = BrokerCall>) {
        self.calls.borrow_mut().extend(calls);
        self.wake_core();
    }

    pub(crate) fn take_calls(&self, calls: &mut Vec<BrokerCall>) {
        calls.append(&mut self.calls.borrow_mut());
    }

    /// Whether there is something for the core to take.
    pub(crate) fn has_results(&self) -> bool {
        !self.decided.borrow().is_empty()
            || !self.answers.borrow().is_empty()
            || !self.calls.borrow().is_empty()
    }

    pub(crate) fn wake_core(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn set_waker(&self, waker: Waker) {
        *self.waker.borrow_mut() = Some(waker);
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.get() + self.calls.borrow().len()
    }
}

fn is_about_client(subject: &Subject) -> bool {
    matches!(subject, Subject::Client(_) | Subject::Subscription(_))
}
