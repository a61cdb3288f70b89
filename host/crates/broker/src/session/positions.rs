//! How far a client has acknowledged what is stored, by topic and publisher,
//! without a gap.
//!
//! Order is promised for one publisher and topic, and only there: what two
//! publishers stored may reach a client in another order than it was committed in.
//! To have acknowledged a message of the one says nothing of the other's.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use crate::hooks::PositionState;
use crate::message::{Message, MessageId};

/// Stored messages that were sent to a client, until everything before them of
/// their publisher, on their topic, is acknowledged; and where that has come to.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    lines: HashMap<Line, Progress>,
    /// Messages of all lines.
    sent: usize,
    /// Lines that are there for [`Positions::shown`] alone.
    idle: usize,
    /// What positions moved past since a page was asked for that had to know of all
    /// before: later pages may have been read without knowing of these.
    passed: Option<HashSet<MessageId>>,
}

/// How far one line has come.
#[derive(Debug, Default)]
struct Progress {
    /// The message that the position moved to last.
    reached: Option<MessageId>,
    sent: VecDeque<Sent>,
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
/// Messages that positions move past before a page has to know of them.
const MAX_PASSED: usize = 16_384;
/// Lines remembered on which nothing is outstanding.
const MAX_IDLE: usize = 64;

impl Positions {
    /// A stored message is about to be sent for the first time.
    pub(crate) fn sent(&mut self, line: Line, id: MessageId) {
        let line = self.lines.entry(line).or_default();
        self.idle -= usize::from(line.is_idle());
        line.sent.push_back(Sent {
            id,
            acknowledged: None,
        });
        self.sent += 1;
    }

    /// The client acknowledged a message, or it was dropped for it. Answers the
    /// message that its position moves to, if it moves.
    pub(crate) fn done(&mut self, message: &Arc<Message>) -> Option<Arc<Message>> {
        let key = Line::of(message);
        let line = self.lines.get_mut(&key)?;
        let is_it = |sent: &&mut Sent| sent.id == message.id && sent.acknowledged.is_none();
        let sent = line.sent.iter_mut().find(is_it)?;
        sent.acknowledged = Some(Arc::clone(message));
        let mut reached: Option<Arc<Message>> = None;
        let acknowledged = |line: &mut Progress| line.sent.front_mut()?.acknowledged.take();
        while let Some(acknowledged) = acknowledged(line) {
            if let Some(passed) = &mut self.passed {
                passed.insert(acknowledged.id);
            }
            // One that was on its way for long comes behind newer ones.
            let is_newer = |of: MessageId| acknowledged.id.is_newer_than(of);
            if line.reached.is_none_or(is_newer) {
                line.reached = Some(acknowledged.id);
                reached = Some(acknowledged);
            }
            line.sent.pop_front();
            self.sent -= 1;
        }
        if line.is_idle() {
            self.idle += 1;
            self.forget_idle(&key);
        }
        reached
    }

    /// Whether the next page has to know of all that positions have moved past.
    pub(crate) fn are_to_be_read(&self) -> bool {
        let passed = self.passed.as_ref();
        passed.is_none_or(|passed| passed.len() >= MAX_PASSED)
    }

    /// A page is asked for that knows of all that positions have moved past.
    pub(crate) fn are_read(&mut self) {
        self.passed = Some(HashSet::default());
    }

    /// No page is asked for any more.
    pub(crate) fn are_read_no_more(&mut self) {
        self.passed = None;
    }

    /// Whether a page may have it that does not know of all: a position has moved past
    /// it since one was asked for that does.
    pub(crate) fn has_passed(&self, id: MessageId) -> bool {
        let passed = self.passed.as_ref();
        passed.is_some_and(|passed| passed.contains(&id))
    }

    /// Whether the client was sent it, though its position is before it.
    pub(crate) fn has(&self, line: &Line, id: MessageId) -> bool {
        let line = self.lines.get(line);
        line.is_some_and(|line| line.sent.iter().any(|sent| sent.id == id))
    }

    /// A message was not sent after all.
    pub(crate) fn unsent(&mut self, message: &Message) {
        let key = Line::of(message);
        let Some(line) = self.lines.get_mut(&key) else {
            return;
        };
        let before = line.sent.len();
        line.sent
            .retain(|sent| sent.id != message.id || sent.acknowledged.is_some());
        self.sent -= before - line.sent.len();
        if line.is_idle() {
            self.idle += 1;
        } else if line.sent.is_empty() {
            self.lines.remove(&key);
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.sent < MAX_SENT
    }

    /// Forgets lines on which nothing is outstanding, but for this one, when there
    /// are many.
    fn forget_idle(&mut self, but: &Line) {
        if self.idle > MAX_IDLE {
            self.lines
                .retain(|line, progress| !progress.is_idle() || line == but);
            self.idle = 1;
        }
    }

    /// The first of the lines, by topic and publisher, and how many more there
    /// are. Those on which nothing is outstanding are among them if they moved
    /// lately.
    pub(crate) fn shown(&self, max: usize) -> (Vec<PositionState>, usize) {
        let mut lines: Vec<_> = self.lines.iter().collect();
        lines.sort_unstable_by_key(|(line, _)| (&line.topic, &line.sender));
        let more = lines.len().saturating_sub(max);
        let shown = lines.into_iter().take(max).map(|(line, progress)| {
            let is_open = |sent: &&Sent| sent.acknowledged.is_none();
            let outstanding = progress.sent.iter().filter(is_open).count();
            PositionState {
                topic: Arc::clone(&line.topic),
                sender: Arc::clone(&line.sender),
                reached: progress.reached,
                outstanding,
                behind: progress.sent.len() - outstanding,
                waits_for: progress.sent.front().map(|sent| sent.id),
            }
        });
        (shown.collect(), more)
    }
}

impl Progress {
    /// Whether it moved, and nothing is outstanding.
    fn is_idle(&self) -> bool {
        self.sent.is_empty() && self.reached.is_some()
    }
}

#[cfg(test)]
mod tests {
    use hookwire_mqtt::QoS;

