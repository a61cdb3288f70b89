//! `hookwire:host/clock`: stands where the test puts it.

use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static NOW_MS: Cell<u64> = const { Cell::new(0) };
    /// Moved by `advance_clock` alone, so that it never goes back.
    static MONOTONIC: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Puts the clock of this thread to `now_ms`, milliseconds since the Unix epoch.
/// It begins at 0.
///
/// ```
/// use hookwire_sdk::{clock, testing};
///
/// testing::set_clock(1_479_202_840_000);
/// assert_eq!(clock::now_ms(), 1_479_202_840_000);
/// ```
pub fn set_clock(now_ms: u64) {
    NOW_MS.set(now_ms);
}

/// Lets time pass on this thread: keys of [`kv`](crate::kv) end meanwhile.
///
/// ```
/// use std::time::Duration;
///
/// use hookwire_sdk::{kv, testing};
///
/// kv::set("seen", b"", Some(Duration::from_secs(60))).unwrap();
/// testing::advance_clock(Duration::from_secs(59));
/// assert!(kv::get("seen").is_some());
/// testing::advance_clock(Duration::from_secs(1));
/// assert!(kv::get("seen").is_none());
/// ```
pub fn advance_clock(time: Duration) {
    NOW_MS.set(NOW_MS.get().saturating_add(crate::milliseconds(time)));
    MONOTONIC.set(MONOTONIC.get().saturating_add(time));
}

pub(crate) fn now_ms() -> u64 {
    NOW_MS.get()
}

pub(crate) fn monotonic_ns() -> u64 {
    u64::try_from(MONOTONIC.get().as_nanos()).unwrap_or(u64::MAX)
}
