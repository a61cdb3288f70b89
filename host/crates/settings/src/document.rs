//! The whole file: its blocks, and whether they fit together.

use std::path::{Component, Path};

use hcl_edit::Span;
use hcl_edit::structure::{Block, Body};

use crate::block;
use crate::keys::Keys;
use crate::model::{At, Listener, Located, Mqtt, Pool, PoolKind, Problem, Settings, SqlitePool};
use crate::rule::{Defined, Names};
use crate::source::Source;
use crate::{listener, module, mqtt, pool, rule, value};

const DEFAULT_NODE: &str = "hookwire@127.0.0.1";
const MAX_SPOOL_BYTES: u64 = 1024 * 1024 * 1024 * 1024;
/// What a component may be set to have at most: it is read into memory as a whole.
const MAX_COMPONENT_BYTES: u64 = 1 << 30;
const EMBEDDED_NAME: &str = "etc/hookwire.hcl";
const EMBEDDED_TEXT: &str = include_str!("../../../../etc/hookwire.hcl");

impl Settings {
    /// Reads and checks a file. Relative paths of modules are below its folder.
    ///
    /// # Errors
    /// Everything that is wrong with it, by line.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Vec<Problem>> {
        sound(Self::read(path))
    }

    /// As [`Settings::load`], with what could be read beside everything that is
    /// wrong, by line, so that it can be checked further. Values with problems
    /// have their default. Listeners, pools, modules and rules whose problems
    /// would have others follow from them are left out, and so are rules that
    /// name one of those. Rules that name a module or pool that is not there
    /// are in it. A file that cannot be read or parsed has one problem and
    /// nothing in it.
    pub fn read(path: impl AsRef<Path>) -> (Self, Vec<Problem>) {
        Self::read_file(path.as_ref(), Part::Whole)
    }

    /// As [`Settings::read`], for blocks that are added to a configuration: there
    /// need be no listener.
    pub fn read_part(path: impl AsRef<Path>) -> (Self, Vec<Problem>) {
        Self::read_file(path.as_ref(), Part::Added)
    }

    fn read_file(path: &Path, part: Part) -> (Self, Vec<Problem>) {
        let file_name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let problem = Problem {
                    at: At {
                        file: file_name.as_str().into(),
                        line: 1,
                    },
                    message: format!("cannot be read: {error}"),
                };
                return (empty(), vec![problem]);
            }
        };
        let (mut settings, problems) = Self::read_as(part, &file_name, &text);
        if let Some(folder) = path.parent() {
            for module in &mut settings.modules {
                module.path = module.path.take().map(|path| folder.join(path));
            }
        }
        (settings, problems)
    }

    /// Checks the text of a file that is called `file_name`. Paths stay as written.
    ///
    /// # Errors
    /// Everything that is wrong with it, by line. What cannot be parsed has one
    /// problem: the first.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        sound(Self::read_text(file_name, text))
    }

    /// As [`Settings::read`], of the text of a file that is called `file_name`.
    /// Paths stay as written.
    #[must_use]
    pub fn read_text(file_name: &str, text: &str) -> (Self, Vec<Problem>) {
        Self::read_as(Part::Whole, file_name, text)
    }

    fn read_as(part: Part, file_name: &str, text: &str) -> (Self, Vec<Problem>) {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let mut source = Source::new(file_name, text);
        let settings = match source.parse() {
            Some(body) => read(&mut source, &body, part),
            None => empty(),
        };
        (settings, source.finish())
    }

    /// The settings of a broker that is started without a file:
    /// `etc/hookwire.hcl`, as it was when the broker was built.
    #[must_use]
    pub fn embedded() -> Self {
        match Self::parse(EMBEDDED_NAME, EMBEDDED_TEXT) {
            Ok(settings) => settings,
            // A constant of this crate, and a test parses it.
            Err(problems) => unreachable!("{problems:?}"),
        }
    }
}

fn sound((settings, problems): (Settings, Vec<Problem>)) -> Result<Settings, Vec<Problem>> {
    if problems.is_empty() {
        Ok(settings)
    } else {
        Err(problems)
    }
}

/// What is known of a file that cannot be read.
fn empty() -> Settings {
    Settings {
        node: DEFAULT_NODE.to_owned(),
        workers: None,
        max_spool_bytes: Settings::DEFAULT_SPOOL_BYTES,
        max_dead_letters: Settings::DEFAULT_DEAD_LETTERS,
        max_component_bytes: Settings::DEFAULT_COMPONENT_BYTES,
        listeners: Vec::new(),
        mqtt: Mqtt::default(),
        pools: Vec::new(),
        modules: Vec::new(),
        rules: Vec::new(),
    }
}

/// Whether a file says everything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    /// It is added to a configuration that has listeners.
    Added,
}

