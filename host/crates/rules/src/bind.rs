//! From settings and loaded modules to a plan, or to everything that is wrong
//! with them.

use std::collections::HashMap;
use std::sync::Arc;

use hookwire_bindings::wit::exports::hookwire::rule::actions as wit;
use hookwire_driver::SqlPool;
use hookwire_settings::{Located, Module, Problem, Settings, hint};

use crate::bind_rule::{Draft, bind_rule};
use crate::engine::Runtime;
use crate::grant::{GRANTABLE, Imports};
use crate::host::GrantedPools;
use crate::instance::{StartError, Template};
use crate::lane::BatchBounds;
use crate::loader::{LoadedModule, run_to_end};
use crate::plan::{Plan, PlannedModule, PoolHandle, RuleId, Rules};
use crate::stats::ModuleCounters;

impl Plan {
    /// Binds the rules of `settings` to `modules`, with `pools` opened, and has
    /// every module accept its rules on a fresh instance.
    ///
    /// Modules and pools are looked up by the names of their blocks. A rule of
    /// a module that is not in `modules` is passed over: whoever failed to load
    /// it has said so. Blocks; callable with or without an async runtime.
    ///
    /// # Errors
    /// Every problem, with its place in the settings.
    pub fn bind(
        runtime: &Runtime,
        settings: &Settings,
        modules: &HashMap<String, LoadedModule>,
        pools: &HashMap<String, PoolHandle>,
    ) -> Result<Arc<Self>, Vec<Problem>> {
        bind(runtime, settings, modules, Some(pools)).map(Arc::new)
    }

    /// Finds the problems that [`Plan::bind`] would find, without opened pools:
    /// a module that calls a store while it is configured is told that the
    /// store is unavailable.
    ///
    /// # Errors
    /// As for [`Plan::bind`].
    pub fn check(
        runtime: &Runtime,
        settings: &Settings,
        modules: &HashMap<String, LoadedModule>,
    ) -> Result<(), Vec<Problem>> {
        bind(runtime, settings, modules, None).map(|_| ())
    }
}

fn bind(
    runtime: &Runtime,
    settings: &Settings,
    modules: &HashMap<String, LoadedModule>,
    pools: Option<&HashMap<String, PoolHandle>>,
) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut drafts: Vec<Draft> = settings
        .rules
        .iter()
        .filter_map(|rule| bind_rule(settings, rule, modules, &mut problems))
        .collect();
    if drafts.len() > usize::from(RuleId::MAX)
        && let Some(draft) = drafts.last()
    {
        problems.push(Problem {
            at: draft.at.clone(),
            message: format!("there are more than {} rules", RuleId::MAX),
        });
        return Err(problems);
    }
    drafts.sort_by_key(|draft| draft.planned.run_order());
    for (id, draft) in (0..).zip(&mut drafts) {
        draft.given.id = id;
    }
    let mut planned = Vec::new();
    for block in &settings.modules {
        let Some(loaded) = modules.get(&block.name.value) else {
            continue;
        };
        let mut of_module: Vec<&mut Draft> = drafts
            .iter_mut()
            .filter(|draft| draft.module == block.name.value)
            .collect();
        for draft in &mut of_module {
            draft.planned.module = planned.len();
        }
        let binding = ModuleBinding {
            runtime,
            settings,
            pools,
            block,
            loaded,
            drafts: of_module.into_iter().map(|draft| &*draft).collect(),
        };
        planned.extend(binding.bind(&mut problems));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let rules = drafts.into_iter().map(|draft| draft.planned).collect();
    Ok(Plan {
        modules: planned,
        rules: Arc::new(Rules::new(rules)),
    })
}

/// The share of a guest's memory that payloads of one batch may take: the guest
/// needs room for what it makes of them.
const MEMORY_A_BATCH: usize = 8;

/// One module block, its component and its rules.
struct ModuleBinding<'a> {
    runtime: &'a Runtime,
    settings: &'a Settings,
    pools: Option<&'a HashMap<String, PoolHandle>>,
    block: &'a Module,
    loaded: &'a LoadedModule,
    drafts: Vec<&'a Draft>,
}

