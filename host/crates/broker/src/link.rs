//! Mail between workers, with credits.
//!
//! A shard owes each other shard nothing but mail in order. What it sent and
//! the receiver has not yet credited is bounded: at the bound, the publishers
//! that feed this link are not read. The receiver never waits. Credits travel
//! back in lots, or with any other mail that goes that way.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::calls::call_bytes;
use crate::group::Dispatch;
use crate::hooks::BrokerCall;
use crate::message::Message;

/// Number of a worker of this node, from 0.
pub type WorkerId = u16;

/// The worker, of so many, that a client lives on.
#[must_use]
pub fn worker_of(client_id: &str, workers: usize) -> usize {
    let mut hasher = rustc_hash::FxHasher::default();
    client_id.hash(&mut hasher);
    // The remainder is below `workers`, a usize.
    (hasher.finish() % workers.max(1) as u64) as usize
}

/// One piece of mail from shard to shard.
#[derive(Debug)]
pub enum Mail {
    /// A message that passed its rules, for the receiver's own subscribers.
    Publish(Arc<Message>),
    /// As [`Mail::Publish`], for a message that was held back: others of its
    /// publisher with later ids came before it.
    Late(Arc<Message>),
    /// A message that passed its rules, for one member of a shared subscription.
    Shared(Arc<Message>, Dispatch),
    /// What a rule wants of the receiver, where the client lives.
    Call(BrokerCall),
    /// The receiver of mail of that many bytes has taken it.
    Credit(usize),
}

/// This shard's side of the mail with one other shard.
#[derive(Debug, Default)]
pub(crate) struct Link {
    outbox: Vec<Mail>,
    /// Bytes of publishes sent and not credited.
    uncredited_bytes: usize,
    /// Bytes of publishes taken and not credited to the sender.
    owed_bytes: usize,
}

/// Bytes of publishes that may be under way to one worker. Smaller than what a
/// client's output may hold, so that a burst for one client that reads in time
/// is not dropped.
const WINDOW_BYTES: usize = 512 * 1024;
const CREDIT_LOT_BYTES: usize = WINDOW_BYTES / 4;

impl Link {
    pub(crate) fn send(&mut self, message: Arc<Message>) {
        self.count(&message);
        self.outbox.push(Mail::Publish(message));
    }

    pub(crate) fn send_late(&mut self, message: Arc<Message>) {
        self.count(&message);
        self.outbox.push(Mail::Late(message));
    }

    pub(crate) fn send_shared(&mut self, message: Arc<Message>, dispatch: Dispatch) {
        self.count(&message);
        self.outbox.push(Mail::Shared(message, dispatch));
    }

    pub(crate) fn send_call(&mut self, call: BrokerCall) {
        self.uncredited_bytes = self.uncredited_bytes.saturating_add(call_bytes(&call));
        self.outbox.push(Mail::Call(call));
    }

    fn count(&mut self, message: &Message) {
        self.uncredited_bytes = self.uncredited_bytes.saturating_add(message.held_bytes());
    }

    pub(crate) fn is_full(&self) -> bool {
        self.uncredited_bytes >= WINDOW_BYTES
    }

    pub(crate) fn credited(&mut self, bytes: usize) {
        self.uncredited_bytes = self.uncredited_bytes.saturating_sub(bytes);
    }

    pub(crate) fn took(&mut self, bytes: usize) {
        self.owed_bytes = self.owed_bytes.saturating_add(bytes);
    }

    /// What is to be carried now; empty when nothing is worth a journey.
    pub(crate) fn take_outbox(&mut self) -> Vec<Mail> {
        let worth_it = self.owed_bytes >= CREDIT_LOT_BYTES || !self.outbox.is_empty();
        if self.owed_bytes > 0 && worth_it {
            self.outbox.push(Mail::Credit(self.owed_bytes));
            self.owed_bytes = 0;
        }
        std::mem::take(&mut self.outbox)
    }

    pub(crate) fn has_mail(&self) -> bool {
        !self.outbox.is_empty() || self.owed_bytes >= CREDIT_LOT_BYTES
    }
}
