//! What an action is told beside its events.

use std::cell::RefCell;
use std::rc::Rc;

use crate::Fault;
/// Another rule of the module, as [`Context::earlier_rules`] shows it.
///
/// ```
/// use hookwire_sdk::RuleInfo;
///
/// fn is_same_store(left: &RuleInfo, right: &RuleInfo) -> bool {
///     left.action == right.action && left.pool == right.pool
/// }
/// # let rule = RuleInfo {
/// #     id: 0, name: "a".into(), hook: "message.publish".into(), action: "keep".into(),
/// #     topic: "#".into(), pool: Some("main".into()), options: Vec::new(),
/// # };
/// # assert!(is_same_store(&rule, &rule));
/// ```
pub use crate::bindings::exports::hookwire::rule::actions::Rule as RuleInfo;
use crate::sql::Pool;

/// The rule that an action runs for: its name, hook and pool.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::Rule;
///
/// #[action(hook = "client.connected", hook = "client.disconnected")]
/// fn greet(ctx: &Context, client: &Client) {
///     log_info!("{} on {}: {}", client.clientid, ctx.node(), ctx.hook());
/// }
///
/// let ctx = Rule::new(&greet::ACTION).hook("client.disconnected").context();
/// assert_eq!(ctx.rule(), "greet");
/// assert_eq!(ctx.hook(), "client.disconnected");
/// ```
#[derive(Debug)]
pub struct Context {
    pub(crate) node: Rc<str>,
    pub(crate) rule: String,
    pub(crate) hook: String,
    pub(crate) topic: String,
    pub(crate) pool: Option<String>,
    /// All rules of the module, in the order in which they run, and the place of
    /// this one among them.
    pub(crate) all: Rc<[RuleInfo]>,
    pub(crate) place: usize,
    /// Pools opened so far, by name. A rule has one or two.
    pub(crate) opened: RefCell<Vec<(String, Pool)>>,
}

