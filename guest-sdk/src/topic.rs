//! Topic filters, as the broker reads them.

/// Whether a filter matches a topic. Topics that begin with `$` match no filter
/// that begins with a wildcard. What stands before the filter of a shared
/// subscription is no part of it: see [`shared`].
///
/// ```
/// use hookwire_sdk::topic;
///
/// assert!(topic::matches("sensors/+/celsius", "sensors/7/celsius"));
/// assert!(topic::matches("sensors/#", "sensors"));
/// assert!(!topic::matches("sensors/+", "sensors/7/celsius"));
/// assert!(!topic::matches("#", "$SYS/uptime"));
/// ```
#[must_use]
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut names = topic.split('/');
    for level in filter.split('/') {
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

/// Whether there may be a topic that both filters match.
///
/// ```
/// use hookwire_sdk::topic;
///
/// assert!(topic::overlap("a/+", "+/b"));
/// assert!(topic::overlap("a/#", "a"));
/// assert!(!topic::overlap("a/+", "b/#"));
/// assert!(!topic::overlap("#", "$SYS/#"));
/// ```
#[must_use]
pub fn overlap(left: &str, right: &str) -> bool {
    let is_wild = |filter: &str| filter.starts_with(['+', '#']);
    if (is_wild(left) && right.starts_with('$')) || (is_wild(right) && left.starts_with('$')) {
        return false;
    }
    let (mut lefts, mut rights) = (left.split('/'), right.split('/'));
    loop {
        match (lefts.next(), rights.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(left), Some(right)) if left == right => {}
            _ => return false,
        }
    }
}

/// Group and filter of a shared subscription, `$share/GROUP/FILTER` or
/// `$queue/FILTER`; none for any other filter.
///
/// ```
/// use hookwire_sdk::topic;
///
/// assert_eq!(topic::shared("$share/workers/jobs/#"), Some(("workers", "jobs/#")));
/// assert_eq!(topic::shared("$queue/jobs/#"), Some(("$queue", "jobs/#")));
/// assert_eq!(topic::shared("jobs/#"), None);
/// ```
#[must_use]
pub fn shared(filter: &str) -> Option<(&str, &str)> {
    match filter.strip_prefix("$queue/") {
        Some(plain) => Some(("$queue", plain)),
        None => filter.strip_prefix("$share/")?.split_once('/'),
    }
}

/// Whether a client may subscribe to it: 1 to 65,535 bytes without U+0000,
/// wildcards only as whole levels, `#` only as the last.
///
/// ```
/// use hookwire_sdk::topic;
///
/// assert!(topic::is_filter("a/+/#"));
/// assert!(topic::is_filter("$share/workers/a/#"));
/// for wrong in ["", "a/b#", "a/#/b", "a+/b", "$share/workers", "$share//a", "a\0"] {
///     assert!(!topic::is_filter(wrong), "{wrong:?}");
/// }
/// ```
#[must_use]
pub fn is_filter(text: &str) -> bool {
    if text.len() > usize::from(u16::MAX) || text.contains('\0') {
        return false;
    }
    let plain = match shared(text) {
        Some((group, plain)) if !group.is_empty() && !group.contains(['+', '#']) => plain,
        Some(_) => return false,
        None if text.starts_with("$share/") => return false,
        None => text,
    };
    let mut levels = plain.split('/').peekable();
    while let Some(level) = levels.next() {
        let is_whole = level.len() == 1;
        let is_last = levels.peek().is_none();
        if level.contains('#') && !(is_whole && is_last) || level.contains('+') && !is_whole {
            return false;
        }
    }
    !plain.is_empty()
}
