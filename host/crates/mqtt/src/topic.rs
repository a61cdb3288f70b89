//! Topic names: where a message is published to.

use std::fmt;

/// Why a text is not a topic name or filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// At least one character is needed [MQTT-4.7.3-1].
    #[error("is empty")]
    Empty,
    /// UTF-8 strings hold 65,535 bytes at most [MQTT-4.7.3-3].
    #[error("is longer than 65535 bytes")]
    TooLong,
    /// U+0000 is not allowed [MQTT-4.7.3-2].
    #[error("holds the character U+0000")]
    Nul,
    /// Names hold no `+` and no `#` [MQTT-4.7.1-1].
    #[error("holds a wildcard")]
    WildcardInName,
    /// `#` stands alone in the last level [MQTT-4.7.1-1].
    #[error("has a # that is not the whole of the last level")]
    MultiLevelWildcard,
    /// `+` stands alone in its level [MQTT-4.7.1-2].
    #[error("has a + that is not the whole of a level")]
    SingleLevelWildcard,
    /// A share name is at least one character, without wildcards, and is
    /// followed by `/` and a filter [MQTT-4.8.2-1]. `$queue/` is followed by a
    /// filter.
    #[error("is not $share/NAME/FILTER or $queue/FILTER")]
    ShareName,
}

/// A valid topic name: 1 to 65,535 bytes, no wildcards, no U+0000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName<'a>(&'a str);

impl<'a> TopicName<'a> {
    /// The absent name of a PUBLISH that names its topic by alias.
    pub(crate) const EMPTY: Self = Self("");

    /// Checks `name`.
    ///
    /// # Errors
    /// Says the first rule that `name` breaks.
    pub fn new(name: &'a str) -> Result<Self, TopicError> {
        if name.is_empty() {
            return Err(TopicError::Empty);
        }
        if name.len() > usize::from(u16::MAX) {
            return Err(TopicError::TooLong);
        }
        // One pass without branches, which the compiler turns into vector code.
        let suspect = name
            .bytes()
            .fold(false, |found, byte| found | matches!(byte, 0 | b'+' | b'#'));
        if suspect {
            return Err(if name.contains('\0') {
                TopicError::Nul
            } else {
                TopicError::WildcardInName
            });
        }
        Ok(Self(name))
    }

    /// The text.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Its levels: the parts between `/`, which may be empty.
    pub fn levels(self) -> std::str::Split<'a, char> {
        self.0.split('/')
    }

    /// Whether it begins with `$`, which filters beginning with a wildcard do
    /// not match [MQTT-4.7.2-1].
    #[must_use]
    pub fn is_reserved(self) -> bool {
        self.0.starts_with('$')
    }

    /// Whether this is the absent name of a PUBLISH that names its topic by
    /// alias. [`TopicName::new`] makes no such name.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
