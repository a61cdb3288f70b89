//! The modules that a configuration names: from files, or from this binary.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Context as _;
use hookwire_rules::{Cache, ContentHash, LoadedModule, Plan, Runtime};
use hookwire_settings::{Module, Problem, Settings, hint};

use crate::cli::Failure;
use crate::fixtures;
use crate::watch::Stamps;

include!(concat!(env!("OUT_DIR"), "/stock_modules.rs"));

/// Modules that were loaded, and what is wrong with the others.
pub(crate) struct Modules {
    pub(crate) runtime: Runtime,
    pub(crate) stamps: Stamps,
    pub(crate) loaded: HashMap<String, LoadedModule>,
    problems: Vec<Problem>,
}

/// Compiles every module of the settings that is to be loaded. What is wrong
/// with one is kept for [`Modules::check`], so that all problems are told at
/// once. Nothing is to be stopped in order yet: a signal ends the process.
pub(crate) fn load(settings: &Settings, cache: Option<Arc<Cache>>) -> Result<Modules, Failure> {
    let runtime = Runtime::with_cache(cache).context("cannot start the Wasm runtime")?;
    let mut modules = Modules {
        runtime,
        stamps: Stamps::default(),
        loaded: HashMap::new(),
        problems: Vec::new(),
    };
    for block in settings.modules.iter().filter(|block| block.loaded) {
        let name = &block.name.value;
        let loading = Loading {
            runtime: &modules.runtime,
            stamps: &modules.stamps,
            max_bytes: settings.max_component_bytes,
            stops: &AtomicBool::new(false),
        };
        match loading.one(block, None) {
            Ok(module) => {
                modules.loaded.insert(name.clone(), module);
            }
            Err(message) => {
                modules.problems.push(Problem {
                    at: block.name.at.clone(),
                    message,
                });
            }
        }
    }
    Ok(modules)
}

/// How components are loaded.
pub(crate) struct Loading<'a> {
    pub(crate) runtime: &'a Runtime,
    /// Notes the files that are read.
    pub(crate) stamps: &'a Stamps,
    /// The largest component, in bytes.
    pub(crate) max_bytes: usize,
    /// Turns true when the broker stops and waits for nothing that takes long.
    pub(crate) stops: &'a AtomicBool,
}

impl Loading<'_> {
    /// Loads the component of a block, unless it is the one that `known` is.
    pub(crate) fn one(
        &self,
        block: &Module,
        known: Option<&LoadedModule>,
    ) -> Result<LoadedModule, String> {
        let name = &block.name.value;
        let bytes = self.bytes_of(block)?;
        if let Some(known) = known
            && known.hash() == ContentHash::of(&bytes)
        {
            return Ok(known.clone());
        }
        let loaded = self.runtime.load(name, &bytes, block.max_memory_bytes);
        let loaded = loaded.map_err(|error| match &block.path {
            Some(path) => format!("{error} (file {})", path.display()),
            None => error.to_string(),
        })?;
        if let Some(took) = loaded.compile_time() {
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(module = name, took_ms, "compiled");
        }
        if let Some(path) = &block.path {
            self.test(&loaded, name, &bytes)
                .map_err(|why| format!("module \"{name}\": {why} (file {})", path.display()))?;
        }
        Ok(loaded)
    }

    /// Runs the fixtures that the component brings, unless it has passed them before.
    fn test(&self, module: &LoadedModule, name: &str, bytes: &[u8]) -> Result<(), String> {
        if self.runtime.has_passed(module.hash()) {
            return Ok(());
        }
        let began = Instant::now();
        let passed = fixtures::pass(bytes, self.stops)?;
        if passed > 0 {
            let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(
                module = name,
                fixtures = passed,
                took_ms,
                "passed its fixtures"
            );
            self.runtime.note_passed(module.hash());
        }
        Ok(())
    }

    fn bytes_of(&self, block: &Module) -> Result<Vec<u8>, String> {
        let name = &block.name.value;
        match &block.path {
            Some(path) => {
                self.stamps.note(name, path);
                self.read(path)
                    .map_err(|why| format!("module \"{name}\": {why}"))
            }
            None => stock(name),
        }
    }

    /// Reads a file, unless it is too large; then nothing of it is.
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let cannot = |error: io::Error| format!("cannot read {}: {error}", path.display());
        let file = File::open(path).map_err(cannot)?;
        let bound = u64::try_from(self.max_bytes).unwrap_or(u64::MAX);
        let too_large = |has: String| {
            format!(
                "{} has {has} bytes, and max_component_bytes is {bound}: a component of that size \
                 is not loaded. Build it without debug information, or set max_component_bytes",
                path.display()
            )
        };
        let length = file.metadata().map_err(cannot)?.len();
        if length > bound {
            return Err(too_large(length.to_string()));
        }
        let mut bytes = Vec::new();
        let mut file = file.take(bound.saturating_add(1));
        file.read_to_end(&mut bytes).map_err(cannot)?;
        if bytes.len() > self.max_bytes {
            return Err(too_large("more".to_owned()));
        }
        Ok(bytes)
    }
}

impl Modules {
    /// Holds the rules against the modules, and answers what the modules warn of;
    /// `problems` are those of the settings themselves.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, by line.
    pub(crate) fn check(
        &self,
        settings: &Settings,
        mut problems: Vec<Problem>,
    ) -> Result<Vec<Problem>, Vec<Problem>> {
        let mut more = self.problems.clone();
        let (warnings, wrong) = match Plan::check(&self.runtime, settings, &self.loaded) {
            Ok(warnings) => (warnings, Vec::new()),
            Err(wrong) => (Vec::new(), wrong),
        };
        more.extend(wrong);
        // A module or pool that is not there is missed by both.
        more.retain(|later| problems.iter().all(|problem| problem.at != later.at));
        problems.extend(more);
        problems.sort_by_key(|problem| problem.at.line);
        if problems.is_empty() {
            Ok(warnings)
        } else {
            Err(problems)
        }
    }
}

fn stock(name: &str) -> Result<Vec<u8>, String> {
    if STOCK.is_empty() {
        return Err(format!(
            "module \"{name}\": this binary was built without the stock modules; build them with \
             `cargo xtask rules` and then build the binary again, or give the module a path"
        ));
    }
    STOCK
        .iter()
        .find(|(stock, _)| *stock == name)
        .map(|(_, bytes)| bytes.to_vec())
        .ok_or_else(|| {
            let names = STOCK.iter().map(|(stock, _)| *stock);
            format!(
                "module \"{name}\" has no path, and no stock module has this name; {}",
                hint(name, names)
            )
        })
}
