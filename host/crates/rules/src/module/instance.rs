//! One running instance of a module: called, and given up after the first trap.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use hookwire_bindings::event::{Event, Handle};
use hookwire_bindings::lower::Calls;
use hookwire_bindings::text::printable;
use hookwire_bindings::wit::exports::hookwire::rule::actions::{Call, Settled};
use hookwire_broker::BrokerCall;
use wasmtime::{Store, UpdateDeadline, WasmBacktrace};

use crate::host::Host;
use crate::host::outbox::Lookups;
use crate::lane::hold::{GoesOn, Place, thread_ns};
use crate::lane::journal::Journal;
use crate::module::engine::Runtime;
#[cfg(feature = "native-actions")]
use crate::module::native::{NativeActions, NativeHost};
use crate::stats::Usage;

/// How much longer than its deadline a call may wait for the host.
pub(super) const HOST_GRACE: Duration = Duration::from_millis(100);

/// Said of a guest that hands over more than it may, see
/// [`Template`](crate::module::template::Template).
const TOO_MUCH: &str = "it hands over more in one go than a quarter of its memory; raise \
                        max_memory_bytes if it has to";

/// How a call into a guest ends without an answer. The instance is lost.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuestError {
    /// Stopped at its deadline.
    #[error("it was stopped at its deadline")]
    Deadline,
    /// It held its worker's thread again and again, and is called elsewhere.
    #[error("it held its worker's thread")]
    Held,
    /// It trapped, or answered what the interface does not allow.
    #[error("{cause}")]
    Trap {
        /// In one line.
        cause: String,
        /// Frames of the guest, innermost first, one a line; may be empty.
        backtrace: String,
    },
}

/// The mark that the epoch callback leaves when it stops a guest.
#[derive(Debug, thiserror::Error)]
#[error("deadline")]
struct DeadlinePassed;

/// The mark that it leaves when a guest does not give way.
#[derive(Debug, thiserror::Error)]
#[error("held")]
struct ThreadHeld;

impl From<wasmtime::Error> for GuestError {
    fn from(error: wasmtime::Error) -> Self {
        if error.is::<DeadlinePassed>() {
            return Self::Deadline;
        }
        if error.is::<ThreadHeld>() {
            return Self::Held;
        }
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        let cause = error.root_cause().to_string();
        // The engine has no type for it, and words it for its embedder.
        let is_too_much = cause.contains("fuel allocated for hostcalls");
        let cause = if is_too_much { TOO_MUCH } else { &cause };
        Self::Trap {
            cause: printable(cause).into_owned(),
            backtrace: backtrace.map(frames).unwrap_or_default(),
        }
    }
}

/// A line a frame. The names in it are the guest's: none begins a line of the log.
fn frames(backtrace: &WasmBacktrace) -> String {
    let text = backtrace.to_string();
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    lines.join("\n    ")
}

/// A configured instance.
pub(crate) struct Instance {
    pub(super) runtime: Runtime,
    pub(super) store: Store<Host>,
    pub(super) callee: Callee,
}

/// What a call of an instance runs.
pub(super) enum Callee {
    Guest(Handle),
    #[cfg(feature = "native-actions")]
    Native(Box<dyn NativeActions>),
}

impl Instance {
    /// Runs `calls` over `events`; both are over at `deadline`.
    ///
    /// After an error the instance must not be called again.
    pub(crate) async fn handle(
        &mut self,
        events: &[Event<'_>],
        calls: &[Call],
        deadline: Instant,
        place: Place,
    ) -> Result<Vec<Settled>, GuestError> {
        set_deadline(&mut self.store, deadline);
        let time = self.store.data_mut().hold.begin(place);
        let call = time.of(async {
            match &mut self.callee {
                Callee::Guest(handle) => {
                    let call = handle.call_async(&mut self.store, (events, Calls(calls)));
                    let (settled,) = self.runtime.in_guest(call).await?;
                    Ok(settled)
                }
                #[cfg(feature = "native-actions")]
                Callee::Native(actions) => {
                    let host = NativeHost::new(self.store.data_mut());
                    Ok(actions.handle(host, events, calls).await)
                }
            }
        });
        // A guest that computes ends at its deadline by itself; this ends one that
        // waits for the host.
        let limit = deadline + HOST_GRACE;
        match tokio::time::timeout_at(limit.into(), call).await {
            Ok(answered) => answered,
            Err(_) => Err(GuestError::Deadline),
        }
    }

    /// Whether its last call took more than a worker has for one.
    pub(crate) fn took_too_much(&self) -> bool {
        self.store.data().hold.was_too_much()
    }

    /// What it asks of the broker goes there from now on.
    pub(crate) fn ask_by(&mut self, lookups: Lookups) {
        self.store.data_mut().outbox.lookups = lookups;
    }

    /// A run of a batch begins, to which `hops` publishes of rules led.
    pub(crate) fn begin(&mut self, journal: &mut Journal, hops: u8) {
        let host = self.store.data_mut();
        std::mem::swap(&mut host.journal, journal);
        host.outbox.begin(hops);
    }

    /// It ended. Gives the journal back, and what the guest wants of the broker.
    pub(crate) fn end(&mut self, journal: &mut Journal) -> Vec<BrokerCall> {
        let host = self.store.data_mut();
        std::mem::swap(&mut host.journal, journal);
        std::mem::take(&mut host.outbox.calls)
    }

    /// What it has used: calls of the host since this was last asked, and bytes
    /// of linear memory, which never shrinks.
    pub(crate) fn take_usage(&mut self) -> Usage {
        let host = self.store.data_mut();
        Usage {
            host_calls: std::mem::take(&mut host.host_calls),
            memory_bytes: host.memory.used_bytes as u64,
        }
    }

    /// Where its questions lie.
    pub(crate) fn lookups(&self) -> Lookups {
        self.store.data().outbox.lookups.clone()
    }
}

pub(super) fn set_deadline(store: &mut Store<Host>, deadline: Instant) {
    store.data_mut().deadline = deadline;
    store.set_epoch_deadline(1);
}

/// Runs each time a guest has used up a slice: it gives way to the worker's
/// sockets and other lanes, or ends.
pub(super) fn at_slice_end(host: &mut Host) -> wasmtime::Result<UpdateDeadline> {
    if Instant::now() >= host.deadline {
        return Err(DeadlinePassed.into());
    }
    let goes_on = host.hold.slice_ended(thread_ns());
    let pause: Pin<Box<dyn Future<Output = ()> + Send>> = match goes_on {
        GoesOn::Away => return Err(ThreadHeld.into()),
        GoesOn::After(pause) => Box::pin(tokio::time::sleep(pause)),
        // tokio's own yield, because it lets the reactor be polled before the
        // guest goes on; waking the task directly would run it again first.
        GoesOn::Soon => Box::pin(tokio::task::yield_now()),
    };
    Ok(UpdateDeadline::YieldCustom(1, pause))
}
