//! What an action is told beside its events.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use crate::Fault;
use crate::options::Options;
use crate::sql::Pool;

/// The rule that an action runs for: its name, options and pool.
#[derive(Debug)]
pub struct Context {
    pub(crate) node: Rc<str>,
    pub(crate) rule: String,
    pub(crate) hook: String,
    pub(crate) topic: String,
    pub(crate) pool: Option<String>,
    pub(crate) options: Options,
    pub(crate) opened: OnceCell<Pool>,
}

impl Context {
    /// Name of this broker node, as stored rows carry it: `hookwire@127.0.0.1`.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Name of the rule.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// The hook that the rule is bound to.
    #[must_use]
    pub fn hook(&self) -> &str {
        &self.hook
    }

    /// Topic filter of the rule. The host has matched it already.
    #[must_use]
    pub fn topic_filter(&self) -> &str {
        &self.topic
    }

    /// Name of the pool that the rule was granted.
    #[must_use]
    pub fn pool(&self) -> Option<&str> {
        self.pool.as_deref()
    }

    /// The SQL pool that the rule was granted: opened on first use, kept after.
    /// [`Pool::open`] opens one by name.
    ///
    /// # Errors
    /// `Invalid` when the rule names no pool, else what [`Pool::open`] answers.
    pub fn sql(&self) -> Result<&Pool, Fault> {
        if let Some(pool) = self.opened.get() {
            return Ok(pool);
        }
        let name = self.pool.as_deref().ok_or_else(|| {
            Fault::invalid(
                "hookwire:no-pool",
                format!("the rule `{}` names no pool", self.rule),
            )
        })?;
        let pool = Pool::open(name)?;
        Ok(self.opened.get_or_init(|| pool))
    }

    /// A `string` option; none when it is not set and has no default.
    ///
    /// # Panics
    /// This and the getters below: if the action does not declare the option,
    /// or declares it with another kind.
    #[must_use]
    pub fn string(&self, option: &str) -> Option<&str> {
        self.options.get(option, &["string"])?.as_str()
    }

    /// An `integer` option.
    #[must_use]
    pub fn integer(&self, option: &str) -> Option<i64> {
        self.options.get(option, &["integer"])?.as_i64()
    }

    /// A `number` option, or an `integer` one as a number.
    #[must_use]
    pub fn number(&self, option: &str) -> Option<f64> {
        self.options.get(option, &["number", "integer"])?.as_f64()
    }

    /// A `boolean` option.
    #[must_use]
    pub fn boolean(&self, option: &str) -> Option<bool> {
        self.options.get(option, &["boolean"])?.as_bool()
    }

    /// A `duration` option.
    #[must_use]
    pub fn duration(&self, option: &str) -> Option<Duration> {
        let text = self.options.get(option, &["duration"])?.as_str()?;
        crate::options::duration(text)
    }

    /// A `list` option of texts; items of another kind are left out.
    #[must_use]
    pub fn list(&self, option: &str) -> Option<Vec<&str>> {
        let list = self.options.get(option, &["list"])?.as_array()?;
        Some(list.iter().filter_map(|item| item.as_str()).collect())
    }
}
