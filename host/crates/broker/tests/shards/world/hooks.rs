//! Hooks that answer when the test says so.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use hookwire_broker::{
    Answered, Authentication, BrokerCall, ClientInfo, Decided, Event, Hook, Hooks, Message,
    PublishFacts, Question, RuleSet, Ticket, WorkerId,
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
    pub(crate) client_events: Vec<(Hook, String, &'static str)>,
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
    pub(crate) answered: Vec<Answered>,
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

    fn wants(&self, hook: Hook) -> bool {
        let script = self.script.borrow();
        match hook {
            Hook::ClientAuthenticate => script.wants_passwords || script.method.is_some(),
            Hook::ClientConnected | Hook::ClientDisconnected => script.listens_to_clients,
            Hook::MessagePublish => script.publish_filter.is_some(),
            Hook::MessageAcked => script.acked_filter.is_some(),
            _ => false,
        }
    }

    fn match_topic(&mut self, hook: Hook, topic: TopicName<'_>) -> RuleSet {
        let script = self.script.borrow();
        match hook {
            Hook::MessagePublish => matching(script.publish_filter.as_ref(), topic),
            Hook::MessageAcked => matching(script.acked_filter.as_ref(), topic),
            _ => RuleSet::NONE,
        }
    }

    fn match_filter(&mut self, _: Hook, _: &TopicFilter) -> RuleSet {
        RuleSet::NONE
    }

    fn match_client(&mut self, hook: Hook) -> RuleSet {
        if self.wants(hook) {
            RULES
        } else {
            RuleSet::NONE
        }
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

    fn submit_acked(&mut self, _: RuleSet, client: &Arc<ClientInfo>, message: Arc<Message>) {
        let payload = String::from_utf8_lossy(&message.payload).into_owned();
        self.script
            .borrow_mut()
            .acked
            .push((client.clientid.to_string(), payload));
    }

    fn submit_event(&mut self, event: Event) {
        if let Event::Client(event) = event {
            let id = event.client.clientid.to_string();
            self.script
                .borrow_mut()
                .client_events
                .push((event.hook, id, event.reason));
        }
    }

    fn ask(&mut self, rules: RuleSet, ticket: Ticket, question: Question) {
        assert_eq!(rules, RULES);
        if let Question::Authenticate(step) = question {
            let mut script = self.script.borrow_mut();
            script
                .authentications
                .push_back((self.worker, ticket, step));
        }
    }

    fn take_answers(&mut self, answers: &mut Vec<Answered>) {
        answers.append(&mut self.answers.borrow_mut().answered);
    }

    fn take_calls(&mut self, _: &mut Vec<BrokerCall>) {}

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
