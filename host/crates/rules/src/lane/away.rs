//! A thread of its own for a lane whose guest holds its worker up.
//!
//! The lane stays where it is, with its queue and its order; only the calls
//! into the guest are made elsewhere, one at a time. The guest's memory is made
//! and freed there too. A thread ends when its lane no longer needs it: at the
//! latest with the deadline of the call that it makes.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use hookwire_bindings::wit::exports::hookwire::rule::actions::{Call, Settled};
use hookwire_broker::BrokerCall;
use tokio::sync::oneshot;

use crate::host::outbox::Lookups;
use crate::lane::batch::Needs;
use crate::lane::extras::Extras;
use crate::lane::hold::Place;
use crate::lane::journal::Journal;
use crate::lane::priority::{StepBack, step_back};
use crate::lane::runner::Lost;
use crate::lane::view::Texts;
use crate::module::instance::Instance;
use crate::plan::PlannedModule;
use crate::worker::Worker;
use crate::worker::subject::Subject;

/// How often a lane passes on what its guest asks of the broker.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// The thread of one lane.
pub(crate) struct Away {
    jobs: SyncSender<Job>,
}

struct Job {
    work: Work,
    done: oneshot::Sender<Worked>,
}

/// A call of `handle` with all that it needs.
pub(crate) struct Work {
    pub(crate) module: Arc<PlannedModule>,
    /// None: a fresh one is made.
    pub(crate) instance: Option<Instance>,
    pub(crate) journal: Journal,
    pub(crate) hops: u8,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) needs: Vec<Needs>,
    pub(crate) calls: Vec<Call>,
    /// Whether these are all calls of the batch.
    pub(crate) is_whole: bool,
    pub(crate) deadline: Instant,
    /// What the guest asks meanwhile.
    pub(crate) lookups: Lookups,
}

/// What became of it.
pub(crate) struct Worked {
    /// The instance, unless it was lost.
    pub(crate) instance: Option<Instance>,
    pub(crate) journal: Journal,
    pub(crate) calls_of_broker: Vec<BrokerCall>,
    pub(crate) answer: Result<Vec<Settled>, Lost>,
}

impl Away {
    pub(crate) fn begin() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (jobs, waiting) = sync_channel(1);
        std::thread::Builder::new()
            .name("rules-away".to_owned())
            .spawn(move || serve(&runtime, &waiting))?;
        Ok(Self { jobs })
    }

    /// Has the thread do it, and passes on what the guest asks meanwhile. None:
    /// the thread is gone.
    pub(crate) async fn run(&self, worker: &Worker, work: Work) -> Option<Worked> {
        let (done, mut is_done) = oneshot::channel();
        let lookups = work.lookups.clone();
        // There is room: a lane makes one call at a time.
        self.jobs.try_send(Job { work, done }).ok()?;
        loop {
            // Cancel-safe: an answer that was not taken stays in its channel.
            tokio::select! {
                worked = &mut is_done => return worked.ok(),
                () = tokio::time::sleep(LOOK_AGAIN) => {
                    let asked = lookups.take();
                    if !asked.is_empty() {
                        worker.put_down(asked.into_iter());
                    }
                }
            }
        }
    }
}

fn serve(runtime: &tokio::runtime::Runtime, waiting: &Receiver<Job>) {
    step_back(StepBack::Away);
    while let Ok(Job { work, done }) = waiting.recv() {
        let worked = runtime.block_on(work.run());
        // The lane may be gone.
        drop(done.send(worked));
    }
}

impl Work {
    async fn run(mut self) -> Worked {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => match self.module.template.start(&self.module.setting).await {
                Ok(instance) => instance,
                Err(error) => {
                    return Worked {
                        instance: None,
                        journal: self.journal,
                        calls_of_broker: Vec::new(),
                        answer: Err(Lost::Start(error)),
                    };
                }
            },
        };
        instance.ask_by(self.lookups);
        instance.begin(&mut self.journal, self.hops);
        let extras = Extras::of(self.subjects.iter());
        let node = &self.module.setting.node;
        let texts = Texts::of(self.subjects.iter(), &self.needs, &extras, node);
        let called = (!self.is_whole).then_some(&*self.calls);
        let events = texts.events(self.subjects.iter(), &self.needs, called);
        let call = instance.handle(&events, &self.calls, self.deadline, Place::Away);
        let answer = call.await.map_err(Lost::Guest);
        let calls_of_broker = instance.end(&mut self.journal);
        Worked {
            instance: answer.is_ok().then_some(instance),
            journal: self.journal,
            calls_of_broker,
            answer,
        }
    }
}
