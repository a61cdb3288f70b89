//! How much of its worker's thread a guest takes, by the thread's own clock: a
//! guest is not to blame for a machine that has much else to do.
//!
//! A guest gives way at the end of each slice, and is looked at only there. One
//! that takes too much goes on elsewhere, from the beginning of its call; unless
//! it has called the host, which would then be called twice.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::module::engine::SLICE;

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
    /// The time that its thread had had when the guest was let go on.
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
    pub(crate) fn slice_ended(&mut self, now_ns: u64) -> GoesOn {
        let held = self.time.held(now_ns);
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
            let began = Instant::now();
            self.0.since.store(thread_ns(), Relaxed);
            let polled = call.as_mut().poll(cx);
            // What is short by the clock is short: the thread's own time is asked
            // for only where the two may differ.
            let by_the_clock = began.elapsed();
            let held = match by_the_clock < SLICE {
                true => by_the_clock,
                false => self.held(thread_ns()),
            };
            let held_ns = u64::try_from(held.as_nanos()).unwrap_or(u64::MAX);
            self.0.taken.fetch_add(held_ns, Relaxed);
            polled
        })
        .await
    }

    fn held(&self, now_ns: u64) -> Duration {
        let since = self.0.since.load(Relaxed);
        Duration::from_nanos(now_ns.saturating_sub(since))
    }

    fn taken(&self) -> Duration {
        Duration::from_nanos(self.0.taken.load(Relaxed))
    }
}

/// The processor's time that the calling thread has had: while others have the
/// processor, it stands still.
#[cfg(target_os = "linux")]
pub(crate) fn thread_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let rest = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// The time of the clock, where the system does not tell a thread's own.
#[cfg(not(target_os = "linux"))]
pub(crate) fn thread_ns() -> u64 {
    static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    u64::try_from(BEGAN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hold whose call was let go on, and the moment so many milliseconds later.
    fn held(place: Place, ms: u64) -> (Hold, u64) {
        const BEGAN_NS: u64 = 1_000_000_000;
        let mut hold = Hold::default();
        let time = hold.begin(place);
        time.0.since.store(BEGAN_NS, Relaxed);
        (hold, BEGAN_NS + ms * 1_000_000)
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
            let began_ns = thread_ns();
            let max_ns = u64::try_from(MAX_TAKEN.as_nanos()).unwrap();
            while thread_ns() - began_ns <= max_ns {}
        };
        hold.begin(Place::Worker).of(busy).await;
        assert!(hold.was_too_much());
        hold.begin(Place::Worker);
        assert!(!hold.was_too_much());
    }

    #[tokio::test]
    async fn time_that_others_have_is_not_its_own() {
        let mut hold = Hold::default();
        let asleep = async {
            // The thread stands still, as one does that has no processor.
            std::thread::park_timeout(2 * MAX_TAKEN);
        };
        hold.begin(Place::Worker).of(asleep).await;
        assert!(!hold.was_too_much());
    }
}
