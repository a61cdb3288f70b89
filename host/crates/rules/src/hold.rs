//! How much of its worker's thread a guest takes.
//!
//! A guest gives way at the end of each slice, and is looked at only there: not
//! while it waits for a store, whose answer would be lost with it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use crate::engine::SLICE;

/// Slices that one call may take on a worker's thread.
const MAX_SLICES: u32 = 16;
/// How long one may last: an instruction that nothing interrupts is behind it.
const MAX_HOLD: Duration = Duration::from_millis(4);
/// How many of a call may last for longer.
const MAX_HOLDS: u32 = 3;

/// Longest pause of a guest on a thread of its own.
const MAX_PAUSE: Duration = Duration::from_millis(10);

/// Where a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a worker's thread, which has others to serve.
    Worker,
    /// On a thread of the lane's own.
    Away,
}

/// What an instance knows of the call that runs.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    since: Since,
    place: Option<Place>,
    slices: u32,
    /// Slices that lasted for too long.
    holds: u32,
}

/// How a guest goes on after a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GoesOn {
    /// When others had their turn.
    Soon,
    /// After as long a time as it has taken.
    After(Duration),
    /// Elsewhere.
    Away,
}

/// When the guest was let go on, in nanoseconds on a clock of this process;
/// written by who drives the call, read by the guest's end of a slice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Since(Arc<AtomicU64>);

impl Hold {
    /// A call begins.
    pub(crate) fn begin(&mut self, place: Place) -> Since {
        self.slices = 0;
        self.holds = 0;
        self.place = Some(place);
        self.since.clone()
    }

    /// A slice ends.
    pub(crate) fn slice_ended(&mut self, now: Instant) -> GoesOn {
        let held_ns = clock_ns(now).saturating_sub(self.since.0.load(Relaxed));
        let held = Duration::from_nanos(held_ns);
        self.slices = self.slices.saturating_add(1);
        self.holds += u32::from(held > MAX_HOLD);
        match self.place {
            Some(Place::Worker) if self.is_too_much() => GoesOn::Away,
            Some(Place::Worker) => GoesOn::Soon,
            // A thread that always runs takes the processor from those that have
            // others to serve.
            Some(Place::Away) => GoesOn::After(held.clamp(SLICE, MAX_PAUSE)),
            // It describes itself, or is being made.
            None => GoesOn::After(SLICE),
        }
    }

    /// Whether the last call took more than a worker has for one.
    pub(crate) fn is_too_much(&self) -> bool {
        self.slices > MAX_SLICES || self.holds > MAX_HOLDS
    }
}

impl Since {
    /// Drives a call, and notes each time that it goes on.
    pub(crate) async fn timing<F: Future>(self, call: F) -> F::Output {
        let mut call = pin!(call);
        poll_fn(|cx| {
            self.0.store(clock_ns(Instant::now()), Relaxed);
            call.as_mut().poll(cx)
        })
        .await
    }
}

fn clock_ns(now: Instant) -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let since = now.saturating_duration_since(*BEGAN).as_nanos();
    u64::try_from(since).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(place: Place, slice_ms: u64, away_after: Option<u32>) {
        let mut hold = Hold::default();
        let since = hold.begin(place);
        let began = Instant::now() + Duration::from_secs(1);
        since.0.store(clock_ns(began), Relaxed);
        let end = began + Duration::from_millis(slice_ms);
        let goes_away = (1..=50).find(|_| hold.slice_ended(end) == GoesOn::Away);
        assert_eq!(goes_away, away_after, "{place:?}, {slice_ms} ms");
        assert!(hold.is_too_much());
        hold.begin(place);
        assert!(!hold.is_too_much());
    }

    #[test]
    fn a_worker_has_so_many_slices_and_few_long_ones() {
        check(Place::Worker, 1, Some(MAX_SLICES + 1));
        check(Place::Worker, 4, Some(MAX_SLICES + 1));
        check(Place::Worker, 5, Some(MAX_HOLDS + 1));
        check(Place::Away, 50, None);
    }

    #[test]
    fn a_guest_that_is_away_pauses_as_long_as_it_ran() {
        let mut hold = Hold::default();
        let since = hold.begin(Place::Away);
        let began = Instant::now() + Duration::from_secs(1);
        since.0.store(clock_ns(began), Relaxed);
        let mut pause = |ran_ms| hold.slice_ended(began + Duration::from_millis(ran_ms));
        assert_eq!(pause(3), GoesOn::After(Duration::from_millis(3)));
        assert_eq!(pause(100), GoesOn::After(MAX_PAUSE));
    }
}
