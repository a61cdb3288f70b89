//! Packet identifiers.

use std::fmt;
use std::num::NonZeroU16;

/// Pairs a packet with its acknowledgement; never 0 [MQTT-2.2.1-3].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// The first one, 1.
    pub const FIRST: Self = Self(NonZeroU16::MIN);

    /// The last one, 65,535; [`PacketId::FIRST`] follows it.
    pub const LAST: Self = Self(NonZeroU16::MAX);

    /// `None` for 0.
    #[must_use]
    pub fn new(id: u16) -> Option<Self> {
        NonZeroU16::new(id).map(Self)
    }

    /// The number, 1 to 65,535.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0.get()
    }

    /// The one after it; 1 after 65,535.
    #[must_use]
    pub fn next(self) -> Self {
        self.0.checked_add(1).map_or(Self::FIRST, Self)
    }
}

impl fmt::Display for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_after_the_last_is_the_first() {
        assert_eq!(PacketId::new(0), None);
        let last = PacketId::new(u16::MAX).unwrap();
        assert_eq!(last.next(), PacketId::FIRST);
        assert_eq!(PacketId::FIRST.next().get(), 2);
    }
}
