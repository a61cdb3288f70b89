//! What other threads ask of a worker's rules.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use hookwire_driver::{Fault, FaultKind};
use tokio::sync::oneshot;

use crate::host::fault;
use crate::lane::{Prepared, Replay};
use crate::plan::Plan;
use crate::record::EventRecord;

/// Reaches the rules of one worker from any thread.
#[derive(Clone)]
pub struct RulesHandle {
    inbox: Arc<Inbox>,
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

    /// Has the worker run new events by `plan`, and waits until it does. What
    /// its lanes hold goes on by the plan it came under, and before it.
    ///
    /// Instances of changed modules are made here first, so that no event waits
    /// for one.
    ///
    /// # Errors
    /// When an instance cannot be made; the worker goes on as it was. Nothing
    /// is said when the worker is gone.
    pub async fn adopt(&self, plan: &Arc<Plan>, before: &Plan) -> Result<(), AdoptError> {
        let mut prepared = Vec::new();
        for module in &plan.modules {
            let is_known = before
                .modules
                .iter()
                .any(|known| Arc::ptr_eq(known, module));
            if is_known {
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
        let (done, is_done) = oneshot::channel();
        self.inbox.push(Order::Adopt {
            plan: Arc::clone(plan),
            prepared,
            done,
        });
        drop(is_done.await);
        Ok(())
    }
}
