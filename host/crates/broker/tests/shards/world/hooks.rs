//! Hooks that answer when the test says so, and write down all they are told.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use hookwire_broker::{
    Answered, Authentication, BrokerCall, ClientInfo, Decided, Event, FetchRule, Hook, Hooks,
    Message, PublishFacts, Question, RuleSet, Ticket, Wants, WorkerId,
};
use hookwire_mqtt::{TopicFilter, TopicName};

use super::store::{STORE, Store};
use super::words;

/// What a test sees of the hooks of all shards, and how it answers them.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// A message.publish rule listens to these topics.
    pub(crate) publish_filter: Option<TopicFilter>,
    /// A message.acked rule listens to these topics.
    pub(crate) acked_filter: Option<TopicFilter>,
    pub(crate) listens_to_clients: bool,
    /// Other hooks that rules listen to, and where.
    pub(crate) rules: BTreeMap<Hook, TopicFilter>,
    pub(crate) generation: u64,
    pub(crate) full: bool,
    /// As `full`, for the lane of one client.
    pub(crate) full_lane: Option<&'static str>,
    pub(crate) submitted: VecDeque<(WorkerId, Ticket, Arc<Message>)>,
    pub(crate) acked: Vec<(String, String)>,
    pub(crate) abandoned: Vec<u64>,
    pub(crate) client_events: Vec<(Hook, String, &'static str)>,
    /// Whether somebody looks at user names and passwords.
    pub(crate) wants_passwords: bool,
    /// The one method of enhanced authentication.
    pub(crate) method: Option<&'static str>,
    pub(crate) authentications: VecDeque<(WorkerId, Ticket, Authentication)>,
    /// Every other question that is not answered.
    pub(crate) questions: VecDeque<(WorkerId, Ticket, Question)>,
    /// Everything that hooks were told, in order, in words.
    pub(crate) log: Vec<String>,
    /// The events among it.
    pub(crate) events: Vec<Event>,
    pub(crate) store: Store,
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
    pub(crate) calls: Vec<BrokerCall>,
}

const RULES: RuleSet = RuleSet(1);

impl Script {
    fn filter(&self, hook: Hook) -> Option<&TopicFilter> {
        match hook {
            Hook::MessagePublish => self.publish_filter.as_ref(),
            Hook::MessageAcked => self.acked_filter.as_ref(),
            _ => self.rules.get(&hook),
        }
    }
}

impl Hooks for ScriptedHooks {
    fn generation(&self) -> u64 {
        self.script.borrow().generation
    }

    fn wants(&self, hook: Hook) -> bool {
        let script = self.script.borrow();
        match hook {
            Hook::ClientAuthenticate => script.wants_passwords || script.method.is_some(),
            Hook::ClientConnected | Hook::ClientDisconnected => {
                script.listens_to_clients || script.rules.contains_key(&hook)
            }
            _ => script.filter(hook).is_some(),
        }
    }

    fn match_topic(&mut self, hook: Hook, topic: TopicName<'_>) -> RuleSet {
        match self.script.borrow().filter(hook) {
            Some(filter) if filter.matches(topic) => RULES,
            _ => RuleSet::NONE,
        }
    }

    fn match_filter(&mut self, hook: Hook, filter: &TopicFilter) -> RuleSet {
        let script = self.script.borrow();
        let Some(rule) = script.filter(hook) else {
            return RuleSet::NONE;
        };
        // Near enough for the filters of these tests.
        let topic = filter.as_str().replace(['+', '#'], "x");
        match TopicName::new(&topic) {
            Ok(topic) if rule.matches(topic) => RULES,
            _ => RuleSet::NONE,
        }
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
        let mut script = self.script.borrow_mut();
        script.log.push(words::published(&message));
        script.submitted.push_back((self.worker, ticket, message));
    }

    fn submit_acked(&mut self, _: RuleSet, client: &Arc<ClientInfo>, message: Arc<Message>) {
        let payload = String::from_utf8_lossy(&message.payload).into_owned();
        let mut script = self.script.borrow_mut();
        script
            .log
            .push(format!("message.acked {} {payload}", client.clientid));
        script.acked.push((client.clientid.to_string(), payload));
    }

    fn submit_position(&mut self, _: RuleSet, client: &Arc<ClientInfo>, message: Arc<Message>) {
        let payload = String::from_utf8_lossy(&message.payload).into_owned();
        let mut script = self.script.borrow_mut();
        script
            .log
            .push(format!("message.position {} {payload}", client.clientid));
        script.store.acknowledged(&client.clientid, &message);
    }

    fn fetch_rules(&mut self, wants: Wants, filter: &TopicFilter) -> Vec<FetchRule> {
        match self.match_filter(wants.hook(), filter) {
            RuleSet::NONE => Vec::new(),
            rules => vec![FetchRule {
                rules,
                stores: STORE,
            }],
        }
    }

    fn rule_names(&self, _: RuleSet) -> Vec<Arc<str>> {
        vec!["the rule".into()]
    }

    fn submit_event(&mut self, event: Event) {
        let mut script = self.script.borrow_mut();
        script.log.push(words::event(&event));
        if let Event::Client(event) = &event {
            let id = event.client.clientid.to_string();
            script.client_events.push((event.hook, id, event.reason));
        }
        script.events.push(event);
    }

    fn ask(&mut self, rules: RuleSet, ticket: Ticket, question: Question) {
        assert_eq!(rules, RULES);
        let mut script = self.script.borrow_mut();
        script.log.push(words::question(&question));
        match question {
            Question::Authenticate(step) => {
                script
                    .authentications
                    .push_back((self.worker, ticket, step));
            }
            question => script.questions.push_back((self.worker, ticket, question)),
        }
    }

    fn take_answers(&mut self, answers: &mut Vec<Answered>) {
        answers.append(&mut self.answers.borrow_mut().answered);
    }

    fn take_calls(&mut self, calls: &mut Vec<BrokerCall>) {
        calls.append(&mut self.answers.borrow_mut().calls);
    }

    fn has_room(&self, clientid: &str) -> bool {
        let script = self.script.borrow();
        !script.full && script.full_lane != Some(clientid)
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
