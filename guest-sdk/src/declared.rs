//! What the `action` attribute writes down about a function.

use crate::Context;
use crate::Verdicts;
use crate::bindings::hookwire::types::events::Event;

/// One action: its entry in the manifest, and the function behind it.
#[derive(Debug, Clone, Copy)]
pub struct Action {
    /// The function's name; rules call the action by it.
    pub name: &'static str,
    /// The function's doc comment.
    pub help: &'static str,
    /// Hooks it accepts.
    pub hooks: &'static [&'static str],
    /// What it needs to see of an event.
    pub interest: &'static [&'static str],
    /// Kind of the pool its rules must name; empty for none.
    pub pool: &'static str,
    /// Whether it stores, and so runs after the rules that do not.
    pub stores: bool,
    /// Whether one call of the function takes many events.
    pub batch: bool,
    /// Options its rules may set.
    pub options: &'static [OptionSpec],
    /// Runs it on events of one rule, in order.
    pub run: fn(&Context, &[&Event]) -> Verdicts,
}

/// One option of an action.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// Its key in the rule's `options` block.
    pub name: &'static str,
    /// `string`, `integer`, `number`, `boolean`, `duration` or `list`.
    pub kind: &'static str,
    /// Whether a rule must set it.
    pub required: bool,
    /// Its default, as JSON text.
    pub default: Option<&'static str>,
    /// One line for the reader of a configuration.
    pub help: &'static str,
}
