//! What it takes to read other HCL files as the configuration is read: with
//! every problem told at once, each with its file, line and the nearest name.

use hcl_edit::structure::Block;

pub use crate::block::{at, kind_and_name, name, refuse_twins};
use crate::document::named;
pub use crate::keys::Keys;
use crate::model::{Module, Rule};
use crate::rule::{Defined, Names};
pub use crate::source::Source;
pub use crate::value::{
    Wrong, boolean, bytes, choice, duration, expected, integer, node, option, path, some_text, text,
};
use crate::{module, rule};

/// Reads `module` and `rule` blocks as a configuration has them. `pools` are the
/// names of the pools that the file defines in its own way.
pub fn modules_and_rules(
    source: &mut Source<'_>,
    modules: &[&Block],
    rules: &[&Block],
    pools: &[String],
) -> (Vec<Module>, Vec<Rule>) {
    let written = modules.iter().filter_map(|block| block.labels.last());
    let written = written.map(|label| label.as_str().to_owned()).collect();
    let modules = named(source, "module", modules, module::read);
    let names = modules.iter().map(|module| module.name.value.clone());
    let defined = Defined {
        pools: Names {
            written: pools.to_vec(),
            read: pools.to_vec(),
        },
        modules: Names {
            written,
            read: names.collect(),
        },
    };
    let rules = named(source, "rule", rules, |source, block| {
        rule::read(source, block, &defined)
    });
    (modules, rules)
}
