//! Random numbers of the operating system. Granted by `grants = ["random"]`.
//!
//! Under test they follow from a seed, so that a run can be repeated.
//!
//! ```
//! use hookwire_sdk::{random, testing};
//!
//! testing::seed_random(7);
//! let token = random::bytes(16);
//! assert_eq!(token.len(), 16);
//! testing::seed_random(7);
//! assert_eq!(random::bytes(16), token);
//! ```

#[cfg(target_arch = "wasm32")]
use crate::bindings::hookwire::host::random as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::doubles::random as host;

/// That many random bytes.
///
/// ```
/// use hookwire_sdk::random;
///
/// let token: String = random::bytes(8).iter().map(|byte| format!("{byte:02x}")).collect();
/// assert_eq!(token.len(), 16);
/// ```
///
/// # Panics
/// The host stops a module that asks for more than 65536 at once; the double
/// panics.
#[must_use]
pub fn bytes(count: u32) -> Vec<u8> {
    host::bytes(count)
}

/// One random number.
///
/// ```
/// use hookwire_sdk::{random, testing};
///
/// testing::seed_random(1);
/// let first = random::number();
/// assert_ne!(random::number(), first);
/// ```
#[must_use]
pub fn number() -> u64 {
    host::number()
}

/// A random number below `bound`; 0 where `bound` is 0.
///
/// ```
/// # use hookwire_sdk::random;
/// assert!((0..100).all(|_| random::below(6) < 6));
/// ```
#[must_use]
pub fn below(bound: u64) -> u64 {
    // The high half of the product is even over all values but for one in 2^64.
    let product = u128::from(number()) * u128::from(bound);
    (product >> 64) as u64
}
