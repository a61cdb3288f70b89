//! A rule of one action, as a configuration would write it.

use std::cell::RefCell;

use serde_json::Value as Json;

use super::Event;
use super::fits::check;
use crate::action::{Action, Runner};
use crate::bindings::exports::hookwire::rule::actions::Rule as RuleEntry;
use crate::{Context, Options, Verdict};

/// A rule of one action, as a configuration would write it.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Rule};
///
/// #[derive(Options)]
/// struct Limit {
///     /// Bytes of payload.
///     #[option(default = 3)]
///     bytes: usize,
/// }
///
/// #[action(hook = "message.publish", interest("payload"), options = Limit)]
/// fn limit(_: &Context, options: &Limit, message: &Message) -> Verdict {
///     match message.payload.len() {
///         bytes if bytes > options.bytes => Verdict::Drop,
///         _ => Verdict::Proceed,
///     }
/// }
///
/// let rule = Rule::new(&limit::ACTION).option("bytes", 4);
/// assert_eq!(rule.run(testing::message("a", "four")), Verdict::Proceed);
/// assert_eq!(rule.run(testing::message("a", "fives")), Verdict::Drop);
///
/// // The function itself is there too.
/// let verdict = limit(&rule.context(), &Limit { bytes: 0 }, &testing::message("a", "b"));
/// assert_eq!(verdict, Verdict::Drop);
/// ```
#[derive(Debug, Clone)]
pub struct Rule {
    action: Action,
    name: String,
    hook: String,
    pub(super) node: String,
    topic: String,
    pool: Option<String>,
    options: Vec<(String, String)>,
}

impl Rule {
    /// A rule that binds `action` to its first hook, for every topic:
    /// `Rule::new(&on_message_publish::ACTION)`.
    #[must_use]
    pub fn new(action: &Action) -> Self {
        Self {
            action: *action,
            name: action.name.to_owned(),
            hook: action.hooks.first().copied().unwrap_or_default().to_owned(),
            node: "hookwire@127.0.0.1".to_owned(),
            topic: "#".to_owned(),
            pool: None,
            options: Vec::new(),
        }
    }

    /// Names the rule, which is else called as its action.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Binds another hook.
    #[must_use]
    pub fn hook(mut self, hook: &str) -> Self {
        hook.clone_into(&mut self.hook);
        self
    }

    /// Binds a topic filter. The action is not spared what does not match it:
    /// matching is the host's work.
    #[must_use]
    pub fn topic(mut self, filter: &str) -> Self {
        filter.clone_into(&mut self.topic);
        self
    }

    /// Grants the pool of this name.
    #[must_use]
    pub fn pool(mut self, name: &str) -> Self {
        self.pool = Some(name.to_owned());
        self
    }

    /// Names the broker node.
    #[must_use]
    pub fn node(mut self, name: &str) -> Self {
        name.clone_into(&mut self.node);
        self
    }

    /// Sets an option: a text, a number, a truth, or a list.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.options
            .push((name.to_owned(), value.into().to_string()));
        self
    }

    /// The context that the action is called with.
    #[must_use]
    pub fn context(&self) -> Context {
        Context {
            node: self.node.as_str().into(),
            rule: self.name.clone(),
            hook: self.hook.clone(),
            topic: self.topic.clone(),
            pool: self.pool.clone(),
            opened: RefCell::default(),
        }
    }

    /// The options that the action is called with: those set, and defaults.
    ///
    /// # Panics
    /// If an option is unknown, missing, or of the wrong kind.
    #[must_use]
    pub fn options<O: Options>(&self) -> O {
        crate::options::read(&self.options).unwrap_or_else(|errors| refused(&errors))
    }

    /// What is wrong with the rule's options; empty when nothing is.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        (self.action.bind)(&self.options).err().unwrap_or_default()
    }

    /// Runs the action on one event, with a fresh context.
    ///
    /// # Panics
    /// If an option is refused, or the verdict does not fit the hook.
    pub fn run(&self, event: impl Into<Event>) -> Verdict {
        let mut verdicts = self.run_batch([event]);
        verdicts.pop().unwrap_or(Verdict::Proceed)
    }

    /// Runs the action on events as one batch, with a fresh context, and
    /// answers a verdict for each.
    ///
    /// # Panics
    /// If an option is refused, or a verdict does not fit the hook.
    pub fn run_batch<E: Into<Event>>(&self, events: impl IntoIterator<Item = E>) -> Vec<Verdict> {
        let run: Runner =
            (self.action.bind)(&self.options).unwrap_or_else(|errors| refused(&errors));
        let events: Vec<Event> = events.into_iter().map(E::into).collect();
        let borrowed: Vec<&Event> = events.iter().collect();
        let verdicts = run(&self.context(), &borrowed).into_list(events.len());
        for verdict in &verdicts {
            if let Err(why) = check(&self.action, &self.hook, verdict) {
                panic!("the verdict does not fit: {why}");
            }
        }
        verdicts
    }

    pub(super) fn entry(self, id: u32) -> RuleEntry {
        RuleEntry {
            id,
            name: self.name,
            hook: self.hook,
            action: self.action.name.to_owned(),
            topic: self.topic,
            pool: self.pool,
            options: self.options,
        }
    }
}

fn refused(errors: &[String]) -> ! {
    panic!("the rule is refused: {}", errors.join("; "))
}
