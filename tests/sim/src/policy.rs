//! What the rules of a simulation say to the questions of the other decision
//! hooks. It follows from topics and filters alone, so that the model, which
//! sees packets, knows it, whenever the answer comes.

use std::rc::Rc;

use crate::stamp::{STAMP_BYTES, Stamp};

/// Nobody may publish there, by `client.authorize`.
pub const DENIED_TOPICS: &str = "b/#";
/// Nobody may subscribe to these, by `client.authorize`.
pub const DENIED_FILTERS: &[&str] = &["a/+", "h/b/#"];
/// Nor to these, by `client.subscribe`.
pub const REFUSED_FILTERS: &[&str] = &["+/b"];
/// What `message.deliver` delivers to nobody.
pub const UNDELIVERED_TOPICS: &str = "a/c";
/// What `message.deliver` changes.
pub const MARKED_TOPICS: &str = "a//b";

/// Which hooks rules listen to in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asks {
    /// `client.connect`
    pub connect: bool,
    /// `session.created`
    pub session: bool,
    /// `client.authorize`
    pub access: bool,
    /// `client.subscribe` and `client.unsubscribe`
    pub filters: bool,
    /// `message.deliver`
    pub deliver: bool,
    /// How long answers of `client.authorize` are kept, in milliseconds; none:
    /// until rules change.
    pub keep_ms: Option<u64>,
    /// How many are kept.
    pub max_kept: usize,
}

/// Whether rules listen to this topic on `client.authorize` and `message.deliver`.
#[must_use]
pub fn is_asked_about(topic: &str) -> bool {
    topic.starts_with(['a', 'b', 'h'])
}

/// What a subscription matches messages with: without its group.
#[must_use]
pub fn plain(filter: &str) -> &str {
    if let Some(plain) = filter.strip_prefix("$queue/") {
        return plain;
    }
    let shared = filter.strip_prefix("$share/");
    shared
        .and_then(|shared| shared.split_once('/'))
        .map_or(filter, |(_, plain)| plain)
}

/// What becomes of a payload that is changed on its way to a client.
#[must_use]
pub fn marked(payload: &[u8]) -> Rc<[u8]> {
    let mut changed = payload.to_vec();
    if Stamp::read(payload).is_some()
        && let Some(last) = changed.get_mut(STAMP_BYTES..).and_then(<[u8]>::last_mut)
    {
        *last = b'!';
    }
    changed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_no_part_of_the_filter_and_a_mark_none_of_the_stamp() {
        for (filter, expected) in [("a/+", "a/+"), ("$share/g/a/b", "a/b"), ("$queue/a", "a")] {
            assert_eq!(plain(filter), expected);
        }
        let stamp = b"Mp\0\0\0\x01\0\x02\0\0\0\x03";
        assert_eq!(*marked(stamp), stamp[..]);
        let longer = [&stamp[..], b"xyz"].concat();
        assert_eq!(*marked(&longer), [&stamp[..], b"xy!"].concat()[..]);
    }
}
