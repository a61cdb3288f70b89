//! Bounds how often something is logged.

use std::time::{Duration, Instant};

/// Lets so many lines a second through, and counts the rest.
#[derive(Debug)]
pub(crate) struct Throttle {
    per_second: u32,
    second: Option<Instant>,
    passed: u32,
    held_back: u64,
}

/// Leave to write one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    /// Lines that were held back since the last one that passed.
    pub(crate) held_back: u64,
}

impl Throttle {
    pub(crate) fn per_second(per_second: u32) -> Self {
        Self {
            per_second,
            second: None,
            passed: 0,
            held_back: 0,
        }
    }

    /// Leave to write a line at `now`, if there is any left in this second.
    pub(crate) fn pass(&mut self, now: Instant) -> Option<Pass> {
        let begun = self
            .second
            .is_some_and(|second| now.saturating_duration_since(second) < Duration::from_secs(1));
        if !begun {
            self.second = Some(now);
            self.passed = 0;
        }
        if self.passed >= self.per_second {
            self.held_back += 1;
            return None;
        }
        self.passed += 1;
        Some(Pass {
            held_back: std::mem::take(&mut self.held_back),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted_and_told_later() {
        let start = Instant::now();
        let mut throttle = Throttle::per_second(2);
        let mut at = |ms| throttle.pass(start + Duration::from_millis(ms));
        assert_eq!(at(0), Some(Pass { held_back: 0 }));
        assert_eq!(at(1), Some(Pass { held_back: 0 }));
        assert_eq!(at(2), None);
        assert_eq!(at(999), None);
        assert_eq!(at(1_000), Some(Pass { held_back: 2 }));
        assert_eq!(at(1_001), Some(Pass { held_back: 0 }));
    }
}
