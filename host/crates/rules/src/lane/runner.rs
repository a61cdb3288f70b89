//! The task of one lane: takes what waits, hands it to the guest in one call,
//! settles the answer, and makes a fresh instance when the old one was lost.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_bindings::wit::exports::hookwire::rule::actions::{Call, Settled};

use crate::host::outbox::{self, Lookups};
use crate::lane::away::{Away, Work};
use crate::lane::batch::Batch;
use crate::lane::extras::Extras;
use crate::lane::hold::Place;
use crate::lane::isolate;
use crate::lane::item::Item;
use crate::lane::journal::Journal;
use crate::lane::queue::{Lane, Prepared};
use crate::lane::settle::Settler;
use crate::lane::view::Texts;
use crate::module::instance::{GuestError, Instance};
use crate::module::template::StartError;
use crate::plan::PlannedModule;
use crate::throttle::Throttle;
use crate::worker::Worker;

/// Lines a lane writes in a second about instances that are lost.
const LOST_LINES_PER_SECOND: u32 = 2;
/// How often a lane looks again for what it waits for: that lanes before it are
/// done with a client, or that what stands before an event that is due has run.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// How long a lane goes on from batch to batch before it gives way: what several
/// batches let pass is written to a socket in one go.
const TURN: Duration = Duration::from_micros(500);

/// Runs a lane until nothing can come to it any more.
pub(crate) async fn run_lane(worker: Rc<Worker>, lane: Rc<Lane>) {
    let mut runner = Runner {
        worker: &worker,
        lane: &lane,
        serving: None,
        journal: Journal::default(),
        settler: Settler::new(),
        log: Throttle::per_second(LOST_LINES_PER_SECOND),
        away: None,
    };
    let mut batch = Batch::default();
    let mut turn_began = Instant::now();
    loop {
        worker.take(&lane, &mut batch.items);
        if batch.items.is_empty() {
            if lane.is_empty() {
                runner.warm_up().await;
            }
            if Rc::strong_count(&lane) == 1 && lane.is_empty() {
                return;
            }
            runner.wait().await;
            turn_began = Instant::now();
            continue;
        }
        lane.run_begins(&batch.items);
        runner.run(&mut batch).await;
        lane.run_ended();
        if worker.has_results() {
            worker.wake_core();
        }
        if !lane.is_empty() && turn_began.elapsed() >= TURN {
            // Lets the worker's sockets and other lanes in.
            tokio::task::yield_now().await;
            turn_began = Instant::now();
        }
    }
}

/// The module that a lane serves, with its instance unless that was lost.
struct Serving {
    module: Arc<PlannedModule>,
    instance: Option<Instance>,
}

pub(crate) struct Runner<'a> {
    pub(crate) worker: &'a Worker,
    lane: &'a Lane,
    serving: Option<Serving>,
    /// What stores answered in the batch that runs.
    pub(crate) journal: Journal,
    pub(crate) settler: Settler,
    log: Throttle,
    /// The thread that calls are made on while the module does not behave.
    away: Option<Away>,
}

