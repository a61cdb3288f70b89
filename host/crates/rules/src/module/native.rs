//! Modules whose actions are native Rust instead of a component: what the
//! sandbox costs is measured against them, behind the same lanes.
//!
//! Such a module runs with all that the process may do. It is compiled in by a
//! feature that the broker does not have.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hookwire_bindings::event::Event;
use hookwire_bindings::sql::OpenPool;
use hookwire_bindings::wit::exports::hookwire::rule::actions::{
    self as wit, Call, ConfigError, Setting, Settled,
};
use hookwire_driver::{BatchResult, Fault, Row};

use crate::host::Host;
use crate::module::cache::Compiled;
use crate::module::grant::Imports;
use crate::module::loader::{ContentHash, LoadError, LoadFailure, LoadedModule};
use crate::module::manifest::Manifest;
use crate::module::template::Code;

/// What a native module is: the exports of a component, as a trait.
pub trait NativeModule: Send + Sync + 'static {
    /// What it says of itself.
    fn describe(&self) -> wit::Manifest;

    /// Its actions for one lane, with their rules.
    ///
    /// # Errors
    /// Everything that is wrong with the rules, each with the rule's id.
    fn configure(&self, setting: &Setting) -> Result<Box<dyn NativeActions>, Vec<ConfigError>>;
}

/// The module as it is shared by plans and lanes.
pub(crate) type Native = Arc<dyn NativeModule>;

/// The answer of [`NativeActions::handle`].
pub type NativeFuture<'a> = Pin<Box<dyn Future<Output = Vec<Settled>> + Send + 'a>>;

/// The actions of one lane.
pub trait NativeActions: Send {
    /// Runs `calls` over `events`, as a guest's `handle` does: what is not in the
    /// answer proceeds.
    fn handle<'a>(
        &'a mut self,
        host: NativeHost<'a>,
        events: &'a [Event<'a>],
        calls: &'a [Call],
    ) -> NativeFuture<'a>;
}

/// What native actions reach of the host: what a guest reaches by
/// `hookwire:sql`.
pub struct NativeHost<'a>(&'a mut Host);

/// A pool that was opened by its name.
#[derive(Clone)]
pub struct NativePool(OpenPool);

impl<'a> NativeHost<'a> {
    pub(crate) fn new(host: &'a mut Host) -> Self {
        Self(host)
    }

    /// Opens a pool that the module's rules name.
    ///
    /// # Errors
    /// When it was not granted, or is not open.
    pub fn open(&mut self, name: &str) -> Result<NativePool, Fault> {
        self.count();
        self.0.open_pool(name).map(NativePool)
    }

    /// Runs `statement` once for each row, and commits.
    ///
    /// # Errors
    /// As a guest is told.
    pub async fn exec_many(
        &mut self,
        pool: &NativePool,
        statement: Arc<str>,
        rows: Vec<Row>,
    ) -> Result<BatchResult, Fault> {
        self.count();
        self.0.exec_rows(&pool.0, statement, rows).await
    }

    fn count(&mut self) {
        self.0.hold.act();
        self.0.host_calls += 1;
    }
}

impl LoadedModule {
    /// A module of native Rust, which rules and log lines call `name`.
    ///
    /// # Errors
    /// When what it says of itself makes no sense here.
    pub fn native(name: &str, module: Arc<dyn NativeModule>) -> Result<Self, LoadError> {
        let manifest = Manifest::read(module.describe()).map_err(|problems| LoadError {
            module: name.to_owned(),
            failure: LoadFailure::Manifest(problems),
        })?;
        Ok(Self {
            name: name.into(),
            hash: ContentHash::of(name.as_bytes()),
            compiled: Compiled::Before,
            code: Code::Native(module),
            imports: Imports::default(),
            manifest: Arc::new(manifest),
        })
    }
}
