//! One worker with its rules, stepped from a test.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hookwire_broker::{
    Answer, ClientEvent, ClientInfo, Decided, Event, Hook, Hooks, IdGenerator, Message, Question,
    RuleSet, Ticket, Verdict,
};
use hookwire_driver::Fault;
use hookwire_mqtt::{QoS, ReasonCode, TopicFilter, TopicName};
use hookwire_rules::{House, HouseBounds, LoadedModule, ModuleStats, Plan, RuleStats, WorkerRules};

use crate::blocks::{Stores, modules, pools, runtime, settings};
use crate::store::MemoryStore;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A worker with the rules of one test.
pub(crate) struct Rig {
    pub(crate) rules: WorkerRules,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) other_store: Arc<MemoryStore>,
    /// What was written down.
    pub(crate) house: Arc<MemoryStore>,
    pub(crate) plan: Arc<Plan>,
    stores: Stores,
    ids: IdGenerator,
    submitted: u64,
    decided: Vec<Decided>,
}

/// Runs `test` on a worker's thread with the rules of `blocks`.
pub(crate) fn with_rules<F: Future<Output = ()>>(blocks: &str, test: impl FnOnce(Rig) -> F) {
    with_modules(modules(), blocks, test);
}

/// As [`with_rules`], with these modules.
pub(crate) fn with_modules<F: Future<Output = ()>>(
    modules: &HashMap<String, LoadedModule>,
    blocks: &str,
    test: impl FnOnce(Rig) -> F,
) {
    let written = MemoryStore::new();
    let house = House::open(Arc::clone(&written) as _, HouseBounds::default());
    with_all(modules, blocks, house, written, test);
}

/// As [`with_rules`], with a house to write events down in.
pub(crate) fn with_house<F: Future<Output = ()>>(
    blocks: &str,
    house: impl Future<Output = Result<Arc<House>, Fault>>,
    written: Arc<MemoryStore>,
    test: impl FnOnce(Rig) -> F,
) {
    with_all(modules(), blocks, house, written, test);
}

fn with_all<F: Future<Output = ()>>(
    modules: &HashMap<String, LoadedModule>,
    blocks: &str,
    house: impl Future<Output = Result<Arc<House>, Fault>>,
    written: Arc<MemoryStore>,
    test: impl FnOnce(Rig) -> F,
) {
    let settings = settings(blocks);
    let stores = Stores::new();
    let plan = Plan::bind(runtime(), &settings, modules, &pools(&stores), None)
        .unwrap_or_else(|problems| panic!("{problems:#?}"));
    let worker = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&worker, async {
        let rig = Rig {
            rules: WorkerRules::new(&plan, 0, house.await.unwrap()).unwrap(),
            house: written,
            store: Arc::clone(&stores.memory),
            other_store: Arc::clone(&stores.other),
            stores,
            plan,
            ids: IdGenerator::new(0, 0, 0),
            submitted: 0,
            decided: Vec::new(),
        };
        test(rig).await;
    });
}

impl Rig {
    /// Goes over to the rules of other blocks, as a reload does.
    pub(crate) async fn go_over(&mut self, blocks: &str) {
        let settings = settings(blocks);
        let pools = pools(&self.stores);
        let plan = Plan::bind(runtime(), &settings, modules(), &pools, Some(&self.plan))
            .unwrap_or_else(|problems| panic!("{problems:#?}"));
        let handle = self.rules.handle();
        let readied = handle.ready(&plan, &self.plan).await.unwrap();
        let adopted = handle.adopt(readied);
        let taken = poll_fn(|cx| {
            // As the core does at each turn.
            self.rules.set_waker(cx.waker().clone());
            self.rules.take_decided(&mut self.decided);
            Poll::Ready(())
        });
        tokio::join!(adopted, taken);
        self.plan = plan;
    }

