//! `rule NAME`

use std::time::Duration;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;

use crate::block;
use crate::keys::Keys;
use crate::model::{Located, OnError, OptionValue, Rule};
use crate::nearest::hint;
use crate::source::Source;
use crate::value::{self, Wrong};

/// The hooks that rules can be bound to.
const HOOKS: &[&str] = &[
    "node.started",
    "client.connect",
    "client.authenticate",
    "client.authorize",
    "session.created",
    "session.resumed",
    "client.connack",
    "client.connected",
    "client.subscribe",
    "session.subscribed",
    "session.fetch",
    "session.retained",
    "session.exchange",
    "client.unsubscribe",
    "session.unsubscribed",
    "message.publish",
    "message.deliver",
    "message.delivered",
    "message.acked",
    "message.position",
    "message.dropped",
    "session.discarded",
    "session.takenover",
    "client.disconnected",
    "session.terminated",
];

/// Those that have a topic, or a filter that stands for topics.
const HOOKS_WITH_TOPIC: &[&str] = &[
    "client.authorize",
    "client.subscribe",
    "session.subscribed",
    "session.fetch",
    "session.retained",
    "client.unsubscribe",
    "session.unsubscribed",
    "message.publish",
    "message.deliver",
    "message.delivered",
    "message.acked",
    "message.position",
    "message.dropped",
];

/// Those that the broker waits for, so that something can be denied.
const DECISIONS: &[&str] = &[
    "client.connect",
    "client.authenticate",
    "client.authorize",
    "session.created",
    "client.subscribe",
    "session.fetch",
    "session.retained",
    "session.exchange",
    "client.unsubscribe",
    "message.publish",
    "message.deliver",
    "message.delivered",
];

const MAX_RETRY: Duration = Duration::from_secs(24 * 3600);

/// What a rule can refer to: the names of the file's blocks.
pub(crate) struct Defined {
    pub(crate) pools: Names,
    pub(crate) modules: Names,
}

/// The names of the blocks of one sort.
pub(crate) struct Names {
    /// All that are written, also those of blocks with problems.
    pub(crate) written: Vec<String>,
    /// Those of the blocks that could be read.
    pub(crate) read: Vec<String>,
}

impl Names {
    /// Whether the name's block is there, and was left out for its problems.
    fn is_left_out(&self, name: &Located<String>) -> bool {
        self.written.contains(&name.value) && !self.read.contains(&name.value)
    }
}

/// The block's name, and the rule if nothing is wrong with it but that it names
/// blocks that are not there. One whose module or pool was left out is left out.
pub(crate) fn read(
    source: &mut Source<'_>,
    block: &Block,
    defined: &Defined,
) -> Option<(Located<String>, Option<Rule>)> {
    let name = block::name(source, block)?;
    let owner = format!("rule \"{}\"", name.value);
    let before = source.problem_count();
    let mut keys = Keys::new(source, &block.body, owner, name.at.clone());
    let hook = keys.required("hook", hook);
    let module = keys.required("module", value::some_text);
    let action = keys.required("action", value::some_text);
    let topic = keys.located("topic", value::some_text);
    let pool = keys.located("pool", value::some_text);
    let on_error = keys.located("on_error", on_error);
    let retry_for = keys
        .located("retry_for", value::duration(Duration::ZERO..=MAX_RETRY))
        .map(|retry_for| retry_for.value);
    let options = options(&mut keys);
    if let Some(hook) = &hook {
        check_hook(&mut keys, &hook.value, topic.as_ref(), on_error.as_ref());
    }
    keys.finish();
    let refers_to_left_out = module
        .as_ref()
        .is_some_and(|module| defined.modules.is_left_out(module))
        || pool
            .as_ref()
            .is_some_and(|pool| defined.pools.is_left_out(pool));
    let is_kept = keys.source().problem_count() == before && !refers_to_left_out;
    check_reference(&mut keys, "module", module.as_ref(), &defined.modules);
    check_reference(&mut keys, "pool", pool.as_ref(), &defined.pools);
    let rule = match (hook, module, action) {
        (Some(hook), Some(module), Some(action)) => Some(Rule {
            name: name.clone(),
            hook,
            module,
            action,
            topic: topic.unwrap_or_else(|| Located {
                value: "#".to_owned(),
                at: name.at.clone(),
            }),
            pool,
            on_error: on_error.map(|on_error| on_error.value),
            retry_for,
            options,
        }),
        _ => None,
    };
    Some((name, rule.filter(|_| is_kept)))
}

