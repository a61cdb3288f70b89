//! Places for work on threads of their own: a bounded number over all modules, and
//! of these a part for each, so that none takes them all.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Requests of one module that are under way at once.
const REQUESTS: usize = 16;

/// The places of one module.
pub(crate) struct Places {
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) passwords: Arc<Semaphore>,
}

/// A place of a module, and one of those of all; free again when it is dropped.
pub(crate) struct Place {
    _own: OwnedSemaphorePermit,
    _shared: SemaphorePermit<'static>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            requests: Arc::new(Semaphore::new(REQUESTS)),
            passwords: Arc::new(Semaphore::new(checks().div_ceil(2))),
        }
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Places")
    }
}

/// Passwords checked at once, over all modules: one for each core but one.
pub(crate) fn checks() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.saturating_sub(1).max(1)
}

/// Waits for a place until the deadline. Modules wait for the shared places by turns,
/// each with no more than it has of its own.
pub(crate) async fn place(
    own: &Arc<Semaphore>,
    shared: &'static Semaphore,
    deadline: Instant,
) -> Option<Place> {
    let waited = tokio::time::timeout_at(deadline.into(), async {
        let own = Arc::clone(own).acquire_owned().await.ok()?;
        let shared = shared.acquire().await.ok()?;
        Some(Place {
            _own: own,
            _shared: shared,
        })
    });
    waited.await.ok().flatten()
}
