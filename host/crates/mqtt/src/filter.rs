//! Topic filters: what a client subscribes to, what a rule listens to.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::topic::{TopicError, TopicName};

const SHARE_PREFIX: &str = "$share/";

/// What stands before a filter to subscribe in the group [`QUEUE_GROUP`].
const QUEUE_PREFIX: &str = "$queue/";

/// The share name of `$queue/FILTER`, which is `$share/$queue/FILTER`.
const QUEUE_GROUP: &str = "$queue";

/// A valid topic filter: 1 to 65,535 bytes, wildcards only as whole levels.
/// Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter(Arc<str>);

/// The parts of `$share/GROUP/FILTER`, MQTT 5 section 4.8.2, and of
/// `$queue/FILTER`, which clients of older versions know: its group is `$queue`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedFilter {
    /// The share name.
    pub group: String,
    /// What the group subscribes to.
    pub filter: TopicFilter,
}

impl TopicFilter {
    /// Checks `filter`. A text that begins with `$share/` or `$queue/` has to be
    /// a whole shared subscription, in every version of the protocol.
    ///
    /// # Errors
    /// Says the first rule that `filter` breaks.
    pub fn new(filter: &str) -> Result<Self, TopicError> {
        if filter.is_empty() {
            return Err(TopicError::Empty);
        }
        if filter.len() > usize::from(u16::MAX) {
            return Err(TopicError::TooLong);
        }
        if filter.contains('\0') {
            return Err(TopicError::Nul);
        }
        let plain = match split_shared(filter) {
            None if is_shared(filter) => return Err(TopicError::ShareName),
            None => filter,
            Some((group, plain)) if is_share_name(group) && !plain.is_empty() => plain,
            Some(_) => return Err(TopicError::ShareName),
        };
        check_wildcards(plain)?;
        Ok(Self(Arc::from(filter)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its levels: the parts between `/`, which may be empty.
    pub fn levels(&self) -> std::str::Split<'_, char> {
        self.0.split('/')
    }

    /// Whether it has no wildcard, so that it matches one topic only.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.contains(['+', '#'])
    }

    /// Whether `topic` matches. Topics that begin with `$` match no filter
    /// that begins with a wildcard [MQTT-4.7.2-1]. A shared subscription is
    /// compared by its text: match the filter inside [`TopicFilter::shared`].
    #[must_use]
    pub fn matches(&self, topic: TopicName<'_>) -> bool {
        if topic.is_reserved() && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut names = topic.levels();
        for level in self.levels() {
            // `a/#` matches `a` as well: no name is needed here.
            if level == "#" {
                return true;
            }
            match names.next() {
                Some(name) if level == "+" || level == name => {}
                _ => return false,
            }
        }
        names.next().is_none()
    }

    /// Whether every topic that `other` matches is matched by this one too. The
    /// group of a shared subscription counts for nothing.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let (mut own, mut others) = (self.plain_levels(), other.plain_levels());
        if hides_reserved(self, other) {
            return false;
        }
        loop {
            match (own.next(), others.next()) {
                (Some("#"), _) | (None, None) => return true,
                (Some("+"), Some(level)) if level != "#" => {}
                (Some(level), Some(of_other)) if level == of_other => {}
                _ => return false,
            }
        }
    }

    /// Whether there may be a topic that both match. The group of a shared
    /// subscription counts for nothing.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mut own, mut others) = (self.plain_levels(), other.plain_levels());
        if hides_reserved(self, other) || hides_reserved(other, self) {
            return false;
        }
        loop {
            match (own.next(), others.next()) {
                (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
                (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
                (Some(level), Some(of_other)) if level == of_other => {}
                _ => return false,
            }
        }
    }

    /// The levels of what is subscribed to, without a group.
    fn plain_levels(&self) -> std::str::Split<'_, char> {
        let text = self.as_str();
        let plain = match (text.strip_prefix("$share/"), text.strip_prefix("$queue/")) {
            (Some(shared), _) => shared.split_once('/').map_or(shared, |(_, filter)| filter),
            (None, Some(plain)) => plain,
            (None, None) => text,
        };
        plain.split('/')
    }

    /// Its parts, if it is a shared subscription.
    #[must_use]
    pub fn shared(&self) -> Option<SharedFilter> {
        let (group, filter) = split_shared(&self.0)?;
        Some(SharedFilter {
            group: group.to_owned(),
            filter: Self(Arc::from(filter)),
        })
    }
}

/// Whether `filter` asks for a shared subscription, if perhaps a broken one.
pub(crate) fn is_shared(filter: &str) -> bool {
    filter.starts_with(SHARE_PREFIX) || filter.starts_with(QUEUE_PREFIX)
}

/// The share name and the filter within a shared subscription, unchecked.
fn split_shared(filter: &str) -> Option<(&str, &str)> {
    match filter.strip_prefix(QUEUE_PREFIX) {
        Some(plain) => Some((QUEUE_GROUP, plain)),
        None => filter.strip_prefix(SHARE_PREFIX)?.split_once('/'),
    }
}

fn is_share_name(group: &str) -> bool {
    !group.is_empty() && !group.contains(['+', '#'])
}

fn check_wildcards(filter: &str) -> Result<(), TopicError> {
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level.len() > 1 || levels.peek().is_some()) {
            return Err(TopicError::MultiLevelWildcard);
        }
        if level.contains('+') && level.len() > 1 {
            return Err(TopicError::SingleLevelWildcard);
        }
    }
    Ok(())
}

impl Borrow<str> for TopicFilter {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `filter` begins with a wildcard, which matches no topic that begins
/// with `$` [MQTT-4.7.2-1], and `other` matches no others.
fn hides_reserved(filter: &TopicFilter, other: &TopicFilter) -> bool {
    let is_wild = filter
        .plain_levels()
        .next()
        .is_some_and(|level| level == "#" || level == "+");
    let reserved = other.plain_levels().next();
    is_wild && reserved.is_some_and(|level| level.starts_with('$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_against_filters() {
        let check = |left: &str, right: &str, covers: bool, overlaps: bool| {
            let (left, right) = (
                TopicFilter::new(left).unwrap(),
                TopicFilter::new(right).unwrap(),
            );
            assert_eq!(left.covers(&right), covers, "{left:?} covers {right:?}");
            assert_eq!(
                left.overlaps(&right),
                overlaps,
                "{left:?} overlaps {right:?}"
            );
            assert_eq!(
                right.overlaps(&left),
                overlaps,
                "{right:?} overlaps {left:?}"
            );
        };
        check("#", "a/b", true, true);
        check("a/#", "a", true, true);
        check("a/#", "a/+/c", true, true);
        check("a/+", "a/b", true, true);
        check("a/+", "a/#", false, true);
        check("a/b", "a/+", false, true);
        check("a/b", "#", false, true);
        check("a/+/c", "a/b/+", false, true);
        check("a/b", "a/c", false, false);
        check("a/b", "a", false, false);
        check("a", "a/#", false, true);
        check("+/b", "a/#", false, true);
        check("#", "$SYS/a", false, false);
        check("+/a", "$SYS/#", false, false);
        check("$SYS/#", "$SYS/a", true, true);
        check("queue/#", "$share/g/queue/a", true, true);
        check("queue/#", "$queue/queue/a", true, true);
        check("$share/g/a", "a", true, true);
    }
}
