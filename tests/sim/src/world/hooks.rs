//! Rules that answer when the scheduler says so, and what the message itself
//! asks for: slow ones, ones that deny, fail, replace, drop.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use hookwire_broker::{
    Answer, Answered, Authentication, AuthenticationOutcome, AuthenticationStep, Authorization,
    BrokerCall, ClientInfo, Decided, DeliveryOutcome, Denial, Event, FetchRule, Hook, Hooks,
    Message, Operation, Page, PublishFacts, Question, Refusal, Restored, RuleSet,
    SubscriptionOutcome, Ticket, Verdict, Wants, WorkerId,
};
use hookwire_mqtt::{ReasonCode, TopicFilter, TopicName};

use super::store::STORE;
use super::stored::Storing;
use crate::history::Outcome;
use crate::policy::{
    Asks, DENIED_FILTERS, DENIED_TOPICS, MARKED_TOPICS, REFUSED_FILTERS, UNDELIVERED_TOPICS,
    is_asked_about, marked, plain,
};
use crate::stamp::{Decision, Stamp, replaced};

/// What waits for an answer, over all workers, and how to answer it.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) publish_filter: TopicFilter,
    pub(super) acked_filter: Option<TopicFilter>,
    /// The one method of enhanced authentication.
    pub(super) method: Option<String>,
    /// Whether CONNECTs without a method are looked at too.
    pub(super) checks_passwords: bool,
    /// Workers whose lanes take no more.
    pub(super) full: Vec<bool>,
    pub(super) publishes: VecDeque<(WorkerId, Ticket, Arc<Message>)>,
    /// Every other question.
    pub(super) questions: VecDeque<(WorkerId, Ticket, Question)>,
    /// Rules that keep everything in a store, where this is about those.
    pub(super) storing: Option<Storing>,
    /// What they are about.
    pub(super) asks: Asks,
    /// How often a message that fails at first was seen.
    attempts: HashMap<u32, u32>,
}

impl Desk {
    pub(super) fn new(workers: usize, publish_filter: TopicFilter) -> Self {
        Self {
            publish_filter,
            acked_filter: None,
            method: None,
            checks_passwords: false,
            full: vec![false; workers],
            publishes: VecDeque::new(),
            questions: VecDeque::new(),
            storing: None,
            asks: Asks::default(),
            attempts: HashMap::new(),
        }
    }

    /// What is decided about a message; its number, if it has a stamp.
    pub(super) fn decide(&mut self, message: &Message) -> (Option<u32>, Outcome, Verdict) {
        let Some(stamp) = Stamp::read(&message.payload) else {
            return (None, Outcome::Passes, Verdict::Proceed);
        };
        let refusal = |reason| Refusal {
            reason,
            text: "the rules of the simulation say so".to_owned(),
        };
        let (outcome, verdict) = match stamp.decision {
            Decision::Proceed => (Outcome::Passes, Verdict::Proceed),
            Decision::Replace => (Outcome::Passes, Verdict::Replace(other(stamp, message))),
            Decision::Drop => (Outcome::Dropped, Verdict::Drop),
            Decision::Deny => (
                Outcome::Denied,
                Verdict::Deny(refusal(ReasonCode::NotAuthorized)),
            ),
            Decision::Disconnect => (
                Outcome::Disconnects,
                Verdict::Disconnect(refusal(ReasonCode::AdministrativeAction)),
            ),
            Decision::Fail => {
                let attempts = self.attempts.entry(stamp.message).or_default();
                *attempts += 1;
                if *attempts > 1 {
                    (Outcome::Passes, Verdict::Proceed)
                } else {
                    let refusal = refusal(ReasonCode::UnspecifiedError);
                    let failed = Verdict::Failed {
                        refusal,
                        retryable: true,
                        is_refused: false,
                    };
                    (Outcome::Failed, failed)
                }
            }
        };
        (Some(stamp.message), outcome, verdict)
    }
}

