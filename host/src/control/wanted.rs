//! Which configuration is wanted: the file, what was added to it by command,
//! and what was unloaded by command.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hookwire_admin::Refusal;
use hookwire_settings::{Problem, Settings, hint};

/// Where the configuration comes from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// None: the embedded default.
    pub(crate) file: Option<PathBuf>,
    /// In place of the first listener's address.
    pub(crate) listen: Option<SocketAddr>,
}

impl Source {
    /// Reads it, with everything that is wrong with it.
    pub(crate) fn read(&self) -> (Settings, Vec<Problem>) {
        let (mut settings, problems) = match &self.file {
            Some(file) => Settings::read(file),
            None => (Settings::embedded(), Vec::new()),
        };
        if let (Some(address), Some(listener)) = (self.listen, settings.listeners.first_mut()) {
            listener.address = address;
        }
        (settings, problems)
    }
}

/// The configuration as commands have changed it.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) settings: Settings,
    /// What commands decided about modules, over what their blocks say.
    pub(crate) by_command: BTreeMap<String, ByCommand>,
}

/// What a command decided about a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ByCommand {
    /// It is loaded, as the configuration has it.
    Loaded,
    /// It is loaded with the blocks of this file, or the stock ones.
    LoadedWith(Option<PathBuf>),
    /// It is not loaded.
    Unloaded,
}

impl Wanted {
    /// The configuration as it starts.
    pub(crate) fn of(settings: Settings) -> Self {
        Self {
            settings,
            by_command: BTreeMap::new(),
        }
    }

    /// Whether a module of the configuration is to be loaded.
    pub(crate) fn is_loaded(&self, name: &str) -> bool {
        let block = self
            .settings
            .modules
            .iter()
            .find(|block| block.name.value == name);
        match self.by_command.get(name) {
            Some(ByCommand::Unloaded) => false,
            Some(_) => block.is_some(),
            None => block.is_some_and(|block| block.loaded),
        }
    }

    /// Reads the configuration anew; what commands decided stays.
    pub(crate) fn read_again(&self, source: &Source) -> Result<Self, Refusal> {
        let (settings, problems) = source.read();
        check(&problems)?;
        let mut wanted = Self {
            settings,
            by_command: self.by_command.clone(),
        };
        for (name, decided) in &self.by_command {
            let is_there = wanted.has_block(name);
            match decided {
                ByCommand::LoadedWith(file) if !is_there => wanted.add(name, file.as_deref())?,
                _ => {}
            }
        }
        Ok(wanted)
    }

    pub(crate) fn has_block(&self, name: &str) -> bool {
        let mut blocks = self.settings.modules.iter();
        blocks.any(|block| block.name.value == name)
    }

    /// Adds the blocks of a file, or those that a stock module has by itself.
    pub(crate) fn add(&mut self, name: &str, file: Option<&Path>) -> Result<(), Refusal> {
        let mut added = match file {
            Some(file) => {
                let (added, problems) = Settings::read_part(file);
                check(&problems)?;
                added
            }
            None => self.stock(name)?,
        };
        if added.modules.iter().all(|block| block.name.value != name) {
            return Err(Refusal::new(format!(
                "the file has no block module \"{name}\" {{ ... }}"
            )));
        }
        let settings = &mut self.settings;
        let clash = |kind: &str, name: &str| {
            Err(Refusal::new(format!(
                "the running configuration has a {kind} \"{name}\" already"
            )))
        };
        for block in &added.modules {
            let mut known = settings.modules.iter();
            if known.any(|known| known.name.value == block.name.value) {
                return clash("module", &block.name.value);
            }
        }
        for rule in &added.rules {
            if settings
                .rules
                .iter()
                .any(|known| known.name.value == rule.name.value)
            {
                return clash("rule", &rule.name.value);
            }
        }
        // A pool that is there already is used as it is.
        added.pools.retain(|pool| {
            let mut known = settings.pools.iter();
            known.all(|known| known.name.value != pool.name.value)
        });
        settings.pools.append(&mut added.pools);
        settings.modules.append(&mut added.modules);
        settings.rules.append(&mut added.rules);
        Ok(())
    }

    /// The blocks that a stock module has without a configuration.
    fn stock(&self, name: &str) -> Result<Settings, Refusal> {
        let embedded = Settings::embedded();
        let blocks = embedded.modules.iter();
        if blocks.clone().any(|block| block.name.value == name) {
            return Ok(embedded);
        }
        let known = self.settings.modules.iter().chain(blocks);
        let hint = hint(name, known.map(|block| block.name.value.as_str()));
        Err(Refusal::new(format!(
            "no module is called \"{name}\", in the configuration or in this binary (the blocks of \
             another one are given with --config FILE); {hint}"
        )))
    }
}

fn check(problems: &[Problem]) -> Result<(), Refusal> {
    if problems.is_empty() {
        return Ok(());
    }
    let count = problems.len();
    let s = if count == 1 { "" } else { "s" };
    Err(Refusal {
        message: format!("{count} problem{s} in the configuration"),
        problems: problems.iter().map(ToString::to_string).collect(),
    })
}
