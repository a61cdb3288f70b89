//! What a rule needs to see, so that the host skips calls and payload copies
//! that cannot matter.

use hookwire_broker::{Message, PublishFacts};
use hookwire_mqtt::QoS;
use hookwire_settings::hint;

/// The words of a manifest.
const WORDS: [&str; 7] = [
    "payload",
    "connection",
    "qos>0",
    "retain",
    "payload-empty",
    "payload-not-empty",
    "fetched",
];

/// Which messages an action has to see, and whether it reads their payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    /// Whether `message.payload` is filled in.
    pub payload: bool,
    /// Whether `client.connection` is filled in.
    pub connection: bool,
    /// Whether what it stores is handed over by `session.fetch`.
    pub fetched: bool,
    /// Which kinds of message it has to see.
    pub kinds: MessageKinds,
}

impl Default for Interest {
    /// Every message, without its payload.
    fn default() -> Self {
        Self {
            payload: false,
            connection: false,
            fetched: false,
            kinds: MessageKinds::ALL,
        }
    }
}

impl Interest {
    /// Reads the words of a manifest; a message must satisfy all of them.
    pub(crate) fn read(words: &[String]) -> Result<Self, String> {
        let mut interest = Self::default();
        for word in words {
            let kinds = match word.as_str() {
                "payload" => {
                    interest.payload = true;
                    continue;
                }
                "connection" => {
                    interest.connection = true;
                    continue;
                }
                "fetched" => {
                    interest.fetched = true;
                    continue;
                }
                "qos>0" => MessageKinds::where_bit(QOS_ABOVE_0, true),
                "retain" => MessageKinds::where_bit(RETAIN, true),
                "payload-empty" => MessageKinds::where_bit(PAYLOAD_EMPTY, true),
                "payload-not-empty" => MessageKinds::where_bit(PAYLOAD_EMPTY, false),
                other => {
                    let hint = hint(other, WORDS);
                    return Err(format!("has the unknown interest {other:?}; {hint}"));
                }
            };
            interest.kinds = MessageKinds(interest.kinds.0 & kinds.0);
        }
        if interest.kinds == MessageKinds::NONE {
            return Err("has interests that no message can satisfy".to_owned());
        }
        Ok(interest)
    }
}

/// A set of message kinds: a kind is the QoS being above 0 or not, the retain
/// flag, and the payload being empty or not. One bit for each of the eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageKinds(u8);

const QOS_ABOVE_0: u8 = 1;
const RETAIN: u8 = 2;
const PAYLOAD_EMPTY: u8 = 4;

impl MessageKinds {
    pub(crate) const ALL: Self = Self(u8::MAX);
    pub(crate) const NONE: Self = Self(0);

    fn where_bit(bit: u8, set: bool) -> Self {
        let kinds = (0..8).filter(|kind| (kind & bit != 0) == set);
        Self(kinds.fold(0, |kinds, kind| kinds | 1 << kind))
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a message of that kind is among them.
    pub(crate) fn contain(self, kind: MessageKind) -> bool {
        self.0 & kind.0 != 0
    }
}

/// The kind of one message: a set of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageKind(u8);

impl From<PublishFacts> for MessageKind {
    fn from(facts: PublishFacts) -> Self {
        let qos = u8::from(facts.qos != QoS::AtMostOnce) * QOS_ABOVE_0;
        let retain = u8::from(facts.retain) * RETAIN;
        let empty = u8::from(facts.payload_bytes == 0) * PAYLOAD_EMPTY;
        Self(1 << (qos | retain | empty))
    }
}

impl From<&Message> for MessageKind {
    fn from(message: &Message) -> Self {
        Self::from(PublishFacts {
            qos: message.qos,
            retain: message.retain,
            payload_bytes: message.payload.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sees(words: &[&str], qos: QoS, retain: bool, payload_bytes: usize) -> bool {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let facts = PublishFacts {
            qos,
            retain,
            payload_bytes,
        };
        let interest = Interest::read(&words).unwrap();
        interest.kinds.contain(facts.into())
    }

    #[test]
    fn all_words_must_hold() {
        let (qos0, qos1) = (QoS::AtMostOnce, QoS::AtLeastOnce);
        assert!(sees(&[], qos0, false, 0));
        assert!(sees(&["payload"], qos0, false, 0));
        assert!(sees(&["qos>0"], qos1, false, 0));
        assert!(!sees(&["qos>0"], qos0, true, 9));
        assert!(sees(&["retain", "payload-not-empty"], qos0, true, 1));
        assert!(!sees(&["retain", "payload-not-empty"], qos0, true, 0));
        assert!(!sees(&["retain", "payload-not-empty"], qos0, false, 1));
        assert!(sees(&["retain", "payload-empty"], qos1, true, 0));
    }

    #[test]
    fn words_that_exclude_each_other_are_refused() {
        let words = ["payload-empty", "payload-not-empty"].map(str::to_owned);
        assert_eq!(
            Interest::read(&words).unwrap_err(),
            "has interests that no message can satisfy"
        );
    }
}
