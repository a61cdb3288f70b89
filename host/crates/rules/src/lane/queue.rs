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
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::lane::item::{Common, Item};
use crate::lane::order::Order;
use crate::lane::signal::Signal;
use crate::module::instance::Instance;
use crate::plan::sets::Set;
use crate::plan::{PlannedModule, RuleId};
use crate::worker::chain::{ChainEntry, Chains, Turn};
use crate::worker::subject::{ClientHash, Publish, Subject};

enum Entry {
    Ready(Item),
    /// Waits for the steps before it.
    Chained(ClientHash, ChainEntry),
}

/// Whether the time or turn of an entry has come.
enum Readiness {
    Now(Item),
    /// It is left where it was.
    Later(Entry),
    /// It was passed over, and is gone.
    Never,
}

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
    queue: RefCell<VecDeque<Entry>>,
    /// Chained entries in the queue, ready or not.
    chained: Cell<usize>,
    /// Entries in the queue of which a part has run.
    rests: Cell<usize>,
    max_queued: Cell<usize>,
    is_full: Cell<bool>,
    pressure: Rc<Pressure>,
    scan: RefCell<Scan>,
    signal: Signal,
    /// Whether it runs what comes here: the lanes before it are done.
    pub(crate) has_begun: Cell<bool>,
    /// Whether a batch is being run.
    pub(crate) is_running: Cell<bool>,
    pub(crate) prepared: RefCell<Option<Prepared>>,
    /// Lanes whose clients came to this one, and which have to be done first.
    pub(crate) after: RefCell<Vec<Weak<Lane>>>,
}

/// Buffers of [`Lane::take`].
#[derive(Default)]
struct Scan {
    held: Vec<Entry>,
    /// Clients with a held entry, and where the earliest stands.
    blocked: FxHashMap<ClientHash, Order>,
    /// Clients of whom something is tried again in this batch: what is new waits
    /// until that has gone well.
    trying: FxHashSet<ClientHash>,
}

