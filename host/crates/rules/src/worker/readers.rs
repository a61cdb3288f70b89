//! A client's reads wait for its earlier writes: what it has acknowledged is in
//! the store before it is asked what it has not.

use std::collections::hash_map::Entry;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::Worker;
use crate::plan::set::Set;
use crate::worker::subject::{Asked, ClientHash};

/// Clients with events in the lanes that nobody waits for, and what they want to
/// read when those have run.
#[derive(Default)]
pub(super) struct Readers {
    writes: FxHashMap<ClientHash, u32>,
    held: FxHashMap<ClientHash, Vec<(Asked, Rc<Set>)>>,
}

impl Readers {
    pub(super) fn write_began(&mut self, client: ClientHash) {
        *self.writes.entry(client).or_default() += 1;
    }

    /// What may be read now.
    fn write_ended(&mut self, client: ClientHash) -> Vec<(Asked, Rc<Set>)> {
        let Entry::Occupied(mut writes) = self.writes.entry(client) else {
            return Vec::new();
        };
        *writes.get_mut() -= 1;
        if *writes.get() > 0 {
            return Vec::new();
        }
        writes.remove();
        self.held.remove(&client).unwrap_or_default()
    }

    /// Keeps a question until the client has nothing to write; hands it back if
    /// that is so already, or no matter to it. None overtakes another.
    pub(super) fn hold(
        &mut self,
        client: ClientHash,
        after_writes: bool,
        asked: Asked,
        set: Rc<Set>,
    ) -> Option<(Asked, Rc<Set>)> {
        let waits = after_writes && self.writes.contains_key(&client);
        if !waits && !self.held.contains_key(&client) {
            return Some((asked, set));
        }
        self.held.entry(client).or_default().push((asked, set));
        None
    }
}

impl Worker {
    pub(super) fn write_ended(&self, client: ClientHash) {
        let freed = self.readers.borrow_mut().write_ended(client);
        for (asked, set) in freed {
            self.put_asked(asked, set);
        }
    }
}
