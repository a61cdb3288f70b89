//! The modules that a configuration names: from files, or from this binary.

use std::collections::HashMap;

use anyhow::Context as _;
use hookwire_rules::{LoadedModule, Plan, Runtime};
use hookwire_settings::{Module, Problem, Settings, hint};

use crate::cli::Failure;

include!(concat!(env!("OUT_DIR"), "/stock_modules.rs"));

/// Modules that were loaded, and what is wrong with the others.
pub(crate) struct Modules {
    pub(crate) runtime: Runtime,
    pub(crate) loaded: HashMap<String, LoadedModule>,
    problems: Vec<Problem>,
}

/// Compiles every module of the settings. What is wrong with one is kept for
/// [`Modules::check`], so that all problems are told at once.
pub(crate) fn load(settings: &Settings) -> Result<Modules, Failure> {
    let runtime = Runtime::new().context("cannot start the Wasm runtime")?;
    let mut modules = Modules {
        runtime,
        loaded: HashMap::new(),
        problems: Vec::new(),
    };
    for block in &settings.modules {
        let name = &block.name.value;
        let loaded = bytes_of(block).and_then(|bytes| {
            let loaded = modules.runtime.load(name, &bytes, block.max_memory_bytes);
            loaded.map_err(|error| match &block.path {
                Some(path) => format!("{error} (file {})", path.display()),
                None => error.to_string(),
            })
        });
        match loaded {
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

impl Modules {
    /// Holds the rules against the modules; `problems` are those of the
    /// settings themselves.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, by line.
    pub(crate) fn check(
        &self,
        settings: &Settings,
        mut problems: Vec<Problem>,
    ) -> Result<(), Vec<Problem>> {
        let mut more = self.problems.clone();
        more.extend(
            Plan::check(&self.runtime, settings, &self.loaded)
                .err()
                .unwrap_or_default(),
        );
        // A module or pool that is not there is missed by both.
        more.retain(|later| problems.iter().all(|problem| problem.at != later.at));
        problems.extend(more);
        problems.sort_by_key(|problem| problem.at.line);
        if problems.is_empty() {
            Ok(())
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
