//! How much of its worker's thread a guest takes.
//!
//! A guest gives way at the end of each slice, and is looked at only there. One
//! that takes too much goes on elsewhere, from the beginning of its call; unless
//! it has called the host, which would then be called twice.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use crate::engine::SLICE;

/// How much of its worker's time one call may take.
const MAX_TAKEN: Duration = Duration::from_millis(16);
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
    time: Time,
    place: Option<Place>,
    /// Whether it has called the host.
    has_acted: bool,
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

/// The time of a thread that a call takes; written by who drives the call, read
/// by the guest's end of a slice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Time(Arc<Clock>);

/// In nanoseconds.
#[derive(Debug, Default)]
struct Clock {
    /// When the guest was let go on, on a clock of this process.
    since: AtomicU64,
    /// What was taken until then.
    taken: AtomicU64,
}

impl Hold {
    /// A call begins.
    pub(crate) fn begin(&mut self, place: Place) -> Time {
        self.time.0.taken.store(0, Relaxed);
        self.has_acted = false;
        self.place = Some(place);
        self.time.clone()
    }

    /// The guest calls the host.
    pub(crate) fn act(&mut self) {
        self.has_acted = true;
    }

    /// A slice ends.
    pub(crate) fn slice_ended(&mut self, now: Instant) -> GoesOn {
        let held = self.time.held(now);
        let is_too_much = self.time.taken() + held > MAX_TAKEN;
        match self.place {
            Some(Place::Worker) if is_too_much && !self.has_acted => GoesOn::Away,
            Some(Place::Worker) => GoesOn::Soon,
            // A thread that always runs takes the processor from those that have
            // others to serve.
            Some(Place::Away) => GoesOn::After(held.clamp(SLICE, MAX_PAUSE)),
            // It describes itself, or is being made.
            None => GoesOn::After(SLICE),
        }
    }

    /// Whether the last call took more than a worker has for one.
    pub(crate) fn was_too_much(&self) -> bool {
        self.time.taken() > MAX_TAKEN
    }
}

impl Time {
    /// Drives a call, and notes the time that it takes.
    pub(crate) async fn of<F: Future>(self, call: F) -> F::Output {
        let mut call = pin!(call);
        poll_fn(|cx| {
            self.0.since.store(clock_ns(Instant::now()), Relaxed);
            let polled = call.as_mut().poll(cx);
            let held = self.held(Instant::now());
            let held_ns = u64::try_from(held.as_nanos()).unwrap_or(u64::MAX);
            self.0.taken.fetch_add(held_ns, Relaxed);
            polled
        })
        .await
    }

    fn held(&self, now: Instant) -> Duration {
        let since = self.0.since.load(Relaxed);
        Duration::from_nanos(clock_ns(now).saturating_sub(since))
    }

    fn taken(&self) -> Duration {
        Duration::from_nanos(self.0.taken.load(Relaxed))
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

    /// A hold whose call was let go on, and the moment so many milliseconds later.
    fn held(place: Place, ms: u64) -> (Hold, Instant) {
        let mut hold = Hold::default();
        let time = hold.begin(place);
        let began = Instant::now() + Duration::from_secs(1);
        time.0.since.store(clock_ns(began), Relaxed);
        (hold, began + Duration::from_millis(ms))
    }

    #[track_caller]
    fn check(place: Place, taken_ms: u64, held_ms: u64, expected: GoesOn) {
        let (mut hold, now) = held(place, held_ms);
        hold.time.0.taken.store(taken_ms * 1_000_000, Relaxed);
        assert_eq!(hold.slice_ended(now), expected);
    }

    #[test]
    fn a_call_has_so_much_of_a_workers_time() {
        check(Place::Worker, 0, 1, GoesOn::Soon);
        check(Place::Worker, 15, 1, GoesOn::Soon);
        check(Place::Worker, 15, 2, GoesOn::Away);
        check(Place::Worker, 0, 40, GoesOn::Away);
    }

    #[test]
    fn a_guest_that_is_away_pauses_as_long_as_it_ran() {
        let after = |ms| GoesOn::After(Duration::from_millis(ms));
        check(Place::Away, 1_000, 0, GoesOn::After(SLICE));
        check(Place::Away, 1_000, 3, after(3));
        check(Place::Away, 1_000, 100, GoesOn::After(MAX_PAUSE));
    }

    #[test]
    fn a_guest_that_has_called_the_host_stays() {
        let (mut hold, now) = held(Place::Worker, 40);
        hold.act();
        assert_eq!(hold.slice_ended(now), GoesOn::Soon);
        let (mut hold, now) = held(Place::Worker, 40);
        assert_eq!(hold.slice_ended(now), GoesOn::Away);
    }

    #[tokio::test]
    async fn what_a_call_took_is_known_behind_it() {
        let mut hold = Hold::default();
        let busy = async {
            let began = Instant::now();
            while began.elapsed() <= MAX_TAKEN {}
        };
        hold.begin(Place::Worker).of(busy).await;
        assert!(hold.was_too_much());
        hold.begin(Place::Worker);
        assert!(!hold.was_too_much());
    }
}
