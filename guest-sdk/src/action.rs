//! What the `action` attribute writes down about a function.

use std::fmt;

use crate::bindings::exports::hookwire::rule::actions as wit;
use crate::bindings::hookwire::types::events::Event;
use crate::options::{OptionSpec, Options};
use crate::{Context, Verdicts};

/// One action: its entry in the manifest, and the function behind it. The
/// attribute makes one, `NAME::ACTION`, beside the function `NAME`.
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
    /// Reads the options of a rule; an error for each that is wrong.
    pub bind: Bind,
}

/// From options, each with its JSON text, to what runs the action with them.
pub type Bind = fn(&[(String, String)]) -> Result<Runner, Vec<String>>;

/// An action with the options of one rule: runs it on events of that rule, in
/// order.
pub type Runner = Box<dyn Fn(&Context, &[&Event]) -> Verdicts>;

impl Action {
    /// Its entry in the manifest.
    pub(crate) fn entry(&self) -> wit::Action {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        wit::Action {
            name: self.name.to_owned(),
            help: self.help.to_owned(),
            hooks: texts(self.hooks),
            interest: texts(self.interest),
            pool: self.pool.to_owned(),
            stores: self.stores,
            batch: self.batch,
            options: self.options.iter().map(OptionSpec::entry).collect(),
        }
    }
}

/// An action that a rule is bound to, ready to run.
pub(crate) struct Bound {
    pub(crate) name: &'static str,
    pub(crate) run: Runner,
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bound").field(&self.name).finish()
    }
}

/// What the attribute reads options with.
///
/// # Errors
/// Everything that is wrong with them, each as a sentence.
pub fn read_options<O: Options>(given: &[(String, String)]) -> Result<O, Vec<String>> {
    crate::options::read(given)
}
