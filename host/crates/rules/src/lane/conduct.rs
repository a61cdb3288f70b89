//! How a module behaves towards the workers that it runs on.
//!
//! A guest that takes more of a worker's thread than it has for
//! one call, see [`crate::lane::hold`], or misses its deadlines, is sent away: its lanes
//! call it on threads of their own, see [`crate::lane::away`], until it has behaved for
//! long.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Batches without one after which all is forgotten.
const GOOD_BATCHES: u32 = 100;

/// The conduct of one module, shared by all its lanes.
#[derive(Debug, Default)]
pub(crate) struct Conduct {
    strikes: AtomicU32,
    /// Batches since the last strike.
    good: AtomicU32,
}

impl Conduct {
    pub(crate) fn is_away(&self) -> bool {
        self.strikes.load(Relaxed) > 0
    }

    /// It took too much of its worker's time, or missed a deadline. Answers whether
    /// it is sent away for that: it may be away already.
    pub(crate) fn strike(&self) -> bool {
        self.good.store(0, Relaxed);
        // Far from an overflow: each takes milliseconds.
        self.strikes.fetch_add(1, Relaxed) == 0
    }

    /// A batch came back, and whether it took more than a worker has for one.
    /// Answers whether the module comes back with it.
    pub(crate) fn came_back(&self, took_too_much: bool) -> bool {
        if self.strikes.load(Relaxed) == 0 {
            return false;
        }
        if took_too_much {
            self.good.store(0, Relaxed);
            return false;
        }
        if self.good.fetch_add(1, Relaxed) + 1 < GOOD_BATCHES {
            return false;
        }
        self.good.store(0, Relaxed);
        self.strikes.swap(0, Relaxed) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strike_sends_a_module_away_until_it_behaves() {
        let conduct = Conduct::default();
        assert!(!conduct.is_away());
        assert!(!conduct.came_back(false), "it was not away");
        assert!(conduct.strike(), "it is said once");
        assert!(!conduct.strike());
        assert!(conduct.is_away());
        for _ in 1..GOOD_BATCHES {
            assert!(!conduct.came_back(false));
        }
        assert!(!conduct.came_back(true), "and all over again");
        for _ in 1..GOOD_BATCHES {
            assert!(!conduct.came_back(false));
        }
        assert!(conduct.is_away());
        assert!(conduct.came_back(false), "it comes back");
        assert!(!conduct.is_away());
    }
}
