//! What a guest asks of the broker, on its way out of the instance.
//!
//! What it wants done is kept until its batch has come to its end. What it asks
//! goes out at once, while the guest waits: an instance cannot reach the worker
//! it runs on, so lookups lie in a box that is emptied after each poll.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use hookwire_broker::BrokerCall;

use crate::worker::Worker;

/// Calls that one batch may put down.
pub(crate) const MAX_CALLS: usize = 4096;
/// Bytes of payloads in them.
pub(crate) const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What an instance has put down in the batch that runs.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) calls: Vec<BrokerCall>,
    bytes: usize,
    pub(crate) lookups: Lookups,
    /// Publishes of rules that led to the batch.
    pub(crate) hops: u8,
}

/// Questions on their way to the worker; shared with whoever polls the guest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lookups(Arc<Mutex<Vec<BrokerCall>>>);

impl Lookups {
    pub(crate) fn push(&self, lookup: BrokerCall) {
        self.lock().push(lookup);
    }

    pub(crate) fn take(&self) -> Vec<BrokerCall> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<BrokerCall>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox {
    /// Puts a call down; `false`: there is no room.
    pub(crate) fn put_down(&mut self, call: BrokerCall, bytes: usize) -> bool {
        let has_room = self.calls.len() < MAX_CALLS && self.bytes + bytes <= MAX_BYTES;
        if has_room {
            self.bytes += bytes;
            self.calls.push(call);
        }
        has_room
    }

    pub(crate) fn begin(&mut self, hops: u8) {
        self.calls.clear();
        self.bytes = 0;
        self.hops = hops;
    }
}

/// Drives a call into a guest and passes on what it asks meanwhile.
pub(crate) async fn forwarding_lookups<F: Future>(
    worker: &Worker,
    lookups: Lookups,
    call: F,
) -> F::Output {
    let mut call = pin!(call);
    poll_fn(|cx| {
        let polled = call.as_mut().poll(cx);
        if polled.is_pending() {
            let asked = lookups.take();
            if !asked.is_empty() {
                worker.put_down(asked.into_iter());
            }
        }
        polled
    })
    .await
}
