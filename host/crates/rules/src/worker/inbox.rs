//! What other threads ask of a worker's rules.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use hookwire_broker::Hook;
use hookwire_driver::{Fault, FaultKind};
use tokio::sync::{mpsc, oneshot};

use crate::host::fault;
use crate::house::record::EventRecord;
use crate::lane::item::Replay;
use crate::lane::queue::Prepared;
use crate::plan::Plan;
use crate::worker::tap::{Tap, TapFilter};

/// Reaches the rules of one worker from any thread.
#[derive(Clone)]
pub struct RulesHandle {
    inbox: Arc<Inbox>,
}

/// Answers, if whoever asked is still there.
pub(crate) fn tell<T>(asker: oneshot::Sender<T>, answer: T) {
    if asker.send(answer).is_err() {
        tracing::debug!("who asked is gone");
    }
}

/// Why a worker goes on by the plan it has.
#[derive(Debug, thiserror::Error)]
#[error("module {module:?} does not start: {why}")]
pub struct AdoptError {
    /// Name of the module.
    pub module: String,
    /// What it said, or how it ended.
    pub why: String,
}

/// What a worker's rules are asked to do.
pub(crate) enum Order {
    /// Run by another plan.
    Adopt {
        plan: Arc<Plan>,
        prepared: Vec<Prepared>,
        done: oneshot::Sender<()>,
    },
    /// Tell somebody of events as they come.
    Tap { tap: Tap, done: oneshot::Sender<()> },
    /// Run one rule over an event from disk.
    RunAgain {
        rule: String,
        event: Box<EventRecord>,
        replay: Replay,
    },
}

#[derive(Default)]
pub(crate) struct Inbox {
    orders: Mutex<Vec<Order>>,
    has_orders: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Inbox {
    pub(crate) fn has_orders(&self) -> bool {
        self.has_orders.load(Ordering::Acquire)
    }

    pub(crate) fn take(&self) -> Vec<Order> {
        self.has_orders.store(false, Ordering::Release);
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *orders)
    }

    pub(crate) fn set_waker(&self, waker: Waker) {
        let mut place = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(waker);
    }

    fn push(&self, order: Order) {
        self.orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(order);
        self.has_orders.store(true, Ordering::Release);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = &*waker {
            waker.wake_by_ref();
        }
    }
}

impl fmt::Debug for RulesHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RulesHandle")
    }
}

impl RulesHandle {
    pub(crate) fn new(inbox: Arc<Inbox>) -> Self {
        Self { inbox }
    }

    /// Has the worker tell `lines` of events as they come, as JSON, and waits
    /// until it does. It ends when the other side is dropped; what comes while
    /// the channel is full is left out, and counted in `missed`.
    pub async fn tap(
        &self,
        filter: TapFilter,
        lines: mpsc::Sender<String>,
        missed: Arc<AtomicU64>,
    ) {
        let (done, is_done) = oneshot::channel();
        let tap = Tap {
            filter,
            lines,
            missed,
        };
        self.inbox.push(Order::Tap { tap, done });
        // An error says that the worker is gone.
        drop(is_done.await);
    }

    /// Runs one rule over an event that was written down, behind what its client
    /// has in the lane.
    ///
    /// # Errors
    /// What the rule, or the worker, has against it.
    pub(crate) async fn run_again(&self, rule: &str, event: EventRecord) -> Result<(), Fault> {
        let (replay, fared) = oneshot::channel();
        self.inbox.push(Order::RunAgain {
            rule: rule.to_owned(),
            event: Box::new(event),
            replay,
        });
        let gone = || fault(FaultKind::Unavailable, "worker", "the worker is gone");
        fared.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Runs the rules of `node.started`, one after the other, before any client is
    /// served. Answers what they failed on, by the rule's name.
    pub async fn node_started(&self, plan: &Plan, at_ms: u64) -> Vec<(String, Fault)> {
        let mut failed = Vec::new();
        for id in plan.rules.chain(Hook::NodeStarted) {
            let Some(rule) = plan.rules.get(id) else {
                continue;
            };
            let event = EventRecord::of_node(Hook::NodeStarted, at_ms);
            if let Err(fault) = self.run_again(&rule.name, event).await {
                failed.push((rule.name.to_string(), fault));
            }
        }
        failed
    }

    /// Makes what the worker needs to run by `plan`: an instance for each lane
    /// of a module that `before` does not have as it is, so that no event waits
    /// for one.
    ///
    /// # Errors
    /// When an instance cannot be made.
    pub async fn ready(&self, plan: &Arc<Plan>, before: &Plan) -> Result<Readied, AdoptError> {
        let mut prepared = Vec::new();
        for module in &plan.modules {
            let mut known = before.modules.iter();
            if known.any(|known| Arc::ptr_eq(known, module)) {
                continue;
            }
            let classes = module.classes.iter().filter(|has| **has).count();
            for _ in 0..classes * module.bounds.lanes {
                let started = module.template.start(&module.setting).await;
                let instance = started.map_err(|error| AdoptError {
                    module: module.name.to_string(),
                    why: error.to_string(),
                })?;
                prepared.push(Prepared {
                    module: Arc::clone(module),
                    instance: Some(instance),
                });
            }
        }
        Ok(Readied {
            plan: Arc::clone(plan),
            prepared,
        })
    }

    /// Has the worker run new events by a plan, and waits until it does. What its
    /// lanes hold goes on by the plan it came under, and before what is new.
    /// Returns at once when the worker is gone.
    pub async fn adopt(&self, readied: Readied) {
        let (done, is_done) = oneshot::channel();
        self.inbox.push(Order::Adopt {
            plan: readied.plan,
            prepared: readied.prepared,
            done,
        });
        // An error says that the worker is gone.
        drop(is_done.await);
    }
}

/// A plan, with the instances that one worker needs for it.
pub struct Readied {
    plan: Arc<Plan>,
    prepared: Vec<Prepared>,
}

impl fmt::Debug for Readied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Readied with {} instances", self.prepared.len())
    }
}
