//! Which configuration is wanted: the file, what was added to it by command,
//! and what was unloaded by command.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

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

/// What commands decided about a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ByCommand {
    pub(crate) is_loaded: bool,
    /// Where its blocks come from, if a command brought them.
    pub(crate) blocks: Option<Blocks>,
}

/// Blocks that a command brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Blocks {
    /// Those of a file.
    File(PathBuf),
    /// Those that a stock module has by itself.
    Stock,
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
        let decided = self.by_command.get(name).map(|decided| decided.is_loaded);
        block.is_some_and(|block| decided.unwrap_or(block.loaded))
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
            if let Some(blocks) = &decided.blocks
                && !wanted.has_block(name)
            {
                wanted.add(name, blocks)?;
            }
        }
        Ok(wanted)
    }

    pub(crate) fn has_block(&self, name: &str) -> bool {
        let mut blocks = self.settings.modules.iter();
        blocks.any(|block| block.name.value == name)
    }

    /// Loads a module of the configuration, or brings its blocks: in place of
    /// those that an earlier command brought.
    pub(crate) fn load(&mut self, name: &str, file: Option<PathBuf>) -> Result<(), Refusal> {
        let brought = self
            .by_command
            .get(name)
            .and_then(|decided| decided.blocks.clone());
        let blocks = match (self.has_block(name), brought, file) {
            (true, None, Some(_)) => {
                return Err(Refusal::new(format!(
                    "the configuration has a module \"{name}\": leave out --config"
                )));
            }
            (true, brought, None) => brought,
            (has_block, _, file) => {
                if has_block {
                    let settings = &mut self.settings;
                    settings.modules.retain(|block| block.name.value != name);
                    settings.rules.retain(|rule| rule.module.value != name);
                }
                let blocks = file.map_or(Blocks::Stock, Blocks::File);
                self.add(name, &blocks)?;
                Some(blocks)
            }
        };
        let decided = ByCommand {
            is_loaded: true,
            blocks,
        };
        self.by_command.insert(name.to_owned(), decided);
        Ok(())
    }

    /// Unloads a module; blocks that a command brought stay for the next.
    pub(crate) fn unload(&mut self, name: &str) {
        let decided = self.by_command.entry(name.to_owned()).or_insert(ByCommand {
            is_loaded: false,
            blocks: None,
        });
        decided.is_loaded = false;
    }

    /// Adds the blocks of a file, or those that a stock module has by itself.
    pub(crate) fn add(&mut self, name: &str, blocks: &Blocks) -> Result<(), Refusal> {
        let mut added = match blocks {
            Blocks::File(file) => {
                let (added, problems) = Settings::read_part(file);
                check(&problems)?;
                added
            }
            Blocks::Stock => self.stock(name)?,
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
