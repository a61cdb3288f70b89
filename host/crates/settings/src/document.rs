//! The whole file: its blocks, and whether they fit together.

use std::path::Path;

use hcl_edit::Span;
use hcl_edit::structure::{Block, Body};

use crate::block;
use crate::keys::Keys;
use crate::model::{At, Located, Mqtt, Problem, Settings};
use crate::rule::Defined;
use crate::source::Source;
use crate::{listener, module, mqtt, pool, rule, value};

const EMBEDDED_NAME: &str = "etc/hookwire.hcl";
const EMBEDDED_TEXT: &str = include_str!("../../../../etc/hookwire.hcl");

impl Settings {
    /// Reads and checks a file. Relative paths of modules are below its folder.
    ///
    /// # Errors
    /// Everything that is wrong with it, by line.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Vec<Problem>> {
        let path = path.as_ref();
        let file_name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![Problem {
                at: At {
                    file: file_name.as_str().into(),
                    line: 1,
                },
                message: format!("cannot be read: {error}"),
            }]
        })?;
        let mut settings = Self::parse(&file_name, &text)?;
        if let Some(folder) = path.parent() {
            for module in &mut settings.modules {
                module.path = module.path.take().map(|path| folder.join(path));
            }
        }
        Ok(settings)
    }

    /// Checks the text of a file that is called `file_name`. Paths stay as written.
    ///
    /// # Errors
    /// Everything that is wrong with it, by line. What cannot be parsed has one
    /// problem: the first.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let mut source = Source::new(file_name, text);
        let settings = source.parse().map(|body| read(&mut source, &body));
        source.finish(settings)
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

fn read(source: &mut Source<'_>, body: &Body) -> Settings {
    let start = source.at(body.span());
    let mut keys = Keys::new(source, body, "", start.clone());
    let node = keys.or("node", "hookwire@127.0.0.1".to_owned(), value::node);
    let workers = keys
        .located("workers", value::integer(1..=256))
        .map(|workers| workers.value);
    let blocks = [
        keys.blocks("listener"),
        keys.blocks("mqtt"),
        keys.blocks("pool"),
        keys.blocks("module"),
        keys.blocks("rule"),
    ];
    keys.finish();

    let [listeners, mqtt, pools, modules, rules] = blocks;
    if listeners.is_empty() {
        let message = "there is no listener: write listener \"tcp\" \"default\" { ... }";
        source.report(start, message);
    }
    let (_, listeners) = named(source, "listener", &listeners, listener::read);
    let mqtt = read_mqtt(source, &mqtt);
    let (pool_names, pools) = named(source, "pool", &pools, pool::read);
    let (module_names, modules) = named(source, "module", &modules, |source, block| {
        let module = module::read(source, block)?;
        Some((module.name.clone(), Some(module)))
    });
    let defined = Defined {
        pools: pool_names,
        modules: module_names,
    };
    let (_, rules) = named(source, "rule", &rules, |source, block| {
        rule::read(source, block, &defined)
    });
    Settings {
        node,
        workers,
        listeners,
        mqtt,
        pools,
        modules,
        rules,
    }
}

/// Reads blocks of one sort. The names are those of all blocks that have one,
/// so that a block with another mistake is still found by its name.
fn named<T>(
    source: &mut Source<'_>,
    what: &str,
    blocks: &[&Block],
    read: impl Fn(&mut Source<'_>, &Block) -> Option<(Located<String>, Option<T>)>,
) -> (Vec<Located<String>>, Vec<T>) {
    let mut names = Vec::new();
    let mut values = Vec::new();
    for block in blocks {
        if let Some((name, value)) = read(source, block) {
            names.push(name);
            values.extend(value);
        }
    }
    block::refuse_twins(source, what, &names);
    (names, values)
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
