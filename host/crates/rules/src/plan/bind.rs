//! From settings and loaded modules to a plan, or to everything that is wrong
//! with them.

use std::collections::HashMap;
use std::sync::Arc;

use hookwire_broker::{Hook, Stores};
use hookwire_settings::{Problem, Settings};

use crate::module::engine::Runtime;
use crate::module::loader::LoadedModule;
use crate::plan::module::ModuleBinding;
use crate::plan::rule::{Draft, bind_rule};
use crate::plan::{Plan, PlannedModule, PlannedRule, PoolHandle, RuleId, Rules};

impl Plan {
    /// Binds the rules of `settings` to `modules`, with `pools` opened, and has
    /// every module accept its rules on a fresh instance.
    ///
    /// Modules and pools are looked up by the names of their blocks. A rule of
    /// a module that is not in `modules` is passed over: whoever failed to load
    /// it, or unloaded it, knows. What has not changed since `previous` is taken
    /// over from there: counters by the names of rules and modules, and modules
    /// whose component, block, pools and rules are the same, as they are.
    /// Blocks; callable with or without an async runtime.
    ///
    /// # Errors
    /// Every problem, with its place in the settings.
    pub fn bind(
        runtime: &Runtime,
        settings: &Settings,
        modules: &HashMap<String, LoadedModule>,
        pools: &HashMap<String, PoolHandle>,
        previous: Option<&Self>,
    ) -> Result<Arc<Self>, Vec<Problem>> {
        bind(runtime, settings, modules, Some(pools), previous).map(Arc::new)
    }

    /// Finds the problems that [`Plan::bind`] would find, without opened pools:
    /// a module that calls a store while it is configured is told that the
    /// store is unavailable.
    ///
    /// Answers what the modules warn of.
    ///
    /// # Errors
    /// As for [`Plan::bind`].
    pub fn check(
        runtime: &Runtime,
        settings: &Settings,
        modules: &HashMap<String, LoadedModule>,
    ) -> Result<Vec<Problem>, Vec<Problem>> {
        bind(runtime, settings, modules, None, None).map(|plan| plan.warnings)
    }
}

fn bind(
    runtime: &Runtime,
    settings: &Settings,
    modules: &HashMap<String, LoadedModule>,
    pools: Option<&HashMap<String, PoolHandle>>,
    previous: Option<&Plan>,
) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut drafts = drafts(settings, modules, &mut problems)?;
    let mut planned = Vec::new();
    let mut warnings = Vec::new();
    let mut memory_bounds = Vec::new();
    for block in &settings.modules {
        let Some(loaded) = modules.get(&block.name.value) else {
            continue;
        };
        let binding = ModuleBinding {
            runtime,
            settings,
            pools,
            before: previous,
            block,
            loaded,
            drafts: numbered(&mut drafts, &block.name.value, planned.len()),
        };
        let bound = binding.bind(&mut problems, &mut warnings);
        memory_bounds.extend(bound.iter().map(|module| {
            let memory = runtime.memory(&module.name);
            (memory, block.max_key_value_bytes)
        }));
        planned.extend(bound);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let rules = drafts.into_iter().map(|draft| with_store(runtime, draft));
    let mut rules: Vec<PlannedRule> = rules.collect();
    let mut generations = HashMap::new();
    if let Some(previous) = previous {
        take_over(&mut rules, &planned, previous);
        generations.clone_from(&previous.generations);
    }
    generations.extend(
        planned
            .iter()
            .map(|module| (Arc::clone(&module.name), module.generation)),
    );
    Ok(Plan {
        generations,
        number: previous.map_or(1, |previous| previous.number + 1),
        clock: runtime.clock().clone(),
        modules: planned,
        memory_bounds,
        rules: Rules::new(rules),
        warnings,
    })
}

/// The rules that can be bound, in the order in which they run. Fails at once where
/// there are more than have a number.
fn drafts(
    settings: &Settings,
    modules: &HashMap<String, LoadedModule>,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Draft>, Vec<Problem>> {
    let rules = settings.rules.iter();
    let mut drafts: Vec<Draft> = rules
        .filter_map(|rule| bind_rule(settings, rule, modules, problems))
        .collect();
    if drafts.len() > usize::from(RuleId::MAX)
        && let Some(draft) = drafts.last()
    {
        problems.push(Problem {
            at: draft.at.clone(),
            message: format!("there are more than {} rules", RuleId::MAX),
        });
        return Err(std::mem::take(problems));
    }
    drafts.sort_by_key(|draft| draft.planned.run_order());
    Ok(drafts)
}

/// The rules of a module, which is to have this place in the plan, numbered as it
/// knows them.
fn numbered<'d>(drafts: &'d mut [Draft], module: &str, place: usize) -> Vec<&'d Draft> {
    let of_module = drafts.iter_mut().filter(|draft| draft.module == module);
    (0..)
        .zip(of_module)
        .map(|(number, draft)| {
            draft.planned.module = place;
            draft.planned.number = number;
            draft.given.id = number;
            &*draft
        })
        .collect()
}

/// A rule with the store that its messages are in: one from which somebody is handed
/// them.
fn with_store(runtime: &Runtime, draft: Draft) -> PlannedRule {
    let pool = draft.given.pool.as_deref();
    let counts = draft.planned.hook != Hook::MessagePublish || draft.planned.interest.fetched;
    let pool = pool.filter(|_| counts);
    let store = pool.map_or(Stores::NONE, |pool| runtime.store(pool));
    PlannedRule {
        store,
        ..draft.planned
    }
}

/// Has rules go on where those of the same name were: with their counters, and with
/// their breakers where the module is the same.
fn take_over(rules: &mut [PlannedRule], modules: &[Arc<PlannedModule>], previous: &Plan) {
    for rule in rules {
        let mut earlier = previous.rules.iter();
        let Some(before) = earlier.find(|before| before.name == rule.name) else {
            continue;
        };
        rule.counters = Arc::clone(&before.counters);
        let same = previous
            .modules
            .get(before.module)
            .zip(modules.get(rule.module))
            .is_some_and(|(before, after)| before.hash == after.hash);
        if same {
            rule.breaker = Arc::clone(&before.breaker);
        }
    }
}
