//! One module of the settings: what it is granted, and whether it accepts its rules.

use std::collections::HashMap;
use std::sync::Arc;

use hookwire_bindings::text::printable;
use hookwire_bindings::wit::exports::hookwire::rule::actions as wit;
use hookwire_driver::SqlPool;
use hookwire_settings::{Located, Module, Problem, Settings, hint};

use crate::host::log::LogRate;
use crate::host::places::Places;
use crate::host::{Access, GrantedPools};
use crate::lane::class::Class;
use crate::lane::conduct::Conduct;
use crate::lane::item::BatchBounds;
use crate::module::engine::Runtime;
use crate::module::grant::{GRANTABLE, Interface};
use crate::module::loader::{LoadedModule, run_to_end};
use crate::module::template::{StartError, Template};
use crate::plan::rule::Draft;
use crate::plan::{ModuleBounds, Plan, PlannedModule, PoolHandle};
use crate::stats::ModuleCounters;

/// The share of a guest's memory that payloads of one batch may take: the guest
/// needs room for what it makes of them.
const MEMORY_A_BATCH: usize = 8;

/// What is told of what one module says of its rules.
const MAX_WARNINGS: usize = 256;

/// One module block, its component and its rules.
pub(super) struct ModuleBinding<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) settings: &'a Settings,
    /// None: they are not opened, and the module is only checked.
    pub(super) pools: Option<&'a HashMap<String, PoolHandle>>,
    /// The plan that serves meanwhile.
    pub(super) before: Option<&'a Plan>,
    pub(super) block: &'a Module,
    pub(super) loaded: &'a LoadedModule,
    pub(super) drafts: Vec<&'a Draft>,
}

