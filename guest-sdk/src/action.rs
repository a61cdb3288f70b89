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
    /// Reads the options of a rule and looks at the rule as a whole.
    pub bind: Bind,
}

/// From options, each with its JSON text, to what runs the action with them;
/// none where something was found that refuses the rule.
pub type Bind = fn(&Context, &[(String, String)], &mut Findings) -> Option<Runner>;

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

/// What the attribute reads options with: what is wrong with them is among the
/// findings.
pub fn read_options<O: Options>(given: &[(String, String)], findings: &mut Findings) -> Option<O> {
    match crate::options::read(given) {
        Ok(options) => Some(options),
        Err(errors) => {
            errors.into_iter().for_each(|error| findings.refuse(error));
            None
        }
    }
}

/// What an action finds about a rule before its first event: the function that
/// `check = ...` of the [`action`](crate::action) attribute names puts it down.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::Rule;
///
/// #[derive(Options)]
/// struct Range {
///     /// Least value that passes.
///     min: i64,
///     /// Greatest value that passes.
///     max: i64,
/// }
///
/// fn look(ctx: &Context, range: &Range, findings: &mut Findings) {
///     if range.min > range.max {
///         findings.refuse(format!("nothing is from {} to {}", range.min, range.max));
///     }
///     if ctx.topic_filter() == "#" {
///         findings.warn("it reads every message");
///     }
/// }
///
/// #[action(hook = "message.publish", options = Range, check = look)]
/// fn check(_: &Context, _: &Range, _: &Message) {}
///
/// let rule = Rule::new(&check::ACTION).option("min", 2).option("max", 1);
/// assert_eq!(rule.refusals(), ["nothing is from 2 to 1"]);
/// assert_eq!(rule.warnings(), ["it reads every message"]);
/// ```
#[derive(Debug, Default)]
pub struct Findings {
    pub(crate) refusals: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

impl Findings {
    /// Refuses the rule, and says why. The broker adds its file and line.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Rule;
    /// fn look(ctx: &Context, findings: &mut Findings) {
    ///     if ctx.topic_filter().starts_with('$') {
    ///         findings.refuse("nobody publishes to what begins with `$`");
    ///     }
    /// }
    ///
    /// #[action(hook = "message.publish", check = look)]
    /// fn seen(_: &Context, _: &Message) {}
    ///
    /// assert!(Rule::new(&seen::ACTION).refusals().is_empty());
    /// assert_eq!(Rule::new(&seen::ACTION).topic("$a/#").refusals().len(), 1);
    /// ```
    pub fn refuse(&mut self, why: impl Into<String>) {
        self.refusals.push(why.into());
    }

    /// Has the broker say something about the rule when it is loaded.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Rule;
    /// fn look(ctx: &Context, findings: &mut Findings) {
    ///     if ctx.topic_filter() == "#" {
    ///         findings.warn("it sees every message");
    ///     }
    /// }
    ///
    /// #[action(hook = "message.publish", check = look)]
    /// fn seen(_: &Context, _: &Message) {}
    ///
    /// assert_eq!(Rule::new(&seen::ACTION).warnings(), ["it sees every message"]);
    /// ```
    pub fn warn(&mut self, what: impl Into<String>) {
        self.warnings.push(what.into());
    }
}
