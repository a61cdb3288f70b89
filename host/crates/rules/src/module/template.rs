//! What the instances of a module are made from: linked, made, configured, and
//! asked what the module is.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwire_bindings::event::Handle;
use hookwire_bindings::text::printable;
use hookwire_bindings::wit::exports::hookwire::rule::actions::{ConfigError, Manifest, Setting};
use hookwire_driver::SqlPool;
use wasmtime::Store;
use wasmtime::component::{self, Component, ComponentExportIndex, InstancePre, Linker, TypedFunc};

use crate::host::{Access, Host, Phase};
use crate::module::engine::Runtime;
use crate::module::grant::Imports;
use crate::module::instance::{
    Callee, GuestError, HOST_GRACE, Instance, at_slice_end, set_deadline,
};
#[cfg(feature = "native-actions")]
use crate::module::native::Native;

/// The interface that a module exports.
pub(crate) const ACTIONS: &str = "hookwire:rule/actions@0.1.0";

/// How long making and configuring an instance may take.
pub(crate) const START_DEADLINE: Duration = Duration::from_secs(2);

/// What a guest may hand over in one call of the host, or answer in one: a part
/// of its memory, and this much where that is less. Its bytes are copied on the
/// worker's thread, in one go.
const LEAST_TRANSFER_BYTES: usize = 8 * 1024 * 1024;
const MEMORY_A_TRANSFER: usize = 4;

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
    let messages: Vec<_> = errors
        .iter()
        .map(|error| printable(&error.message))
        .collect();
    messages.join("; ")
}

/// Everything that instances of one module are made from, linked to what it
/// was granted and to nothing else.
pub(crate) struct Template {
    runtime: Runtime,
    module: Arc<str>,
    origin: Origin,
    access: Arc<Access>,
    max_memory_bytes: usize,
}

/// The code of a module.
#[derive(Clone)]
pub(crate) enum Code {
    Component(Component),
    #[cfg(feature = "native-actions")]
    Native(Native),
}

/// The code of a module, ready to be made into instances.
enum Origin {
    Component(Linked),
    #[cfg(feature = "native-actions")]
    Native(Native),
}

struct Linked {
    linked: InstancePre<Host>,
    exports: Exports,
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
        code: &Code,
        imports: &Imports,
        max_memory_bytes: usize,
    ) -> Result<Self, LinkError> {
        let origin = match code {
            Code::Component(component) => {
                Origin::Component(Linked::new(runtime, component, imports)?)
            }
            #[cfg(feature = "native-actions")]
            Code::Native(native) => Origin::Native(native.clone()),
        };
        Ok(Self {
            runtime: runtime.clone(),
            module: Arc::clone(module),
            origin,
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
        let mut store = self.store(Phase::Serving);
        let (callee, warnings) = match &self.origin {
            Origin::Component(linked) => {
                let functions = match self.functions(linked, &mut store).await {
                    Ok(functions) => functions,
                    Err(DescribeError::Guest(error)) => return Err(error.into()),
                    Err(DescribeError::Link(error)) => {
                        return Err(GuestError::from(wasmtime::Error::from(error)).into());
                    }
                };
                let call = functions.configure.call_async(&mut store, (setting,));
                let (accepted,) = in_time(self.runtime.in_guest(call)).await?;
                let warnings = accepted.map_err(StartError::Refused)?;
                (Callee::Guest(functions.handle), warnings)
            }
            #[cfg(feature = "native-actions")]
            Origin::Native(native) => {
                let actions = native.configure(setting).map_err(StartError::Refused)?;
                (Callee::Native(actions), Vec::new())
            }
        };
        let instance = Instance {
            runtime: self.runtime.clone(),
            store,
            callee,
        };
        Ok((instance, warnings))
    }

    /// What the module says of itself, by an instance with nothing granted.
    pub(crate) async fn describe(&self) -> Result<Manifest, DescribeError> {
        match &self.origin {
            Origin::Component(linked) => {
                let mut store = self.store(Phase::Describing);
                let functions = self.functions(linked, &mut store).await?;
                let call = functions.describe.call_async(&mut store, ());
                let (manifest,) = in_time(self.runtime.in_guest(call)).await?;
                Ok(manifest)
            }
            #[cfg(feature = "native-actions")]
            Origin::Native(native) => Ok(native.describe()),
        }
    }

    fn max_transfer_bytes(&self) -> usize {
        (self.max_memory_bytes / MEMORY_A_TRANSFER).max(LEAST_TRANSFER_BYTES)
    }

    fn store(&self, phase: Phase) -> Store<Host> {
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
        store
    }

    /// Makes an instance in `store`, and finds its exports.
    async fn functions(
        &self,
        linked: &Linked,
        store: &mut Store<Host>,
    ) -> Result<Functions, DescribeError> {
        set_deadline(store, Instant::now() + START_DEADLINE);
        let instance = linked.linked.instantiate_async(&mut *store);
        let instance = in_time(self.runtime.in_guest(instance)).await?;
        Ok(linked.exports.functions(store, &instance)?)
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

impl Linked {
    fn new(runtime: &Runtime, component: &Component, imports: &Imports) -> Result<Self, LinkError> {
        let exports = Exports::of(component)?;
        let mut linker = Linker::new(runtime.engine());
        imports.link(&mut linker).map_err(LinkError::Mismatch)?;
        let linked = linker.instantiate_pre(component);
        Ok(Self {
            linked: linked.map_err(LinkError::Mismatch)?,
            exports,
        })
    }
}

impl Exports {
    fn functions(
        &self,
        store: &mut Store<Host>,
        instance: &component::Instance,
    ) -> Result<Functions, LinkError> {
        Ok(Functions {
            describe: instance
                .get_typed_func(&mut *store, self.describe)
                .map_err(LinkError::Mismatch)?,
            configure: instance
                .get_typed_func(&mut *store, self.configure)
                .map_err(LinkError::Mismatch)?,
            handle: instance
                .get_typed_func(&mut *store, self.handle)
                .map_err(LinkError::Mismatch)?,
        })
    }

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
