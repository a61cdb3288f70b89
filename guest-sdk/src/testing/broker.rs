//! Stand-ins for what the broker hands to a module: rules, events, calls.

use std::cell::OnceCell;
use std::marker::PhantomData;

use crate::bindings::exports::hookwire::rule::actions::{
    Call, ConfigError, Manifest, Rule as RuleEntry, Setting, Settled,
};
use crate::bindings::hookwire::types::events::Event;
use crate::declared::Action;
use crate::instance::{Instance as Configured, ModuleActions};
use crate::options::Options;
use crate::{Client, Context, Delivery, Message};

/// A rule of one action, as a configuration would write it.
#[derive(Debug, Clone)]
pub struct Rule {
    action: Action,
    name: String,
    hook: String,
    node: String,
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
        self.name = name.to_owned();
        self
    }

    /// Binds another hook.
    #[must_use]
    pub fn hook(mut self, hook: &str) -> Self {
        self.hook = hook.to_owned();
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
        self.node = name.to_owned();
        self
    }

    /// Sets an option; `json` is its value as JSON text.
    #[must_use]
    pub fn option(mut self, name: &str, json: &str) -> Self {
        self.options.push((name.to_owned(), json.to_owned()));
        self
    }

    /// The context that the action is called with.
    ///
    /// # Panics
    /// If an option is unknown, missing, or of the wrong kind.
    #[must_use]
    pub fn context(self) -> Context {
        let options = match Options::read(self.action.options, &self.options) {
            Ok(options) => options,
            Err(errors) => panic!("the rule is refused: {}", errors.join("; ")),
        };
        Context {
            node: self.node.into(),
            rule: self.name,
            hook: self.hook,
            topic: self.topic,
            pool: self.pool,
            options,
            opened: OnceCell::new(),
        }
    }

    fn entry(self, id: u32) -> RuleEntry {
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

/// A whole module with rules, called as the broker calls it. `M` is the type
/// that [`module!`](crate::module) adds to the crate.
#[derive(Debug)]
pub struct Instance<M> {
    configured: Configured,
    module: PhantomData<M>,
}

impl<M: ModuleActions> Instance<M> {
    /// The module's manifest.
    #[must_use]
    pub fn describe() -> Manifest {
        Configured::describe::<M>()
    }

    /// A fresh instance with these rules, numbered from 0 in this order. All
    /// of them run on the node of the first.
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
        Ok(Self {
            configured: Configured::configure::<M>(setting)?,
            module: PhantomData,
        })
    }

    /// Runs `calls`, pairs of a rule's number and an event's number. Calls that
    /// the answer leaves out proceed.
    #[must_use]
    pub fn handle(&self, events: &[Event], calls: &[(u32, u32)]) -> Vec<Settled> {
        let calls: Vec<Call> = calls
            .iter()
            .map(|&(rule, event)| Call { rule, event })
            .collect();
        self.configured.handle(events, &calls)
    }
}

/// A QoS 1 message from the client `publisher`, for tests to change.
#[must_use]
pub fn message(topic: &str, payload: impl Into<Vec<u8>>) -> Message {
    Message {
        id: "2PguFrHsrzEvIIBdctmb".to_owned(),
        topic: topic.to_owned(),
        payload: payload.into(),
        sender: "publisher".to_owned(),
        qos: 1,
        retain: false,
        at_ms: 1_479_202_840_000,
        user_properties: Vec::new(),
        extras: Vec::new(),
    }
}

/// A client without a user name, for tests to change.
#[must_use]
pub fn client(clientid: &str) -> Client {
    Client {
        clientid: clientid.to_owned(),
        username: None,
        reason: String::new(),
        at_ms: 1_479_202_840_000,
        extras: Vec::new(),
    }
}

/// The acknowledgement of `message` by `clientid`.
#[must_use]
pub fn delivery(clientid: &str, message: Message) -> Delivery {
    Delivery {
        clientid: clientid.to_owned(),
        message,
    }
}
