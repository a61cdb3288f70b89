//! The queue of one lane: events of the clients pinned to it, in order.
//!
//! Most entries are ready when they come. An entry of a publish whose chain
//! runs through several modules waits here for its turn, so that what its
//! client does afterwards does not overtake it; other clients' entries do.
//! Everything here belongs to one worker's thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use hookwire_broker::{ClientEvent, ClientInfo, Message, Ticket};
use rustc_hash::FxHashMap;

use crate::chain::{ChainEntry, Chains, Turn};
use crate::sets::{Set, Step};

/// A client, as far as lanes know it: the hash that pins it.
pub(crate) type ClientHash = u64;

/// What is to be handed to a guest.
pub(crate) struct Item {
    pub(crate) client: ClientHash,
    pub(crate) subject: Subject,
    pub(crate) set: Rc<Set>,
    /// Index of the step in the set.
    pub(crate) step: usize,
    /// The chain that goes on with the verdict, if there are more steps.
    pub(crate) chain: Option<ChainEntry>,
}

impl Item {
    fn payload_bytes(&self) -> usize {
        match &self.subject {
            Subject::Publish(publish) => publish.message.payload.len(),
            Subject::Acked { message, .. } => message.payload.len(),
            Subject::Client(_) => 0,
        }
    }

    pub(crate) fn step(&self) -> Option<&Step> {
        self.set.steps.get(self.step)
    }
}

/// What an event is about.
pub(crate) enum Subject {
    /// `message.publish`
    Publish(Publish),
    /// `message.acked`
    Acked {
        client: Arc<ClientInfo>,
        message: Arc<Message>,
    },
    /// `client.*`
    Client(ClientEvent),
}

/// A message that waits for its verdict.
pub(crate) struct Publish {
    pub(crate) ticket: Ticket,
    pub(crate) message: Arc<Message>,
    /// Whether it is no longer the message that was submitted.
    pub(crate) replaced: bool,
    /// Whether a rule has run on it.
    pub(crate) is_seen: bool,
}

enum Entry {
    Ready(Item),
    /// Waits for the steps before it.
    Chained(ClientHash, ChainEntry),
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

/// One lane's queue.
pub(crate) struct Lane {
    queue: RefCell<VecDeque<Entry>>,
    /// Chained entries in the queue, ready or not.
    chained: Cell<usize>,
    max_queued: usize,
    is_full: Cell<bool>,
    pressure: Rc<Pressure>,
    scan: RefCell<Scan>,
    signal: Signal,
}

/// Buffers of [`Lane::take`].
#[derive(Default)]
struct Scan {
    held: Vec<Entry>,
    /// Clients with a held entry, and the first rule of the earliest.
    blocked: FxHashMap<ClientHash, u16>,
}

/// How much goes into one batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchBounds {
    /// Events.
    pub(crate) events: usize,
    /// Bytes of their payloads; a single event may have more.
    pub(crate) payload_bytes: usize,
}

/// Entries looked at for one batch, in batches: bounds the search behind
/// entries that wait.
const SCAN_BATCHES: usize = 4;

impl Lane {
    pub(crate) fn new(max_queued: usize, pressure: Rc<Pressure>) -> Self {
        Self {
            queue: RefCell::default(),
            chained: Cell::default(),
            max_queued,
            is_full: Cell::default(),
            pressure,
            scan: RefCell::default(),
            signal: Signal::default(),
        }
    }

    /// Appends an item, also beyond the bound: it is for the core to submit no
    /// more.
    pub(crate) fn push(&self, item: Item) {
        self.append(Entry::Ready(item));
        self.signal.raise();
    }

    /// Keeps a place for a step whose turn has not come.
    pub(crate) fn reserve(&self, client: ClientHash, entry: ChainEntry) {
        self.chained.set(self.chained.get() + 1);
        self.append(Entry::Chained(client, entry));
    }

    /// The turn of an entry has come.
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

    pub(crate) fn has_room(&self) -> bool {
        !self.is_full.get()
    }

    /// Moves ready items to `items`, as many as the bounds allow, and answers
    /// whether the queue was at its bound and no longer is.
    pub(crate) fn take(
        &self,
        chains: &mut Chains,
        bounds: BatchBounds,
        items: &mut Vec<Item>,
    ) -> bool {
        let mut queue = self.queue.borrow_mut();
        if self.chained.get() == 0 {
            let mut bytes = 0;
            let within = queue.iter().take(bounds.events).take_while(|entry| {
                let fits = bytes < bounds.payload_bytes;
                bytes += entry.payload_bytes();
                fits
            });
            let count = within.count();
            items.extend(queue.drain(..count).filter_map(|entry| match entry {
                Entry::Ready(item) => Some(item),
                Entry::Chained(..) => None,
            }));
        } else {
            self.take_past_waiting(&mut queue, chains, bounds, items);
        }
        self.has_room_again(queue.len())
    }

