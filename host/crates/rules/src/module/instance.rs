//! One running instance of a module: made, configured, called, and given up
//! after the first trap.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_bindings::event::{Event, Handle};
use hookwire_bindings::lower::Calls;
use hookwire_bindings::wit::exports::hookwire::rule::actions::{
    Call, ConfigError, Manifest, Setting, Settled,
};
use hookwire_broker::BrokerCall;
use hookwire_driver::SqlPool;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, TypedFunc};
use wasmtime::{Store, UpdateDeadline, WasmBacktrace};

use crate::host::outbox::Lookups;
use crate::host::{Access, Host, Phase};
use crate::lane::hold::{GoesOn, Place, thread_ns};
use crate::lane::journal::Journal;
use crate::module::engine::Runtime;
use crate::module::grant::Imports;
use crate::stats::Usage;

/// The interface that a module exports.
pub(crate) const ACTIONS: &str = "hookwire:rule/actions@0.1.0";

/// How long making and configuring an instance may take.
pub(crate) const START_DEADLINE: Duration = Duration::from_secs(2);

/// How much longer than its deadline a call may wait for the host.
const HOST_GRACE: Duration = Duration::from_millis(100);

/// What a guest may hand over in one call of the host, or answer in one: a part
/// of its memory, and this much where that is less. Its bytes are copied on the
/// worker's thread, in one go.
const LEAST_TRANSFER_BYTES: usize = 8 * 1024 * 1024;
const MEMORY_A_TRANSFER: usize = 4;
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
        Self::Trap {
            cause: if is_too_much { TOO_MUCH } else { &cause }.to_owned(),
            backtrace: backtrace.map(ToString::to_string).unwrap_or_default(),
        }
    }
}

/// Why an instance cannot serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// It did not come up.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// It refused its rules.
    #[error("it refuses its rules: {}", listed(.0))]
    Refused(Vec<ConfigError>),
}

fn listed(errors: &[ConfigError]) -> String {
    let messages: Vec<&str> = errors.iter().map(|error| &*error.message).collect();
    messages.join("; ")
}

/// Everything that instances of one module are made from, linked to what it
/// was granted and to nothing else.
pub(crate) struct Template {
    runtime: Runtime,
    module: Arc<str>,
    linked: InstancePre<Host>,
    exports: Exports,
    access: Arc<Access>,
    max_memory_bytes: usize,
}

/// What `configure` answers: what is to be warned of, or what is wrong.
type Configured = Result<Vec<ConfigError>, Vec<ConfigError>>;

/// The exports of one instance.
struct Functions {
    describe: TypedFunc<(), (Manifest,)>,
    configure: TypedFunc<(&'static Setting,), (Configured,)>,
    handle: Handle,
}

/// Why `describe` gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DescribeError {
    /// The exports have other types.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It did not come to an end.
    #[error(transparent)]
    Guest(#[from] GuestError),
}

struct Exports {
    describe: ComponentExportIndex,
    configure: ComponentExportIndex,
    handle: ComponentExportIndex,
}

/// Why a component cannot be made into instances.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// An export is not there.
    #[error("exports no {0}")]
    NoExport(String),
    /// Something is there, and has other types.
    #[error("does not fit the host's interfaces: {0:#}")]
    Mismatch(wasmtime::Error),
}

impl Template {
    pub(crate) fn new(
        runtime: &Runtime,
        module: &Arc<str>,
        component: &Component,
        imports: &Imports,
        max_memory_bytes: usize,
    ) -> Result<Self, LinkError> {
        let exports = Exports::of(component)?;
        let mut linker = Linker::new(runtime.engine());
        imports.link(&mut linker).map_err(LinkError::Mismatch)?;
        let linked = linker
            .instantiate_pre(component)
            .map_err(LinkError::Mismatch)?;
        Ok(Self {
            runtime: runtime.clone(),
            module: Arc::clone(module),
            linked,
            exports,
            access: Arc::default(),
            max_memory_bytes,
        })
    }

    /// Grants to instances made from now on what they may reach.
    pub(crate) fn grant(&mut self, access: Access) {
        self.access = Arc::new(access);
    }

    /// Whether instances made from it may reach just this.
    pub(crate) fn has_access(&self, access: &Access) -> bool {
        let own = &self.access;
        let same_pool = |(name, pool): (&String, &Option<Arc<dyn SqlPool>>)| match (
            own.pools.get(name),
            pool,
        ) {
            (Some(Some(own)), Some(pool)) => Arc::ptr_eq(own, pool),
            (Some(None), None) => true,
            _ => false,
        };
        own.grants == access.grants
            && own.http_hosts == access.http_hosts
            && Arc::ptr_eq(&own.memory, &access.memory)
            && own.pools.len() == access.pools.len()
            && access.pools.iter().all(same_pool)
    }

