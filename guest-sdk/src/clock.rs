//! The broker's clock. A module that calls it must be granted `clock`.
//!
//! Events carry their own time (`at_ms`), which is what a stored row should
//! say; the clock is for measuring and for expiry.

/// Milliseconds since the Unix epoch.
#[must_use]
pub fn now_ms() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::hookwire::host::clock::now_ms();
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::now_ms();
}

/// Nanoseconds on a clock that never goes back; only differences mean anything.
#[must_use]
pub fn monotonic_ns() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::hookwire::host::clock::monotonic_ns();
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::monotonic_ns();
}
