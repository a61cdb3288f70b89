//! What a rule costs a message, on one worker's thread: nanoseconds from
//! `submit_publish` to the verdict, per message, in batches of several sizes.
//!
//! Run it with `--release` after `cargo xtask rules`; the best of several
//! rounds is printed, because a busy machine only ever adds to it. Arguments,
//! if any, are the topics to measure.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::collections::HashMap;
use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookwire_broker::{Decided, Hook, Hooks, IdGenerator, Message, RuleSet, Ticket};
use hookwire_driver::{BatchResult, PoolFuture, Row, RowSet, SqlPool};
use hookwire_mqtt::{QoS, TopicName};
use hookwire_rules::{House, Plan, PoolHandle, Runtime, WorkerRules};
use hookwire_settings::Settings;

const BATCHES: [usize; 4] = [1, 8, 64, 256];
const TOPICS: [&str; 3] = ["noop", "payload", "store"];
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(300);

const SETTINGS: &str = r#"
listener "tcp" "default" { address = "127.0.0.1:0" }
pool "sqlite" "memory" { file = "memory.db" }
module "testguest" {
  grants    = ["clock", "broker.publish"]
  max_batch = 256
}
rule "noop" {
  hook   = "message.publish"
  topic  = "noop"
  module = "testguest"
  action = "noop"
}
rule "payload" {
  hook   = "message.publish"
  topic  = "payload"
  module = "testguest"
  action = "noop_payload"
}
rule "store" {
  hook   = "message.publish"
  topic  = "store"
  module = "testguest"
  action = "store"
  pool   = "memory"
}
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::parse("handle_cost", SETTINGS).map_err(|p| format!("{p:?}"))?;
    let runtime = Runtime::new()?;
    let module = runtime.load("testguest", &component()?, 64 << 20)?;
    let modules = HashMap::from([("testguest".to_owned(), module)]);
    let pools = HashMap::from([("memory".to_owned(), PoolHandle::Sql(Arc::new(Forgetful)))]);
    let plan =
        Plan::bind(&runtime, &settings, &modules, &pools, None).map_err(|p| format!("{p:?}"))?;
    let worker = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tasks = tokio::task::LocalSet::new();
    // A task like the lanes: waking the outermost future costs a system call.
    let measured = tasks.block_on(&worker, async {
        tokio::task::spawn_local(async { measure(plan).await.map_err(|error| error.to_string()) })
            .await
    })??;
    println!(
        "ns a message    {}",
        BATCHES.map(|n| format!("{n:>7}")).concat()
    );
    for (topic, costs) in measured {
        let costs = costs.map(|cost| format!("{cost:>7.0}"));
        println!("{topic:<16}{}", costs.concat());
    }
    Ok(())
}

fn component() -> Result<Vec<u8>, String> {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../target/modules");
    let folder = std::env::var_os("HOOKWIRE_MODULES_DIR");
    let folder = folder.map_or_else(|| PathBuf::from(built), PathBuf::from);
    let path = folder.join("testguest.wasm");
    std::fs::read(&path)
        .map_err(|error| format!("{}: {error}; run: cargo xtask rules", path.display()))
}

type Costs = [f64; BATCHES.len()];

async fn measure(
    plan: Arc<Plan>,
) -> Result<Vec<(&'static str, Costs)>, Box<dyn std::error::Error>> {
    let mut rules = WorkerRules::new(&plan, 0, House::without_store())?;
    let mut measured = Vec::new();
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let is_chosen = |topic: &str| chosen.is_empty() || chosen.iter().any(|name| name == topic);
    for topic in TOPICS.into_iter().filter(|topic| is_chosen(topic)) {
        let set = rules.match_topic(Hook::MessagePublish, TopicName::new(topic)?);
        let mut costs = [f64::INFINITY; BATCHES.len()];
        for _ in 0..ROUNDS {
            for (cost, batch) in costs.iter_mut().zip(BATCHES) {
                *cost = cost.min(round(&mut rules, set, &messages(topic, batch)).await);
            }
        }
        measured.push((topic, costs));
    }
    Ok(measured)
}

/// Submits the messages together, again and again; nanoseconds for each.
async fn round(rules: &mut WorkerRules, set: RuleSet, messages: &[Arc<Message>]) -> f64 {
    let mut decided: Vec<Decided> = Vec::with_capacity(messages.len());
    let started = Instant::now();
    let mut total = 0_u32;
    while started.elapsed() < ROUND {
        for (key, message) in (0..).zip(messages) {
            let ticket = Ticket { key, sequence: 0 };
            rules.submit_publish(set, ticket, Arc::clone(message));
        }
        poll_fn(|cx| {
            rules.take_decided(&mut decided);
            if decided.len() == messages.len() {
                return Poll::Ready(());
            }
            rules.set_waker(cx.waker().clone());
            Poll::Pending
        })
        .await;
        total += decided.len() as u32;
        decided.clear();
    }
    started.elapsed().as_secs_f64() * 1e9 / f64::from(total)
}

fn messages(topic: &str, count: usize) -> Vec<Arc<Message>> {
    let mut ids = IdGenerator::new(0, 0, 0);
    let message = |_| Message {
        id: ids.next(1_700_000_000_000),
        topic: topic.into(),
        payload: Bytes::from(vec![b'x'; 256]),
        sender: "a-client-identifier-1".into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        at_ms: 1_700_000_000_000,
        expires_at_ms: Message::NEVER,
        properties: Bytes::new(),
        hops: 0,
        stored: hookwire_broker::Stores::NONE,
    };
    (0..count).map(message).map(Arc::new).collect()
}

/// A pool that takes everything and keeps nothing.
struct Forgetful;

impl SqlPool for Forgetful {
    fn exec_many(
        &self,
        _statement: Arc<str>,
        rows: Vec<Row>,
        _deadline: Instant,
    ) -> PoolFuture<BatchResult> {
        let rows_affected = rows.len() as u64;
        Box::pin(async move {
            Ok(BatchResult {
                failed: Vec::new(),
                rows_affected,
            })
        })
    }

    fn query(
        &self,
        _statement: Arc<str>,
        _parameters: Row,
        _max_rows: usize,
        _deadline: Instant,
    ) -> PoolFuture<RowSet> {
        Box::pin(async { Ok(RowSet::default()) })
    }
}