    /// Asks a question, and waits for the answer.
    pub(crate) async fn ask(&mut self, hook: Hook, question: Question) -> Answer {
        let set = match &question {
            Question::Subscribe(request) => {
                let filter = TopicFilter::new(&request.subscription.filter).unwrap();
                self.rules.match_filter(hook, &filter)
            }
            Question::Authorize(access) => {
                let topic = TopicName::new(&access.topic).unwrap();
                self.rules.match_topic(hook, topic)
            }
            Question::Fetch(request) => {
                let filter = TopicFilter::new(&request.filter).unwrap();
                self.rules.fetch_rules(request.wants, &filter)[0].rules
            }
            _ => self.rules.match_client(hook),
        };
        assert_ne!(set, RuleSet::NONE, "a rule is on {}", hook.name());
        let ticket = Ticket {
            key: 7,
            sequence: 8,
        };
        self.rules.ask(set, ticket, question);
        let mut answers = Vec::new();
        let answered = poll_fn(|cx| {
            self.rules.set_waker(cx.waker().clone());
            self.rules.take_answers(&mut answers);
            if answers.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        });
        let waited = tokio::time::timeout(PATIENCE, answered).await;
        assert!(waited.is_ok(), "the question is answered");
        assert_eq!((answers.len(), answers[0].ticket), (1, ticket));
        answers.remove(0).answer
    }
    /// A message that was not submitted yet.
    pub(crate) fn message(&mut self, sender: &str, topic: &str, payload: &str) -> Message {
        Message {
            id: self.ids.next(1_000),
            topic: topic.into(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            sender: sender.into(),
            qos: QoS::AtLeastOnce,
            retain: false,
            at_ms: 1_000,
            expires_at_ms: Message::NEVER,
            properties: Bytes::new(),
            hops: 0,
            packet_id: None,
            foreign_id: None,
            stored: hookwire_broker::Stores::NONE,
        }
    }

    /// Publishes as the core does, and answers the number of the publish.
    pub(crate) fn publish(&mut self, sender: &str, topic: &str, payload: &str) -> u64 {
        let message = self.message(sender, topic, payload);
        self.publish_message(message)
    }

    /// Publishes, and answers the number of the publish, which is also the key
    /// of its ticket.
    pub(crate) fn publish_message(&mut self, message: Message) -> u64 {
        let set = self.matching(&message.topic);
        assert_ne!(set, RuleSet::NONE, "a rule matches {}", message.topic);
        self.submitted += 1;
        let ticket = Ticket {
            key: self.submitted,
            sequence: 0,
        };
        self.rules.submit_publish(set, ticket, Arc::new(message));
        self.submitted
    }

    pub(crate) fn matching(&mut self, topic: &str) -> RuleSet {
        self.rules
            .match_topic(Hook::MessagePublish, TopicName::new(topic).unwrap())
    }

    pub(crate) fn client_event(&mut self, hook: Hook, clientid: &str) {
        let client = Arc::new(ClientInfo {
            clientid: clientid.into(),
            username: Some("user".into()),
            connection: None,
        });
        let reason = match hook {
            Hook::ClientDisconnected => "normal",
            _ => "",
        };
        self.rules.submit_event(Event::Client(ClientEvent {
            hook,
            client,
            reason_code: ReasonCode::Success,
            reason,
            at_ms: 2_000,
        }));
    }

    /// Waits until something holds, letting the lanes run.
    pub(crate) async fn wait_for(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !holds(self) {
                tokio::task::yield_now().await;
            }
        });
        assert!(waited.await.is_ok(), "{what}");
    }

    /// Waits as the core does, by the waker, for the verdicts of everything
    /// that was published so far; in the order of the publishes.
    pub(crate) async fn verdicts(&mut self) -> Vec<Verdict> {
        let expected = self.submitted as usize;
        let all = poll_fn(|cx| {
            self.rules.set_waker(cx.waker().clone());
            self.rules.take_decided(&mut self.decided);
            if self.decided.len() >= expected {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        let waited = tokio::time::timeout(PATIENCE, all).await;
        assert!(waited.is_ok(), "every publish has a verdict");
        assert_eq!(self.decided.len(), expected);
        let mut decided = std::mem::take(&mut self.decided);
        self.submitted = 0;
        decided.sort_by_key(|decided| decided.ticket.key);
        decided.into_iter().map(|decided| decided.verdict).collect()
    }

    /// Where everything that was published so far was stored; in the order of the
    /// publishes.
    pub(crate) async fn stored(&mut self) -> Vec<hookwire_broker::Stores> {
        let expected = self.submitted as usize;
        self.wait_for("every publish has a verdict", |rig| {
            rig.rules.take_decided(&mut rig.decided);
            rig.decided.len() >= expected
        })
        .await;
        let mut decided = std::mem::take(&mut self.decided);
        self.submitted = 0;
        decided.sort_by_key(|decided| decided.ticket.key);
        decided.into_iter().map(|decided| decided.stored).collect()
    }

    /// The verdict on a single publish.
    pub(crate) async fn verdict(&mut self, sender: &str, topic: &str, payload: &str) -> Verdict {
        self.publish(sender, topic, payload);
        let mut verdicts = self.verdicts().await;
        assert_eq!(verdicts.len(), 1);
        verdicts.remove(0)
    }

    /// Keys of the publishes that were decided so far, in that order.
    pub(crate) fn decided_so_far(&mut self) -> Vec<u64> {
        self.rules.take_decided(&mut self.decided);
        self.decided
            .iter()
            .map(|decided| decided.ticket.key)
            .collect()
    }

    pub(crate) async fn all_ran(&mut self) {
        self.wait_for("everything ran", |rig| rig.rules.outstanding() == 0)
            .await;
    }

    pub(crate) fn rule_stats(&self, rule: &str) -> RuleStats {
        let mut stats = self.plan.stats().into_iter();
        stats.find(|stats| stats.rule == rule).unwrap()
    }

    pub(crate) fn module_stats(&self, module: &str) -> ModuleStats {
        let mut stats = self.plan.module_stats().into_iter();
        stats.find(|stats| stats.module == module).unwrap()
    }
}
