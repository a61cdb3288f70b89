//! A change, from what is wanted to what runs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hookwire_admin::{Changes, Refusal};
use hookwire_rules::{LoadedModule, Plan, PoolHandle};
use hookwire_settings::{Problem, Settings, hint};

use super::wanted::Wanted;
use super::{Control, Running};
use crate::modules::Loading;
use crate::pools::{self, OpenedPool};

/// How long what ran by the old plan has before a pool of it is closed.
const DRAIN: Duration = Duration::from_secs(30);

/// What is to be changed.
pub(crate) enum Change {
    /// The configuration and all modules are read again.
    Everything,
    /// One module's file is read again.
    Module(String),
    Load {
        name: String,
        file: Option<PathBuf>,
    },
    Unload(String),
    Rollback(String),
}

/// Which components a change takes from where.
enum Components {
    /// All files are read again.
    Fresh,
    /// One file is read again; others stay as they are.
    FreshOf(String),
    /// One goes back to what it was.
    Back(String, LoadedModule),
    /// Those that are loaded stay as they are.
    Kept,
}

/// What runs when a change is through.
struct Next {
    wanted: Wanted,
    loaded: HashMap<String, LoadedModule>,
    opened: Vec<OpenedPool>,
    plan: Arc<Plan>,
    /// The module that went back.
    back: Option<String>,
    needs_restart: Vec<String>,
}

impl Control {
    /// Carries a change out, or leaves everything as it was.
    pub(super) async fn apply(
        &self,
        running: &mut Running,
        change: Change,
    ) -> Result<Changes, Refusal> {
        let (wanted, components, needs_restart) = self.wanted_after(running, change)?;
        let loaded =
            tokio::task::block_in_place(|| self.load_modules(running, &wanted, &components))?;
        // Before pools are opened: one that is new makes a file.
        tokio::task::block_in_place(|| Plan::check(&self.runtime, &wanted.settings, &loaded))
            .map_err(|problems| refused(&problems))?;
        let opened = pools::open_missing(&wanted.settings, &running.pools, &self.data)
            .await
            .map_err(|error| Refusal::new(format!("{error:#}")))?;
        let plan = match self.go_over(running, &wanted, &loaded, &opened).await {
            Ok(plan) => plan,
            Err(refusal) => {
                pools::close_unused(&opened, &running.pools).await;
                return Err(refusal);
            }
        };
        let back = match components {
            Components::Back(name, _) => Some(name),
            _ => None,
        };
        let next = Next {
            wanted,
            loaded,
            opened,
            plan,
            back,
            needs_restart,
        };
        Ok(self.went_over(running, next))
    }

    /// Binds the plan, makes its instances, and takes the workers over to it.
    async fn go_over(
        &self,
        running: &Running,
        wanted: &Wanted,
        loaded: &HashMap<String, LoadedModule>,
        opened: &[OpenedPool],
    ) -> Result<Arc<Plan>, Refusal> {
        let handles: HashMap<String, PoolHandle> = opened.iter().map(OpenedPool::handle).collect();
        let plan = tokio::task::block_in_place(|| {
            Plan::bind(
                &self.runtime,
                &wanted.settings,
                loaded,
                &handles,
                Some(&running.plan),
            )
        })
        .map_err(|problems| refused(&problems))?;
        let mut readied = Vec::new();
        for worker in &self.rules {
            let ready = worker.ready(&plan, &running.plan).await;
            readied.push(ready.map_err(|error| Refusal::new(error.to_string()))?);
        }
        // Nothing is in the way any more.
        crate::boot::warn_of(&plan);
        pools::warn_of_short_retention(&wanted.settings);
        for (worker, readied) in self.rules.iter().zip(readied) {
            worker.adopt(readied).await;
        }
        Ok(plan)
    }

    /// What is to run after the change, where its components come from, and what
    /// of the configuration is not what the broker started with and takes a
    /// restart to change.
    fn wanted_after(
        &self,
        running: &Running,
        change: Change,
    ) -> Result<(Wanted, Components, Vec<String>), Refusal> {
        let mut wanted = running.wanted.clone();
        let mut needs_restart = Vec::new();
        let components = match change {
            Change::Everything => {
                wanted = wanted.read_again(&self.source)?;
                needs_restart = differing(&self.started, &wanted.settings);
                // Rules go on under the name that ids and rows have.
                wanted.settings.node.clone_from(&self.started.node);
                Components::Fresh
            }
            Change::Module(name) => {
                check_loaded(running, &name)?;
                Components::FreshOf(name)
            }
            Change::Load { name, file } => {
                if running.modules.contains_key(&name) {
                    return Err(Refusal::new(format!("module \"{name}\" is loaded already")));
                }
                wanted.load(&name, file)?;
                Components::FreshOf(name)
            }
            Change::Unload(name) => {
                check_loaded(running, &name)?;
                wanted.unload(&name);
                Components::Kept
            }
            Change::Rollback(name) => {
                check_loaded(running, &name)?;
                let Some(before) = running.before.get(&name) else {
                    return Err(Refusal::new(format!(
                        "module \"{name}\" has no earlier component to go back to: it has not \
                         changed since it was loaded"
                    )));
                };
                let before = before.clone();
                Components::Back(name, before)
            }
        };
        Ok((wanted, components, needs_restart))
    }

