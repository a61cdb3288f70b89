//! Drives the rules of one worker as its thread does, and measures.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use hookwire_broker::{Decided, Hook, Hooks, IdGenerator, Message, RuleSet, Ticket, Verdict};
use hookwire_driver::SqlPool;
use hookwire_mqtt::{QoS, TopicName};
use hookwire_rules::{House, LoadedModule, Plan, PoolHandle, Runtime, WorkerRules};
use hookwire_settings::Settings;
use rustix::time::{ClockId, clock_gettime};

use super::subject::Subject;

const TOPIC: &str = "bench/topic-1";
const AT_MS: u64 = 1_700_000_000_000;

/// What one message cost, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Of all threads.
    pub(super) cpu_us: f64,
    /// Of the worker's own.
    pub(super) worker_us: f64,
    pub(super) wall_us: f64,
}

/// A worker's rules.
pub(super) struct Driven {
    subject: Subject,
    plan: Arc<Plan>,
    rules: WorkerRules,
    set: RuleSet,
}

/// A plan of the subject's one rule.
pub(super) fn plan(
    subject: Subject,
    runtime: &Runtime,
    module: LoadedModule,
    pool: Arc<dyn SqlPool>,
) -> Result<Arc<Plan>> {
    let settings = Settings::parse("bench", &subject.settings())
        .map_err(|problems| anyhow!("the settings are wrong: {problems:?}"))?;
    let modules = HashMap::from([(subject.module().to_owned(), module)]);
    let pools = HashMap::from([("bench".to_owned(), PoolHandle::Sql(pool))]);
    Plan::bind(runtime, &settings, &modules, &pools, None)
        .map_err(|problems| anyhow!("the rules cannot be bound: {problems:?}"))
}

impl Driven {
    /// To be called inside a `LocalSet`.
    pub(super) fn new(subject: Subject, plan: Arc<Plan>) -> Result<Self> {
        let mut rules = WorkerRules::new(&plan, 0, House::without_store())?;
        let set = rules.match_topic(Hook::MessagePublish, TopicName::new(TOPIC)?);
        Ok(Self {
            subject,
            plan,
            rules,
            set,
        })
    }

    /// Publishes the messages in the subject's batches, each when the one before
    /// is decided.
    pub(super) async fn publish(&mut self, messages: &[Arc<Message>]) -> Result<Cost> {
        let mut decided = Vec::with_capacity(self.subject.batch());
        let (cpu, worker, began) = (process_time(), thread_time(), Instant::now());
        for batch in messages.chunks(self.subject.batch()) {
            self.publish_batch(batch, &mut decided).await;
            let let_pass = |decided: &Decided| decided.verdict == Verdict::Proceed;
            ensure!(
                decided.iter().all(let_pass),
                "{} did not let a message pass",
                self.subject.name()
            );
            decided.clear();
        }
        let a_message = |took: Duration| took.as_secs_f64() * 1e6 / messages.len() as f64;
        Ok(Cost {
            cpu_us: a_message(process_time().saturating_sub(cpu)),
            worker_us: a_message(thread_time().saturating_sub(worker)),
            wall_us: a_message(began.elapsed()),
        })
    }

    async fn publish_batch(&mut self, batch: &[Arc<Message>], decided: &mut Vec<Decided>) {
        for (key, message) in (0..).zip(batch) {
            let ticket = Ticket { key, sequence: 0 };
            self.rules
                .submit_publish(self.set, ticket, Arc::clone(message));
        }
        poll_fn(|cx| {
            self.rules.take_decided(decided);
            if decided.len() == batch.len() {
                return Poll::Ready(());
            }
            self.rules.set_waker(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Makes sure that so many messages went through in full batches.
    pub(super) fn check_batches(&self, messages: usize) -> Result<()> {
        let stats = self.plan.module_stats();
        let stats = stats.first().context("the plan has no module")?;
        let (messages, batch) = (messages as u64, self.subject.batch() as u64);
        ensure!(
            stats.events == messages && stats.handle_calls == messages / batch,
            "{}: {messages} messages went through as {} events in {} calls",
            self.subject.name(),
            stats.events,
            stats.handle_calls
        );
        Ok(())
    }
}

/// Messages of one publisher, at QoS 1.
pub(super) fn messages(
    ids: &mut IdGenerator,
    count: usize,
    payload_bytes: usize,
) -> Vec<Arc<Message>> {
    let payload = Bytes::from(vec![b'x'; payload_bytes]);
    let message = |_| Message {
        id: ids.next(AT_MS),
        topic: TOPIC.into(),
        payload: payload.clone(),
        sender: "a-client-identifier-1".into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        at_ms: AT_MS,
        expires_at_ms: Message::NEVER,
        properties: Bytes::new(),
        hops: 0,
        packet_id: None,
        foreign_id: None,
        stored: hookwire_broker::Stores::NONE,
    };
    (0..count).map(message).map(Arc::new).collect()
}

/// User and system time of all threads.
fn process_time() -> Duration {
    time(ClockId::ProcessCPUTime)
}

/// User and system time of this thread.
fn thread_time() -> Duration {
    time(ClockId::ThreadCPUTime)
}

fn time(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
}