    use super::super::tests::delivery;
    use super::*;

    fn id_of(number: u64) -> MessageId {
        MessageId::from_halves(number, 0)
    }

    fn message(number: u64, topic: &str, sender: &str) -> Arc<Message> {
        let mut message = Message::clone(&delivery(QoS::AtLeastOnce).message);
        message.id = id_of(number);
        message.topic = topic.into();
        message.sender = sender.into();
        Arc::new(message)
    }

    #[test]
    fn a_position_moves_to_what_nothing_unacknowledged_is_before() {
        let messages: Vec<_> = (0..6).map(|number| message(number, "t", "p")).collect();
        let other = message(9, "u", "p");
        let others = message(8, "t", "q");
        let mut positions = Positions::default();
        for message in messages.iter().chain([&other, &others]) {
            positions.sent(Line::of(message), message.id);
        }
        let mut done = |message: &Arc<Message>| {
            let reached = positions.done(message);
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
        assert_eq!(positions.sent, 0);
        let (shown, more) = positions.shown(2);
        let shown = shown.iter().map(|position| {
            let line = (&*position.topic, &*position.sender);
            (line, position.reached, position.outstanding)
        });
        let expected = [(("t", "p"), id(5), 0), (("t", "q"), id(8), 0)];
        assert_eq!((shown.collect::<Vec<_>>(), more), (expected.to_vec(), 1));
    }

    #[test]
    fn a_position_moves_to_the_newest_whatever_was_sent_last() {
        let mut positions = Positions::default();
        for number in [3, 1] {
            positions.sent(Line::of(&message(number, "t", "p")), id_of(number));
        }
        assert!(positions.done(&message(1, "t", "p")).is_none());
        let reached = positions.done(&message(3, "t", "p"));
        assert_eq!(reached.map(|message| message.id), Some(id_of(3)));
    }

    #[test]
    fn what_is_outstanding_is_told_from_what_is_acknowledged_behind_it() {
        let mut positions = Positions::default();
        for number in 0..4 {
            positions.sent(Line::of(&message(number, "t", "p")), id_of(number));
        }
        for number in [0, 2, 3] {
            positions.done(&message(number, "t", "p"));
        }
        let (shown, _) = positions.shown(8);
        let expected = PositionState {
            topic: "t".into(),
            sender: "p".into(),
            reached: Some(id_of(0)),
            outstanding: 1,
            behind: 2,
            waits_for: Some(id_of(1)),
        };
        assert_eq!(shown, [expected]);
    }

    #[test]
    fn lines_on_which_nothing_is_outstanding_are_forgotten_in_the_end() {
        let mut positions = Positions::default();
        positions.sent(Line::of(&message(0, "open", "p")), id_of(0));
        for number in 1..1_000 {
            let message = message(number, &format!("t/{number}"), "p");
            positions.sent(Line::of(&message), message.id);
            assert!(positions.done(&message).is_some());
            assert!(positions.lines.len() <= MAX_IDLE + 1);
        }
        positions.unsent(&message(0, "open", "p"));
        assert!(
            !positions
                .lines
                .contains_key(&Line::of(&message(0, "open", "p")))
        );
        let (shown, _) = positions.shown(usize::MAX);
        assert!(shown.iter().any(|position| &*position.topic == "t/999"));
        assert_eq!(positions.idle, positions.lines.len());
    }

    #[test]
    fn what_was_passed_is_noted_until_a_page_knows_of_it() {
        let mut positions = Positions::default();
        let pass = |positions: &mut Positions, number| {
            let message = message(number, "t", "p");
            positions.sent(Line::of(&message), message.id);
            assert!(positions.done(&message).is_some());
        };
        pass(&mut positions, 0);
        assert!(positions.are_to_be_read(), "no page knows of anything");
        positions.are_read();
        assert!(!positions.has_passed(id_of(0)), "the page knows of it");
        for number in 1..=MAX_PASSED as u64 {
            assert!(!positions.are_to_be_read());
            pass(&mut positions, number);
            assert!(positions.has_passed(id_of(number)));
        }
        assert!(positions.are_to_be_read(), "there are many");
        positions.are_read();
        assert!(!positions.has_passed(id_of(1)) && !positions.are_to_be_read());
        positions.are_read_no_more();
        assert!(positions.are_to_be_read());
    }
}
