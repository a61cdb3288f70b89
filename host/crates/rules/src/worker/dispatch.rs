//! The core's port to the rules of one worker.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use hookwire_broker::{
    Answered, BrokerCall, ClientInfo, Decided, Event, FetchRule, Hook, Hooks, Message,
    PublishFacts, Question, Restored, RuleSet, Stores, Ticket, Wants,
};
use hookwire_driver::FaultKind;
use hookwire_mqtt::{TopicFilter, TopicName};
use tokio::task::JoinHandle;

use crate::host::clock::GuestClock;
use crate::host::fault;
use crate::house::House;
use crate::lane::adopt::{self, Adopted};
use crate::plan::Plan;
use crate::worker::Worker;
use crate::worker::inbox::{Inbox, Order, RulesHandle, tell};
use crate::worker::subject::{Asked, Publish, Subject};
use crate::worker::tap::Tap;

/// Why a worker's lanes cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum WorkerRulesError {
    /// There is no async runtime around the call.
    #[error("worker {worker} has no async runtime to run lanes on")]
    NoRuntime {
        /// Number of the worker.
        worker: usize,
    },
}

/// The rules of one worker: a plan's modules, each in lanes of this worker.
///
/// Dropping it ends the lanes; what they hold is not settled.
pub struct WorkerRules {
    shared: Rc<Worker>,
    lanes: RefCell<Vec<JoinHandle<()>>>,
    inbox: Arc<Inbox>,
    generation: u64,
    clock: GuestClock,
    taps: Vec<Tap>,
}

impl WorkerRules {
    /// Starts the lanes as local tasks. To be called on the worker's thread,
    /// inside its `LocalSet`.
    ///
    /// # Errors
    /// When there is no async runtime.
    ///
    /// # Panics
    /// When there is one, and no `LocalSet` on it.
    pub fn new(
        plan: &Arc<Plan>,
        worker: usize,
        house: Arc<House>,
    ) -> Result<Self, WorkerRulesError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(WorkerRulesError::NoRuntime { worker });
        }
        let rules = Self {
            shared: Rc::new(Worker::new(Arc::clone(plan), house)),
            lanes: RefCell::default(),
            inbox: Arc::default(),
            generation: 0,
            clock: plan.clock.clone(),
            taps: Vec::new(),
        };
        rules.adopt(plan, Vec::new());
        Ok(rules)
    }

    /// A way to give this worker another plan, from any thread.
    #[must_use]
    pub fn handle(&self) -> RulesHandle {
        RulesHandle::new(Arc::clone(&self.inbox))
    }

    fn adopt(&self, plan: &Arc<Plan>, prepared: Vec<crate::lane::queue::Prepared>) {
        for (memory, max_bytes) in &plan.memory_bounds {
            memory.set_bound(*max_bytes);
        }
        let Adopted { lanes, begun } = adopt::adopt(&self.shared, plan, prepared);
        self.shared.adopt(Arc::clone(plan), lanes);
        let mut tasks = self.lanes.borrow_mut();
        tasks.retain(|task| !task.is_finished());
        tasks.extend(begun);
    }

    /// Carries out what other threads asked for.
    fn take_orders(&mut self) {
        for order in self.inbox.take() {
            match order {
                Order::Adopt {
                    plan,
                    prepared,
                    done,
                } => {
                    self.adopt(&plan, prepared);
                    self.generation += 1;
                    tell(done, ());
                }
                Order::Tap { tap, done } => {
                    self.taps.push(tap);
                    self.generation += 1;
                    tell(done, ());
                }
                Order::RunAgain {
                    rule,
                    event,
                    replay,
                } => match event.into_subject() {
                    Ok(subject) => self.shared.run_again(&rule, subject, replay),
                    Err(what) => {
                        tell(replay, Err(fault(FaultKind::Invalid, "record", what)));
                    }
                },
            }
        }
    }
}

impl Drop for WorkerRules {
    fn drop(&mut self) {
        for lane in &*self.lanes.borrow() {
            lane.abort();
        }
    }
}

impl Hooks for WorkerRules {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn wants(&self, hook: Hook) -> bool {
        self.match_whole(hook) != RuleSet::NONE || self.is_tapped(hook)
    }

    fn match_topic(&mut self, hook: Hook, topic: TopicName<'_>) -> RuleSet {
        let rules = self.shared.with_sets(|sets| sets.matching(hook, topic));
        self.or_tapped(hook, rules)
    }

    fn match_filter(&mut self, hook: Hook, filter: &TopicFilter) -> RuleSet {
        let rules = self
            .shared
            .with_sets(|sets| sets.number_of_filter(hook, filter));
        self.or_tapped(hook, rules)
    }

    fn match_client(&mut self, hook: Hook) -> RuleSet {
        self.or_tapped(hook, self.match_whole(hook))
    }

    fn wants_publish(&self, set: RuleSet, facts: PublishFacts) -> bool {
        set != RuleSet::NONE
            && (self.is_tapped(Hook::MessagePublish)
                || self.shared.with_sets(|sets| {
                    sets.get(set)
                        .is_some_and(|set| set.kinds.contain(facts.into()))
                }))
    }

