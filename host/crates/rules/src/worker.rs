//! The rules of one worker: its lanes, the publishes in them, and the verdicts
//! on their way back. Shared by the core's port and the lanes' tasks, all on
//! one thread.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::Entry;
use std::hash::Hasher;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use hookwire_broker::{Decided, Refusal, Verdict};
use hookwire_mqtt::{ReasonCode, TopicName};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use crate::chain::Chains;
use crate::lane::{BatchBounds, ClientHash, Item, Lane, Pressure, Publish, Subject};
use crate::manifest::Hook;
use crate::plan::Plan;
use crate::sets::{Set, Sets};

pub(crate) struct Worker {
    pub(crate) plan: Arc<Plan>,
    pub(crate) sets: RefCell<Sets>,
    chains: RefCell<Chains>,
    /// By module, then by place.
    lanes: Vec<Vec<Rc<Lane>>>,
    pressure: Rc<Pressure>,
    decided: RefCell<Vec<Decided>>,
    waker: RefCell<Option<Waker>>,
    /// Publishes whose verdict was not taken, and events that did not run.
    outstanding: Cell<usize>,
    waiting: RefCell<Waiting>,
}

/// Clients with `client.*` events that did not run. The last of a connection
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

/// What became of a publish in one step.
pub(crate) enum StepEnd {
    /// It goes on, as it is in the item.
    GoesOn,
    /// It goes on under another topic.
    TopicChanged,
    /// It goes no further.
    Ended(Verdict),
}

impl Worker {
    pub(crate) fn new(plan: Arc<Plan>) -> Self {
        let pressure = Rc::new(Pressure::default());
        let lanes = plan.modules.iter().map(|module| {
            let lane = |_| Rc::new(Lane::new(module.max_queued_events, Rc::clone(&pressure)));
            (0..module.lanes).map(lane).collect()
        });
        Self {
            lanes: lanes.collect(),
            sets: RefCell::new(Sets::new(Arc::clone(&plan.rules))),
            chains: RefCell::default(),
            pressure,
            decided: RefCell::default(),
            waker: RefCell::default(),
            outstanding: Cell::default(),
            waiting: RefCell::default(),
            plan,
        }
    }

