//! Threads that run guests beside the workers, behind them.

/// How far a thread steps back: the lower its priority, the higher the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepBack {
    /// Somebody waits for a module to be loaded.
    Loading = 10,
    /// The guest has shown that it takes all that it gets.
    Away = 19,
}

/// Gives the calling thread's time to others first, where the system can do so
/// for one thread. Where it cannot, the guest's pauses have to do.
pub(crate) fn step_back(how_far: StepBack) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, how_far as i32) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
    #[cfg(not(target_os = "linux"))]
    let _: StepBack = how_far;
}

/// Gives the calling thread's time to others first, as where a module is loaded.
/// Threads that it makes do so, too.
pub fn step_back_to_load() {
    step_back(StepBack::Loading);
}
