//! The core's port to the rules of one worker.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use hookwire_broker::{
    Authenticated, Authentication, AuthenticationOutcome, ClientEvent, ClientHook, ClientInfo,
    Decided, Hooks, Message, PublishFacts, Refusal, RuleSet, Ticket,
};
use hookwire_mqtt::{ReasonCode, TopicName};
use tokio::task::JoinHandle;

use crate::lane::{Publish, Subject};
use crate::manifest::Hook;
use crate::plan::Plan;
use crate::runner::run_lane;
use crate::sets::Set;
use crate::worker::Worker;

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
    lanes: Vec<JoinHandle<()>>,
    /// Steps of authentication that nobody said they were wanted.
    unwanted: Vec<Ticket>,
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
    pub fn new(plan: Arc<Plan>, worker: usize) -> Result<Self, WorkerRulesError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(WorkerRulesError::NoRuntime { worker });
        }
        let shared = Rc::new(Worker::new(plan));
        let lanes = shared.lanes().map(|(module, lane)| {
            let lane = run_lane(Rc::clone(&shared), module, Rc::clone(lane));
            tokio::task::spawn_local(lane)
        });
        Ok(Self {
            lanes: lanes.collect(),
            shared,
            unwanted: Vec::new(),
        })
    }

    fn set(&self, set: RuleSet) -> Option<Rc<Set>> {
        self.shared.sets.borrow().get(set).map(Rc::clone)
    }
}

impl Drop for WorkerRules {
    fn drop(&mut self) {
        for lane in &self.lanes {
            lane.abort();
        }
    }
}

impl Hooks for WorkerRules {
    fn generation(&self) -> u64 {
        0
    }

    fn match_publish(&mut self, topic: TopicName<'_>) -> RuleSet {
        let mut sets = self.shared.sets.borrow_mut();
        sets.matching(Hook::MessagePublish, topic)
    }

    fn wants_publish(&self, set: RuleSet, facts: PublishFacts) -> bool {
        set != RuleSet::NONE
            && self
                .shared
                .sets
                .borrow()
                .get(set)
                .is_some_and(|set| set.kinds.contain(facts.into()))
    }

    fn submit_publish(&mut self, set: RuleSet, ticket: Ticket, message: Arc<Message>) {
        let set = self.set(set).or_else(|| self.set(RuleSet::NONE));
        if let Some(set) = set {
            let publish = Publish {
                ticket,
                message,
                replaced: false,
                is_seen: false,
            };
            self.shared.submit_publish(publish, set);
        }
    }

    fn wants_acked(&self) -> bool {
        self.shared.sets.borrow().whole(Hook::MessageAcked) != RuleSet::NONE
    }

    fn match_acked(&mut self, topic: TopicName<'_>) -> RuleSet {
        let mut sets = self.shared.sets.borrow_mut();
        sets.matching(Hook::MessageAcked, topic)
    }

    fn submit_acked(&mut self, set: RuleSet, client: &Arc<ClientInfo>, message: Arc<Message>) {
        if let Some(set) = self.set(set) {
            self.shared
                .submit_event(&client.clientid, &set, || Subject::Acked {
                    client: Arc::clone(client),
                    message: Arc::clone(&message),
                });
        }
    }

    fn wants_client(&self, hook: ClientHook) -> bool {
        self.shared.sets.borrow().whole(hook.into()) != RuleSet::NONE
    }

    fn submit_client(&mut self, event: ClientEvent) {
        let number = self.shared.sets.borrow().whole(event.hook.into());
        if let Some(set) = self.set(number) {
            let client = Arc::clone(&event.client);
            self.shared
                .submit_event(&client.clientid, &set, || Subject::Client(event.clone()));
        }
    }

    fn wants_authentication(&self, _: Option<&str>) -> bool {
        // No hook of this runtime authenticates.
        false
    }

    fn submit_authentication(&mut self, ticket: Ticket, _: Authentication) {
        self.unwanted.push(ticket);
        self.shared.wake_core();
    }

    fn take_authenticated(&mut self, answers: &mut Vec<Authenticated>) {
        let refused = |ticket| Authenticated {
            ticket,
            outcome: AuthenticationOutcome::Deny {
                refusal: Refusal {
                    reason: ReasonCode::BadAuthenticationMethod,
                    text: "no rule authenticates".to_owned(),
                },
                server_reference: None,
            },
        };
        answers.extend(self.unwanted.drain(..).map(refused));
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
        self.shared.take_decided(decided);
    }

    fn set_waker(&mut self, waker: Waker) {
        self.shared.set_waker(waker);
    }

    fn outstanding(&self) -> usize {
        self.shared.outstanding()
    }
}

impl From<ClientHook> for Hook {
    fn from(hook: ClientHook) -> Self {
        match hook {
            ClientHook::Connected => Self::ClientConnected,
            ClientHook::Disconnected => Self::ClientDisconnected,
        }
    }
}
