//! How a module behaves towards the workers that it runs on.
//!
//! A guest that takes more of a worker's thread than it has for one call, see
//! [`crate::hold`], or misses its deadlines again and again, is sent away: its
//! lanes call it on threads of their own, see [`crate::away`], until it has
//! behaved for long.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Missed deadlines until a module is sent away.
const STRIKES: u32 = 3;
/// Batches without one after which all is forgotten.
const GOOD_BATCHES: u32 = 1000;

/// The conduct of one module, shared by all its lanes.
#[derive(Debug, Default)]
pub(crate) struct Conduct {
    strikes: AtomicU32,
    /// Batches since the last strike.
    good: AtomicU32,
}

impl Conduct {
    pub(crate) fn is_away(&self) -> bool {
        self.strikes.load(Relaxed) >= STRIKES
    }

    /// It took too much of its worker's thread. Answers whether it is sent away for that.
    pub(crate) fn held(&self) -> bool {
        self.good.store(0, Relaxed);
        self.strikes.swap(STRIKES, Relaxed) < STRIKES
    }

    /// It missed a deadline. Answers whether it is sent away for that.
    pub(crate) fn missed_deadline(&self) -> bool {
        self.good.store(0, Relaxed);
        // Far from an overflow: each takes as long as a deadline.
        self.strikes.fetch_add(1, Relaxed) + 1 == STRIKES
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
        self.strikes.swap(0, Relaxed) >= STRIKES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_deadlines_send_a_module_away_until_it_behaves() {
        let conduct = Conduct::default();
        assert!(!conduct.missed_deadline() && !conduct.missed_deadline());
        assert!(!conduct.is_away());
        assert!(conduct.missed_deadline(), "it is said once");
        assert!(!conduct.missed_deadline());
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

    #[test]
    fn long_good_conduct_wipes_out_a_strike() {
        let conduct = Conduct::default();
        conduct.missed_deadline();
        conduct.missed_deadline();
        for _ in 0..GOOD_BATCHES {
            assert!(!conduct.came_back(false), "it was not away");
        }
        assert!(!conduct.missed_deadline());
        assert!(!conduct.is_away());
    }

    #[test]
    fn holding_the_thread_sends_it_away_at_once() {
        let conduct = Conduct::default();
        assert!(conduct.held());
        assert!(!conduct.held(), "it is said once");
        assert!(conduct.is_away());
    }
}
