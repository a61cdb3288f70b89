//! The modules that a configuration names: from files, or from this binary.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use hookwire_rules::{Cache, ContentHash, LoadedModule, Plan, Runtime};
use hookwire_settings::{Module, Problem, Settings, hint};

use crate::cli::Failure;
use crate::fixtures;

include!(concat!(env!("OUT_DIR"), "/stock_modules.rs"));

/// Modules that were loaded, and what is wrong with the others.
pub(crate) struct Modules {
    pub(crate) runtime: Runtime,
    pub(crate) loaded: HashMap<String, LoadedModule>,
    problems: Vec<Problem>,
}

/// Compiles every module of the settings that is to be loaded. What is wrong
/// with one is kept for [`Modules::check`], so that all problems are told at
/// once.
pub(crate) fn load(settings: &Settings, cache: Option<Arc<Cache>>) -> Result<Modules, Failure> {
    let runtime = Runtime::with_cache(cache).context("cannot start the Wasm runtime")?;
    let mut modules = Modules {
        runtime,
        loaded: HashMap::new(),
        problems: Vec::new(),
    };
    for block in settings.modules.iter().filter(|block| block.loaded) {
        let name = &block.name.value;
        match load_one(&modules.runtime, block, None) {
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

/// Loads the component of a block, unless it is the one that `known` is.
pub(crate) fn load_one(
    runtime: &Runtime,
    block: &Module,
    known: Option<&LoadedModule>,
) -> Result<LoadedModule, String> {
    let name = &block.name.value;
    let bytes = bytes_of(block)?;
    if let Some(known) = known
        && known.hash() == ContentHash::of(&bytes)
    {
        return Ok(known.clone());
    }
    let loaded = runtime.load(name, &bytes, block.max_memory_bytes);
    let loaded = loaded.map_err(|error| match &block.path {
        Some(path) => format!("{error} (file {})", path.display()),
        None => error.to_string(),
    })?;
    if let Some(took) = loaded.compile_time() {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(module = name, took_ms, "compiled");
    }
    if let Some(path) = &block.path {
        test(runtime, &loaded, name, &bytes)
            .map_err(|why| format!("module \"{name}\": {why} (file {})", path.display()))?;
    }
    Ok(loaded)
}

/// Runs the fixtures that the component brings, unless it has passed them before.
fn test(runtime: &Runtime, module: &LoadedModule, name: &str, bytes: &[u8]) -> Result<(), String> {
    if runtime.has_passed(module.hash()) {
        return Ok(());
    }
    let began = Instant::now();
    let passed = fixtures::pass(bytes)?;
    if passed > 0 {
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            module = name,
            fixtures = passed,
            took_ms,
            "passed its fixtures"
        );
        runtime.note_passed(module.hash());
    }
    Ok(())
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

fn bytes_of(block: &Module) -> Result<Vec<u8>, String> {
    let name = &block.name.value;
    if let Some(path) = &block.path {
        return std::fs::read(path).map_err(|error| {
            format!("module \"{name}\": cannot read {}: {error}", path.display())
        });
    }
    if STOCK.is_empty() {
        return Err(format!(
            "module \"{name}\": this binary was built without the stock modules; build them with \
             `cargo xtask rules` and then build the binary again, or give the module a path"
        ));
    }
    STOCK
        .iter()
        .find(|(stock, _)| stock == name)
        .map(|(_, bytes)| bytes.to_vec())
        .ok_or_else(|| {
            let names = STOCK.iter().map(|(stock, _)| *stock);
            format!(
                "module \"{name}\" has no path, and no stock module has this name; {}",
                hint(name, names)
            )
        })
}
