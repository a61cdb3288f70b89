//! What every payload says of itself: which message it is, whose, the how
//! manieth on its topic, and what the rules are going to decide about it. So
//! the model, which sees packets alone, can follow a message.

use std::fmt;
use std::rc::Rc;

/// What the rules of a simulation decide about a message on a topic that they
/// listen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Decision {
    /// It goes on.
    Proceed,
    /// Another one goes on in its place, see [`replaced`].
    Replace,
    /// It is acknowledged and goes no further.
    Drop,
    /// It is refused.
    Deny,
    /// It is not stored at first, and is when it comes again.
    Fail,
    /// Its publisher is closed.
    Disconnect,
}

impl Decision {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Proceed,
        Self::Replace,
        Self::Drop,
        Self::Deny,
        Self::Fail,
        Self::Disconnect,
    ];

    fn letter(self) -> u8 {
        match self {
            Self::Proceed => b'p',
            Self::Replace => b'r',
            Self::Drop => b'x',
            Self::Deny => b'd',
            Self::Fail => b'f',
            Self::Disconnect => b'c',
        }
    }

    /// Whether a message about which this was decided is for subscribers.
    #[must_use]
    pub fn lets_pass(self) -> bool {
        matches!(self, Self::Proceed | Self::Replace)
    }
}

/// The first bytes of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// No other message of the run has it.
    pub message: u32,
    /// Number of the client that made it.
    pub publisher: u16,
    /// Counts the messages of this publisher on this topic.
    pub sequence: u32,
    /// What rules decide about it.
    pub decision: Decision,
    /// Whether it stands in the place of the one with this number.
    pub is_replacement: bool,
}

const ORIGINAL: u8 = b'M';
const REPLACEMENT: u8 = b'R';
/// Bytes of a stamp.
pub const STAMP_BYTES: usize = 12;

impl Stamp {
    /// A payload of at least so many bytes that begins with this stamp.
    #[must_use]
    pub fn payload(&self, bytes: usize) -> Rc<[u8]> {
        let mut payload = Vec::with_capacity(bytes.max(STAMP_BYTES));
        payload.push(if self.is_replacement {
            REPLACEMENT
        } else {
            ORIGINAL
        });
        payload.push(self.decision.letter());
        payload.extend_from_slice(&self.message.to_be_bytes());
        payload.extend_from_slice(&self.publisher.to_be_bytes());
        payload.extend_from_slice(&self.sequence.to_be_bytes());
        // What follows depends on the message, so that payloads mixed up show.
        let fill = b'a' + (self.message % 26) as u8;
        payload.resize(bytes.max(STAMP_BYTES), fill);
        payload.into()
    }

    /// The stamp of a payload, if it has one.
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let (first, rest) = payload.split_first()?;
        let is_replacement = match *first {
            ORIGINAL => false,
            REPLACEMENT => true,
            _ => return None,
        };
        let (letter, rest) = rest.split_first()?;
        let decision = Decision::ALL
            .into_iter()
            .find(|decision| decision.letter() == *letter)?;
        let (message, rest) = rest.split_first_chunk()?;
        let (publisher, rest) = rest.split_first_chunk()?;
        let (sequence, _) = rest.split_first_chunk()?;
        Some(Self {
            message: u32::from_be_bytes(*message),
            publisher: u16::from_be_bytes(*publisher),
            sequence: u32::from_be_bytes(*sequence),
            decision,
            is_replacement,
        })
    }
}

/// What a rule that replaces makes of a message: another payload, and for every
/// second message another topic.
#[must_use]
pub fn replaced(stamp: Stamp, topic: &str, payload: &[u8]) -> (Rc<str>, Rc<[u8]>) {
    let mut changed = payload.to_vec();
    if let Some(first) = changed.first_mut() {
        *first = REPLACEMENT;
    }
    let topic = if stamp.message % 2 == 1 {
        format!("{topic}/replaced").into()
    } else {
        topic.into()
    };
    (topic, changed.into())
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            message,
            publisher,
            sequence,
            ..
        } = self;
        write!(f, "message {message} of {publisher}, number {sequence}")?;
        if self.decision != Decision::Proceed {
            write!(f, ", rules {:?}", self.decision)?;
        }
        f.write_str(if self.is_replacement {
            ", replaced"
        } else {
            ""
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_says_which_message_it_is() {
        for decision in Decision::ALL {
            let stamp = Stamp {
                message: 70_000,
                publisher: 3,
                sequence: 9,
                decision,
                is_replacement: false,
            };
            for bytes in [0, 12, 100] {
                let payload = stamp.payload(bytes);
                assert_eq!(payload.len(), bytes.max(STAMP_BYTES));
                assert_eq!(Stamp::read(&payload), Some(stamp));
                let (topic, changed) = replaced(stamp, "t", &payload);
                assert_eq!(&*topic, "t");
                assert!(Stamp::read(&changed).is_some_and(|stamp| stamp.is_replacement));
            }
        }
        for other in [&b""[..], b"M", b"Mp123", b"Xp0123456789"] {
            assert_eq!(Stamp::read(other), None);
        }
    }
}
