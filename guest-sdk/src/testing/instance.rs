//! A whole module, called as the broker calls it.

use std::marker::PhantomData;

use super::{ConfigError, Event, Manifest, Rule, Settled};
use crate::bindings::exports::hookwire::rule::actions::{Call, Setting};
use crate::instance::{Instance as Configured, ModuleActions};

/// A whole module with rules, called as the broker calls it. `M` is the type
/// that [`module!`](crate::module) adds to the crate.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::{self, Instance, Rule};
///
/// #[action(hook = "message.publish")]
/// fn drop_all(_: &Context, _: &Message) -> Verdict {
///     Verdict::Drop
/// }
///
/// hookwire_sdk::module! { name: "sink", actions: [drop_all] }
///
/// # fn main() {
/// assert_eq!(Instance::<Module>::describe().actions[0].hooks, ["message.publish"]);
/// let module = Instance::<Module>::configure(vec![Rule::new(&drop_all::ACTION)]).unwrap();
/// let settled = module.handle(&[testing::message("a", "").into()], &[(0, 0)]);
/// assert_eq!(settled[0].verdict, Verdict::Drop);
/// # }
/// ```
#[derive(Debug)]
pub struct Instance<M> {
    configured: Configured,
    warnings: Vec<ConfigError>,
    module: PhantomData<M>,
}

impl<M: ModuleActions> Instance<M> {
    /// The module's manifest.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::Instance;
    /// # #[action(hook = "client.connected")]
    /// # fn greet(_: &Context, _: &Client) {}
    /// hookwire_sdk::module! { name: "greeter", actions: [greet] }
    ///
    /// # fn main() {
    /// let manifest = Instance::<Module>::describe();
    /// assert_eq!(manifest.name, "greeter");
    /// assert_eq!(manifest.actions[0].name, "greet");
    /// # }
    /// ```
    #[must_use]
    pub fn describe() -> Manifest {
        Configured::describe::<M>()
    }

    /// A fresh instance with these rules, numbered from 0 in this order. All
    /// of them run on the node of the first.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{Instance, Rule};
    /// # #[action(hook = "client.connected")]
    /// # fn greet(_: &Context, _: &Client) {}
    /// # hookwire_sdk::module! { name: "greeter", actions: [greet] }
    /// # fn main() {
    /// let wrong = Rule::new(&greet::ACTION).hook("client.connect");
    /// let errors = Instance::<Module>::configure(vec![wrong]).unwrap_err();
    /// assert_eq!(errors[0].rule, 0);
    /// assert_eq!(
    ///     errors[0].message,
    ///     "the action `greet` is for client.connected, not for client.connect"
    /// );
    /// # }
    /// ```
    ///
    /// # Errors
    /// What the module says against the rules.
    pub fn configure(rules: Vec<Rule>) -> Result<Self, Vec<ConfigError>> {
        let setting = Setting {
            node: rules
                .first()
                .map(|rule| rule.node.clone())
                .unwrap_or_default(),
            rules: (0..).zip(rules).map(|(id, rule)| rule.entry(id)).collect(),
            extras: Vec::new(),
        };
        let (configured, warnings) = Configured::configure::<M>(setting)?;
        Ok(Self {
            configured,
            warnings,
            module: PhantomData,
        })
    }

    /// What the module warns of about its rules.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{Instance, Rule};
    /// fn look(ctx: &Context, findings: &mut Findings) {
    ///     if ctx.earlier_rules().next().is_some() {
    ///         findings.warn("one rule is enough");
    ///     }
    /// }
    ///
    /// #[action(hook = "message.publish", check = look)]
    /// fn seen(_: &Context, _: &Message) {}
    ///
    /// # hookwire_sdk::module! { name: "seer", actions: [seen] }
    /// # fn main() {
    /// let rules = vec![Rule::new(&seen::ACTION), Rule::new(&seen::ACTION)];
    /// let module = Instance::<Module>::configure(rules).unwrap();
    /// assert_eq!(module.warnings()[0].rule, 1);
    /// # }
    /// ```
    #[must_use]
    pub fn warnings(&self) -> &[ConfigError] {
        &self.warnings
    }

    /// Runs `calls`, pairs of a rule's number and an event's number. Calls that
    /// the answer leaves out proceed.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::{self, Instance, Rule};
    /// # #[action(hook = "message.publish")]
    /// # fn drop_retained(_: &Context, message: &Message) -> Verdict {
    /// #     if message.retain { Verdict::Drop } else { Verdict::Proceed }
    /// # }
    /// # hookwire_sdk::module! { name: "sink", actions: [drop_retained] }
    /// # fn main() {
    /// let module = Instance::<Module>::configure(vec![Rule::new(&drop_retained::ACTION)]).unwrap();
    /// let retained = Message { retain: true, ..testing::message("a", "") };
    /// let events = [testing::message("a", "").into(), retained.into()];
    /// let settled = module.handle(&events, &[(0, 0), (0, 1)]);
    /// assert_eq!((settled.len(), settled[0].call), (1, 1), "the first message proceeds");
    /// # }
    /// ```
    #[must_use]
    pub fn handle(&self, events: &[Event], calls: &[(u32, u32)]) -> Vec<Settled> {
        let calls: Vec<Call> = calls
            .iter()
            .map(|&(rule, event)| Call { rule, event })
            .collect();
        self.configured.handle(events, &calls)
    }
}
