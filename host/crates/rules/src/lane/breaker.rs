//! A rule that brings its module down again and again is not run for a while.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Batches in a row, of which nothing came back, before the breaker opens.
const BATCHES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_DOUBLINGS: u32 = 6;

/// The breaker of one rule, shared by all workers.
///
/// It is closed until [`BATCHES`] batches in a row have trapped or missed their
/// deadline, and none of the rule's calls in them came back: a batch in which one
/// client's event does that, and the events beside it do not, says nothing against
/// the rule, and a batch counts once however many of its events do. Then it is open
/// for a second; after that calls are let through, and the first batch that fares
/// the same opens it for twice as long, up to a minute or so; the first call that
/// comes back closes it.
#[derive(Debug)]
pub(crate) struct Breaker {
    epoch: Instant,
    /// Batches lost in a row.
    lost: AtomicU32,
    /// Milliseconds after the epoch; 0: closed.
    open_until: AtomicU64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            epoch: Instant::now(),
            lost: AtomicU32::new(0),
            open_until: AtomicU64::new(0),
        }
    }
}

impl Breaker {
    /// Whether the rule may run.
    pub(crate) fn lets_through(&self, now: Instant) -> bool {
        let open_until = self.open_until.load(Relaxed);
        open_until == 0 || self.at(now) >= open_until
    }

    /// Whether the rule does not run now.
    pub(crate) fn is_open(&self) -> bool {
        !self.lets_through(Instant::now())
    }

    /// A batch ended with the instance, and none of the rule's calls in it came
    /// back. Answers for how long the breaker opens now, if it does.
    pub(crate) fn lost(&self, now: Instant) -> Option<Duration> {
        if !self.lets_through(now) {
            // It was called before it opened.
            return None;
        }
        let lost = self.lost.fetch_add(1, Relaxed) + 1;
        let doublings = lost.checked_sub(BATCHES)?.min(MAX_DOUBLINGS);
        let pause = FIRST_PAUSE * (1 << doublings);
        let until = self.at(now + pause).max(1);
        self.open_until.store(until, Relaxed);
        Some(pause)
    }

    /// One of its calls came back.
    pub(crate) fn came_back(&self) {
        if self.lost.load(Relaxed) > 0 {
            self.lost.store(0, Relaxed);
            self.open_until.store(0, Relaxed);
        }
    }

    fn at(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.epoch).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_three_and_closes_when_a_call_comes_back() {
        let breaker = Breaker::default();
        let now = Instant::now();
        assert_eq!(breaker.lost(now), None);
        assert_eq!(breaker.lost(now), None);
        assert!(breaker.lets_through(now));
        assert_eq!(breaker.lost(now), Some(Duration::from_secs(1)));
        assert!(!breaker.lets_through(now));
        assert_eq!(breaker.lost(now), None, "what ran meanwhile does not count");
        let later = now + Duration::from_millis(1_001);
        assert!(breaker.lets_through(later), "it opens half by itself");
        assert_eq!(breaker.lost(later), Some(Duration::from_secs(2)));
        assert!(!breaker.lets_through(later + Duration::from_millis(1_500)));
        breaker.came_back();
        assert!(breaker.lets_through(later));
        assert_eq!(breaker.lost(later), None, "it counts from the beginning");
    }

    #[test]
    fn the_pause_has_a_bound() {
        let breaker = Breaker::default();
        let now = Instant::now();
        let pauses = (0..100).filter_map(|turn| breaker.lost(now + 65 * turn * FIRST_PAUSE));
        let pauses: Vec<Duration> = pauses.collect();
        assert_eq!(pauses.len(), 98);
        assert_eq!(pauses.iter().max(), Some(&Duration::from_secs(64)));
    }
}