fn other(stamp: Stamp, message: &Message) -> Arc<Message> {
    let (topic, payload) = replaced(stamp, &message.topic, &message.payload);
    Arc::new(Message {
        topic: Arc::from(&*topic),
        payload: payload.to_vec().into(),
        ..message.clone()
    })
}

/// What the rules say to a question.
pub(super) fn answer(asks: Asks, question: &Question) -> Answer {
    let refusal = || Refusal {
        reason: ReasonCode::NotAuthorized,
        text: "the rules of the simulation say so".to_owned(),
    };
    match question {
        Question::Connect(_) => Answer::Connect(None),
        Question::Authenticate(step) => Answer::Authenticate(authenticate(step)),
        Question::CreateSession(_) => Answer::CreateSession(Ok(Restored::default())),
        Question::Authorize(access) => {
            let keep_ms = asks.keep_ms;
            let is_denied = match access.operation {
                Operation::Publish | Operation::PublishWill => {
                    matches_topic(DENIED_TOPICS, &access.topic)
                }
                Operation::Subscribe => DENIED_FILTERS.contains(&&*access.topic),
            };
            Answer::Authorize(if is_denied {
                let refusal = refusal();
                Authorization::Deny { refusal, keep_ms }
            } else {
                Authorization::Allow { keep_ms }
            })
        }
        Question::Subscribe(request) => {
            let is_refused = REFUSED_FILTERS.contains(&plain(&request.subscription.filter));
            Answer::Subscribe(match is_refused {
                true => SubscriptionOutcome::Deny(refusal()),
                false => SubscriptionOutcome::Proceed,
            })
        }
        Question::Unsubscribe(_) => Answer::Subscribe(SubscriptionOutcome::Proceed),
        Question::Exchange(_) => Answer::Exchange(Ok(())),
        Question::Fetch(_) => Answer::Fetch(Ok(Page::default())),
        Question::Deliver(request) => {
            let message = &request.message;
            Answer::Deliver(if matches_topic(UNDELIVERED_TOPICS, &message.topic) {
                DeliveryOutcome::Drop("rule")
            } else if matches_topic(MARKED_TOPICS, &message.topic) {
                DeliveryOutcome::Replace(Arc::new(Message {
                    payload: marked(&message.payload).to_vec().into(),
                    ..(**message).clone()
                }))
            } else {
                DeliveryOutcome::Proceed
            })
        }
    }
}

fn matches_topic(filter: &str, topic: &str) -> bool {
    let filter = TopicFilter::new(filter);
    filter
        .ok()
        .zip(TopicName::new(topic).ok())
        .is_some_and(|(filter, topic)| filter.matches(topic))
}

/// Answers one step of an authentication.
fn authenticate(step: &Authentication) -> AuthenticationOutcome {
    if step.client.clientid.starts_with("refused") {
        return AuthenticationOutcome::Deny(Denial {
            refusal: Refusal {
                reason: ReasonCode::NotAuthorized,
                text: "the rules of the simulation say so".to_owned(),
            },
            server_reference: None,
        });
    }
    let data = Some(b"challenge".to_vec());
    match step.step {
        AuthenticationStep::Connect if step.method.is_some() => {
            AuthenticationOutcome::Continue { data }
        }
        _ => AuthenticationOutcome::Accept {
            data: step.method.as_ref().and(data),
        },
    }
}

/// What the hooks of one worker have answered and the shard has not taken.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) decided: Vec<Decided>,
    pub(super) answered: Vec<Answered>,
}

