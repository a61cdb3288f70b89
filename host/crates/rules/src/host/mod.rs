//! What stands behind a running instance: its pools, its limits, and where its
//! host calls arrive.
//!
//! The store data of one instance. It holds nothing of the worker, because an
//! instance's host calls must be able to cross threads.

pub(crate) mod broker;
pub(crate) mod clock;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod outbox;
pub(crate) mod passwords;
pub(crate) mod places;
pub(crate) mod random;
pub(crate) mod sql;
pub(crate) mod stand_in;
pub(crate) mod wasi;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use hookwire_driver::{Fault, FaultKind, SqlPool};
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, bail};

use crate::host::clock::GuestClock;
use crate::host::log::LogRate;
use crate::host::outbox::Outbox;
use crate::host::places::Places;
use crate::host::stand_in::StandIn;
use crate::host::wasi::Wasi;
use crate::lane::hold::Hold;
use crate::lane::journal::Journal;
use crate::module::memory::ModuleMemory;

/// SQL pools by the names that were granted. `None`: named, and not opened.
pub(crate) type GrantedPools = HashMap<String, Option<Arc<dyn SqlPool>>>;

/// Pool handles that a guest may hold at once.
const MAX_HANDLES: usize = 256;
const MAX_TABLE_ELEMENTS: usize = 100_000;
const MAX_INSTANCES: usize = 16;

/// What an instance is being used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// `describe`: nothing is granted.
    Describing,
    /// `configure` and `handle`.
    Serving,
}

/// What the instances of a module may reach.
#[derive(Default)]
pub(crate) struct Access {
    pub(crate) pools: GrantedPools,
    /// Names that `grants` held.
    pub(crate) grants: Vec<String>,
    /// `NAME` or `NAME:PORT`, in lower case.
    pub(crate) http_hosts: Vec<String>,
    pub(crate) memory: Arc<ModuleMemory>,
    pub(crate) clock: GuestClock,
    pub(crate) log: LogRate,
    pub(crate) places: Places,
    /// In place of the world outside, in tests.
    pub(crate) stand_in: Option<Arc<dyn StandIn>>,
}

impl Access {
    pub(crate) fn has(&self, grant: &str) -> bool {
        self.grants.iter().any(|granted| granted == grant)
    }
}

/// The state behind one instance.
pub(crate) struct Host {
    pub(crate) module: Arc<str>,
    pub(crate) phase: Phase,
    pub(crate) access: Arc<Access>,
    pub(crate) handles: ResourceTable,
    /// When the call that runs now is to be over.
    pub(crate) deadline: Instant,
    pub(crate) hold: Hold,
    pub(crate) memory: MemoryLimit,
    /// Calls of the host that were not counted yet.
    pub(crate) host_calls: u64,
    pub(crate) journal: Journal,
    pub(crate) outbox: Outbox,
    /// For components that import WASI.
    pub(crate) wasi: Option<Box<Wasi>>,
}

impl Host {
    pub(crate) fn new(
        module: Arc<str>,
        phase: Phase,
        access: Arc<Access>,
        max_memory_bytes: usize,
    ) -> Self {
        let mut handles = ResourceTable::new();
        handles.set_max_capacity(MAX_HANDLES);
        Self {
            module,
            phase,
            access,
            handles,
            deadline: Instant::now(),
            hold: Hold::default(),
            memory: MemoryLimit {
                used_bytes: 0,
                max_bytes: max_memory_bytes,
            },
            host_calls: 0,
            journal: Journal::default(),
            outbox: Outbox::default(),
            wasi: None,
        }
    }

    /// Traps when the instance may not call the host now.
    pub(crate) fn check_may_call(&mut self, function: &str) -> wasmtime::Result<()> {
        self.hold.act();
        if self.phase == Phase::Describing {
            bail!("describe called {function}, and describe runs with nothing granted");
        }
        self.host_calls += 1;
        Ok(())
    }
}

/// A fault that the host itself answers.
pub(crate) fn fault(kind: FaultKind, code: &str, message: impl Into<String>) -> Fault {
    Fault {
        kind,
        code: format!("host:{code}"),
        message: message.into(),
        retryable: matches!(
            kind,
            FaultKind::Unavailable | FaultKind::Unknown | FaultKind::Saturated
        ),
    }
}

/// Bounds the linear memory of an instance, all its memories together.
pub(crate) struct MemoryLimit {
    pub(crate) used_bytes: usize,
    max_bytes: usize,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let used_bytes = self.used_bytes.saturating_add(growth);
        if used_bytes > self.max_bytes {
            bail!(
                "out of memory: it needs {used_bytes} bytes, and max_memory_bytes is {}",
                self.max_bytes
            );
        }
        self.used_bytes = used_bytes;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > MAX_TABLE_ELEMENTS {
            bail!("a table of {desired} elements, and {MAX_TABLE_ELEMENTS} are allowed");
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn memories(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_INSTANCES
    }
}