impl Context {
    /// Name of this broker node, as stored rows carry it: `hookwire@127.0.0.1`.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Rule;
    /// # #[action(hook = "client.connected")]
    /// # fn seen(_: &Context, _: &Client) {}
    /// let ctx = Rule::new(&seen::ACTION).node("hookwire@10.0.0.7").context();
    /// assert_eq!(ctx.node(), "hookwire@10.0.0.7");
    /// ```
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Name of the rule.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Rule;
    /// # #[action(hook = "client.connected")]
    /// # fn seen(_: &Context, _: &Client) {}
    /// let ctx = Rule::new(&seen::ACTION).named("who-is-online").context();
    /// assert_eq!(ctx.rule(), "who-is-online");
    /// ```
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// The hook that the rule is bound to.
    ///
    /// One action for two hooks asks which of them it is called for:
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Rule, SqlPool};
    /// #[action(hook = "client.connected", hook = "client.disconnected", pool = "sql")]
    /// fn online(ctx: &Context, client: &Client) -> Result<(), Fault> {
    ///     let state = ctx.hook() == "client.connected";
    ///     let row = [state.into(), (&client.clientid).into()];
    ///     ctx.sql()?.exec("UPDATE client SET state = ? WHERE clientid = ?", &row)?;
    ///     Ok(())
    /// }
    ///
    /// let pool = SqlPool::named("main");
    /// let rule = Rule::new(&online::ACTION).pool("main").hook("client.disconnected");
    /// rule.run(testing::client("c1"));
    /// assert_eq!(pool.stored()[0].rows[0][0], Value::Boolean(false));
    /// ```
    #[must_use]
    pub fn hook(&self) -> &str {
        &self.hook
    }

    /// Topic filter of the rule. The host has matched it already.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Rule;
    /// # #[action(hook = "message.publish")]
    /// # fn seen(_: &Context, _: &Message) {}
    /// let ctx = Rule::new(&seen::ACTION).topic("sensors/#").context();
    /// assert_eq!(ctx.topic_filter(), "sensors/#");
    /// ```
    #[must_use]
    pub fn topic_filter(&self) -> &str {
        &self.topic
    }

    /// The rules of this module that run before this one on the same hook.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Instance, Rule};
    /// use hookwire_sdk::metrics::Counter;
    /// use hookwire_sdk::{RuleInfo, topic};
    ///
    /// /// Counts a message once, however many rules see it.
    /// #[action(hook = "message.publish")]
    /// fn count(ctx: &Context, message: &Message) {
    ///     let is_counted = |rule: &RuleInfo| topic::matches(&rule.topic, &message.topic);
    ///     if !ctx.earlier_rules().any(is_counted) {
    ///         Counter::new("messages").increment();
    ///     }
    /// }
    /// # hookwire_sdk::module! { name: "counter", actions: [count] }
    /// # fn main() {
    /// let rules = ["a/#", "a/b"].map(|filter| Rule::new(&count::ACTION).topic(filter));
    /// let module = Instance::<Module>::configure(rules.into()).unwrap();
    /// module.handle(&[testing::message("a/b", "").into()], &[(0, 0), (1, 0)]);
    /// assert_eq!(testing::counter("messages"), 1);
    /// # }
    /// ```
    pub fn earlier_rules(&self) -> impl Iterator<Item = &RuleInfo> {
        let before = self.all.get(..self.place).unwrap_or_default();
        before.iter().filter(|rule| rule.hook == self.hook)
    }

    /// All rules of the module, this one among them, in the order configured.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Rule;
    /// # #[action(hook = "message.publish")]
    /// # fn count(_: &Context, _: &Message) {}
    /// let context = Rule::new(&count::ACTION).context();
    /// assert_eq!(context.rules().count(), 1);
    /// ```
    pub fn rules(&self) -> impl Iterator<Item = &RuleInfo> {
        self.all.iter()
    }

    /// Name of the pool that the rule was granted.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Rule;
    /// # #[action(hook = "message.publish", pool = "sql")]
    /// # fn keep(_: &Context, _: &Message) {}
    /// let rule = Rule::new(&keep::ACTION);
    /// assert_eq!(rule.context().pool(), None);
    /// assert_eq!(rule.pool("main").context().pool(), Some("main"));
    /// ```
    #[must_use]
    pub fn pool(&self) -> Option<&str> {
        self.pool.as_deref()
    }

    /// The SQL pool that the rule was granted: opened on first use, kept after.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// #[action(hook = "client.connected", pool = "sql")]
    /// fn seen(ctx: &Context, client: &Client) -> Result<(), Fault> {
    ///     ctx.sql()?.exec("INSERT INTO seen (clientid) VALUES (?)", &[(&client.clientid).into()])?;
    ///     Ok(())
    /// }
    /// # use hookwire_sdk::testing::{self, Rule, SqlPool};
    /// # let pool = SqlPool::named("main");
    /// # Rule::new(&seen::ACTION).pool("main").run(testing::client("c1"));
    /// # assert_eq!(pool.stored().len(), 1);
    /// ```
    ///
    /// # Errors
    /// `Invalid` when the rule names no pool, else what [`Pool::open`] answers.
    pub fn sql(&self) -> Result<Pool, Fault> {
        let name = self.pool.as_deref().ok_or_else(|| {
            let message = format!("the rule `{}` names no pool", self.rule);
            Fault::invalid("hookwire:no-pool", message)
        })?;
        self.sql_named(name)
    }

    /// An SQL pool by its name, which a rule of this module has to name:
    /// opened on first use, kept after.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Rule, SqlPool};
    /// #[action(hook = "client.connected", pool = "sql")]
    /// fn seen(ctx: &Context, client: &Client) -> Result<(), Fault> {
    ///     let row = [(&client.clientid).into()];
    ///     ctx.sql()?.exec("INSERT INTO seen (clientid) VALUES (?)", &row)?;
    ///     ctx.sql_named("audit")?.exec("INSERT INTO audit (clientid) VALUES (?)", &row)?;
    ///     Ok(())
    /// }
    ///
    /// let (main, audit) = (SqlPool::named("main"), SqlPool::named("audit"));
    /// Rule::new(&seen::ACTION).pool("main").run(testing::client("c1"));
    /// assert_eq!((main.stored().len(), audit.stored().len()), (1, 1));
    /// ```
    ///
    /// # Errors
    /// What [`Pool::open`] answers.
    pub fn sql_named(&self, name: &str) -> Result<Pool, Fault> {
        let mut opened = self.opened.borrow_mut();
        if let Some((_, pool)) = opened.iter().find(|(opened, _)| opened == name) {
            return Ok(pool.clone());
        }
        let pool = Pool::open(name)?;
        opened.push((name.to_owned(), pool.clone()));
        Ok(pool)
    }
}
