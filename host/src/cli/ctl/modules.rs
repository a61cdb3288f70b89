//! `hookwire ctl modules`

use std::path::PathBuf;

use clap::Subcommand;
use hookwire_admin::{ModuleEntry, Request};

use super::{Asker, table};
use crate::cli::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum ModulesVerb {
    /// Lists the modules of the configuration.
    List,
    /// Loads a module with its rules: one of the configuration, or a stock one.
    Load {
        /// Its name
        name: String,
        /// A file with its pool, module and rule blocks
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Unloads a module with its rules; what they have taken is settled first.
    Unload {
        /// Its name
        name: String,
    },
    /// Reads a module's file again.
    Reload {
        /// Its name
        name: String,
    },
    /// Goes back to the component that a module had before.
    Rollback {
        /// Its name
        name: String,
    },
}

pub(super) async fn modules(asker: &Asker, verb: &ModulesVerb) -> Result<(), Failure> {
    let request = match verb {
        ModulesVerb::List => return asker.show(&Request::Modules, listed).await,
        ModulesVerb::Load { name, config } => Request::Load {
            name: name.clone(),
            // The broker may have been started elsewhere.
            file: config
                .as_ref()
                .map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone())),
        },
        ModulesVerb::Unload { name } => Request::Unload { name: name.clone() },
        ModulesVerb::Reload { name } => Request::ReloadModule { name: name.clone() },
        ModulesVerb::Rollback { name } => Request::Rollback { name: name.clone() },
    };
    asker.change(&request).await
}

#[allow(clippy::ptr_arg, reason = "the answer is a list that was read")]
fn listed(modules: &Vec<ModuleEntry>) -> Vec<String> {
    let row = |module: &ModuleEntry| {
        [
            module.name.clone(),
            if module.loaded { "loaded" } else { "unloaded" }.to_owned(),
            module.generation.to_string(),
            module.hash.clone().unwrap_or_default(),
            module.rules.to_string(),
            module.events.to_string(),
            module.traps.to_string(),
            module.path.clone().unwrap_or_else(|| "(stock)".to_owned()),
        ]
    };
    let titles = [
        "MODULE",
        "STATE",
        "GENERATION",
        "HASH",
        "RULES",
        "EVENTS",
        "TRAPS",
        "FILE",
    ];
    let rows: Vec<_> = modules.iter().map(row).collect();
    table(titles, &rows)
}
