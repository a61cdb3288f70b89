//! What is bound: modules with what they were granted, and rules in the order
//! in which they run. Immutable, and shared by all workers.

pub(crate) mod bind;
mod module;
pub(crate) mod rule;
pub(crate) mod set;
pub(crate) mod sets;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use hookwire_bindings::wit::exports::hookwire::rule::actions::Setting;
use hookwire_broker::{Hook, Stores};
use hookwire_driver::SqlPool;
use hookwire_mqtt::{TopicFilter, TopicName};
use hookwire_settings::{OnError, Problem};

use crate::host::clock::GuestClock;
use crate::lane::breaker::Breaker;
use crate::lane::class::Class;
use crate::lane::conduct::Conduct;
use crate::lane::item::BatchBounds;
use crate::module::interest::Interest;
use crate::module::loader::ContentHash;
use crate::module::memory::ModuleMemory;
use crate::module::template::Template;
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
    /// Above that of the plan it follows.
    pub(crate) number: u64,
    pub(crate) clock: GuestClock,
    pub(crate) modules: Vec<Arc<PlannedModule>>,
    /// What the modules may keep in memory, from when workers go over.
    pub(crate) memory_bounds: Vec<(Arc<ModuleMemory>, usize)>,
    pub(crate) rules: Rules,
    /// The generation that every module has, or had last: also of those that are
    /// not there any more, so that no number comes twice.
    pub(crate) generations: HashMap<Arc<str>, u64>,
    pub(crate) warnings: Vec<Problem>,
}

/// The rules of a plan, by number.
#[derive(Default)]
pub(crate) struct Rules(Vec<PlannedRule>);

/// A module with its rules. A plan that changes neither takes it over from the
/// one before, and with it the instances that run.
pub(crate) struct PlannedModule {
    pub(crate) name: Arc<str>,
    pub(crate) hash: ContentHash,
    /// How often the module or its rules have changed in this run of the broker.
    /// It never goes back, though the module be unloaded meanwhile.
    pub(crate) generation: u64,
    pub(crate) template: Template,
    pub(crate) setting: Setting,
    pub(crate) bounds: ModuleBounds,
    pub(crate) batch: BatchBounds,
    /// By [`Class::index`]: whether it has rules there.
    pub(crate) classes: [bool; Class::ALL.len()],
    pub(crate) counters: Arc<ModuleCounters>,
    pub(crate) conduct: Conduct,
}

/// What a module's block sets beside its grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ModuleBounds {
    pub(crate) lanes: usize,
    pub(crate) max_batch: usize,
    pub(crate) max_queued_events: usize,
    pub(crate) deadline: Duration,
    pub(crate) max_memory_bytes: usize,
}

pub(crate) struct PlannedRule {
    pub(crate) name: Arc<str>,
    /// Index into the plan's modules.
    pub(crate) module: usize,
    /// Its number among the module's own, as the module knows it.
    pub(crate) number: u32,
    pub(crate) action: String,
    pub(crate) hook: Hook,
    pub(crate) filter: TopicFilter,
    pub(crate) interest: Interest,
    pub(crate) stores: bool,
    /// The store that its pool is.
    pub(crate) store: Stores,
    pub(crate) on_error: OnError,
    /// How long a call is tried again that may succeed later.
    pub(crate) retry_for: Duration,
    pub(crate) counters: Arc<RuleCounters>,
    pub(crate) breaker: Arc<Breaker>,
}

impl PlannedModule {
    /// How long one call may take, store calls included.
    pub(crate) fn deadline(&self) -> Duration {
        self.bounds.deadline
    }
}

impl PlannedRule {
    /// Sorts rules into the order in which they run.
    pub(crate) fn run_order(&self) -> (Hook, bool) {
        (self.hook, self.hook == Hook::MessagePublish && self.stores)
    }
}