fn hook(source: &Source<'_>, value: &Expression) -> Result<String, Wrong> {
    let name = value::text(source, value)?;
    if HOOKS.contains(&name.as_str()) {
        Ok(name)
    } else {
        let hint = hint(&name, HOOKS.iter().copied());
        Err(format!("no hook is called \"{name}\"; {hint}"))
    }
}

fn on_error(source: &Source<'_>, value: &Expression) -> Result<OnError, Wrong> {
    match value::text(source, value)?.as_str() {
        "deny" => Ok(OnError::Deny),
        "continue" => Ok(OnError::Continue),
        "retry" => Ok(OnError::Retry),
        "spool" => Ok(OnError::Spool),
        other => {
            let hint = hint(other, ["deny", "continue", "retry", "spool"]);
            Err(format!("\"{other}\" is no way to go on; {hint}"))
        }
    }
}

/// Whether events of the hook of that name have a topic, or a filter that stands
/// for topics.
#[must_use]
pub fn hook_has_topic(hook: &str) -> bool {
    HOOKS_WITH_TOPIC.contains(&hook)
}

/// Refuses what cannot mean anything on the hook.
fn check_hook(
    keys: &mut Keys<'_, '_, '_>,
    hook: &str,
    topic: Option<&Located<String>>,
    on_error: Option<&Located<OnError>>,
) {
    if let Some(topic) = topic.filter(|_| !hook_has_topic(hook)) {
        let message = format!("topic: {hook} has no topic");
        keys.report(topic.at.clone(), &message);
    }
    let denies = on_error.filter(|on_error| on_error.value == OnError::Deny);
    if let Some(on_error) = denies.filter(|_| !DECISIONS.contains(&hook)) {
        let message =
            format!("on_error: {hook} has happened when its rules run, and cannot be denied");
        keys.report(on_error.at.clone(), &message);
    }
    let spools = on_error.filter(|on_error| on_error.value == OnError::Spool);
    if let Some(on_error) =
        spools.filter(|_| hook != "message.publish" && DECISIONS.contains(&hook))
    {
        let message = format!(
            "on_error: {hook} is answered at once, and cannot be run later: write \"deny\", \
             \"continue\" or \"retry\""
        );
        keys.report(on_error.at.clone(), &message);
    }
}

/// Sees to it that there is a block of that name.
fn check_reference(
    keys: &mut Keys<'_, '_, '_>,
    what: &str,
    reference: Option<&Located<String>>,
    defined: &Names,
) {
    let Some(Located { value, at }) = reference else {
        return;
    };
    let names = || defined.written.iter().map(String::as_str);
    if names().all(|name| name != value) {
        let hint = hint(value, names());
        let message = format!("{what}: no {what} is called \"{value}\"; {hint}");
        keys.report(at.clone(), &message);
    }
}

/// The entries of the `options` block, in order. Only the action knows which
/// there are.
fn options(keys: &mut Keys<'_, '_, '_>) -> Vec<(Located<String>, OptionValue)> {
    let mut options = Vec::new();
    let blocks = keys.blocks("options");
    for (index, block) in blocks.iter().enumerate() {
        let at = block::at(keys.source(), block);
        if index > 0 {
            keys.report(at, "options is there twice");
            continue;
        }
        if !block.labels.is_empty() {
            keys.report(at, "options has no name: write options { ... }");
        }
        for inner in block.body.blocks() {
            let at = block::at(keys.source(), inner);
            let name = inner.ident.as_str();
            keys.report(
                at,
                &format!("options: {name} is no block: write {name} = ..."),
            );
        }
        for attribute in block.body.attributes() {
            let name = attribute.key.as_str();
            match value::option(keys.source(), &attribute.value) {
                Ok(value) => {
                    let at = keys.source().at(attribute.key.span());
                    let name = name.to_owned();
                    options.push((Located { value: name, at }, value));
                }
                Err(wrong) => {
                    let at = keys.source().at(attribute.value.span());
                    keys.report(at, &format!("options: {name}: {wrong}"));
                }
            }
        }
    }
    options
}
