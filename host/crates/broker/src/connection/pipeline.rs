//! A publisher's messages between arrival and release: decided in any order,
//! released in the order received.

use std::collections::VecDeque;
use std::sync::Arc;

use hookwire_mqtt::PacketId;

use super::acknowledge::Receipt;
use crate::hooks::{Stores, Verdict};
use crate::message::Message;

/// A publish that was taken and not yet released.
#[derive(Debug)]
pub(crate) struct Pending {
    /// None for a QoS 2 publish that was taken before and came again: only its
    /// acknowledgement is due, in its turn.
    pub(crate) message: Option<Arc<Message>>,
    /// The acknowledgement it waits for; none for QoS 0 and wills.
    pub(crate) receipt: Option<Receipt>,
    /// How long it is held back after the rules, in milliseconds.
    pub(crate) delay_ms: u64,
    /// Whether rules see it.
    pub(crate) has_rules: bool,
    /// None while the rules have it.
    pub(crate) verdict: Option<Verdict>,
}

impl Pending {
    fn is_of(&self, id: PacketId) -> bool {
        self.receipt
            .is_some_and(|receipt| receipt.is_exactly_once() && receipt.packet_id == id)
    }
}

/// The publishes of one connection, in order.
#[derive(Debug, Default)]
pub(crate) struct Pipeline {
    waiting: VecDeque<Pending>,
    /// Sequence number of the first in `waiting`.
    first: u64,
}

impl Pipeline {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The sequence number that the next publish gets.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.first + self.waiting.len() as u64
    }

    pub(crate) fn push(&mut self, pending: Pending) {
        self.waiting.push_back(pending);
    }

    /// Whether a QoS 2 publish with this id is in it, not yet decided.
    pub(crate) fn has_exactly_once(&self, id: PacketId) -> bool {
        let of_id = |pending: &Pending| pending.is_of(id) && pending.message.is_some();
        self.waiting.iter().any(of_id)
    }

    /// Whether the acknowledgement of a QoS 2 publish that came again waits in it.
    pub(crate) fn has_again(&self, id: PacketId) -> bool {
        let of_id = |pending: &Pending| pending.is_of(id) && pending.message.is_none();
        self.waiting.iter().any(of_id)
    }

    /// The client has released this id: its acknowledgement is no longer due.
    pub(crate) fn forget_again(&mut self, id: PacketId) {
        for pending in &mut self.waiting {
            if pending.is_of(id) && pending.message.is_none() {
                pending.receipt = None;
            }
        }
    }

    /// Notes a verdict, and where the message was stored; those for a number that
    /// does not wait are ignored.
    pub(crate) fn decide(&mut self, sequence: u64, mut verdict: Verdict, stored: Stores) {
        let index = sequence
            .checked_sub(self.first)
            .and_then(|index| usize::try_from(index).ok());
        if let Some(pending) = index.and_then(|index| self.waiting.get_mut(index)) {
            let message = match &mut verdict {
                Verdict::Replace(message) => Some(message),
                _ => pending.message.as_mut(),
            };
            if let Some(message) = message.filter(|_| stored != Stores::NONE) {
                Arc::make_mut(message).stored = stored;
            }
            pending.verdict = Some(verdict);
        }
    }

    /// The oldest publish with its verdict, if it has one.
    pub(crate) fn release(&mut self) -> Option<(Pending, Verdict)> {
        let verdict = self.waiting.front_mut()?.verdict.take()?;
        let pending = self.waiting.pop_front()?;
        self.first += 1;
        Some((pending, verdict))
    }
}
