//! Kinds and names of blocks: `pool "sqlite" "embedded"`.

use hcl_edit::Span;
use hcl_edit::structure::Block;

use crate::model::{At, Located};
use crate::nearest::hint;
use crate::source::Source;

/// Where a block begins.
pub fn at(source: &Source<'_>, block: &Block) -> At {
    source.at(block.ident.span())
}

/// The name of a block that is labelled with nothing else: `rule "store"`.
pub fn name(source: &mut Source<'_>, block: &Block) -> Option<Located<String>> {
    let at = at(source, block);
    let what = block.ident.as_str();
    match block.labels.as_slice() {
        [name] => checked_name(source, what, name.as_str(), at),
        _ => {
            source.report(
                at,
                format!("{what} needs a name: {what} \"NAME\" {{ ... }}"),
            );
            None
        }
    }
}

/// The name of a block that is labelled with its kind before it, and the kind;
/// an unknown kind is reported and `None`.
pub fn kind_and_name<'b>(
    source: &mut Source<'_>,
    block: &'b Block,
    kinds: &[&'static str],
) -> Option<(Option<&'b str>, Located<String>)> {
    let at = at(source, block);
    let what = block.ident.as_str();
    let [kind, name] = block.labels.as_slice() else {
        let example = kinds.first().copied().unwrap_or_default();
        source.report(
            at,
            format!("{what} needs a kind and a name: {what} \"{example}\" \"NAME\" {{ ... }}"),
        );
        return None;
    };
    let kind = kind.as_str();
    let name = checked_name(source, what, name.as_str(), at.clone());
    if !kinds.contains(&kind) {
        let hint = hint(kind, kinds.iter().copied());
        source.report(at, format!("no {what} is of the kind \"{kind}\"; {hint}"));
        return Some((None, name?));
    }
    Some((Some(kind), name?))
}

/// Names stand in logs and metrics, so they are short and plain.
fn checked_name(
    source: &mut Source<'_>,
    what: &str,
    name: &str,
    at: At,
) -> Option<Located<String>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=64).contains(&name.len()) && name.chars().all(plain) {
        return Some(Located {
            value: name.to_owned(),
            at,
        });
    }
    source.report(
        at,
        format!("{what} \"{name}\": a name is 1 to 64 of the characters a-z, A-Z, 0-9, -, _ and ."),
    );
    None
}

/// Refuses names that are there twice, and says where the first one is.
pub fn refuse_twins(source: &mut Source<'_>, what: &str, names: &[Located<String>]) {
    for (index, name) in names.iter().enumerate() {
        let first = names.iter().take(index).find(|n| n.value == name.value);
        if let Some(first) = first {
            let message = format!(
                "{what} \"{}\" is already there, at {}",
                name.value, first.at
            );
            source.report(name.at.clone(), message);
        }
    }
}