    /// The components of the modules that are wanted.
    fn load_modules(
        &self,
        running: &Running,
        wanted: &Wanted,
        components: &Components,
    ) -> Result<HashMap<String, LoadedModule>, Refusal> {
        let mut loaded = HashMap::new();
        let mut problems = Vec::new();
        let loading = Loading {
            runtime: &self.runtime,
            stamps: &self.stamps,
            max_bytes: wanted.settings.max_component_bytes,
            stops: &self.stops,
        };
        for block in &wanted.settings.modules {
            let name = &block.name.value;
            if !wanted.is_loaded(name) {
                continue;
            }
            let known = running.modules.get(name);
            let is_fresh = match components {
                Components::Fresh => true,
                Components::FreshOf(fresh) => fresh == name,
                Components::Back(back, module) if back == name => {
                    loaded.insert(name.clone(), module.clone());
                    continue;
                }
                Components::Back(..) | Components::Kept => false,
            };
            let module = match known.filter(|_| !is_fresh) {
                Some(known) => Ok(known.clone()),
                None => loading.one(block, known).map(|module| {
                    // A rollback holds until the file is another one, or is asked for.
                    let left = running.left.get(name).copied();
                    let is_left = left == Some(module.hash());
                    match known.filter(|_| is_left && matches!(components, Components::Fresh)) {
                        Some(known) => known.clone(),
                        None => module,
                    }
                }),
            };
            match module {
                Ok(module) => drop(loaded.insert(name.clone(), module)),
                Err(message) => problems.push(Problem {
                    at: block.name.at.clone(),
                    message,
                }),
            }
        }
        if problems.is_empty() {
            Ok(loaded)
        } else {
            Err(refused(&problems))
        }
    }

    /// Notes what runs now, and tells what is different.
    fn went_over(&self, running: &mut Running, next: Next) -> Changes {
        let Next {
            wanted,
            loaded,
            opened,
            plan,
            back,
            needs_restart,
        } = next;
        let changes = Changes {
            changed: changed(running, &loaded, &opened, &plan),
            needs_restart,
        };
        running.left.retain(|name, left| {
            let kept = loaded.get(name).map(LoadedModule::hash);
            kept.is_some_and(|kept| kept != *left)
        });
        if let Some(name) = back {
            let left = running.modules.get(&name).map(LoadedModule::hash);
            running.left.extend(left.map(|left| (name, left)));
        }
        for (name, module) in &running.modules {
            match loaded.get(name) {
                Some(after) if after.hash() != module.hash() => {
                    running.before.insert(name.clone(), module.clone());
                }
                Some(_) => {}
                None => {
                    running.before.remove(name);
                    self.runtime.forget(name);
                }
            }
        }
        let closed: Vec<OpenedPool> = std::mem::replace(&mut running.pools, opened)
            .into_iter()
            .filter(|pool| running.pools.iter().all(|kept| !kept.is(pool)))
            .collect();
        for pool in &closed {
            pool.pool.end_retention();
        }
        if !closed.is_empty() {
            tokio::spawn(async move {
                // What the lanes still hold may use them.
                tokio::time::sleep(DRAIN).await;
                for pool in closed {
                    pool.pool.close().await;
                }
            });
        }
        running.wanted = wanted;
        running.modules = loaded;
        running.plan = plan;
        changes
    }
}

fn check_loaded(running: &Running, name: &str) -> Result<(), Refusal> {
    if running.modules.contains_key(name) {
        return Ok(());
    }
    let names = running.modules.keys().map(String::as_str);
    let hint = hint(name, names);
    let why = if running.wanted.has_block(name) {
        format!("module \"{name}\" is not loaded: load it first")
    } else {
        format!("no module is called \"{name}\"; {hint}")
    };
    Err(Refusal::new(why))
}

fn refused(problems: &[Problem]) -> Refusal {
    let count = problems.len();
    let s = if count == 1 { "" } else { "s" };
    Refusal {
        message: format!("{count} problem{s} with the modules and rules"),
        problems: problems.iter().map(ToString::to_string).collect(),
    }
}

fn changed(
    running: &Running,
    loaded: &HashMap<String, LoadedModule>,
    opened: &[OpenedPool],
    plan: &Plan,
) -> Vec<String> {
    let mut lines = Vec::new();
    for pool in opened {
        if running.pools.iter().all(|known| !known.is(pool)) {
            let kept = pools::retention_of(pool);
            lines.push(format!("pool {} is open: {kept}", pool.name()));
        }
    }
    let generation = |name: &str| match plan.generation(name) {
        // A module without rules does not run.
        0 => String::new(),
        generation => format!(", generation {generation}"),
    };
    let mut names: Vec<&String> = loaded.keys().chain(running.modules.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        match (running.modules.get(name), loaded.get(name)) {
            (None, Some(after)) => {
                let (hash, generation) = (after.hash(), generation(name));
                lines.push(format!("module {name} is loaded: {hash}{generation}"));
            }
            (Some(_), None) => lines.push(format!("module {name} is unloaded")),
            (Some(before), Some(after)) if before.hash() != after.hash() => lines.push(format!(
                "module {name} goes from {} to {}{}",
                before.hash(),
                after.hash(),
                generation(name)
            )),
            _ => {}
        }
    }
    lines.extend(running.plan.rules_changed(plan));
    for pool in &running.pools {
        if opened.iter().all(|kept| !kept.is(pool)) {
            lines.push(format!("pool {} is closed", pool.name()));
        }
    }
    lines
}

fn differing(before: &Settings, after: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    if before.node != after.node {
        lines.push("node".to_owned());
    }
    if before.workers != after.workers {
        lines.push("workers".to_owned());
    }
    if before.max_spool_bytes != after.max_spool_bytes {
        lines.push("max_spool_bytes".to_owned());
    }
    if before.max_dead_letters != after.max_dead_letters {
        lines.push("max_dead_letters".to_owned());
    }
    if before.listeners != after.listeners {
        lines.push("listeners".to_owned());
    }
    if before.mqtt != after.mqtt {
        lines.push("mqtt".to_owned());
    }
    lines
}
