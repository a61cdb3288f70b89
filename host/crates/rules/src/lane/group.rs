//! The lanes of one module and class on one worker.

use std::rc::Rc;
use std::sync::Arc;

use crate::lane::class::Class;
use crate::lane::queue::Lane;
use crate::worker::subject::ClientHash;

/// For each module of a plan, its lanes by class.
pub(crate) type Lanes = Vec<[Option<Rc<LaneGroup>>; Class::ALL.len()]>;

/// Lanes that share a module and a class; a client belongs to one of them.
pub(crate) struct LaneGroup {
    pub(crate) module: Arc<str>,
    pub(crate) class: Class,
    pub(crate) lanes: Vec<Rc<Lane>>,
}

impl LaneGroup {
    /// The lane of a client.
    pub(crate) fn of(&self, client: ClientHash) -> Option<&Rc<Lane>> {
        // The upper half of the hash, because workers are chosen by hash too.
        let place = ((client >> 32) * self.lanes.len() as u64) >> 32;
        self.lanes.get(place as usize)
    }
}

impl Drop for LaneGroup {
    fn drop(&mut self) {
        // Their tasks end when nobody can submit to them any more.
        for lane in &self.lanes {
            lane.notify();
        }
    }
}
