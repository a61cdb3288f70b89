//! One rule of the settings against the action it names.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hookwire_bindings::wit::exports::hookwire::rule::actions as wit;
use hookwire_broker::{Hook, Stores};
use hookwire_mqtt::TopicFilter;
use hookwire_settings::{At, Located, OnError, Problem, Rule, Settings, hint};

use crate::lane::breaker::Breaker;
use crate::module::loader::LoadedModule;
use crate::module::manifest::{Action, Manifest, PoolInterface};
use crate::module::options;
use crate::plan::PlannedRule;
use crate::stats::RuleCounters;

/// A rule that can be bound: as the host runs it, and as the module is told.
/// Its number and the module's place are not known yet.
pub(crate) struct Draft {
    pub(crate) at: At,
    pub(crate) module: String,
    pub(crate) planned: PlannedRule,
    pub(crate) given: wit::Rule,
}

/// Checks a rule. `None`: it has problems, now or when its module was loaded.
pub(crate) fn bind_rule(
    settings: &Settings,
    rule: &Rule,
    modules: &HashMap<String, LoadedModule>,
    problems: &mut Vec<Problem>,
) -> Option<Draft> {
    let mut checked = RuleCheck {
        settings,
        rule,
        problems: Vec::new(),
    };
    let draft = checked.draft(modules);
    let is_sound = checked.problems.is_empty();
    problems.append(&mut checked.problems);
    draft.filter(|_| is_sound)
}

/// How long `on_error = "retry"` tries, where the rule does not say.
const RETRY_FOR: Duration = Duration::from_secs(300);

/// Denies where what a rule could not do must not pass for done.
fn default_on_error(hook: Hook) -> OnError {
    match hook {
        Hook::ClientConnect
        | Hook::ClientAuthenticate
        | Hook::ClientAuthorize
        | Hook::SessionCreated
        | Hook::ClientSubscribe
        | Hook::SessionFetch
        | Hook::SessionRetained
        | Hook::SessionExchange
        | Hook::MessagePublish => OnError::Deny,
        _ => OnError::Continue,
    }
}

/// Whether an action that is bound to this hook hands over what is stored.
fn fetches(action: &Action, hook: Hook) -> bool {
    is_bound_to(action, hook, Hook::SessionFetch)
}

/// Whether an action that is bound to a hook runs at `other`, which is about what
/// stores have for a subscription.
fn is_bound_to(action: &Action, hook: Hook, other: Hook) -> bool {
    let is_for = |hook| action.hooks.contains(&hook);
    hook == other || (hook == Hook::SessionSubscribed && !is_for(hook) && is_for(other))
}

struct RuleCheck<'a> {
    settings: &'a Settings,
    rule: &'a Rule,
    problems: Vec<Problem>,
}

