//! What lies in lanes, and what the items of one batch have in common.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use hookwire_broker::{MAX_HOPS, Stores};
use hookwire_driver::Fault;
use tokio::sync::oneshot;

use crate::lane::journal::Known;
use crate::plan::set::{Set, Step};
use crate::plan::{PlannedModule, RuleId};
use crate::worker::chain::ChainEntry;
use crate::worker::subject::{ClientHash, Subject};

/// What is to be handed to a guest.
pub(crate) struct Item {
    pub(crate) client: ClientHash,
    /// When it came to the worker, by count: a client's items are in this order.
    pub(crate) came: u64,
    pub(crate) subject: Subject,
    pub(crate) set: Rc<Set>,
    /// Index of the step in the set.
    pub(crate) step: usize,
    /// The chain that goes on with the verdict, if there are more steps.
    pub(crate) chain: Option<ChainEntry>,
    /// What is left of the step, if some of it has run.
    pub(crate) rest: Option<Box<Rest>>,
    /// For an event that is run again from disk: who wants to know.
    pub(crate) replay: Option<Replay>,
}

/// Told how an event fared that was run again.
pub(crate) type Replay = oneshot::Sender<Result<(), Fault>>;

/// What is left to run of a step.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) rules: Vec<RuleId>,
    /// Calls of these rules that failed.
    pub(crate) attempts: u32,
    /// When the first of them failed.
    pub(crate) since: Instant,
    /// When they run.
    pub(crate) due: Instant,
    /// All of it has run, and this rule changed the event: it goes on when what
    /// came before it has.
    pub(crate) changed: Option<RuleId>,
    /// What stores answered about its rows, unless there is nothing.
    pub(crate) known: Option<Known>,
}

impl Item {
    pub(crate) fn step(&self) -> Option<&Step> {
        self.set.steps.get(self.step)
    }

    /// The rules to run.
    pub(crate) fn rules(&self) -> &[RuleId] {
        match &self.rest {
            Some(rest) => &rest.rules,
            None => self.step().map_or(&[], |step| &step.rules),
        }
    }

    /// What stores answered about its rows in batches before.
    pub(crate) fn known(&self) -> Option<&Known> {
        self.rest.as_ref()?.known.as_ref()
    }

    /// Notes on a publish where rules of its step have stored it: all but those
    /// that failed and those that are left to run.
    pub(crate) fn note_stored(&mut self, failed: &[RuleId], left: &[RuleId]) {
        if self.set.stores == Stores::NONE {
            return;
        }
        let mut stored = Stores::NONE;
        for id in self.rules() {
            if let Some(rule) = self.set.plan.rules.get(*id)
                && rule.stores
                && !failed.contains(id)
                && !left.contains(id)
                && self.set.runs(rule, &self.subject)
            {
                stored = stored.union(rule.store);
            }
        }
        if let Subject::Publish(publish) = &mut self.subject {
            publish.stored = publish.stored.union(stored);
        }
    }

    /// The module that they are in.
    pub(crate) fn module(&self) -> Option<&Arc<PlannedModule>> {
        self.set.plan.modules.get(self.step()?.module)
    }
}

/// How much goes into one batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchBounds {
    /// Events.
    pub(crate) events: usize,
    /// Bytes of their payloads; a single event may have more.
    pub(crate) payload_bytes: usize,
}

/// What all items of a batch have in common.
#[derive(Clone)]
pub(crate) struct Common {
    module: *const PlannedModule,
    pub(crate) bounds: BatchBounds,
    /// Whether publishes of rules led to them as often as is allowed: what such
    /// a batch publishes is dropped, and nothing else may be in it.
    is_last_hop: bool,
    /// It answers for rows of its own events alone.
    known: Option<Known>,
}

impl Common {
    pub(crate) fn of(item: &Item) -> Option<Self> {
        let module = item.module()?;
        Some(Self {
            module: Arc::as_ptr(module),
            bounds: module.batch,
            is_last_hop: is_last_hop(item),
            known: item.known().cloned(),
        })
    }

    pub(crate) fn has(&self, item: &Item) -> bool {
        item.module()
            .is_some_and(|module| Arc::as_ptr(module) == self.module)
            && is_last_hop(item) == self.is_last_hop
            && item.known().map(Rc::as_ptr) == self.known.as_ref().map(Rc::as_ptr)
    }
}

fn is_last_hop(item: &Item) -> bool {
    item.subject.hops() >= MAX_HOPS
}