/// The hooks of one worker.
#[derive(Debug)]
pub(super) struct ScriptedHooks {
    pub(super) worker: WorkerId,
    pub(super) desk: Rc<RefCell<Desk>>,
    pub(super) answers: Rc<RefCell<Answers>>,
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
        let desk = self.desk.borrow();
        match hook {
            Hook::ClientAuthenticate => desk.checks_passwords || desk.method.is_some(),
            Hook::MessageAcked => desk.acked_filter.is_some(),
            Hook::ClientConnect => desk.asks.connect,
            Hook::SessionCreated => desk.asks.session || desk.storing.is_some(),
            Hook::SessionExchange => desk.storing.is_some(),
            Hook::ClientAuthorize => desk.asks.access,
            Hook::ClientSubscribe | Hook::ClientUnsubscribe => desk.asks.filters,
            Hook::MessageDeliver => desk.asks.deliver,
            _ => true,
        }
    }

    fn match_topic(&mut self, hook: Hook, topic: TopicName<'_>) -> RuleSet {
        let desk = self.desk.borrow();
        match hook {
            Hook::MessagePublish => matching(Some(&desk.publish_filter), topic),
            Hook::MessageAcked => matching(desk.acked_filter.as_ref(), topic),
            Hook::MessageDropped => RULES,
            Hook::MessagePosition if desk.storing.is_some() => RULES,
            Hook::ClientAuthorize if desk.asks.access && is_asked_about(topic.as_str()) => RULES,
            Hook::MessageDeliver if desk.asks.deliver && is_asked_about(topic.as_str()) => RULES,
            _ => RuleSet::NONE,
        }
    }

    fn match_filter(&mut self, hook: Hook, _: &TopicFilter) -> RuleSet {
        self.match_client(hook)
    }

    fn rule_names(&self, _: RuleSet) -> Vec<Arc<str>> {
        Vec::new()
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

    fn submit_publish(&mut self, _: RuleSet, ticket: Ticket, message: Arc<Message>) {
        let mut desk = self.desk.borrow_mut();
        match &mut desk.storing {
            Some(storing) => storing.publish(self.worker, ticket, message),
            None => desk.publishes.push_back((self.worker, ticket, message)),
        }
    }

    fn submit_acked(&mut self, _: RuleSet, _: &Arc<ClientInfo>, _: Arc<Message>) {}

    fn submit_position(&mut self, _: RuleSet, client: &Arc<ClientInfo>, message: Arc<Message>) {
        if let Some(storing) = &mut self.desk.borrow_mut().storing {
            storing.position(self.worker, client, message);
        }
    }

    fn fetch_rules(&mut self, wants: Wants, _: &TopicFilter) -> Vec<FetchRule> {
        let is_fetching = self.desk.borrow().storing.is_some() && wants == Wants::Queued;
        let rule = FetchRule {
            rules: RULES,
            stores: STORE,
        };
        is_fetching.then_some(rule).into_iter().collect()
    }

    fn submit_event(&mut self, event: Event) {
        if let Some(storing) = &mut self.desk.borrow_mut().storing {
            storing.event(self.worker, event);
        }
    }

    fn ask(&mut self, _: RuleSet, ticket: Ticket, question: Question) {
        let mut desk = self.desk.borrow_mut();
        let storing = desk.storing.as_mut();
        let left = match storing {
            Some(storing) => storing.question(self.worker, ticket, question),
            None => Some(question),
        };
        if let Some(question) = left {
            desk.questions.push_back((self.worker, ticket, question));
        }
    }

    fn take_answers(&mut self, answers: &mut Vec<Answered>) {
        answers.append(&mut self.answers.borrow_mut().answered);
    }

    fn take_calls(&mut self, _: &mut Vec<BrokerCall>) {}

    fn has_room(&self, _: &str) -> bool {
        !self.desk.borrow().full[usize::from(self.worker)]
    }

    fn may_connect(&self, clientid: &str) -> bool {
        let desk = self.desk.borrow();
        let storing = desk.storing.as_ref();
        let waits = storing.is_some_and(|storing| storing.has_calls_of(clientid));
        drop(desk);
        !waits && self.has_room(clientid)
    }

    // Without a store it is answered like anything else: any verdict will do.
    fn abandon(&mut self, key: u64) {
        if let Some(storing) = &mut self.desk.borrow_mut().storing {
            storing.abandon(self.worker, key);
        }
    }

    fn take_decided(&mut self, decided: &mut Vec<Decided>) {
        decided.append(&mut self.answers.borrow_mut().decided);
    }

    fn set_waker(&mut self, _: Waker) {}

    fn outstanding(&self) -> usize {
        self.desk.borrow().publishes.len()
    }
}
