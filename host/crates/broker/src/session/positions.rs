//! How far a client has acknowledged what is stored, by topic and publisher,
//! without a gap.
//!
//! Order is promised for one publisher and topic, and only there: what two
//! publishers stored may reach a client in another order than it was committed in.
//! To have acknowledged a message of the one says nothing of the other's.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::HashMap;

use crate::message::{Message, MessageId};

/// Stored messages that were sent to a client, until everything before them of
/// their publisher, on their topic, is acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    lines: HashMap<Line, VecDeque<Sent>>,
    /// Those of all lines.
    sent: usize,
}

/// Messages whose order is promised.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Line {
    pub(crate) topic: Arc<str>,
    pub(crate) sender: Arc<str>,
}

impl Line {
    pub(crate) fn of(message: &Message) -> Self {
        Self {
            topic: Arc::clone(&message.topic),
            sender: Arc::clone(&message.sender),
        }
    }
}

#[derive(Debug)]
struct Sent {
    id: MessageId,
    /// Set when it was acknowledged.
    acknowledged: Option<Arc<Message>>,
}

/// Messages behind one that is not acknowledged, beyond which nothing more is
/// sent: the store gives them out again until that one is.
const MAX_SENT: usize = 65_536;

impl Positions {
    /// A stored message is about to be sent for the first time.
    pub(crate) fn sent(&mut self, line: Line, id: MessageId) {
        let line = self.lines.entry(line).or_default();
        line.push_back(Sent {
            id,
            acknowledged: None,
        });
        self.sent += 1;
    }

    /// The client acknowledged a message, or it was dropped for it. Answers the
    /// message that its position moves to, if it moves; `passed` is told of each
    /// that it moves over.
    pub(crate) fn done(
        &mut self,
        message: &Arc<Message>,
        mut passed: impl FnMut(MessageId),
    ) -> Option<Arc<Message>> {
        let key = Line::of(message);
        let line = self.lines.get_mut(&key)?;
        let is_it = |sent: &&mut Sent| sent.id == message.id && sent.acknowledged.is_none();
        let sent = line.iter_mut().find(is_it)?;
        sent.acknowledged = Some(Arc::clone(message));
        let mut reached = None;
        while let Some(acknowledged) = line.front_mut().and_then(|sent| sent.acknowledged.take()) {
            passed(acknowledged.id);
            reached = Some(acknowledged);
            line.pop_front();
            self.sent -= 1;
        }
        if line.is_empty() {
            self.lines.remove(&key);
        }
        reached
    }

    /// Whether the client was sent it, though its position is before it.
    pub(crate) fn has(&self, line: &Line, id: MessageId) -> bool {
        let line = self.lines.get(line);
        line.is_some_and(|line| line.iter().any(|sent| sent.id == id))
    }

    /// A message was not sent after all.
    pub(crate) fn unsent(&mut self, message: &Message) {
        let key = Line::of(message);
        let Some(line) = self.lines.get_mut(&key) else {
            return;
        };
        let before = line.len();
        line.retain(|sent| sent.id != message.id || sent.acknowledged.is_some());
        self.sent -= before - line.len();
        if line.is_empty() {
            self.lines.remove(&key);
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.sent < MAX_SENT
    }
}

#[cfg(test)]
mod tests {
    use hookwire_mqtt::QoS;

    use super::super::tests::delivery;
    use super::*;

    #[test]
    fn a_position_moves_to_what_nothing_unacknowledged_is_before() {
        let message = |number: u64, topic: &str, sender: &str| {
            let mut message = Message::clone(&delivery(QoS::AtLeastOnce).message);
            message.id = MessageId::from_halves(number, 0);
            message.topic = topic.into();
            message.sender = sender.into();
            Arc::new(message)
        };
        let messages: Vec<_> = (0..6).map(|number| message(number, "t", "p")).collect();
        let other = message(9, "u", "p");
        let others = message(8, "t", "q");
        let mut positions = Positions::default();
        for message in messages.iter().chain([&other, &others]) {
            positions.sent(Line::of(message), message.id);
        }
        let mut done = |message: &Arc<Message>| {
            let reached = positions.done(message, |_| {});
            reached.map(|message| message.id)
        };
        let id = |number: u64| Some(MessageId::from_halves(number, 0));
        assert_eq!(done(&messages[1]), None, "0 is before it");
        assert_eq!(done(&messages[3]), None);
        assert_eq!(done(&messages[2]), None);
        assert_eq!(done(&other), id(9), "topics do not wait for one another");
        assert_eq!(done(&others), id(8), "nor do publishers");
        assert_eq!(done(&messages[0]), id(3), "1 to 3 came with it");
        assert_eq!(done(&messages[0]), None, "it is past");
        assert_eq!(done(&messages[5]), None);
        assert_eq!(done(&messages[4]), id(5));
        assert!(positions.lines.is_empty() && positions.sent == 0);
    }
}