/// Entries looked at for one batch, in batches: bounds the search behind
/// entries that wait.
const SCAN_BATCHES: usize = 4;

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
            has_begun: Cell::default(),
            is_running: Cell::default(),
            prepared: RefCell::default(),
            after: RefCell::default(),
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

    /// Whether everything that came here has run, and what came to the lanes
    /// before it.
    pub(crate) fn is_done(&self) -> bool {
        self.has_begun.get() && self.is_empty() && !self.is_running.get()
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

    /// Moves ready items of one module to `items`, as many as its bounds allow,
    /// and answers whether the queue was at its bound and no longer is.
    pub(crate) fn take(&self, chains: &mut Chains, items: &mut Vec<Item>) -> bool {
        let mut queue = self.queue.borrow_mut();
        if self.chained.get() == 0 && self.rests.get() == 0 {
            take_ready(&mut queue, items);
        } else {
            self.take_past_waiting(&mut queue, chains, items);
        }
        self.has_room_again(queue.len())
    }

    /// Moves the publishes that are meant to `removed`, with the chains that end
    /// with them, and answers as [`Lane::take`] does.
    pub(crate) fn remove(
        &self,
        is_meant: impl Fn(&Publish) -> bool,
        removed: &mut Vec<(Publish, Option<ChainEntry>)>,
    ) -> bool {
        let mut queue = self.queue.borrow_mut();
        for entry in std::mem::take(&mut *queue) {
            match entry {
                Entry::Ready(Item {
                    subject: Subject::Publish(publish),
                    chain,
                    rest: None,
                    ..
                }) if is_meant(&publish) => removed.push((publish, chain)),
                other => queue.push_back(other),
            }
        }
        self.has_room_again(queue.len())
    }

    fn has_room_again(&self, queued: usize) -> bool {
        let has_room_again = self.is_full.get() && queued < self.max_queued.get();
        if has_room_again {
            self.is_full.set(false);
            let full_lanes = self.pressure.full_lanes.get();
            self.pressure.full_lanes.set(full_lanes.saturating_sub(1));
        }
        has_room_again
    }

    fn take_past_waiting(
        &self,
        queue: &mut VecDeque<Entry>,
        chains: &mut Chains,
        items: &mut Vec<Item>,
    ) {
        let now = Instant::now();
        let mut bytes = 0;
        let mut common: Option<Common> = None;
        let mut scan = self.scan.borrow_mut();
        let Scan {
            held,
            blocked,
            trying,
        } = &mut *scan;
        let mut looked_at = 0;
        while let Some(entry) = queue.pop_front() {
            looked_at += 1;
            let (client, order) = (entry.client(), entry.order(chains));
            let is_blocked = blocked
                .get(&client)
                .is_some_and(|earliest| order.is_blocked_by(*earliest))
                || !entry.has_run() && trying.contains(&client);
            let readiness = if is_blocked {
                Readiness::Later(entry)
            } else {
                self.ready(entry, chains, now)
            };
            let entry = match readiness {
                Readiness::Never => continue,
                Readiness::Now(item) => {
                    let fits = match &common {
                        Some(common) => common.has(&item) && bytes < common.bounds.payload_bytes,
                        None => {
                            common = Common::of(&item);
                            common.is_some()
                        }
                    };
                    if !fits {
                        // It begins the next batch; its place is kept.
                        self.rests
                            .set(self.rests.get() + usize::from(item.rest.is_some()));
                        queue.push_front(Entry::Ready(item));
                        break;
                    }
                    bytes += item.subject.payload_bytes();
                    if item.rest.as_ref().is_some_and(|rest| rest.attempts > 0) {
                        trying.insert(client);
                    }
                    items.push(item);
                    let max = common.as_ref().map_or(1, |common| common.bounds.events);
                    if items.len() >= max || looked_at >= max.saturating_mul(SCAN_BATCHES) {
                        break;
                    }
                    continue;
                }
                Readiness::Later(entry) => entry,
            };
            let earliest = blocked.entry(client).or_insert(order);
            *earliest = earliest.earlier(order);
            held.push(entry);
            if looked_at >= SCAN_BATCHES * MAX_SCANNED {
                break;
            }
        }
        for entry in held.drain(..).rev() {
            queue.push_front(entry);
        }
        blocked.clear();
        trying.clear();
    }

    fn ready(&self, entry: Entry, chains: &mut Chains, now: Instant) -> Readiness {
        match entry {
            Entry::Ready(item) => match &item.rest {
                Some(rest) if rest.due > now => Readiness::Later(Entry::Ready(item)),
                Some(_) => {
                    self.rests.set(self.rests.get().saturating_sub(1));
                    Readiness::Now(item)
                }
                None => Readiness::Now(item),
            },
            Entry::Chained(client, chained) => match chains.take_turn(chained) {
                Turn::Now(turn) => {
                    self.chained.set(self.chained.get().saturating_sub(1));
                    Readiness::Now(turn.into_item(client, chained))
                }
                Turn::Never => {
                    self.chained.set(self.chained.get().saturating_sub(1));
                    Readiness::Never
                }
                Turn::Later => Readiness::Later(Entry::Chained(client, chained)),
            },
        }
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

/// Entries that wait and are passed over in search of one that does not.
const MAX_SCANNED: usize = 4096;

impl Drop for Lane {
    fn drop(&mut self) {
        if self.is_full.get() {
            let full_lanes = self.pressure.full_lanes.get();
            self.pressure.full_lanes.set(full_lanes.saturating_sub(1));
        }
    }
}

/// The common case: nothing waits for anything.
fn take_ready(queue: &mut VecDeque<Entry>, items: &mut Vec<Item>) {
    let Some(Entry::Ready(first)) = queue.front() else {
        return;
    };
    let Some(common) = Common::of(first) else {
        return;
    };
    let mut bytes = 0;
    let within = queue.iter().take(common.bounds.events).take_while(|entry| {
        let Entry::Ready(item) = entry else {
            return false;
        };
        let fits = bytes < common.bounds.payload_bytes && common.has(item);
        bytes += item.subject.payload_bytes();
        fits
    });
    let count = within.count();
    items.extend(queue.drain(..count).filter_map(|entry| match entry {
        Entry::Ready(item) => Some(item),
        Entry::Chained(..) => None,
    }));
}

impl Entry {
    /// Whether some of it has run.
    fn has_run(&self) -> bool {
        match self {
            Self::Ready(item) => item.rest.is_some(),
            Self::Chained(..) => false,
        }
    }

    fn client(&self) -> ClientHash {
        match self {
            Self::Ready(item) => item.client,
            Self::Chained(client, _) => *client,
        }
    }

    fn came(&self) -> u64 {
        match self {
            Self::Ready(item) => item.came,
            Self::Chained(_, entry) => entry.came,
        }
    }

    fn order(&self, chains: &Chains) -> Order {
        match self {
            Self::Ready(item) => match &item.subject {
                Subject::Publish(_) if item.rest.is_none() => Order::Publish {
                    plan: item.set.plan.number,
                    rule: first_rule(&item.set, item.step),
                },
                _ => Order::Fixed,
            },
            Self::Chained(_, entry) => match chains.place(*entry) {
                Some((plan, rule)) => Order::Publish { plan, rule },
                None => Order::Publish { plan: 0, rule: 0 },
            },
        }
    }
}

pub(crate) fn first_rule(set: &Set, step: usize) -> RuleId {
    let step = set.steps.get(step);
    step.and_then(|step| step.rules.first())
        .copied()
        .unwrap_or_default()
}