    /// Moves the publishes that are meant to `removed`, and answers as
    /// [`Lane::take`] does.
    pub(crate) fn remove(
        &self,
        is_meant: impl Fn(&Publish) -> bool,
        removed: &mut Vec<Publish>,
    ) -> bool {
        let mut queue = self.queue.borrow_mut();
        for entry in std::mem::take(&mut *queue) {
            match entry {
                Entry::Ready(Item {
                    subject: Subject::Publish(publish),
                    ..
                }) if is_meant(&publish) => removed.push(publish),
                other => queue.push_back(other),
            }
        }
        self.has_room_again(queue.len())
    }

    fn has_room_again(&self, queued: usize) -> bool {
        let has_room_again = self.is_full.get() && queued < self.max_queued;
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
        bounds: BatchBounds,
        items: &mut Vec<Item>,
    ) {
        let max = bounds.events;
        let mut bytes = 0;
        let mut scan = self.scan.borrow_mut();
        let Scan { held, blocked } = &mut *scan;
        for _ in 0..max.saturating_mul(SCAN_BATCHES) {
            if items.len() >= max || bytes >= bounds.payload_bytes {
                break;
            }
            let Some(entry) = queue.pop_front() else {
                break;
            };
            let (client, order) = (entry.client(), entry.order(chains));
            let is_blocked = blocked
                .get(&client)
                .is_some_and(|earliest| order.blocked_by(*earliest));
            let entry = match entry {
                _ if is_blocked => entry,
                Entry::Ready(item) => {
                    bytes += item.payload_bytes();
                    items.push(item);
                    continue;
                }
                Entry::Chained(client, chained) => match chains.take_turn(chained) {
                    Turn::Now(turn) => {
                        self.chained.set(self.chained.get().saturating_sub(1));
                        let item = turn.into_item(client, chained);
                        bytes += item.payload_bytes();
                        items.push(item);
                        continue;
                    }
                    Turn::Never => {
                        self.chained.set(self.chained.get().saturating_sub(1));
                        continue;
                    }
                    Turn::Later => Entry::Chained(client, chained),
                },
            };
            let earliest = blocked.entry(client).or_insert(u16::MAX);
            *earliest = (*earliest).min(order.blocks_from());
            held.push(entry);
        }
        for entry in held.drain(..).rev() {
            queue.push_front(entry);
        }
        blocked.clear();
    }

    fn append(&self, entry: Entry) {
        let mut queue = self.queue.borrow_mut();
        queue.push_back(entry);
        if queue.len() >= self.max_queued && !self.is_full.replace(true) {
            let full_lanes = self.pressure.full_lanes.get();
            self.pressure.full_lanes.set(full_lanes + 1);
        }
    }
}

/// Where an entry stands among those of its client. Each rule sees a client's
/// publishes in order; so a later publish may overtake an earlier one that
/// waits for a rule behind its own, as it does in the chain anyway. Events
/// about the client overtake nothing, and nothing overtakes them.
#[derive(Clone, Copy)]
enum Order {
    PublishAt(u16),
    Event,
}

impl Order {
    fn blocked_by(self, earliest: u16) -> bool {
        match self {
            Self::PublishAt(rule) => earliest <= rule,
            Self::Event => true,
        }
    }

    fn blocks_from(self) -> u16 {
        match self {
            Self::PublishAt(rule) => rule,
            Self::Event => 0,
        }
    }
}

impl Entry {
    fn payload_bytes(&self) -> usize {
        match self {
            Self::Ready(item) => item.payload_bytes(),
            Self::Chained(..) => 0,
        }
    }

    fn client(&self) -> ClientHash {
        match self {
            Self::Ready(item) => item.client,
            Self::Chained(client, _) => *client,
        }
    }

    fn order(&self, chains: &Chains) -> Order {
        match self {
            Self::Ready(item) => match &item.subject {
                Subject::Publish(_) => Order::PublishAt(first_rule(&item.set, item.step)),
                Subject::Acked { .. } | Subject::Client(_) => Order::Event,
            },
            Self::Chained(_, entry) => Order::PublishAt(chains.first_rule(*entry)),
        }
    }
}

pub(crate) fn first_rule(set: &Set, step: usize) -> u16 {
    let step = set.steps.get(step);
    step.and_then(|step| step.rules.first())
        .copied()
        .unwrap_or_default()
}

/// A wake-up that is remembered: raising it often costs one wake.
#[derive(Default)]
struct Signal {
    raised: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Signal {
    fn raise(&self) {
        if !self.raised.replace(true)
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
    }

    fn take(&self) -> bool {
        self.raised.replace(false)
    }

    fn set_waker(&self, waker: &Waker) {
        self.waker.set(Some(waker.clone()));
    }
}