fn read(source: &mut Source<'_>, body: &Body, part: Part) -> Settings {
    let start = source.at(body.span());
    let mut keys = Keys::new(source, body, "", start.clone());
    let node = keys.or("node", DEFAULT_NODE.to_owned(), value::node);
    let workers = keys
        .located("workers", value::integer(1..=256))
        .map(|workers| workers.value);
    let max_spool_bytes = keys.bytes(
        "max_spool_bytes",
        Settings::DEFAULT_SPOOL_BYTES,
        0..=MAX_SPOOL_BYTES,
    );
    let max_dead_letters = keys.count(
        "max_dead_letters",
        Settings::DEFAULT_DEAD_LETTERS,
        1..=10_000_000,
    );
    let max_component_bytes = keys.bytes(
        "max_component_bytes",
        Settings::DEFAULT_COMPONENT_BYTES,
        1024..=MAX_COMPONENT_BYTES,
    );
    let blocks = [
        keys.blocks("listener"),
        keys.blocks("mqtt"),
        keys.blocks("pool"),
        keys.blocks("module"),
        keys.blocks("rule"),
    ];
    keys.finish();

    let [listeners, mqtt, pools, modules, rules] = blocks;
    if listeners.is_empty() && part == Part::Whole {
        let message = "there is no listener: write listener \"tcp\" \"default\" { ... }";
        source.report(start, message);
    }
    let listeners = named(source, "listener", &listeners, |source, block| {
        let (name, listener) = listener::read(source, block)?;
        Some((name.clone(), listener.map(|listener| (name, listener))))
    });
    refuse_same_addresses(source, &listeners);
    let mqtt = read_mqtt(source, &mqtt);
    let (pool_blocks, module_blocks) = (pools, modules);
    let pools = named(source, "pool", &pool_blocks, pool::read);
    refuse_same_files(source, &pools);
    let modules = named(source, "module", &module_blocks, module::read);
    let read = |names: Vec<&Located<String>>| names.iter().map(|n| n.value.clone()).collect();
    let defined = Defined {
        pools: Names {
            written: written_names(&pool_blocks),
            read: read(pools.iter().map(|pool| &pool.name).collect()),
        },
        modules: Names {
            written: written_names(&module_blocks),
            read: read(modules.iter().map(|module| &module.name).collect()),
        },
    };
    let rules = named(source, "rule", &rules, |source, block| {
        rule::read(source, block, &defined)
    });
    let listeners = listeners
        .into_iter()
        .map(|(_, listener)| listener)
        .collect();
    Settings {
        node,
        workers,
        max_spool_bytes,
        max_dead_letters,
        max_component_bytes,
        listeners,
        mqtt,
        pools,
        modules,
        rules,
    }
}

/// The names of all blocks, so that one with a mistake is still found by its
/// name.
fn written_names(blocks: &[&Block]) -> Vec<String> {
    let labels = blocks.iter().filter_map(|block| block.labels.last());
    labels.map(|label| label.as_str().to_owned()).collect()
}

/// Two writers on one file would only wait for each other.
fn refuse_same_files(source: &mut Source<'_>, pools: &[Pool]) {
    for (index, pool) in pools.iter().enumerate() {
        let PoolKind::Sqlite(SqlitePool { file, .. }) = &pool.kind;
        let first = pools.iter().take(index).find(|first| {
            let PoolKind::Sqlite(first) = &first.kind;
            plain(&first.file).eq(plain(file))
        });
        if let Some(Pool { name: first, .. }) = first {
            let message = format!(
                "pool \"{}\": file: pool \"{}\" has the same file, at {}",
                pool.name.value, first.value, first.at
            );
            source.report(pool.name.at.clone(), message);
        }
    }
}

/// A path's parts without those that lead nowhere.
fn plain(path: &Path) -> impl Iterator<Item = Component<'_>> {
    path.components().filter(|part| *part != Component::CurDir)
}

fn refuse_same_addresses(source: &mut Source<'_>, listeners: &[(Located<String>, Listener)]) {
    for (index, (name, listener)) in listeners.iter().enumerate() {
        let first = listeners
            .iter()
            .take(index)
            .find(|(_, first)| listener.address.port() != 0 && first.address == listener.address);
        if let Some((first, _)) = first {
            let message = format!(
                "listener \"{}\": address: listener \"{}\" has the same address, at {}",
                name.value, first.value, first.at
            );
            source.report(name.at.clone(), message);
        }
    }
}

/// Reads blocks of one sort; of two with the same name, the first.
pub(crate) fn named<T>(
    source: &mut Source<'_>,
    what: &str,
    blocks: &[&Block],
    read: impl Fn(&mut Source<'_>, &Block) -> Option<(Located<String>, Option<T>)>,
) -> Vec<T> {
    let mut names: Vec<Located<String>> = Vec::new();
    let mut values = Vec::new();
    for block in blocks {
        if let Some((name, value)) = read(source, block) {
            let is_twin = names.iter().any(|first| first.value == name.value);
            values.extend(value.filter(|_| !is_twin));
            names.push(name);
        }
    }
    block::refuse_twins(source, what, &names);
    values
}

fn read_mqtt(source: &mut Source<'_>, blocks: &[&Block]) -> Mqtt {
    for twin in blocks.iter().skip(1) {
        let at = block::at(source, twin);
        source.report(at, "mqtt is there twice");
    }
    match blocks.first() {
        Some(block) => mqtt::read(source, block),
        None => Mqtt::default(),
    }
}
