//! The queue of one lane: events of the clients pinned to it, in order.
//!
//! Most entries are ready when they come. An entry of a publish whose chain
//! runs through several modules waits here for its turn, and one whose call
//! failed and is tried again waits for its time, so that what its client does
//! afterwards does not overtake it; other clients' entries do. Everything here
//! belongs to one worker's thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use crate::lane::before::Before;
use crate::lane::entry::Entry;
use crate::lane::item::Item;
use crate::lane::signal::Signal;
use crate::lane::take::Scan;
use crate::module::instance::Instance;
use crate::plan::PlannedModule;
use crate::worker::chain::ChainEntry;
use crate::worker::subject::ClientHash;

/// Lanes of a worker that are at their bound.
#[derive(Default)]
pub(crate) struct Pressure {
    full_lanes: Cell<usize>,
}

impl Pressure {
    pub(crate) fn is_none(&self) -> bool {
        self.full_lanes.get() == 0
    }
}

/// A module that a lane is going to serve, with an instance if there is one.
pub(crate) struct Prepared {
    pub(crate) module: Arc<PlannedModule>,
    pub(crate) instance: Option<Instance>,
}

/// One lane's queue.
pub(crate) struct Lane {
    pub(super) queue: RefCell<VecDeque<Entry>>,
    /// Chained entries in the queue, ready or not.
    pub(super) chained: Cell<usize>,
    /// Entries in the queue of which a part has run.
    pub(super) rests: Cell<usize>,
    pub(super) max_queued: Cell<usize>,
    pub(super) is_full: Cell<bool>,
    pub(super) pressure: Rc<Pressure>,
    pub(super) scan: RefCell<Scan>,
    signal: Signal,
    /// Clients whose events are in the batch that runs, each once or more.
    running: RefCell<Vec<ClientHash>>,
    pub(crate) prepared: RefCell<Option<Prepared>>,
    /// Lanes whose clients came to this one.
    pub(super) before: RefCell<Before>,
}

impl Lane {
    pub(crate) fn new(max_queued: usize, pressure: Rc<Pressure>) -> Self {
        Self {
            queue: RefCell::default(),
            chained: Cell::default(),
            rests: Cell::default(),
            max_queued: Cell::new(max_queued),
            is_full: Cell::default(),
            pressure,
            scan: RefCell::default(),
            signal: Signal::default(),
            running: RefCell::default(),
            prepared: RefCell::default(),
            before: RefCell::default(),
        }
    }

    /// Appends an item, also beyond the bound: it is for the core to submit no
    /// more.
    pub(crate) fn push(&self, item: Item) {
        self.append(Entry::Ready(item));
        self.signal.raise();
    }

    /// Puts an item before what its client did after it.
    pub(crate) fn push_in_place(&self, item: Item) {
        self.insert(Entry::Ready(item));
        self.signal.raise();
    }

    /// Puts items whose calls are to be made again before everything else, in
    /// the order given.
    pub(crate) fn put_back(&self, items: impl DoubleEndedIterator<Item = Item>) {
        let mut queue = self.queue.borrow_mut();
        for item in items.rev() {
            if item.rest.is_some() {
                self.rests.set(self.rests.get() + 1);
            }
            queue.push_front(Entry::Ready(item));
        }
        self.note_length(queue.len());
    }

    /// Keeps a place for a step whose turn has not come.
    pub(crate) fn reserve(&self, client: ClientHash, entry: ChainEntry) {
        self.chained.set(self.chained.get() + 1);
        self.append(Entry::Chained(client, entry));
    }

    /// As [`Lane::reserve`], before what the client did after it.
    pub(crate) fn reserve_in_place(&self, client: ClientHash, entry: ChainEntry) {
        self.chained.set(self.chained.get() + 1);
        self.insert(Entry::Chained(client, entry));
    }

    /// The turn of an entry may have come, or the lane's module changes.
    pub(crate) fn notify(&self) {
        self.signal.raise();
    }

    /// Waits until something may be ready.
    pub(crate) async fn notified(&self) {
        poll_fn(|cx| {
            if self.signal.take() {
                return Poll::Ready(());
            }
            self.signal.set_waker(cx.waker());
            Poll::Pending
        })
        .await;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    /// A batch of these runs now, until [`Lane::run_ended`].
    pub(crate) fn run_begins(&self, items: &[Item]) {
        let clients = items.iter().map(|item| item.client);
        self.running.borrow_mut().extend(clients);
    }

    pub(crate) fn run_ended(&self) {
        self.running.borrow_mut().clear();
    }

    /// Whether everything that came here has run.
    pub(crate) fn is_done(&self) -> bool {
        self.is_empty() && self.running.borrow().is_empty()
    }

    /// The clients of whom something is here, some of them more than once.
    pub(super) fn each_client(&self, mut see: impl FnMut(ClientHash)) {
        self.running.borrow().iter().copied().for_each(&mut see);
        self.queue.borrow().iter().map(Entry::client).for_each(see);
    }

    /// These served its clients before.
    pub(crate) fn set_before(&self, before: Before) {
        self.before.replace(before);
    }

    /// Whether what is here may wait for lanes before this one.
    pub(crate) fn may_wait_for_others(&self) -> bool {
        !self.before.borrow().is_over() && !self.is_empty()
    }

    pub(crate) fn has_room(&self) -> bool {
        !self.is_full.get()
    }

    pub(crate) fn set_bound(&self, max_queued: usize) {
        self.max_queued.set(max_queued);
    }

    /// When the first of the entries that wait for their time is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        if self.rests.get() == 0 {
            return None;
        }
        let queue = self.queue.borrow();
        let due = queue.iter().filter_map(|entry| match entry {
            Entry::Ready(item) => item.rest.as_ref().map(|rest| rest.due),
            Entry::Chained(..) => None,
        });
        due.min()
    }

    /// Whether the queue was at its bound and is not any more.
    pub(super) fn has_room_again(&self, queued: usize) -> bool {
        let has_room_again = self.is_full.get() && queued < self.max_queued.get();
        if has_room_again {
            self.is_full.set(false);
            let full_lanes = self.pressure.full_lanes.get();
            self.pressure.full_lanes.set(full_lanes.saturating_sub(1));
        }
        has_room_again
    }

    fn append(&self, entry: Entry) {
        let mut queue = self.queue.borrow_mut();
        queue.push_back(entry);
        self.note_length(queue.len());
    }

    fn insert(&self, entry: Entry) {
        let mut queue = self.queue.borrow_mut();
        let (client, came) = (entry.client(), entry.came());
        let is_behind = |other: &Entry| other.client() == client && other.came() > came;
        let place = queue.iter().position(is_behind).unwrap_or(queue.len());
        queue.insert(place, entry);
        self.note_length(queue.len());
    }

    fn note_length(&self, queued: usize) {
        if queued >= self.max_queued.get() && !self.is_full.replace(true) {
            let full_lanes = self.pressure.full_lanes.get();
            self.pressure.full_lanes.set(full_lanes + 1);
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.is_full.get() {
            let full_lanes = self.pressure.full_lanes.get();
            self.pressure.full_lanes.set(full_lanes.saturating_sub(1));
        }
    }
}
