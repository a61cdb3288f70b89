//! A message as the broker holds it: immutable, shared, encoded only on its way out.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use hookwire_mqtt::{PacketId, PublishProperties, QoS};

use crate::hooks::Stores;

/// The identity of a message: assigned once, when it enters the spine.
///
/// 20 base62 characters as text, of fixed width, so that ids sort by time as
/// text: milliseconds, node, worker, then a sequence of the worker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    high: u64,
    low: u64,
}

/// Numbers of ten base62 digits.
const DIGITS: u64 = 62_u64.pow(10);
/// Behind the times and nodes that ids of brokers begin with.
const FOREIGN: u64 = 1 << 59;

impl MessageId {
    /// The least id of all.
    pub const MIN: Self = Self { high: 0, low: 0 };

    /// The id of these halves.
    #[must_use]
    pub fn from_halves(high: u64, low: u64) -> Self {
        Self { high, low }
    }

    /// An id that stands for one of another writer: the same for the same hash, and
    /// behind all of this broker's.
    #[must_use]
    pub fn foreign(hash: [u64; 2]) -> Self {
        let [high, low] = hash;
        Self {
            high: FOREIGN + high % (DIGITS - FOREIGN),
            low: low % DIGITS,
        }
    }

    /// Whether another writer made it: it says nothing of when that was.
    #[must_use]
    pub fn is_foreign(self) -> bool {
        self.high >= FOREIGN
    }

    /// Whether it was made later than another one of the same publisher. Of other
    /// writers' ids nothing is known: what comes later is.
    pub(crate) fn is_newer_than(self, other: Self) -> bool {
        self > other || self.is_foreign() || other.is_foreign()
    }

    /// The node that the message entered on, and when, in milliseconds since the
    /// Unix epoch.
    pub(crate) fn node_and_time(self) -> (u16, u64) {
        let node = self.high & u64::from(u16::MAX);
        (
            u16::try_from(node).unwrap_or_default(),
            self.high >> crate::id::NODE_BITS,
        )
    }

    /// The worker that the message entered on.
    pub(crate) fn worker(self) -> u64 {
        self.low >> crate::id::SEQUENCE_BITS
    }

    /// The 20 characters.
    #[must_use]
    pub fn to_text(self) -> [u8; 20] {
        let mut text = [b'0'; 20];
        write_base62(self.high, &mut text[..10]);
        write_base62(self.low, &mut text[10..]);
        text
    }
}

impl FromStr for MessageId {
    type Err = NoMessageId;

    fn from_str(text: &str) -> Result<Self, NoMessageId> {
        let bytes: &[u8; 20] = text.as_bytes().try_into().map_err(|_| NoMessageId)?;
        let (high, low) = bytes.split_at(10);
        Ok(Self {
            high: read_base62(high).ok_or(NoMessageId)?,
            low: read_base62(low).ok_or(NoMessageId)?,
        })
    }
}

/// The text is none of 20 base62 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMessageId;

impl fmt::Display for NoMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message id has 20 base62 characters")
    }
}

impl std::error::Error for NoMessageId {}

fn read_base62(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'Z' => digit - b'A' + 10,
            b'a'..=b'z' => digit - b'a' + 36,
            _ => return None,
        };
        number.checked_mul(62)?.checked_add(u64::from(value))
    })
}

fn write_base62(mut number: u64, digits: &mut [u8]) {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.to_text() {
            fmt::Write::write_char(f, char::from(byte))?;
        }
        Ok(())
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One application message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who it is, everywhere.
    pub id: MessageId,
    /// A valid topic name.
    pub topic: Arc<str>,
    /// The application's bytes.
    pub payload: Bytes,
    /// Client id of the publisher.
    pub sender: Arc<str>,
    /// QoS it was published with.
    pub qos: QoS,
    /// Retain flag it was published with.
    pub retain: bool,
    /// When it entered, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// When it is worth nothing any more, milliseconds since the Unix epoch;
    /// [`Message::NEVER`] without a message expiry interval.
    pub expires_at_ms: u64,
    /// MQTT 5 properties that travel with it, encoded and checked; empty for
    /// messages of older clients.
    pub properties: Bytes,
    /// How many publishes of rules led to it; 0 for what a client published.
    pub hops: u8,
    /// Packet id of the QoS 2 PUBLISH that brought it, so that rules know it when
    /// it comes again.
    pub packet_id: Option<PacketId>,
    /// What another writer of a store calls it there, where that is no id of a broker:
    /// `id` stands for it here, and rules are told this.
    pub foreign_id: Option<Arc<str>>,
    /// Where rules stored it, before it was routed.
    pub stored: Stores,
}

impl Message {
    /// The expiry of a message that has none.
    pub const NEVER: u64 = u64::MAX;

    /// When a message with these properties expires that entered at `at_ms`.
    #[must_use]
    pub fn expiry(properties: PublishProperties<'_>, at_ms: u64) -> u64 {
        if properties.is_empty() {
            return Self::NEVER;
        }
        properties
            .message_expiry_interval()
            .map_or(Self::NEVER, |seconds| {
                at_ms.saturating_add(u64::from(seconds) * 1_000)
            })
    }

    /// Whether it is past its time.
    #[must_use]
    pub fn is_expired(&self, wall_ms: u64) -> bool {
        self.expires_at_ms <= wall_ms
    }

    /// Bytes that it keeps in memory, about.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        const OVERHEAD_BYTES: usize = 64;
        self.payload.len() + self.topic.len() + self.properties.len() + OVERHEAD_BYTES
    }
}
