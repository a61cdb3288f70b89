//! A component that is tested, loaded once and run as often as there are
//! fixtures.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hookwire_rules::{GuestClock, LoadedModule, Runtime, RuntimeError, StandIn};
use hookwire_settings::Problem;

use crate::fixture::Fixture;
use crate::runner;
use crate::trace::Trace;
use crate::world::World;

/// Why nothing can be run.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// The component's file.
    #[error("cannot read the component {}: {source}", path.display())]
    Component {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The engine.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// Where results are written.
    #[error("cannot write the results: {0}")]
    Output(#[from] std::io::Error),
}

/// A component and the runtime that it runs in. Keys, values and figures of a
/// module begin anew with each run.
pub struct Harness {
    pub(crate) runtime: Runtime,
    pub(crate) clock: GuestClock,
    pub(crate) world: Arc<World>,
    component: Vec<u8>,
    loaded: Mutex<HashMap<(String, usize), LoadedModule>>,
}

impl Harness {
    /// A harness for the component in a file.
    ///
    /// # Errors
    /// If the file cannot be read or the engine does not start.
    pub fn open(path: &Path) -> Result<Self, HarnessError> {
        let component = std::fs::read(path).map_err(|source| HarnessError::Component {
            path: path.to_owned(),
            source,
        })?;
        Self::new(component)
    }

    /// A harness for a component.
    ///
    /// # Errors
    /// If the engine does not start.
    pub fn new(component: Vec<u8>) -> Result<Self, HarnessError> {
        let clock = GuestClock::standing_at(0);
        let world = Arc::new(World::default());
        let stand_in: Arc<dyn StandIn> = Arc::clone(&world) as _;
        Ok(Self {
            runtime: Runtime::for_tests(clock.clone(), stand_in)?,
            clock,
            world,
            component,
            loaded: Mutex::default(),
        })
    }

    /// Runs a fixture, and says what it found.
    ///
    /// # Errors
    /// Everything that keeps it from being run: the component, its rules, the
    /// set-up of a store; or that it did not come to an end.
    pub fn run(&self, fixture: &Fixture) -> Result<Trace, Vec<Problem>> {
        runner::run(self, fixture)
    }

    /// The modules of a fixture: those without a path are the component that is
    /// tested.
    pub(crate) fn modules(
        &self,
        fixture: &Fixture,
    ) -> Result<HashMap<String, LoadedModule>, Vec<Problem>> {
        let mut modules = HashMap::new();
        let mut problems = Vec::new();
        for block in &fixture.settings.modules {
            let name = &block.name.value;
            let key = (name.clone(), block.max_memory_bytes);
            let module = match &block.path {
                Some(path) => std::fs::read(path)
                    .map_err(|error| {
                        format!("module \"{name}\": cannot read {}: {error}", path.display())
                    })
                    .and_then(|bytes| self.load(&key, &bytes)),
                None => self.tested(&key),
            };
            match module {
                Ok(module) => {
                    modules.insert(name.clone(), module);
                }
                Err(message) => problems.push(Problem {
                    at: block.name.at.clone(),
                    message,
                }),
            }
        }
        if problems.is_empty() {
            Ok(modules)
        } else {
            Err(problems)
        }
    }

    fn tested(&self, key: &(String, usize)) -> Result<LoadedModule, String> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = loaded.get(key) {
            return Ok(module.clone());
        }
        let module = self.load(key, &self.component)?;
        loaded.insert(key.clone(), module.clone());
        Ok(module)
    }

    fn load(&self, (name, memory): &(String, usize), bytes: &[u8]) -> Result<LoadedModule, String> {
        let module = self.runtime.load(name, bytes, *memory);
        module.map_err(|error| error.to_string())
    }
}
