//! Positions that have moved, and of which rules are not told yet.

use std::sync::Arc;

use foldhash::HashMap;
use hookwire_mqtt::QoS;

use super::Line;
use crate::message::Message;

/// The last message that each position has moved to, in the order in which they moved.
///
/// While pages come, a position moves with each message; to tell the last of it says
/// as much as to tell all.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    /// Of QoS 2 apart from others: with a QoS 2 message an exchange ends, which rules
    /// may have kept, and what comes after it in its line says nothing of that.
    last: HashMap<(Line, bool), (u64, Arc<Message>)>,
    /// Moves so far.
    count: u64,
    bytes: usize,
}

/// Lines that wait to be told of at most.
const MAX_LINES: usize = 1_024;
/// Bytes of their messages.
const MAX_BYTES: usize = 256 * 1_024;

impl Moves {
    /// A position has moved to this message.
    pub(crate) fn note(&mut self, message: Arc<Message>) {
        let line = (Line::of(&message), message.qos == QoS::ExactlyOnce);
        self.count += 1;
        self.bytes += message.held_bytes();
        if let Some((_, before)) = self.last.insert(line, (self.count, message)) {
            self.bytes -= before.held_bytes();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// Whether they are not to wait any longer.
    pub(crate) fn is_full(&self) -> bool {
        self.last.len() >= MAX_LINES || self.bytes >= MAX_BYTES
    }

    /// What rules are to be told now.
    pub(crate) fn take(&mut self) -> Vec<Arc<Message>> {
        self.bytes = 0;
        let mut moves: Vec<_> = self.last.drain().map(|(_, last)| last).collect();
        moves.sort_unstable_by_key(|(count, _)| *count);
        moves.into_iter().map(|(_, message)| message).collect()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::tests::delivery;
    use super::*;
    use crate::message::MessageId;

    fn message(number: u64, topic: &str, sender: &str, qos: QoS) -> Arc<Message> {
        let mut message = Message::clone(&delivery(qos).message);
        message.id = MessageId::from_halves(number, 0);
        message.topic = topic.into();
        message.sender = sender.into();
        Arc::new(message)
    }

    #[test]
    fn the_last_of_each_line_is_told_in_the_order_of_moves() {
        use QoS::{AtLeastOnce, ExactlyOnce};
        let mut moves = Moves::default();
        for (number, topic, sender, qos) in [
            (1, "a", "p", AtLeastOnce),
            (2, "b", "p", AtLeastOnce),
            (3, "a", "q", AtLeastOnce),
            (4, "a", "p", AtLeastOnce),
            (5, "b", "p", ExactlyOnce),
            (6, "b", "p", AtLeastOnce),
            (7, "a", "p", AtLeastOnce),
        ] {
            moves.note(message(number, topic, sender, qos));
        }
        let told = moves.take();
        let ids: Vec<_> = told.iter().map(|message| message.id).collect();
        let expected = [3, 5, 6, 7].map(|number| MessageId::from_halves(number, 0));
        assert_eq!(ids, expected, "5 ends an exchange, which 6 does not say");
        assert!(moves.is_empty() && moves.take().is_empty());
    }

    #[test]
    fn lines_and_bytes_are_bounded() {
        let mut moves = Moves::default();
        for number in 0..2 * MAX_LINES as u64 {
            moves.note(message(number, "a", "p", QoS::AtLeastOnce));
        }
        assert!(!moves.is_full(), "they are of one line");
        for number in 1..MAX_LINES {
            assert!(!moves.is_full());
            let topic = format!("t/{number}");
            moves.note(message(number as u64, &topic, "p", QoS::AtLeastOnce));
        }
        assert!(moves.is_full());
        moves.take();
        let mut large = Message::clone(&message(1, "a", "p", QoS::AtLeastOnce));
        large.payload = Bytes::from(vec![0; MAX_BYTES]);
        moves.note(Arc::new(large));
        assert!(moves.is_full());
        moves.note(message(2, "a", "p", QoS::AtLeastOnce));
        assert!(
            !moves.is_full(),
            "the large one is told by the one behind it"
        );
    }
}