impl ModuleBinding<'_> {
    /// Has the module accept its rules, or takes it over from the plan before,
    /// where nothing has changed. `None`: it has no rules, or problems.
    pub(super) fn bind(
        &self,
        problems: &mut Vec<Problem>,
        warnings: &mut Vec<Problem>,
    ) -> Option<Arc<PlannedModule>> {
        let before = problems.len();
        self.check_grants(problems);
        let pools = self.granted_pools(problems);
        let all_bound = self.rules().count() == self.drafts.len();
        if problems.len() > before || self.drafts.is_empty() || !all_bound {
            return None;
        }
        let access = self.access(pools);
        let (loaded, bounds, setting) = (self.loaded, self.bounds(), self.setting());
        let previous = self.previous();
        if let Some(previous) = previous
            && previous.hash == loaded.hash
            && previous.bounds == bounds
            && previous.template.has_access(&access)
            && same_setting(&previous.setting, &setting)
        {
            return Some(Arc::clone(previous));
        }
        let template = Template::new(
            self.runtime,
            &loaded.name,
            &loaded.code,
            &loaded.imports,
            bounds.max_memory_bytes,
        );
        let mut template = match template {
            Ok(template) => template,
            Err(error) => {
                problems.push(self.problem(&self.block.name, &format!("it {error}")));
                return None;
            }
        };
        template.grant(access);
        match self.check_accepts_rules(&template, &setting) {
            Ok(more) => warnings.extend(more),
            Err(more) => problems.extend(more),
        }
        let before = self.before;
        let generation = before.map_or(0, |plan| plan.generation(&loaded.name));
        Some(Arc::new(PlannedModule {
            name: Arc::clone(&loaded.name),
            hash: loaded.hash,
            generation: 1 + generation,
            template,
            setting,
            batch: BatchBounds {
                events: bounds.max_batch,
                payload_bytes: bounds.max_memory_bytes / MEMORY_A_BATCH,
            },
            bounds,
            classes: self.classes(),
            conduct: Conduct::default(),
            counters: match previous {
                Some(previous) => Arc::clone(&previous.counters),
                None => Arc::new(ModuleCounters::default()),
            },
        }))
    }

    /// What it was in the plan before.
    fn previous(&self) -> Option<&Arc<PlannedModule>> {
        self.before?.module(&self.loaded.name)
    }

    fn bounds(&self) -> ModuleBounds {
        let block = self.block;
        ModuleBounds {
            lanes: block.lanes.max(1),
            max_batch: block.max_batch.max(1),
            max_queued_events: block.max_queued_events.max(1),
            deadline: block.deadline,
            max_memory_bytes: block.max_memory_bytes,
        }
    }

    fn access(&self, pools: GrantedPools) -> Access {
        let texts = |list: &[Located<String>]| list.iter().map(|text| text.value.clone()).collect();
        let memory = self.runtime.memory(&self.loaded.name);
        memory.set_first_bound(self.block.max_key_value_bytes);
        Access {
            pools,
            grants: texts(&self.block.grants),
            http_hosts: texts(&self.block.http_hosts),
            memory,
            clock: self.runtime.clock().clone(),
            log: LogRate::default(),
            places: Places::default(),
            stand_in: self.runtime.stand_in().cloned(),
        }
    }

    fn setting(&self) -> wit::Setting {
        let rules = self.drafts.iter().map(|draft| draft.given.clone());
        wit::Setting {
            node: self.settings.node.clone(),
            rules: rules.collect(),
            extras: Vec::new(),
        }
    }

    fn classes(&self) -> [bool; Class::ALL.len()] {
        let has = |class| {
            let mut drafts = self.drafts.iter();
            drafts.any(|draft| Class::of(draft.planned.hook) == class)
        };
        Class::ALL.map(has)
    }

    fn check_grants(&self, problems: &mut Vec<Problem>) {
        let imports = &self.loaded.imports;
        for grant in &self.block.grants {
            let known = GRANTABLE.iter().find(|(name, _)| *name == grant.value);
            match known {
                Some((_, interface)) if imports.has(*interface) => {}
                // WASI has clocks and random numbers of its own.
                Some((_, Interface::Clock | Interface::Random)) if imports.has(Interface::Wasi) => {
                }
                Some((name, interface)) => problems.push(self.problem(
                    grant,
                    &format!(
                        "grants: the module does not import {}: remove \"{name}\"",
                        interface.name()
                    ),
                )),
                None => {
                    let other = &grant.value;
                    let hint = hint(other, GRANTABLE.map(|(name, _)| name));
                    let what = format!("grants: nothing called {other:?} can be granted; {hint}");
                    problems.push(self.problem(grant, &what));
                }
            }
        }
        let is_granted = |name: &str| self.block.grants.iter().any(|grant| grant.value == name);
        for interface in imports.iter() {
            let grants: Vec<&str> = interface.grants().collect();
            if grants.is_empty() || grants.iter().any(|name| is_granted(name)) {
                continue;
            }
            let first = grants.first().copied().unwrap_or_default();
            let others = match grants.get(1..) {
                Some(others) if !others.is_empty() => format!(", or {}", others.join(", ")),
                _ => String::new(),
            };
            let what = format!(
                "it imports {}, which it was not granted: write grants = [\"{first}\"]{others}",
                interface.name()
            );
            problems.push(self.problem(&self.block.name, &what));
        }
        // A module may hold actions that store beside ones that do not: what
        // its rules are granted is pools, and without one nothing opens.
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

    /// Configures an instance that is then thrown away, and answers what it warns
    /// of, or why it does not serve.
    fn check_accepts_rules(
        &self,
        template: &Template,
        setting: &wit::Setting,
    ) -> Result<Vec<Problem>, Vec<Problem>> {
        let told = |said: &[wit::ConfigError]| -> Vec<Problem> {
            let said = said.iter().take(MAX_WARNINGS);
            said.map(|error| self.config_problem(error)).collect()
        };
        let name = &self.block.name;
        let wrong = match run_to_end(|| template.configure(setting)) {
            Ok(Ok((_, warnings))) => return Ok(told(&warnings)),
            Ok(Err(StartError::Refused(errors))) if errors.is_empty() => {
                "it refuses its rules, and does not say why".to_owned()
            }
            Ok(Err(StartError::Refused(errors))) => return Err(told(&errors)),
            Ok(Err(StartError::Guest(error))) => {
                format!("it does not come up with its rules: {error}")
            }
            Err(error) => format!("it cannot be run: {error}"),
        };
        Err(vec![self.problem(name, &wrong)])
    }

    fn config_problem(&self, error: &wit::ConfigError) -> Problem {
        let mut drafts = self.drafts.iter();
        let message = printable(&error.message);
        match drafts.find(|draft| draft.given.id == error.rule) {
            Some(draft) => Problem {
                at: draft.at.clone(),
                message: format!("rule {:?}: {message}", draft.given.name),
            },
            None => self.problem(&self.block.name, &message),
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

fn same_setting(left: &wit::Setting, right: &wit::Setting) -> bool {
    let same = |left: &wit::Rule, right: &wit::Rule| {
        left.id == right.id
            && left.name == right.name
            && left.hook == right.hook
            && left.action == right.action
            && left.topic == right.topic
            && left.pool == right.pool
            && left.options == right.options
    };
    left.node == right.node
        && left.rules.len() == right.rules.len()
        && left
            .rules
            .iter()
            .zip(&right.rules)
            .all(|(left, right)| same(left, right))
}