    fn submit_publish(&mut self, set: RuleSet, ticket: Ticket, message: Arc<Message>) {
        let set = self
            .shared
            .set(set)
            .or_else(|| self.shared.set(RuleSet::NONE));
        if let Some(set) = set {
            let publish = Publish {
                ticket,
                message,
                replaced: false,
                is_seen: false,
                stored: Stores::NONE,
            };
            if !self.taps.is_empty() {
                self.tell_taps(&Subject::Publish(publish.clone()));
            }
            self.shared.submit_publish(publish, set);
        }
    }

    fn submit_acked(&mut self, set: RuleSet, client: &Arc<ClientInfo>, message: Arc<Message>) {
        self.submit_acknowledged(Hook::MessageAcked, set, client, message);
    }

    fn submit_position(&mut self, set: RuleSet, client: &Arc<ClientInfo>, message: Arc<Message>) {
        self.submit_acknowledged(Hook::MessagePosition, set, client, message);
    }

    fn fetch_rules(&mut self, wants: Wants, filter: &TopicFilter) -> Vec<FetchRule> {
        self.shared
            .with_sets(|sets| sets.fetch_rules(wants, filter))
    }

    fn rule_names(&self, set: RuleSet) -> Vec<Arc<str>> {
        self.shared
            .with_sets(|sets| sets.get(set).map_or_else(Vec::new, |set| set.rule_names()))
    }

    fn submit_event(&mut self, event: Event) {
        let (set, subject) = match event {
            Event::Node(event) => {
                let whole = self.match_whole(event.hook);
                (self.shared.set(whole), Subject::Node(event))
            }
            Event::Client(event) => {
                let whole = self.match_whole(event.hook);
                (self.shared.set(whole), Subject::Client(event))
            }
            Event::Subscription(event) => {
                let filter = TopicFilter::new(&event.subscription.filter).ok();
                let set = filter.map(|filter| {
                    self.shared
                        .with_sets(|sets| sets.matching_filter(event.hook, &filter))
                });
                (set, Subject::Subscription(event))
            }
            Event::Dropped(event) => {
                let set = TopicName::new(&event.message.topic).ok().and_then(|topic| {
                    let number = self
                        .shared
                        .with_sets(|sets| sets.matching(Hook::MessageDropped, topic));
                    self.shared.set(number)
                });
                (set, Subject::Dropped(event))
            }
        };
        self.tell_taps(&subject);
        if let Some(set) = set {
            self.shared.submit_event(&set, &subject);
        }
    }

    fn ask(&mut self, rules: RuleSet, ticket: Ticket, question: Question) {
        let set = self
            .shared
            .set(rules)
            .or_else(|| self.shared.set(RuleSet::NONE));
        if let Some(set) = set {
            let asked = Asked {
                ticket,
                question,
                at_ms: self.clock.now_ms(),
                replaced: false,
                restored: Restored::default(),
            };
            if self.is_tapped(set.hook) {
                self.tell_taps(&Subject::Asked(Box::new(asked.clone())));
            }
            self.shared.ask(asked, set);
        }
    }

    fn take_answers(&mut self, answers: &mut Vec<Answered>) {
        self.shared.take_answers(answers);
    }

    fn take_calls(&mut self, calls: &mut Vec<BrokerCall>) {
        self.shared.take_calls(calls);
    }

    fn has_room(&self, clientid: &str) -> bool {
        self.shared.has_room(clientid)
    }

    fn may_connect(&self, clientid: &str) -> bool {
        self.shared.may_connect(clientid)
    }

    fn abandon(&mut self, key: u64) {
        self.shared.abandon(key);
    }

    fn take_decided(&mut self, decided: &mut Vec<Decided>) {
        if self.inbox.has_orders() {
            self.take_orders();
        }
        self.end_taps();
        self.shared.take_decided(decided);
    }

    fn set_waker(&mut self, waker: Waker) {
        self.inbox.set_waker(waker.clone());
        self.shared.set_waker(waker);
    }

    fn outstanding(&self) -> usize {
        self.shared.outstanding()
    }
}

impl WorkerRules {
    fn submit_acknowledged(
        &self,
        hook: Hook,
        set: RuleSet,
        client: &Arc<ClientInfo>,
        message: Arc<Message>,
    ) {
        if let Some(set) = self.shared.set(set) {
            let client = Arc::clone(client);
            let subject = Subject::Acked {
                hook,
                client,
                message,
            };
            self.tell_taps(&subject);
            self.shared.submit_event(&set, &subject);
        }
    }

    fn is_tapped(&self, hook: Hook) -> bool {
        self.taps.iter().any(|tap| tap.filter.hook == hook)
    }

    /// The rules, or where there are none and somebody is to be told, a set that
    /// has none and is asked all the same.
    fn or_tapped(&self, hook: Hook, rules: RuleSet) -> RuleSet {
        if rules == RuleSet::NONE && self.is_tapped(hook) {
            self.shared.with_sets(|sets| sets.without_rules(hook))
        } else {
            rules
        }
    }

    fn tell_taps(&self, subject: &Subject) {
        for tap in &self.taps {
            tap.tell(subject);
        }
    }

    /// Forgets those who have heard enough.
    fn end_taps(&mut self) {
        let before = self.taps.len();
        self.taps.retain(Tap::is_wanted);
        if self.taps.len() < before {
            self.generation += 1;
        }
    }

    fn match_whole(&self, hook: Hook) -> RuleSet {
        self.shared.with_sets(|sets| sets.whole(hook))
    }
}