    /// Every lane, with the number of its module.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = (usize, &Rc<Lane>)> {
        let of_modules = self.lanes.iter().enumerate();
        of_modules.flat_map(|(module, lanes)| lanes.iter().map(move |lane| (module, lane)))
    }

    fn lane(&self, module: usize, client: ClientHash) -> &Lane {
        let lanes = &self.lanes[module];
        // The upper half of the hash, because workers are chosen by hash too.
        let place = ((client >> 32) * lanes.len() as u64) >> 32;
        &lanes[place as usize]
    }

    pub(crate) fn has_room(&self, clientid: &str) -> bool {
        if self.pressure.is_none() {
            return true;
        }
        let client = client_hash(clientid);
        (0..self.lanes.len()).all(|module| self.lane(module, client).has_room())
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

    /// Answers the publishes of a ticket key that no rule has seen, unrun.
    pub(crate) fn abandon(&self, key: u64) {
        let mut unseen = Vec::new();
        let is_meant = |publish: &Publish| publish.ticket.key == key && !publish.is_seen;
        let mut has_room_again = false;
        for (_, lane) in self.lanes() {
            has_room_again |= lane.remove(is_meant, &mut unseen);
        }
        let waiting = unseen.len();
        self.chains.borrow_mut().remove(is_meant, &mut unseen);
        if unseen.len() > waiting {
            // Their places in the lanes are void.
            for (_, lane) in self.lanes() {
                lane.notify();
            }
        }
        if has_room_again || !unseen.is_empty() {
            self.wake_core();
        }
        for publish in unseen {
            let verdict = Verdict::Failed {
                refusal: Refusal {
                    reason: ReasonCode::UnspecifiedError,
                    text: "an earlier message was not stored".to_owned(),
                },
                retryable: true,
            };
            self.finish(publish, Some(verdict));
        }
    }

    /// Runs the steps of a set over a publish.
    pub(crate) fn submit_publish(&self, publish: Publish, set: Rc<Set>) {
        let client = client_hash(&publish.message.sender);
        self.outstanding.set(self.outstanding.get() + 1);
        if !self.enter(publish, set, 0, client) {
            self.wake_core();
        }
    }

    /// Puts a publish into the lanes it has to visit, from step `from` on.
    /// `false`: into none, and it is decided.
    fn enter(&self, publish: Publish, set: Rc<Set>, from: usize, client: ClientHash) -> bool {
        let rules = &self.plan.rules;
        let Some(first) = set.next_step(rules, from, &publish.message) else {
            self.finish(publish, None);
            return false;
        };
        let module = set.steps[first].module;
        if first + 1 == set.steps.len() {
            self.lane(module, client).push(Item {
                client,
                subject: Subject::Publish(publish),
                set,
                step: first,
                chain: None,
            });
            return true;
        }
        let begun = self
            .chains
            .borrow_mut()
            .begin(publish, Rc::clone(&set), first);
        for (number, step) in set.steps.iter().enumerate().skip(first) {
            self.lane(step.module, client)
                .reserve(client, begun.at(number));
        }
        self.lane(module, client).notify();
        true
    }

    /// Takes a publish on after one of its steps has run.
    pub(crate) fn step_ended(&self, item: Item, end: StepEnd) {
        let Item {
            client,
            subject,
            set,
            step,
            chain,
        } = item;
        let Subject::Publish(mut publish) = subject else {
            self.outstanding
                .set(self.outstanding.get().saturating_sub(1));
            if matches!(subject, Subject::Client(_)) && self.waiting.borrow_mut().end(client) {
                self.wake_core();
            }
            return;
        };
        publish.is_seen = true;
        let rules = &self.plan.rules;
        let next = match &end {
            StepEnd::GoesOn => set.next_step(rules, step + 1, &publish.message),
            StepEnd::TopicChanged | StepEnd::Ended(_) => None,
        };
        // Steps that are passed over hold others up in their lanes until they
        // are looked at, so those lanes are told as well.
        if let Some(entry) = chain {
            let passed = next.map_or(set.steps.len(), |next| next + 1);
            for step in set.steps.iter().take(passed).skip(step + 1) {
                self.lane(step.module, client).notify();
            }
            if let Some(next) = next {
                return self.chains.borrow_mut().go_on(entry, publish, next);
            }
            self.chains.borrow_mut().end(entry);
        }
        match end {
            StepEnd::Ended(verdict) => self.finish(publish, Some(verdict)),
            StepEnd::GoesOn => self.finish(publish, None),
            StepEnd::TopicChanged => {
                let done = set.steps[step].rules.last().copied().unwrap_or_default();
                match TopicName::new(&publish.message.topic) {
                    Ok(topic) => {
                        let left = self
                            .sets
                            .borrow_mut()
                            .left(Hook::MessagePublish, topic, done);
                        self.enter(publish, left, 0, client);
                    }
                    Err(_) => self.finish(publish, None),
                }
            }
        }
    }

    fn finish(&self, publish: Publish, ended: Option<Verdict>) {
        let passed = || {
            if publish.replaced {
                Verdict::Replace(publish.message)
            } else {
                Verdict::Proceed
            }
        };
        self.decided.borrow_mut().push(Decided {
            ticket: publish.ticket,
            verdict: ended.unwrap_or_else(passed),
        });
    }

    /// Runs the steps of a set over an event that nothing waits for. Every
    /// module gets it at once, so that it keeps its place among the events of
    /// its client in each.
    pub(crate) fn submit_event(
        &self,
        clientid: &str,
        set: &Rc<Set>,
        subject: impl Fn() -> Subject,
    ) {
        let client = client_hash(clientid);
        let mut from = 0;
        loop {
            let subject = subject();
            let next = match &subject {
                Subject::Acked { message, .. } => set.next_step(&self.plan.rules, from, message),
                Subject::Client(_) | Subject::Publish(_) => {
                    Some(from).filter(|step| *step < set.steps.len())
                }
            };
            let Some(step) = next else {
                return;
            };
            self.outstanding.set(self.outstanding.get() + 1);
            if matches!(subject, Subject::Client(_)) {
                self.waiting.borrow_mut().begin(client);
            }
            self.lane(set.steps[step].module, client).push(Item {
                client,
                subject,
                set: Rc::clone(set),
                step,
                chain: None,
            });
            from = step + 1;
        }
    }

    /// Fills `items` for a lane's next batch.
    pub(crate) fn take(&self, lane: &Lane, bounds: BatchBounds, items: &mut Vec<Item>) {
        if lane.take(&mut self.chains.borrow_mut(), bounds, items) {
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

    pub(crate) fn has_decided(&self) -> bool {
        !self.decided.borrow().is_empty()
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
        self.outstanding.get()
    }
}

fn client_hash(clientid: &str) -> ClientHash {
    let mut hasher = FxHasher::default();
    hasher.write(clientid.as_bytes());
    hasher.finish()
}