    /// A fresh instance with its rules.
    pub(crate) async fn start(&self, setting: &Setting) -> Result<Instance, StartError> {
        let (instance, _) = self.configure(setting).await?;
        Ok(instance)
    }

    /// A fresh instance with its rules, and what it warns of.
    pub(crate) async fn configure(
        &self,
        setting: &Setting,
    ) -> Result<(Instance, Vec<ConfigError>), StartError> {
        let (mut store, instance) = self.instantiate(Phase::Serving).await?;
        let functions = self
            .functions(&mut store, &instance)
            .map_err(|error| GuestError::from(wasmtime::Error::from(error)))?;
        let call = functions.configure.call_async(&mut store, (setting,));
        let (accepted,) = in_time(self.runtime.in_guest(call)).await?;
        let warnings = accepted.map_err(StartError::Refused)?;
        let instance = Instance {
            runtime: self.runtime.clone(),
            store,
            handle: functions.handle,
        };
        Ok((instance, warnings))
    }

    /// What the module says of itself, by an instance with nothing granted.
    pub(crate) async fn describe(&self) -> Result<Manifest, DescribeError> {
        let (mut store, instance) = self.instantiate(Phase::Describing).await?;
        let functions = self.functions(&mut store, &instance)?;
        let call = functions.describe.call_async(&mut store, ());
        let (manifest,) = in_time(self.runtime.in_guest(call)).await?;
        Ok(manifest)
    }

    fn max_transfer_bytes(&self) -> usize {
        (self.max_memory_bytes / MEMORY_A_TRANSFER).max(LEAST_TRANSFER_BYTES)
    }

    fn functions(
        &self,
        store: &mut Store<Host>,
        instance: &wasmtime::component::Instance,
    ) -> Result<Functions, LinkError> {
        let exports = &self.exports;
        Ok(Functions {
            describe: instance
                .get_typed_func(&mut *store, exports.describe)
                .map_err(LinkError::Mismatch)?,
            configure: instance
                .get_typed_func(&mut *store, exports.configure)
                .map_err(LinkError::Mismatch)?,
            handle: instance
                .get_typed_func(&mut *store, exports.handle)
                .map_err(LinkError::Mismatch)?,
        })
    }

    async fn instantiate(
        &self,
        phase: Phase,
    ) -> Result<(Store<Host>, wasmtime::component::Instance), GuestError> {
        let host = Host::new(
            Arc::clone(&self.module),
            phase,
            Arc::clone(&self.access),
            self.max_memory_bytes,
        );
        let mut store = Store::new(self.runtime.engine(), host);
        store.limiter(|host| &mut host.memory);
        store.set_hostcall_fuel(self.max_transfer_bytes());
        store.epoch_deadline_callback(|mut store| at_slice_end(store.data_mut()));
        set_deadline(&mut store, Instant::now() + START_DEADLINE);
        let instance = self.linked.instantiate_async(&mut store);
        let instance = in_time(self.runtime.in_guest(instance)).await?;
        Ok((store, instance))
    }
}

/// Ends a guest that comes up and waits for the host instead of computing: the
/// epoch stops only those that compute.
async fn in_time<T>(call: impl Future<Output = wasmtime::Result<T>>) -> Result<T, GuestError> {
    match tokio::time::timeout(START_DEADLINE + HOST_GRACE, call).await {
        Ok(answered) => answered.map_err(GuestError::from),
        Err(_) => Err(GuestError::Deadline),
    }
}

impl Exports {
    fn of(component: &Component) -> Result<Self, LinkError> {
        let actions = component
            .get_export_index(None, ACTIONS)
            .ok_or_else(|| LinkError::NoExport(ACTIONS.to_owned()))?;
        let function = |name: &str| {
            component
                .get_export_index(Some(&actions), name)
                .ok_or_else(|| LinkError::NoExport(format!("{ACTIONS}#{name}")))
        };
        Ok(Self {
            describe: function("describe")?,
            configure: function("configure")?,
            handle: function("handle")?,
        })
    }
}

/// A configured instance.
pub(crate) struct Instance {
    runtime: Runtime,
    store: Store<Host>,
    handle: Handle,
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
        let call = self
            .handle
            .call_async(&mut self.store, (events, Calls(calls)));
        let call = time.of(self.runtime.in_guest(call));
        // A guest that computes ends at its deadline by itself; this ends one that
        // waits for the host.
        let limit = deadline + HOST_GRACE;
        match tokio::time::timeout_at(limit.into(), call).await {
            Ok(answered) => Ok(answered?.0),
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

fn set_deadline(store: &mut Store<Host>, deadline: Instant) {
    store.data_mut().deadline = deadline;
    store.set_epoch_deadline(1);
}

/// Runs each time a guest has used up a slice: it gives way to the worker's
/// sockets and other lanes, or ends.
fn at_slice_end(host: &mut Host) -> wasmtime::Result<UpdateDeadline> {
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
