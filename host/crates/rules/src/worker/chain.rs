//! Publishes whose rules take more than one step: each step runs in its own
//! module's lane, on what the step before made of the message.
//!
//! A chain keeps a place in every lane it is going to visit from the moment it
//! is submitted. All chains take their places in the same order, and an entry
//! waits only for entries before it, so lanes cannot wait for each other in a
//! circle.

use std::rc::Rc;

use slab::Slab;

use crate::lane::entry::first_rule;
use crate::lane::item::Item;
use crate::plan::RuleId;
use crate::plan::set::Set;
use crate::worker::subject::{ClientHash, Publish, Subject};

/// A place of a chain in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChainEntry {
    key: usize,
    /// Keys are reused; serial numbers are not.
    serial: u64,
    step: usize,
    /// See [`Item::came`].
    pub(crate) came: u64,
}

/// Whether an entry may run.
pub(crate) enum Turn {
    /// It runs now.
    Now(Running),
    /// A step before it is not decided.
    Later,
    /// The chain ended before it, or passed it over.
    Never,
}

/// A chain's publish on its way through a lane.
pub(crate) struct Running {
    publish: Publish,
    set: Rc<Set>,
}

impl Running {
    pub(crate) fn into_item(self, client: ClientHash, entry: ChainEntry) -> Item {
        Item {
            client,
            came: entry.came,
            subject: Subject::Publish(self.publish),
            set: self.set,
            step: entry.step,
            chain: Some(entry),
            rest: None,
            replay: None,
        }
    }
}

struct Chain {
    serial: u64,
    set: Rc<Set>,
    /// The step whose turn it is, or that runs.
    step: usize,
    /// Not here while a lane has it.
    publish: Option<Publish>,
}

/// The chains of one worker.
#[derive(Default)]
pub(crate) struct Chains {
    chains: Slab<Chain>,
    serials: u64,
}

impl Chains {
    /// Begins a chain at step `first`; the entry of any of its steps is made
    /// with [`ChainEntry::at`].
    pub(crate) fn begin(
        &mut self,
        publish: Publish,
        set: Rc<Set>,
        first: usize,
        came: u64,
    ) -> ChainEntry {
        self.serials += 1;
        let serial = self.serials;
        let key = self.chains.insert(Chain {
            serial,
            set,
            step: first,
            publish: Some(publish),
        });
        ChainEntry {
            key,
            serial,
            step: first,
            came,
        }
    }

    /// Asks whether the turn of an entry has come, and takes it.
    pub(crate) fn take_turn(&mut self, entry: ChainEntry) -> Turn {
        let Some(chain) = self.find_mut(entry) else {
            return Turn::Never;
        };
        if chain.step > entry.step {
            return Turn::Never;
        }
        if chain.step < entry.step {
            return Turn::Later;
        }
        match chain.publish.take() {
            Some(publish) => Turn::Now(Running {
                publish,
                set: Rc::clone(&chain.set),
            }),
            None => Turn::Never,
        }
    }

    /// The step before is decided; `publish` goes on with step `next`.
    pub(crate) fn go_on(&mut self, entry: ChainEntry, publish: Publish, next: usize) {
        if let Some(chain) = self.find_mut(entry) {
            chain.publish = Some(publish);
            chain.step = next;
        }
    }

    /// Ends a chain; its places in other lanes become void.
    pub(crate) fn end(&mut self, entry: ChainEntry) {
        if self.find_mut(entry).is_some() {
            self.chains.remove(entry.key);
        }
    }

    /// Ends the chains of the publishes that are meant and not in a lane's
    /// hands, and moves those to `removed`.
    pub(crate) fn remove(
        &mut self,
        is_meant: impl Fn(&Publish) -> bool,
        removed: &mut Vec<Publish>,
    ) {
        self.chains.retain(|_, chain| {
            if !chain.publish.as_ref().is_some_and(&is_meant) {
                return true;
            }
            removed.extend(chain.publish.take());
            false
        });
    }

    /// Number of the plan and of the first rule that an entry waits for.
    pub(crate) fn place(&self, entry: ChainEntry) -> Option<(u64, RuleId)> {
        let chain = self.chains.get(entry.key)?;
        (chain.serial == entry.serial)
            .then(|| (chain.set.plan.number, first_rule(&chain.set, entry.step)))
    }

    fn find_mut(&mut self, entry: ChainEntry) -> Option<&mut Chain> {
        self.chains
            .get_mut(entry.key)
            .filter(|chain| chain.serial == entry.serial)
    }
}

impl ChainEntry {
    /// The same chain's place at another step.
    pub(crate) fn at(self, step: usize) -> Self {
        Self { step, ..self }
    }
}
