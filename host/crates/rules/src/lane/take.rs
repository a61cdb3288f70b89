//! Taking from a lane's queue: what is ready, as much as one batch holds.

use std::collections::VecDeque;
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::lane::before::Before;
use crate::lane::entry::Entry;
use crate::lane::item::{Common, Item};
use crate::lane::order::Order;
use crate::lane::queue::Lane;
use crate::worker::chain::{ChainEntry, Chains, Turn};
use crate::worker::subject::{ClientHash, Publish, Subject};

/// Entries looked at for one batch, in batches: bounds the search behind
/// entries that wait.
const SCAN_BATCHES: usize = 4;
/// Entries that wait and are passed over in search of one that does not.
const MAX_SCANNED: usize = 4096;

/// Whether the time or turn of an entry has come.
enum Readiness {
    Now(Item),
    /// It is left where it was.
    Later(Entry),
    /// It was passed over, and is gone.
    Never,
}

/// Buffers of [`Lane::take`].
#[derive(Default)]
pub(super) struct Scan {
    held: Vec<Entry>,
    /// Clients with a held entry, and where the earliest stands.
    blocked: FxHashMap<ClientHash, Order>,
    /// Clients of whom something is tried again in this batch: what is new waits
    /// until that has gone well.
    trying: FxHashSet<ClientHash>,
}

impl Lane {
    /// Moves ready items of one module to `items`, as many as its bounds allow,
    /// and answers whether the queue was at its bound and no longer is.
    pub(crate) fn take(&self, chains: &mut Chains, items: &mut Vec<Item>) -> bool {
        let mut before = self.before.borrow_mut();
        before.look();
        let mut queue = self.queue.borrow_mut();
        if self.chained.get() == 0 && self.rests.get() == 0 && before.is_over() {
            take_ready(&mut queue, items);
        } else {
            self.take_past_waiting(&before, &mut queue, chains, items);
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

    fn take_past_waiting(
        &self,
        before: &Before,
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
                || !entry.has_run() && trying.contains(&client)
                || before.has(client);
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