impl Runner<'_> {
    async fn wait(&self) {
        let due = if self.lane.may_wait_for_others() {
            Some(Instant::now())
        } else {
            self.lane.next_due()
        };
        match due {
            None => self.lane.notified().await,
            Some(due) => {
                // What is due may stand behind what is not.
                let due = due.max(Instant::now() + LOOK_AGAIN);
                // Cancel-safe: a signal that was raised stays raised until taken.
                tokio::select! {
                    () = self.lane.notified() => {}
                    () = tokio::time::sleep_until(due.into()) => {}
                }
            }
        }
    }

    /// With nothing to do, goes over to the module that comes next, so that its
    /// first event finds an instance. What goes wrong here is told with that.
    async fn warm_up(&mut self) {
        let prepared = self.lane.prepared.take();
        if let Some(Prepared { module, instance }) = prepared {
            let instance = match instance {
                Some(instance) => Some(instance),
                None => module.template.start(&module.setting).await.ok(),
            };
            self.serving = Some(Serving { module, instance });
        }
    }

    async fn run(&mut self, batch: &mut Batch) {
        let Some(module) = batch.items.first().and_then(Item::module).cloned() else {
            batch.items.clear();
            return;
        };
        batch.plan_calls(Instant::now(), &self.worker.house);
        self.serve(&module);
        let known = batch.items.first().and_then(Item::known).cloned();
        self.journal.begin(known.as_ref());
        let answer = if batch.calls.is_empty() {
            Vec::new()
        } else {
            let began = Instant::now();
            let answer = self.call_all(&module, batch).await;
            let took = began.elapsed();
            batch.each_run(|rule, events| rule.counters.ran(events, took));
            answer
        };
        self.settler.judge(batch, answer);
        if !self.settler.written().is_empty() {
            self.write_down(batch).await;
        }
        let known = self.journal.end(known);
        self.settler
            .finish(self.worker, self.lane, batch, known.as_ref());
    }

    /// Makes `module` the one that is served: between two batches, the old
    /// instance makes way for the new.
    fn serve(&mut self, module: &Arc<PlannedModule>) {
        let serves = |serving: &Serving| Arc::ptr_eq(&serving.module, module);
        if self.serving.as_ref().is_some_and(serves) {
            return;
        }
        let mut prepared = self.lane.prepared.borrow_mut();
        let is_prepared = prepared
            .as_ref()
            .is_some_and(|prepared| Arc::ptr_eq(&prepared.module, module));
        let instance = if is_prepared { prepared.take() } else { None };
        self.serving = Some(Serving {
            module: Arc::clone(module),
            instance: instance.and_then(|prepared| prepared.instance),
        });
    }

    async fn call_all(&mut self, module: &Arc<PlannedModule>, batch: &mut Batch) -> Vec<Settled> {
        let deadline = Instant::now() + module.deadline();
        match self.call(module, batch, &batch.calls, deadline).await {
            Ok(answer) => {
                let serving = self.serving.as_ref();
                let instance = serving.and_then(|serving| serving.instance.as_ref());
                let took_too_much = instance.is_some_and(Instance::took_too_much);
                if module.conduct.came_back(took_too_much) {
                    let module = &*module.name;
                    tracing::info!(
                        module,
                        "the module behaves, and is called by its workers again"
                    );
                }
                batch.each_run(|rule, _| rule.breaker.came_back());
                answer
            }
            Err(lost) => isolate::find_poison(self, module, batch, lost).await,
        }
    }

    /// Makes calls of a batch, all of it or a part.
    pub(crate) async fn call(
        &mut self,
        module: &Arc<PlannedModule>,
        batch: &Batch,
        calls: &[Call],
        deadline: Instant,
    ) -> Result<Vec<Settled>, Lost> {
        if module.conduct.is_away() {
            return self.call_away(module, batch, calls, deadline).await;
        }
        self.away = None;
        let mut instance = self.instance(module).await.map_err(Lost::Start)?;
        module.counters.handled(batch.items.len());
        instance.begin(&mut self.journal, batch.hops());
        let is_whole = calls.len() == batch.calls.len();
        let answer = {
            let subjects = batch.items.iter().map(|item| &item.subject);
            let extras = Extras::of(subjects.clone());
            let node = &module.setting.node;
            let texts = Texts::of(subjects.clone(), &batch.needs, &extras, node);
            let called = (!is_whole).then_some(calls);
            let events = texts.events(subjects, &batch.needs, called);
            let lookups = instance.lookups();
            let call = instance.handle(&events, calls, deadline, Place::Worker);
            outbox::forwarding_lookups(self.worker, lookups, call).await
        };
        if instance.took_too_much() && module.conduct.strike() {
            say_away(module, "took too much of its worker's time");
        }
        let calls_of_broker = instance.end(&mut self.journal);
        module.counters.used(instance.take_usage());
        if answer.is_ok() {
            self.journal.run_ended();
        } else {
            self.journal.run_was_lost();
        }
        match answer {
            Ok(settled) => {
                if !calls_of_broker.is_empty() {
                    self.worker.put_down(calls_of_broker.into_iter());
                }
                if let Some(serving) = &mut self.serving {
                    serving.instance = Some(instance);
                }
                Ok(settled)
            }
            Err(GuestError::Held) => {
                // It begins anew there, and so does its time.
                let deadline = deadline.max(Instant::now() + module.deadline());
                self.call_away(module, batch, calls, deadline).await
            }
            Err(error) => Err(Lost::Guest(error)),
        }
    }

    /// Makes calls on a thread of the lane's own.
    async fn call_away(
        &mut self,
        module: &Arc<PlannedModule>,
        batch: &Batch,
        calls: &[Call],
        deadline: Instant,
    ) -> Result<Vec<Settled>, Lost> {
        let away = match self.away.take() {
            Some(away) => away,
            None => Away::begin().map_err(|error| no_thread(&error))?,
        };
        let serving = self.serving.as_mut();
        let work = Work {
            module: Arc::clone(module),
            instance: serving.and_then(|serving| serving.instance.take()),
            journal: std::mem::take(&mut self.journal),
            hops: batch.hops(),
            subjects: batch
                .items
                .iter()
                .map(|item| item.subject.clone())
                .collect(),
            needs: batch.needs.clone(),
            calls: calls.to_vec(),
            is_whole: calls.len() == batch.calls.len(),
            deadline,
            lookups: Lookups::default(),
        };
        let Some(worked) = away.run(self.worker, work).await else {
            return Err(no_thread(&std::io::Error::other("it ended")));
        };
        self.away = Some(away);
        self.journal = worked.journal;
        if !matches!(worked.answer, Err(Lost::Start(_))) {
            module.counters.handled(batch.items.len());
        }
        if worked.answer.is_ok() {
            self.journal.run_ended();
            if !worked.calls_of_broker.is_empty() {
                self.worker.put_down(worked.calls_of_broker.into_iter());
            }
            if let Some(serving) = &mut self.serving {
                serving.instance = worked.instance;
            }
        } else {
            self.journal.run_was_lost();
        }
        worked.answer
    }

    async fn instance(&mut self, module: &PlannedModule) -> Result<Instance, StartError> {
        match self
            .serving
            .as_mut()
            .and_then(|serving| serving.instance.take())
        {
            Some(instance) => Ok(instance),
            None => module.template.start(&module.setting).await,
        }
    }

    /// Says in the log that an instance is gone.
    pub(crate) fn say_lost(&mut self, module: &PlannedModule, batch: &Batch, lost: &Lost) {
        match lost {
            Lost::Start(_) => module.counters.failed_to_start(),
            Lost::Guest(GuestError::Deadline | GuestError::Held) => {
                module.counters.trapped(true);
                if module.conduct.strike() {
                    say_away(module, "missed its deadline again and again");
                }
            }
            Lost::Guest(GuestError::Trap { .. }) => module.counters.trapped(false),
        }
        let Some(pass) = self.log.pass(Instant::now()) else {
            return;
        };
        let mut rules: Vec<String> = Vec::new();
        batch.each_run(|rule, _| rules.push(rule.name.to_string()));
        rules.dedup();
        let (what, cause, backtrace) = match lost {
            Lost::Start(error) => ("does not start", error.to_string(), ""),
            Lost::Guest(GuestError::Deadline | GuestError::Held) => {
                ("was stopped", "its deadline passed".to_owned(), "")
            }
            Lost::Guest(GuestError::Trap { cause, backtrace }) => {
                ("trapped", cause.clone(), backtrace.as_str())
            }
        };
        tracing::error!(
            module = &*module.name,
            generation = module.generation,
            rules = rules.join(", "),
            events = batch.items.len(),
            lines_not_shown = pass.held_back,
            backtrace = (!backtrace.is_empty()).then(|| tracing::field::display(backtrace)),
            "the module {what}: {cause}",
        );
    }

    /// Writes down what was spooled and what died, before anybody is told.
    async fn write_down(&mut self, batch: &Batch) {
        let unwritten = self.worker.house.write(batch, self.settler.written()).await;
        if let Some((_, fault)) = unwritten.first() {
            if let Some(pass) = self.log.pass(Instant::now()) {
                tracing::error!(
                    code = fault.code,
                    events = unwritten.len(),
                    lines_not_shown = pass.held_back,
                    "cannot write down events: {}",
                    fault.message
                );
            }
            self.settler.not_written(batch, &unwritten);
        }
    }
}

/// Why a call came to nothing.
#[derive(Debug)]
pub(crate) enum Lost {
    /// No instance could be made.
    Start(StartError),
    /// The instance is gone, and what it did before is known by the journal
    /// alone.
    Guest(GuestError),
}

fn say_away(module: &PlannedModule, why: &str) {
    tracing::warn!(
        module = &*module.name,
        generation = module.generation,
        "the module {why}: it is called on threads of its own"
    );
}

fn no_thread(error: &std::io::Error) -> Lost {
    let cause = format!("there is no thread to call it on: {error}");
    Lost::Start(StartError::Guest(GuestError::Trap {
        cause,
        backtrace: String::new(),
    }))
}
