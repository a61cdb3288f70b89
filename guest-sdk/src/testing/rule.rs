//! A rule of one action, as a configuration would write it.

use std::cell::RefCell;

use serde_json::Value as Json;

use super::Event;
use super::fits::check;
use crate::action::{Action, Findings, Runner};
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
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Rule};
    /// #[action(hook = "message.publish", interest("payload-empty"))]
    /// fn drop_empty(_: &Context, _: &Message) -> Verdict {
    ///     Verdict::Drop
    /// }
    ///
    /// let rule = Rule::new(&drop_empty::ACTION);
    /// assert_eq!(rule.run(testing::message("a", "")), Verdict::Drop);
    /// ```
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
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Rule;
    /// # #[action(hook = "client.connected")]
    /// # fn greet(_: &Context, _: &Client) {}
    /// assert_eq!(Rule::new(&greet::ACTION).context().rule(), "greet");
    /// assert_eq!(Rule::new(&greet::ACTION).named("hello").context().rule(), "hello");
    /// ```
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Binds another hook.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Rule};
    /// #[action(hook = "client.connected", hook = "client.disconnected")]
    /// fn presence(ctx: &Context, client: &Client) {
    ///     log_info!("{}: {}", client.clientid, ctx.hook());
    /// }
    ///
    /// Rule::new(&presence::ACTION).hook("client.disconnected").run(testing::client("c1"));
    /// assert_eq!(testing::take_log()[0].1, "c1: client.disconnected");
    /// ```
    #[must_use]
    pub fn hook(mut self, hook: &str) -> Self {
        hook.clone_into(&mut self.hook);
        self
    }

    /// Binds a topic filter. The action is not spared what does not match it:
    /// matching is the host's work.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Rule;
    /// # #[action(hook = "message.publish")]
    /// # fn keep(_: &Context, _: &Message) {}
    /// let rule = Rule::new(&keep::ACTION).topic("sensors/#");
    /// assert_eq!(rule.context().topic_filter(), "sensors/#");
    /// ```
    #[must_use]
    pub fn topic(mut self, filter: &str) -> Self {
        filter.clone_into(&mut self.topic);
        self
    }

    /// Grants the pool of this name.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Rule, SqlPool};
    /// # #[action(hook = "client.connected", pool = "sql")]
    /// # fn seen(ctx: &Context, client: &Client) -> Result<(), Fault> {
    /// #     ctx.sql()?.exec("INSERT INTO seen (clientid) VALUES (?)", &[(&client.clientid).into()])?;
    /// #     Ok(())
    /// # }
    /// let pool = SqlPool::named("main");
    /// assert_eq!(Rule::new(&seen::ACTION).pool("main").run(testing::client("c1")), Verdict::Proceed);
    /// assert_eq!(pool.stored().len(), 1);
    /// // Without the pool, the action says what is missing.
    /// assert!(matches!(Rule::new(&seen::ACTION).run(testing::client("c1")), Verdict::Failed(_)));
    /// ```
    #[must_use]
    pub fn pool(mut self, name: &str) -> Self {
        self.pool = Some(name.to_owned());
        self
    }

    /// Names the broker node.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Rule;
    /// # #[action(hook = "client.connected")]
    /// # fn greet(_: &Context, _: &Client) {}
    /// let rule = Rule::new(&greet::ACTION).node("hookwire@10.0.0.7");
    /// assert_eq!(rule.context().node(), "hookwire@10.0.0.7");
    /// ```
    #[must_use]
    pub fn node(mut self, name: &str) -> Self {
        name.clone_into(&mut self.node);
        self
    }

    /// Sets an option: a text, a number, a truth, or a list.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Rule;
    /// #[derive(Options)]
    /// struct Alerts {
    ///     /// From here on it is hot.
    ///     celsius: f64,
    ///     /// Where alerts go.
    ///     topics: Vec<String>,
    /// }
    ///
    /// #[action(hook = "message.publish", options = Alerts)]
    /// fn alert(_: &Context, _: &Alerts, _: &Message) {}
    ///
    /// let rule = Rule::new(&alert::ACTION).option("celsius", 70.5).option("topics", vec!["alerts"]);
    /// assert_eq!(rule.options::<Alerts>().topics, ["alerts"]);
    /// # assert_eq!(rule.options::<Alerts>().celsius, 70.5);
    /// ```
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.options
            .push((name.to_owned(), value.into().to_string()));
        self
    }

    /// The context that the action is called with.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Rule};
    /// #[action(hook = "message.publish")]
    /// fn no_commands(_: &Context, message: &Message) -> Verdict {
    ///     match message.topic.starts_with("commands/") {
    ///         true => Verdict::Drop,
    ///         false => Verdict::Proceed,
    ///     }
    /// }
    ///
    /// // The function can be called as it is, too.
    /// let ctx = Rule::new(&no_commands::ACTION).context();
    /// assert_eq!(no_commands(&ctx, &testing::message("commands/1", "")), Verdict::Drop);
    /// ```
    #[must_use]
    pub fn context(&self) -> Context {
        Context {
            node: self.node.as_str().into(),
            rule: self.name.clone(),
            hook: self.hook.clone(),
            topic: self.topic.clone(),
            pool: self.pool.clone(),
            all: [self.clone().entry(0)].into(),
            place: 0,
            opened: RefCell::default(),
        }
    }

    /// The options that the action is called with: those set, and defaults.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Rule;
    /// #[derive(Options)]
    /// struct Limit {
    ///     /// Bytes of payload.
    ///     #[option(default = 1024)]
    ///     bytes: usize,
    /// }
    ///
    /// #[action(hook = "message.publish", options = Limit)]
    /// fn limit(_: &Context, _: &Limit, _: &Message) {}
    ///
    /// assert_eq!(Rule::new(&limit::ACTION).options::<Limit>().bytes, 1024);
    /// ```
    ///
    /// # Panics
    /// If an option is unknown, missing, or of the wrong kind.
    #[must_use]
    pub fn options<O: Options>(&self) -> O {
        crate::options::read(&self.options).unwrap_or_else(|errors| refused(&errors))
    }

    /// What is wrong with the rule's options; empty when nothing is.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Rule;
    /// # #[derive(Options)]
    /// # struct Limit {
    /// #     /// Bytes of payload.
    /// #     #[option(default = 1024)]
    /// #     bytes: usize,
    /// # }
    /// # #[action(hook = "message.publish", options = Limit)]
    /// # fn limit(_: &Context, limit: &Limit, _: &Message) { let _ = limit.bytes; }
    /// assert!(Rule::new(&limit::ACTION).refusals().is_empty());
    /// assert_eq!(
    ///     Rule::new(&limit::ACTION).option("bytes", -1).refusals(),
    ///     ["the option `bytes` takes a whole number that is not negative, and is -1"]
    /// );
    /// ```
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        self.bind().1.refusals
    }

    /// What the action warns of about the rule.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Rule;
    /// fn look(_: &Context, findings: &mut Findings) {
    ///     findings.warn("it only looks");
    /// }
    ///
    /// #[action(hook = "message.publish", check = look)]
    /// fn seen(_: &Context, _: &Message) {}
    ///
    /// assert_eq!(Rule::new(&seen::ACTION).warnings(), ["it only looks"]);
    /// ```
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.bind().1.warnings
    }

    fn bind(&self) -> (Option<Runner>, Findings) {
        let mut findings = Findings::default();
        let run = (self.action.bind)(&self.context(), &self.options, &mut findings);
        (run, findings)
    }

    /// Runs the action on one event, with a fresh context.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Rule};
    /// #[action(hook = "client.connect")]
    /// fn no_robots(_: &Context, client: &Client) -> Verdict {
    ///     match client.clientid.starts_with("robot") {
    ///         true => Verdict::deny(reason_code::NOT_AUTHORIZED, "no robots"),
    ///         false => Verdict::Proceed,
    ///     }
    /// }
    ///
    /// let rule = Rule::new(&no_robots::ACTION);
    /// assert_eq!(rule.run(testing::client("c1")), Verdict::Proceed);
    /// assert!(matches!(rule.run(testing::client("robot7")), Verdict::Deny(_)));
    /// ```
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
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Rule};
    /// /// Only the last reading of a batch matters.
    /// #[action(hook = "message.publish")]
    /// fn newest(_: &Context, messages: &[&Message]) -> Verdicts {
    ///     let mut verdicts = Verdicts::all(Verdict::Drop);
    ///     verdicts.set(messages.len() - 1, Verdict::Proceed);
    ///     verdicts
    /// }
    ///
    /// let messages = ["1", "2"].map(|payload| testing::message("sensors/7", payload));
    /// let verdicts = Rule::new(&newest::ACTION).run_batch(messages);
    /// assert_eq!(verdicts, [Verdict::Drop, Verdict::Proceed]);
    /// ```
    ///
    /// # Panics
    /// If an option is refused, or a verdict does not fit the hook.
    pub fn run_batch<E: Into<Event>>(&self, events: impl IntoIterator<Item = E>) -> Vec<Verdict> {
        let run = match self.bind() {
            (Some(run), findings) if findings.refusals.is_empty() => run,
            (_, findings) => refused(&findings.refusals),
        };
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