impl ModuleBinding<'_> {
    fn bind(&self, problems: &mut Vec<Problem>) -> Option<PlannedModule> {
        let before = problems.len();
        let granted = self.check_grants(problems);
        let pools = self.granted_pools(problems);
        let all_bound = self.rules().count() == self.drafts.len();
        if problems.len() > before || self.drafts.is_empty() || !all_bound {
            return None;
        }
        let block = self.block;
        let template = Template::new(
            self.runtime,
            &self.loaded.name,
            &self.loaded.component,
            granted,
            block.max_memory_bytes,
        );
        let mut template = match template {
            Ok(template) => template,
            Err(error) => {
                problems.push(self.problem(&block.name, &format!("it {error}")));
                return None;
            }
        };
        template.grant(pools);
        let rules = self.drafts.iter().map(|draft| draft.given.clone());
        let setting = wit::Setting {
            node: self.settings.node.clone(),
            rules: rules.collect(),
            extras: Vec::new(),
        };
        self.check_accepts_rules(&template, &setting, problems);
        Some(PlannedModule {
            name: Arc::clone(&self.loaded.name),
            template,
            setting,
            lanes: block.lanes.max(1),
            batch: BatchBounds {
                events: block.max_batch.max(1),
                payload_bytes: block.max_memory_bytes / MEMORY_A_BATCH,
            },
            max_queued_events: block.max_queued_events.max(1),
            deadline: block.deadline,
            counters: ModuleCounters::default(),
        })
    }

    fn check_grants(&self, problems: &mut Vec<Problem>) -> Imports {
        let imports = self.loaded.imports;
        let mut granted = Imports::default();
        for grant in &self.block.grants {
            match grant.value.as_str() {
                "clock" if imports.clock => granted.clock = true,
                "clock" => problems.push(self.problem(
                    grant,
                    "grants: the module does not import hookwire:host/clock: remove \"clock\"",
                )),
                other => {
                    let hint = hint(other, GRANTABLE);
                    let what = format!("grants: nothing called {other:?} can be granted; {hint}");
                    problems.push(self.problem(grant, &what));
                }
            }
        }
        let name = &self.block.name;
        if imports.clock && !granted.clock {
            problems.push(self.problem(
                name,
                "it imports hookwire:host/clock, which it was not granted: write \
                 grants = [\"clock\"]",
            ));
        }
        // A module may hold actions that store beside ones that do not: what
        // its rules are granted is pools, and without one nothing opens.
        granted.sql = imports.sql;
        granted
    }

    fn granted_pools(&self, problems: &mut Vec<Problem>) -> GrantedPools {
        let mut granted = GrantedPools::new();
        for draft in &self.drafts {
            let Some(name) = &draft.given.pool else {
                continue;
            };
            let opened: Option<Arc<dyn SqlPool>> = match self.pools.map(|pools| pools.get(name)) {
                None => None,
                Some(Some(PoolHandle::Sql(pool))) => Some(Arc::clone(pool)),
                Some(None) => {
                    let rule = &draft.given.name;
                    problems.push(Problem {
                        at: draft.at.clone(),
                        message: format!("rule {rule:?}: pool: {name:?} is not open"),
                    });
                    None
                }
            };
            granted.insert(name.clone(), opened);
        }
        granted
    }

    /// Configures an instance that is then thrown away.
    fn check_accepts_rules(
        &self,
        template: &Template,
        setting: &wit::Setting,
        problems: &mut Vec<Problem>,
    ) {
        let name = &self.block.name;
        match run_to_end(|| template.start(setting)) {
            Ok(Ok(_)) => {}
            Ok(Err(StartError::Refused(errors))) => {
                problems.extend(errors.iter().map(|error| self.config_problem(error)));
            }
            Ok(Err(StartError::Guest(error))) => problems.push(self.problem(
                name,
                &format!("it does not come up with its rules: {error}"),
            )),
            Err(error) => problems.push(self.problem(name, &format!("it cannot be run: {error}"))),
        }
    }

    fn config_problem(&self, error: &wit::ConfigError) -> Problem {
        let mut drafts = self.drafts.iter();
        match drafts.find(|draft| draft.given.id == error.rule) {
            Some(draft) => Problem {
                at: draft.at.clone(),
                message: format!("rule {:?}: {}", draft.given.name, error.message),
            },
            None => self.problem(&self.block.name, &error.message),
        }
    }

    /// The rules that name the module, also those with problems.
    fn rules(&self) -> impl Iterator<Item = &hookwire_settings::Rule> {
        let rules = self.settings.rules.iter();
        rules.filter(|rule| rule.module.value == self.block.name.value)
    }

    fn problem(&self, place: &Located<String>, what: &str) -> Problem {
        Problem {
            at: place.at.clone(),
            message: format!("module {:?}: {what}", self.block.name.value),
        }
    }
}
