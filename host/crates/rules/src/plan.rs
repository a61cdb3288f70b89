//! What is bound: modules with what they were granted, and rules in the order
//! in which they run. Immutable, and shared by all workers.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use hookwire_bindings::wit::exports::hookwire::rule::actions::Setting;
use hookwire_driver::SqlPool;
use hookwire_mqtt::TopicFilter;
use hookwire_settings::OnError;

use crate::instance::Template;
use crate::interest::Interest;
use crate::lane::BatchBounds;
use crate::manifest::Hook;
use crate::stats::{ModuleCounters, ModuleStats, RuleCounters, RuleStats};

/// A pool that was opened, under the interface that guests use it by.
#[derive(Clone)]
pub enum PoolHandle {
    /// `hookwire:sql`
    Sql(Arc<dyn SqlPool>),
}

/// Number of a rule in a plan. Rules are numbered in the order in which they
/// run: by hook; on `message.publish` those that store last; else as the
/// settings have them.
pub(crate) type RuleId = u16;

/// Rules bound to modules, ready for [`crate::WorkerRules`].
pub struct Plan {
    pub(crate) modules: Vec<PlannedModule>,
    pub(crate) rules: Arc<Rules>,
}

/// The rules of a plan, by number.
#[derive(Default)]
pub(crate) struct Rules(Vec<PlannedRule>);

pub(crate) struct PlannedModule {
    pub(crate) name: Arc<str>,
    pub(crate) template: Template,
    pub(crate) setting: Setting,
    pub(crate) lanes: usize,
    pub(crate) batch: BatchBounds,
    pub(crate) max_queued_events: usize,
    pub(crate) deadline: Duration,
    pub(crate) counters: ModuleCounters,
}

pub(crate) struct PlannedRule {
    pub(crate) name: String,
    /// Index into the plan's modules.
    pub(crate) module: usize,
    pub(crate) action: String,
    pub(crate) hook: Hook,
    pub(crate) filter: TopicFilter,
    pub(crate) interest: Interest,
    pub(crate) stores: bool,
    pub(crate) on_error: OnError,
    pub(crate) counters: RuleCounters,
}

impl PlannedRule {
    /// Sorts rules into the order in which they run.
    pub(crate) fn run_order(&self) -> (Hook, bool) {
        (self.hook, self.hook == Hook::MessagePublish && self.stores)
    }
}

impl Plan {
    /// What each rule has done so far, in the order in which rules run.
    #[must_use]
    pub fn stats(&self) -> Vec<RuleStats> {
        let stats = self.rules.iter().map(|rule| {
            let [calls, events, errors] = rule.counters.read();
            RuleStats {
                rule: rule.name.clone(),
                module: self
                    .modules
                    .get(rule.module)
                    .map(|module| module.name.to_string())
                    .unwrap_or_default(),
                action: rule.action.clone(),
                calls,
                events,
                errors,
            }
        });
        stats.collect()
    }

    /// What each module has done so far.
    #[must_use]
    pub fn module_stats(&self) -> Vec<ModuleStats> {
        let stats = self
            .modules
            .iter()
            .map(|module| module.counters.read(&module.name));
        stats.collect()
    }
}

impl Rules {
    /// Puts rules into the order in which they run. Rules that compare equal
    /// stay in the order given, which is the settings'.
    pub(crate) fn new(mut rules: Vec<PlannedRule>) -> Self {
        rules.sort_by_key(PlannedRule::run_order);
        Self(rules)
    }

    /// The rules of a hook, in the order in which they run.
    pub(crate) fn chain(&self, hook: Hook) -> Range<RuleId> {
        let place = |found: usize| RuleId::try_from(found).unwrap_or(RuleId::MAX);
        let start = self.0.partition_point(|rule| rule.hook < hook);
        let end = self.0.partition_point(|rule| rule.hook <= hook);
        place(start)..place(end)
    }

    pub(crate) fn get(&self, id: RuleId) -> Option<&PlannedRule> {
        self.0.get(usize::from(id))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &PlannedRule> {
        self.0.iter()
    }
}
