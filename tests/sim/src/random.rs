//! Seeded random numbers: the same for a seed on every machine and for ever.

/// SplitMix64: every seed, also a small one, gives a good sequence at once.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn next_bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        // The upper half of the product is below `bound`, a usize.
        ((u128::from(self.next_bits()) * bound as u128) >> 64) as usize
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        let span = usize::try_from(most.saturating_sub(least)).unwrap_or(usize::MAX - 1);
        least + self.below(span + 1) as u64
    }

    /// True in so many cases of a hundred.
    pub fn percent(&mut self, cases: u32) -> bool {
        self.below(100) < cases as usize
    }

    /// One of several; there is at least one.
    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// An index, each as likely as its weight says; the last when all are 0.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let total: usize = weights.iter().map(|weight| *weight as usize).sum();
        let mut left = self.below(total);
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight as usize {
                return index;
            }
            left -= *weight as usize;
        }
        weights.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_of_a_seed_never_changes() {
        let mut random = Random::new(1);
        let first: Vec<u64> = (0..3).map(|_| random.next_bits()).collect();
        let expected = [
            10_451_216_379_200_822_465,
            13_757_245_211_066_428_519,
            17_911_839_290_282_890_590,
        ];
        assert_eq!(first, expected);
    }

    #[test]
    fn bounds_hold_and_weights_count() {
        let mut random = Random::new(7);
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            assert!(random.below(3) < 3);
            assert!((5..=9).contains(&random.between(5, 9)));
            counts[random.weighted(&[0, 1, 3])] += 1;
        }
        assert_eq!(counts[0], 0);
        assert!((2_200..2_800).contains(&counts[1]), "{counts:?}");
        assert_eq!(random.below(0), 0);
    }
}
