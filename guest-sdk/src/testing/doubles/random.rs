//! `hookwire:host/random`: numbers that follow from a seed.

use std::cell::Cell;

const MAX_BYTES: u32 = 65_536;

thread_local! {
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// Begins the random numbers of this thread anew: the same seed, the same
/// numbers.
///
/// ```
/// use hookwire_sdk::{random, testing};
///
/// testing::seed_random(7);
/// let first = random::number();
/// testing::seed_random(7);
/// assert_eq!(random::number(), first);
/// ```
pub fn seed_random(seed: u64) {
    STATE.set(seed);
}

/// `SplitMix64`, of Steele, Lea and Flood.
pub(crate) fn number() -> u64 {
    let state = STATE.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

pub(crate) fn bytes(count: u32) -> Vec<u8> {
    assert!(
        count <= MAX_BYTES,
        "the host stops a module that asks for more than {MAX_BYTES} random bytes at once"
    );
    (0..count).map(|_| (number() >> 56) as u8).collect()
}
