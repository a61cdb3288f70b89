//! QoS 2 exchanges that rules of `session.exchange` keep, so that they end once
//! though the broker ends in the middle of one.

use std::collections::VecDeque;

use foldhash::{HashMap, HashSet};
use hookwire_mqtt::PacketId;

use crate::message::MessageId;

/// What a session knows of the exchanges that are kept. Made by the first: most
/// sessions never have any.
#[derive(Debug, Default)]
pub(crate) struct Kept(Option<Box<State>>);

#[derive(Debug, Default)]
struct State {
    /// Steps that rules are asked about, in the order asked.
    asked: VecDeque<(u64, Step)>,
    /// Packet ids by which messages were sent, or were about to be, that the store
    /// has to hand over again; and whether rules are known to have kept that.
    sent_by: HashMap<MessageId, (PacketId, bool)>,
    /// Messages that the client has, and that the store may hand over again.
    has: HashSet<MessageId>,
    /// Packet ids of publishes that were taken before the broker ended.
    taken: HashSet<PacketId>,
    /// Messages of exchanges of which only PUBCOMP is missing.
    received: HashMap<PacketId, MessageId>,
}

/// A packet that goes out when the rules have answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// PUBREL.
    Release(PacketId),
    /// PUBCOMP.
    Complete(PacketId),
}

impl Kept {
    fn made(&mut self) -> &mut State {
        self.0.get_or_insert_default()
    }

    /// Rules are asked; the packet waits for the answer.
    pub(crate) fn ask(&mut self, number: u64, step: Step) {
        self.made().asked.push_back((number, step));
    }

    /// Takes the packet that waits for an answer.
    pub(crate) fn answered(&mut self, number: u64) -> Option<Step> {
        let asked = &mut self.0.as_mut()?.asked;
        let place = asked.iter().position(|(awaited, _)| *awaited == number)?;
        asked.remove(place).map(|(_, step)| step)
    }

    /// Whether a packet waits for an answer.
    pub(crate) fn awaits(&self, step: Step) -> bool {
        let asked = self.0.as_ref().map(|state| &state.asked);
        asked.is_some_and(|asked| asked.iter().any(|(_, awaited)| *awaited == step))
    }

    /// Whether some PUBREL waits: others go behind it [MQTT-4.6.0-4].
    pub(crate) fn awaits_release(&self) -> bool {
        let asked = self.0.as_ref().map(|state| &state.asked);
        let is_release = |step: &Step| matches!(step, Step::Release(_));
        asked.is_some_and(|asked| asked.iter().any(|(_, step)| is_release(step)))
    }

    /// The client is gone, and no answer reaches it.
    pub(crate) fn forget_asked(&mut self) {
        if let Some(state) = &mut self.0 {
            state.asked.clear();
        }
    }

    /// A message goes by this packet id when the store hands it over again.
    pub(crate) fn goes_by(&mut self, message: MessageId, id: PacketId, is_kept: bool) {
        self.made().sent_by.insert(message, (id, is_kept));
    }

    /// Takes the packet id that a message goes by, and whether that is kept.
    pub(crate) fn take_id(&mut self, message: MessageId) -> Option<(PacketId, bool)> {
        self.0.as_mut()?.sent_by.remove(&message)
    }

    /// The client has a message that the store may hand over again.
    pub(crate) fn note(&mut self, message: MessageId) {
        self.made().has.insert(message);
    }

    /// Whether the client has this message; it is asked for once.
    pub(crate) fn take(&mut self, message: MessageId) -> bool {
        let state = self.0.as_mut();
        state.is_some_and(|state| state.has.remove(&message))
    }

    /// A publish with this packet id was taken before the broker ended.
    pub(crate) fn restore_taken(&mut self, id: PacketId) {
        self.made().taken.insert(id);
    }

    /// A publish came with a packet id that is in use. Whether it is another one
    /// than that which was taken before the broker ended: what is sent again says
    /// so [MQTT-3.3.1-1], and of a publish that was refused when the broker ended
    /// the store may not know that.
    pub(crate) fn is_another(&self, id: PacketId, dup: bool) -> bool {
        let state = self.0.as_ref();
        !dup && state.is_some_and(|state| state.taken.contains(&id))
    }

    /// A publish came with this packet id.
    pub(crate) fn forget_taken(&mut self, id: PacketId) {
        if let Some(state) = &mut self.0 {
            state.taken.remove(&id);
        }
    }

    /// PUBREC came for a message.
    pub(crate) fn received(&mut self, id: PacketId, message: MessageId) {
        self.made().received.insert(id, message);
    }

    /// The message for which PUBREC came, if its exchange is kept.
    pub(crate) fn message(&self, id: PacketId) -> Option<MessageId> {
        self.0.as_ref()?.received.get(&id).copied()
    }

    /// PUBCOMP came: the message of the exchange, if it is kept.
    pub(crate) fn completed(&mut self, id: PacketId) -> Option<MessageId> {
        self.0.as_mut()?.received.remove(&id)
    }
}