impl RuleCheck<'_> {
    fn draft(&mut self, modules: &HashMap<String, LoadedModule>) -> Option<Draft> {
        let rule = self.rule;
        let hook = self.hook();
        let filter = self.filter();
        self.check_module_block();
        let manifest = modules.get(&rule.module.value)?.manifest();
        let action = self.action(manifest)?;
        let hook = hook.map(|hook| self.accepted_as(action, hook, modules));
        self.check_accepts(action, hook);
        self.check_pool(action);
        let (given_options, mut wrong) =
            options::bind(&action.options, &rule.action, &rule.options);
        for problem in &mut wrong {
            problem.message = format!("rule {:?}: {}", rule.name.value, problem.message);
        }
        self.problems.append(&mut wrong);
        let (hook, filter) = (hook?, filter?);
        Some(Draft {
            at: rule.name.at.clone(),
            module: rule.module.value.clone(),
            given: wit::Rule {
                id: 0,
                name: rule.name.value.clone(),
                hook: hook.name().to_owned(),
                action: action.name.clone(),
                topic: rule.topic.value.clone(),
                pool: rule.pool.as_ref().map(|pool| pool.value.clone()),
                options: given_options,
            },
            planned: PlannedRule {
                name: rule.name.value.as_str().into(),
                module: usize::MAX,
                number: 0,
                action: action.name.clone(),
                hook,
                filter,
                interest: action.interest,
                stores: action.stores,
                store: Stores::NONE,
                on_error: rule.on_error.unwrap_or_else(|| default_on_error(hook)),
                retry_for: rule.retry_for.unwrap_or(match rule.on_error {
                    Some(OnError::Retry) => RETRY_FOR,
                    _ => self.deadline(),
                }),
                counters: Arc::new(RuleCounters::default()),
                breaker: Arc::new(Breaker::default()),
            },
        })
    }

    /// The hook that an action runs at. An action that fetches, or looks up retained
    /// messages, and one that moves positions, is bound to the hook that the storage backends of old name for it;
    /// positions count where some rule fetches from the pool.
    fn accepted_as(
        &self,
        action: &Action,
        hook: Hook,
        modules: &HashMap<String, LoadedModule>,
    ) -> Hook {
        let is_for = |hook| action.hooks.contains(&hook);
        if fetches(action, hook) {
            return Hook::SessionFetch;
        }
        if is_bound_to(action, hook, Hook::SessionRetained) {
            return Hook::SessionRetained;
        }
        let moves_positions = hook == Hook::MessageAcked && is_for(Hook::MessagePosition);
        if moves_positions && (!is_for(hook) || self.is_fetched_from(modules)) {
            return Hook::MessagePosition;
        }
        hook
    }

    /// Whether a rule fetches from the pool of this one.
    fn is_fetched_from(&self, modules: &HashMap<String, LoadedModule>) -> bool {
        let pool = self.rule.pool.as_ref().map(|pool| &pool.value);
        let is_fetching = |rule: &&Rule| {
            let module = modules.get(&rule.module.value);
            let action = module.and_then(|module| module.manifest().action(&rule.action.value));
            let bound = action.zip(Hook::by_name(&rule.hook.value));
            bound.is_some_and(|(action, hook)| fetches(action, hook))
        };
        let mut rules = self.settings.rules.iter().filter(is_fetching);
        rules.any(|rule| rule.pool.as_ref().map(|pool| &pool.value) == pool)
    }

    /// The deadline of the rule's module.
    fn deadline(&self) -> Duration {
        let mut blocks = self.settings.modules.iter();
        let block = blocks.find(|block| block.name.value == self.rule.module.value);
        block.map_or(Duration::ZERO, |block| block.deadline)
    }

    fn hook(&mut self) -> Option<Hook> {
        let name = &self.rule.hook;
        let hook = Hook::by_name(&name.value);
        if hook.is_none() {
            let hint = hint(&name.value, Hook::ALL.map(Hook::name));
            self.report(
                name,
                &format!("hook: no hook is called {:?}; {hint}", name.value),
            );
        }
        hook
    }

    fn filter(&mut self) -> Option<TopicFilter> {
        let topic = &self.rule.topic;
        match TopicFilter::new(&topic.value) {
            Ok(filter) if filter.shared().is_none() => return Some(filter),
            Ok(_) => self.report(
                topic,
                "topic: a shared subscription takes its share of the messages, and a rule sees all",
            ),
            Err(error) => self.report(topic, &format!("topic: {:?} {error}", topic.value)),
        }
        None
    }

    fn check_module_block(&mut self) {
        let name = &self.rule.module;
        let blocks = &self.settings.modules;
        let names = || blocks.iter().map(|block| &*block.name.value);
        if names().all(|known| known != name.value) {
            let hint = hint(&name.value, names());
            self.report(
                name,
                &format!("module: no module is called {:?}; {hint}", name.value),
            );
        }
    }

    fn action<'m>(&mut self, manifest: &'m Manifest) -> Option<&'m Action> {
        let name = &self.rule.action;
        let action = manifest.action(&name.value);
        if action.is_none() {
            let names = manifest.actions.iter().map(|action| &*action.name);
            let hint = hint(&name.value, names);
            let module = &self.rule.module.value;
            self.report(
                name,
                &format!(
                    "action: module {module:?} has no action {:?}; {hint}",
                    name.value
                ),
            );
        }
        action
    }

    fn check_accepts(&mut self, action: &Action, hook: Option<Hook>) {
        let Some(hook) = hook.filter(|hook| !action.hooks.contains(hook)) else {
            return;
        };
        let hooks: Vec<&str> = action.hooks.iter().map(|hook| hook.name()).collect();
        self.report(
            &self.rule.hook,
            &format!(
                "hook: action {:?} is not for {}; it is for {}",
                action.name,
                hook.name(),
                hooks.join(", ")
            ),
        );
    }

    fn check_pool(&mut self, action: &Action) {
        let rule = self.rule;
        match (action.pool, &rule.pool) {
            (None, None) => {}
            (None, Some(pool)) => self.report(
                pool,
                &format!("pool: action {:?} uses none: remove it", action.name),
            ),
            (Some(interface), None) => self.report(
                &rule.action,
                &format!(
                    "pool: action {:?} needs one of the kind {}: {}",
                    action.name,
                    interface.name(),
                    self.pools(interface).join(", ")
                ),
            ),
            (Some(interface), Some(pool)) => {
                let blocks = &mut self.settings.pools.iter();
                let found = blocks.find(|block| block.name.value == pool.value);
                match found.map(|block| block.kind.interface()) {
                    Some(found) if found == interface.name() => {}
                    Some(found) => self.report(
                        pool,
                        &format!(
                            "pool: action {:?} needs one of the kind {}, and {:?} is {found}",
                            action.name,
                            interface.name(),
                            pool.value
                        ),
                    ),
                    None => {
                        let hint = hint(&pool.value, self.pools(interface));
                        self.report(
                            pool,
                            &format!("pool: no pool is called {:?}; {hint}", pool.value),
                        );
                    }
                }
            }
        }
    }

    fn pools(&self, interface: PoolInterface) -> Vec<&str> {
        let pools = self.settings.pools.iter();
        pools
            .filter(|pool| pool.kind.interface() == interface.name())
            .map(|pool| pool.name.value.as_str())
            .collect()
    }

    fn report(&mut self, place: &Located<String>, what: &str) {
        self.problems.push(Problem {
            at: place.at.clone(),
            message: format!("rule {:?}: {what}", self.rule.name.value),
        });
    }
}