impl Plan {
    /// A plan without modules and rules.
    #[must_use]
    pub fn empty() -> Arc<Self> {
        Arc::new(Self {
            number: 0,
            clock: GuestClock::default(),
            modules: Vec::new(),
            memory_bounds: Vec::new(),
            rules: Rules::default(),
            generations: HashMap::new(),
            warnings: Vec::new(),
        })
    }

    /// What modules warn of that were configured for this plan: what is as it is
    /// written, and perhaps not as it is meant.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// What each rule has done so far, in the order in which rules run.
    #[must_use]
    pub fn stats(&self) -> Vec<RuleStats> {
        let stats = self.rules.iter().map(|rule| {
            let module = self.modules.get(rule.module);
            RuleStats {
                rule: rule.name.to_string(),
                module: module.map_or(String::new(), |module| module.name.to_string()),
                action: rule.action.clone(),
                hook: rule.hook,
                breaker_is_open: rule.breaker.is_open(),
                ..rule.counters.read()
            }
        });
        stats.collect()
    }

    /// The generation of a module, or the last that it had; 0: it had none.
    #[must_use]
    pub fn generation(&self, module: &str) -> u64 {
        self.generations.get(module).copied().unwrap_or_default()
    }

    /// What each module has done so far.
    #[must_use]
    pub fn module_stats(&self) -> Vec<ModuleStats> {
        let stats = self.modules.iter().map(|module| ModuleStats {
            module: module.name.to_string(),
            generation: module.generation,
            hash: module.hash.to_string(),
            ..module.counters.read()
        });
        stats.collect()
    }

    /// What differs in the rules of the plan that follows, a line each.
    #[must_use]
    pub fn rules_changed(&self, next: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let find = |plan: &Self, name: &str| {
            let rule = plan.rules.iter().find(|rule| &*rule.name == name)?;
            let module = plan.modules.get(rule.module)?;
            let mut given = module.setting.rules.iter();
            let given = given.find(|given| given.id == rule.number);
            let given = given?;
            // Its number says nothing: others may have come or gone.
            Some((
                Arc::clone(&module.name),
                (
                    given.hook.clone(),
                    given.action.clone(),
                    given.topic.clone(),
                ),
                (given.pool.clone(), given.options.clone()),
                (rule.on_error, rule.retry_for),
            ))
        };
        for rule in next.rules.iter() {
            match (find(self, &rule.name), find(next, &rule.name)) {
                (None, _) => lines.push(format!("rule {} is new", rule.name)),
                (before, after) if before != after => {
                    lines.push(format!("rule {} has changed", rule.name));
                }
                _ => {}
            }
        }
        for rule in self.rules.iter() {
            if next.rules.iter().all(|kept| kept.name != rule.name) {
                lines.push(format!("rule {} is gone", rule.name));
            }
        }
        lines
    }

    pub(crate) fn module(&self, name: &str) -> Option<&Arc<PlannedModule>> {
        self.modules.iter().find(|module| &*module.name == name)
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

    /// Those that match a topic.
    pub(crate) fn matching(&self, hook: Hook, topic: TopicName<'_>) -> Vec<RuleId> {
        self.select(hook, |rule| rule.filter.matches(topic))
    }

    /// Those that have to see a subscription. Who decides about one sees it also
    /// where only some of its topics are theirs.
    pub(crate) fn matching_filter(&self, hook: Hook, filter: &TopicFilter) -> Vec<RuleId> {
        self.select(hook, |rule| {
            let is_read = matches!(hook, Hook::SessionFetch | Hook::SessionRetained);
            if hook.is_decision() && !is_read {
                rule.filter.overlaps(filter)
            } else {
                rule.filter.covers(filter)
            }
        })
    }

    fn select(&self, hook: Hook, is_meant: impl Fn(&PlannedRule) -> bool) -> Vec<RuleId> {
        let matches = |id: &RuleId| self.get(*id).is_some_and(&is_meant);
        self.chain(hook).filter(matches).collect()
    }

    pub(crate) fn get(&self, id: RuleId) -> Option<&PlannedRule> {
        self.0.get(usize::from(id))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &PlannedRule> {
        self.0.iter()
    }
}
