//! The WebAssembly engine, and the beat that interrupts guests.
//!
//! One engine serves every module and worker. Its epoch is what lets a guest
//! that computes for long give way to the clients beside it, and be stopped at
//! its deadline. The beat thread raises the epoch about once a millisecond
//! while any guest runs, and sleeps otherwise.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hookwire_broker::Stores;
use wasmtime::{Config, Engine};

use crate::host::clock::GuestClock;
use crate::host::stand_in::StandIn;
use crate::module::cache::Cache;
use crate::module::figures::Metric;
use crate::module::memory::ModuleMemory;

/// How long a guest runs before it yields to its worker.
pub(crate) const SLICE: Duration = Duration::from_millis(1);

/// Slices without a guest after which the beat sleeps. More than one, so that
/// a busy worker whose batches are short does not wake it for each.
const QUIET_SLICES: u32 = 16;

/// Why the runtime cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The machine or its memory map does not suit the compiler.
    #[error("the WebAssembly engine does not start: {0:#}")]
    Engine(wasmtime::Error),
    /// The thread that interrupts guests could not be started.
    #[error("the beat thread does not start: {0}")]
    Thread(#[source] std::io::Error),
}

/// The figures that one module counts.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleFigures {
    /// Name of the module.
    pub module: String,
    /// By name.
    pub figures: Vec<(String, Metric)>,
    /// Changes that were left out, because the figure has another kind, a name
    /// that is none, or is one too many.
    pub left_out: u64,
}

/// The engine and its beat. Clones share them; the last one ends the beat.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    cache: Option<Arc<Cache>>,
    clock: GuestClock,
    stand_in: Option<Arc<dyn StandIn>>,
    memories: Mutex<HashMap<String, Arc<ModuleMemory>>>,
    /// Names of pools, each at the place of its bit in [`Stores`].
    stores: Mutex<Vec<String>>,
    beat: Arc<Beat>,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    /// Starts the engine and the beat thread.
    ///
    /// # Errors
    /// When the engine refuses the machine, or no thread can be had.
    pub fn new() -> Result<Self, RuntimeError> {
        Self::with_cache(None)
    }

    /// As [`Runtime::new`], with a cache of compiled modules.
    ///
    /// # Errors
    /// As for [`Runtime::new`].
    pub fn with_cache(cache: Option<Arc<Cache>>) -> Result<Self, RuntimeError> {
        Self::start(cache, GuestClock::default(), None)
    }

    /// As [`Runtime::new`], for tests of modules: with a clock for guests that is
    /// set, and what stands in for the world outside.
    ///
    /// # Errors
    /// As for [`Runtime::new`].
    pub fn for_tests(clock: GuestClock, stand_in: Arc<dyn StandIn>) -> Result<Self, RuntimeError> {
        Self::start(None, clock, Some(stand_in))
    }

    fn start(
        cache: Option<Arc<Cache>>,
        clock: GuestClock,
        stand_in: Option<Arc<dyn StandIn>>,
    ) -> Result<Self, RuntimeError> {
        let engine = Engine::new(&config()).map_err(RuntimeError::Engine)?;
        let beat = Arc::new(Beat::default());
        let thread = std::thread::Builder::new()
            .name("rules-beat".to_owned())
            .spawn({
                let (engine, beat) = (engine.clone(), Arc::clone(&beat));
                move || beat.run(&engine)
            })
            .map_err(RuntimeError::Thread)?;
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                cache,
                clock,
                stand_in,
                memories: Mutex::default(),
                stores: Mutex::default(),
                beat,
                thread: Some(thread),
            }),
        })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn cache(&self) -> Option<&Arc<Cache>> {
        self.inner.cache.as_ref()
    }

    pub(crate) fn clock(&self) -> &GuestClock {
        &self.inner.clock
    }

    pub(crate) fn stand_in(&self) -> Option<&Arc<dyn StandIn>> {
        self.inner.stand_in.as_ref()
    }

    /// What the module of that name keeps in memory, over all its generations.
    /// The store that a pool of this name is, in every plan. None beyond as many
    /// as there are bits: then what is stored there is not fetched in place of
    /// what waits in memory.
    pub(crate) fn store(&self, pool: &str) -> Stores {
        let stores = &self.inner.stores;
        let mut names = stores.lock().unwrap_or_else(PoisonError::into_inner);
        let known = names.iter().position(|name| name == pool);
        let place = known.unwrap_or_else(|| {
            names.push(pool.to_owned());
            names.len() - 1
        });
        let bit = u32::try_from(place).ok();
        Stores(
            bit.and_then(|bit| 1_u64.checked_shl(bit))
                .unwrap_or_default(),
        )
    }

    pub(crate) fn memory(&self, module: &str) -> Arc<ModuleMemory> {
        let mut memories = self.memories();
        Arc::clone(memories.entry(module.to_owned()).or_default())
    }

    /// Forgets what a module kept: it was unloaded.
    pub fn forget(&self, module: &str) {
        self.memories().remove(module);
    }

    /// What a module keeps under a key, for whoever looks from outside.
    #[must_use]
    pub fn kept(&self, module: &str, key: &str) -> Option<Vec<u8>> {
        let memory = self.memories().get(module).map(Arc::clone)?;
        memory.get(key, self.inner.clock.moment())
    }

    /// The figures of modules, by module and name.
    #[must_use]
    pub fn figures(&self) -> Vec<ModuleFigures> {
        let memories = self.memories();
        let mut figures: Vec<ModuleFigures> = memories
            .iter()
            .map(|(module, memory)| {
                let (figures, left_out) = memory.figures();
                ModuleFigures {
                    module: module.clone(),
                    figures,
                    left_out,
                }
            })
            .collect();
        figures.sort_by(|left, right| left.module.cmp(&right.module));
        figures
    }

    fn memories(&self) -> MutexGuard<'_, HashMap<String, Arc<ModuleMemory>>> {
        let memories = self.inner.memories.lock();
        memories.unwrap_or_else(PoisonError::into_inner)
    }

    /// Drives a future that runs a guest, with the epoch moving while it does.
    pub(crate) async fn in_guest<F: Future>(&self, call: F) -> F::Output {
        let mut call = pin!(call);
        let beat = &self.inner.beat;
        let thread = self.inner.thread.as_ref();
        poll_fn(|cx| {
            if beat.enter() {
                thread.inspect(|thread| thread.thread().unpark());
            }
            let polled = call.as_mut().poll(cx);
            beat.leave();
            polled
        })
        .await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.beat.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the beat thread panicked");
            }
        }
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_backtrace_max_frames(NonZeroUsize::new(32));
    config
}

