//! Hooks that answer when the test says so.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use hookwire_broker::{
    Authenticated, Authentication, ClientEvent, ClientHook, ClientInfo, Decided, Hooks, Message,
    PublishFacts, RuleSet, Ticket, WorkerId,
};
use hookwire_mqtt::{TopicFilter, TopicName};

/// What a test sees of the hooks of all shards, and how it answers them.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// A message.publish rule listens to these topics.
    pub(crate) publish_filter: Option<TopicFilter>,
    /// A message.acked rule listens to these topics.
    pub(crate) acked_filter: Option<TopicFilter>,
    pub(crate) listens_to_clients: bool,
    pub(crate) full: bool,
    pub(crate) submitted: VecDeque<(WorkerId, Ticket, Arc<Message>)>,
    pub(crate) acked: Vec<(String, String)>,
    pub(crate) abandoned: Vec<u64>,
    pub(crate) client_events: Vec<(ClientHook, String, &'static str)>,
    /// Whether somebody looks at user names and passwords.
    pub(crate) wants_passwords: bool,
    /// The one method of enhanced authentication.
    pub(crate) method: Option<&'static str>,
    pub(crate) authentications: VecDeque<(WorkerId, Ticket, Authentication)>,
}

impl Script {
    fn authenticates(&self, method: Option<&str>) -> bool {
        match method {
            None => self.wants_passwords,
            method => method == self.method,
        }
    }
}

#[derive(Debug)]
pub(crate) struct ScriptedHooks {
    pub(crate) worker: WorkerId,
    pub(crate) script: Rc<RefCell<Script>>,
    pub(crate) answers: Rc<RefCell<Answers>>,
}

/// What the hooks of one worker have answered and the shard has not taken.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) decided: Vec<Decided>,
    pub(crate) authenticated: Vec<Authenticated>,
}

const RULES: RuleSet = RuleSet(1);

fn matching(filter: Option<&TopicFilter>, topic: TopicName<'_>) -> RuleSet {
    match filter {
        Some(filter) if filter.matches(topic) => RULES,
        _ => RuleSet::NONE,
    }
}

impl Hooks for ScriptedHooks {
    fn generation(&self) -> u64 {
        0
    }

    fn match_publish(&mut self, topic: TopicName<'_>) -> RuleSet {
        matching(self.script.borrow().publish_filter.as_ref(), topic)
    }

    fn wants_publish(&self, set: RuleSet, _: PublishFacts) -> bool {
        set == RULES
    }

    fn submit_publish(&mut self, set: RuleSet, ticket: Ticket, message: Arc<Message>) {
        assert_eq!(set, RULES);
        self.script
            .borrow_mut()
            .submitted
            .push_back((self.worker, ticket, message));
    }

    fn wants_acked(&self) -> bool {
        self.script.borrow().acked_filter.is_some()
    }

    fn match_acked(&mut self, topic: TopicName<'_>) -> RuleSet {
        matching(self.script.borrow().acked_filter.as_ref(), topic)
    }

    fn submit_acked(&mut self, _: RuleSet, client: &Arc<ClientInfo>, message: Arc<Message>) {
        let payload = String::from_utf8_lossy(&message.payload).into_owned();
        self.script
            .borrow_mut()
            .acked
            .push((client.clientid.to_string(), payload));
    }

    fn wants_client(&self, _: ClientHook) -> bool {
        self.script.borrow().listens_to_clients
    }

    fn submit_client(&mut self, event: ClientEvent) {
        let id = event.client.clientid.to_string();
        self.script
            .borrow_mut()
            .client_events
            .push((event.hook, id, event.reason));
    }

    fn wants_authentication(&self, method: Option<&str>) -> bool {
        self.script.borrow().authenticates(method)
    }

    fn submit_authentication(&mut self, ticket: Ticket, step: Authentication) {
        let mut script = self.script.borrow_mut();
        script
            .authentications
            .push_back((self.worker, ticket, step));
    }

    fn take_authenticated(&mut self, answers: &mut Vec<Authenticated>) {
        answers.append(&mut self.answers.borrow_mut().authenticated);
    }

    fn has_room(&self, _: &str) -> bool {
        !self.script.borrow().full
    }

    fn may_connect(&self, clientid: &str) -> bool {
        self.has_room(clientid)
    }

    fn abandon(&mut self, key: u64) {
        self.script.borrow_mut().abandoned.push(key);
    }

    fn take_decided(&mut self, decided: &mut Vec<Decided>) {
        decided.append(&mut self.answers.borrow_mut().decided);
    }

    fn set_waker(&mut self, _: Waker) {}

    fn outstanding(&self) -> usize {
        self.script.borrow().submitted.len()
    }
}
