//! The broker's clock. Granted by `grants = ["clock"]`.
//!
//! Events carry their own time (`at_ms`), which is what a stored row should
//! say; the clock is for measuring and for expiry. Under test it stands where
//! the test puts it.
//!
//! ```
//! use std::time::Duration;
//!
//! use hookwire_sdk::{clock, testing};
//!
//! testing::set_clock(1_000);
//! let before = clock::monotonic_ns();
//! testing::advance_clock(Duration::from_secs(2));
//! assert_eq!(clock::now_ms(), 3_000);
//! assert_eq!(clock::monotonic_ns() - before, 2_000_000_000);
//! ```

#[cfg(target_arch = "wasm32")]
use crate::bindings::hookwire::host::clock as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::doubles::clock as host;

/// Milliseconds since the Unix epoch.
///
/// ```
/// use hookwire_sdk::{clock, testing};
///
/// let message = testing::message("sensors/7", "21.5");
/// testing::set_clock(message.at_ms + 1_500);
/// let age_ms = clock::now_ms().saturating_sub(message.at_ms);
/// assert_eq!(age_ms, 1_500);
/// ```
#[must_use]
pub fn now_ms() -> u64 {
    host::now_ms()
}

/// Nanoseconds on a clock that never goes back; only differences mean anything.
///
/// ```
/// use hookwire_sdk::clock;
///
/// let before = clock::monotonic_ns();
/// // ... a lookup in a store ...
/// let seconds = (clock::monotonic_ns() - before) as f64 / 1e9;
/// # assert_eq!(seconds, 0.0);
/// ```
#[must_use]
pub fn monotonic_ns() -> u64 {
    host::monotonic_ns()
}