/// Guests that run now in the low bits, entries so far in the high ones: one
/// atomic step on the way in and one on the way out.
const ENTRY: u64 = (1 << 16) + 1;
const RUNNING: u64 = (1 << 16) - 1;

#[derive(Default)]
struct Beat {
    guests: AtomicU64,
    asleep: AtomicBool,
    stop: AtomicBool,
}

impl Beat {
    /// Whether the beat sleeps and this caller is to wake it.
    fn enter(&self) -> bool {
        self.guests.fetch_add(ENTRY, Ordering::SeqCst);
        self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst)
    }

    fn leave(&self) {
        self.guests.fetch_sub(1, Ordering::Release);
    }

    fn run(&self, engine: &Engine) {
        let mut seen = 0;
        let mut quiet = 0;
        while !self.stop.load(Ordering::SeqCst) {
            std::thread::sleep(SLICE);
            engine.increment_epoch();
            let guests = self.guests.load(Ordering::Acquire);
            let idle = guests == seen && guests & RUNNING == 0;
            seen = guests;
            quiet = if idle { quiet + 1 } else { 0 };
            if quiet >= QUIET_SLICES {
                quiet = 0;
                self.sleep(seen);
            }
        }
    }

    /// Parks until a guest runs. An entry between the check and the park leaves
    /// its unpark token, so that it is never slept over.
    fn sleep(&self, seen: u64) {
        self.asleep.store(true, Ordering::SeqCst);
        while self.asleep.load(Ordering::SeqCst)
            && self.guests.load(Ordering::SeqCst) == seen
            && !self.stop.load(Ordering::SeqCst)
        {
            std::thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }

    #[cfg(test)]
    fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn wait_for(what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !condition() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_beat_sleeps_without_guests_and_wakes_for_one() {
        let runtime = Runtime::new().unwrap();
        let beat = &runtime.inner.beat;
        wait_for("the beat goes to sleep", || beat.is_asleep());
        assert!(beat.enter(), "a guest finds the beat asleep");
        runtime.inner.thread.as_ref().unwrap().thread().unpark();
        assert!(!beat.enter(), "the second does not wake it again");
        beat.leave();
        beat.leave();
        wait_for("the beat goes back to sleep", || beat.is_asleep());
    }

    #[test]
    fn the_last_clone_ends_the_beat() {
        let runtime = Runtime::new().unwrap();
        let beat = Arc::downgrade(&runtime.inner.beat);
        drop(runtime.clone());
        assert!(beat.upgrade().is_some());
        drop(runtime);
        assert!(
            beat.upgrade().is_none(),
            "the thread holds nothing any more"
        );
    }
}
