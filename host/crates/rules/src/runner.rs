//! The task of one lane: takes what waits, hands it to the guest in one call,
//! settles the answer, and makes a fresh instance when the old one was lost.

use std::rc::Rc;
use std::time::Instant;

use hookwire_driver::{Fault, FaultKind};

use crate::batch::{Batch, Texts};
use crate::instance::{GuestError, Instance, StartError};
use crate::lane::Lane;
use crate::plan::PlannedModule;
use crate::settle::Settler;
use crate::throttle::Throttle;
use crate::worker::Worker;

/// Lines a lane writes in a second about instances that are lost.
const LOST_LINES_PER_SECOND: u32 = 2;

/// Runs a lane until its task is dropped.
pub(crate) async fn run_lane(worker: Rc<Worker>, module: usize, lane: Rc<Lane>) {
    let plan = std::sync::Arc::clone(&worker.plan);
    let Some(module) = plan.modules.get(module) else {
        return;
    };
    let mut runner = Runner {
        worker: &worker,
        module,
        instance: None,
        settler: Settler::new(),
        log: Throttle::per_second(LOST_LINES_PER_SECOND),
    };
    // The first event should not wait for it; what goes wrong here is told
    // with the first batch.
    runner.instance = module.template.start(&module.setting).await.ok();
    let mut batch = Batch::default();
    loop {
        worker.take(&lane, module.batch, &mut batch.items);
        if batch.items.is_empty() {
            lane.notified().await;
            continue;
        }
        runner.run(&mut batch).await;
        if worker.has_decided() {
            worker.wake_core();
        }
        if !lane.is_empty() {
            // Lets the worker's sockets and other lanes in between two batches.
            tokio::task::yield_now().await;
        }
    }
}

struct Runner<'a> {
    worker: &'a Worker,
    module: &'a PlannedModule,
    instance: Option<Instance>,
    settler: Settler,
    log: Throttle,
}

impl Runner<'_> {
    async fn run(&mut self, batch: &mut Batch) {
        let rules = &self.worker.plan.rules;
        batch.plan_calls(rules);
        let mut instance = match self.fresh_instance().await {
            Ok(instance) => instance,
            Err(error) => {
                self.module.counters.failed_to_start();
                self.say_lost(batch, "does not start", &error.to_string(), "");
                let fault = lost("host:start", "the module does not start");
                return self.settler.settle_lost(self.worker, batch, &fault);
            }
        };
        self.module.counters.handled(batch.items.len());
        for (rule, events) in batch.runs() {
            if let Some(rule) = rules.get(rule) {
                rule.counters.ran(events);
            }
        }
        let answer = {
            let texts = Texts::of_items(&batch.items);
            let events = batch.events(&texts);
            let deadline = Instant::now() + self.module.deadline;
            instance.handle(&events, &batch.calls, deadline).await
        };
        match answer {
            Ok(settled) => {
                self.instance = Some(instance);
                self.settler.settle(self.worker, batch, settled);
            }
            Err(error) => self.settle_trap(batch, &error),
        }
    }

    async fn fresh_instance(&mut self) -> Result<Instance, StartError> {
        match self.instance.take() {
            Some(instance) => Ok(instance),
            None => self.module.template.start(&self.module.setting).await,
        }
    }

    /// The instance is gone, and what it did before is not known.
    fn settle_trap(&mut self, batch: &mut Batch, error: &GuestError) {
        let fault = match error {
            GuestError::Deadline => {
                self.module.counters.trapped(true);
                self.say_lost(batch, "was stopped", "its deadline passed", "");
                lost("host:deadline", "the module was stopped at its deadline")
            }
            GuestError::Trap { cause, backtrace } => {
                self.module.counters.trapped(false);
                self.say_lost(batch, "trapped", cause, backtrace);
                lost("host:trap", "the module trapped")
            }
        };
        self.settler.settle_lost(self.worker, batch, &fault);
    }

    fn say_lost(&mut self, batch: &Batch, what: &str, cause: &str, backtrace: &str) {
        let Some(pass) = self.log.pass(Instant::now()) else {
            return;
        };
        let mut rules: Vec<&str> = batch
            .runs()
            .filter_map(|(rule, _)| self.worker.plan.rules.get(rule))
            .map(|rule| &*rule.name)
            .collect();
        rules.dedup();
        tracing::error!(
            module = &*self.module.name,
            rules = rules.join(", "),
            events = batch.items.len(),
            lines_not_shown = pass.held_back,
            backtrace = (!backtrace.is_empty()).then(|| tracing::field::display(backtrace)),
            "the module {what}: {cause}",
        );
    }
}

fn lost(code: &str, message: &str) -> Fault {
    Fault {
        kind: FaultKind::Other,
        code: code.to_owned(),
        message: message.to_owned(),
        retryable: true,
    }
}
