//! Modules, as commands see them.

use hookwire_admin::ModuleEntry;

use super::Control;

impl Control {
    pub(super) fn list_modules(&self) -> Vec<ModuleEntry> {
        let running = self.running();
        let settings = &running.wanted.settings;
        let stats = running.plan.module_stats();
        let blocks = settings.modules.iter();
        let entry = |block: &hookwire_settings::Module| {
            let name = &block.name.value;
            let loaded = running.modules.get(name);
            let stats = stats.iter().find(|stats| stats.module == *name);
            let rules = settings.rules.iter();
            ModuleEntry {
                name: name.clone(),
                loaded: loaded.is_some(),
                describes: loaded.map(|module| {
                    let manifest = module.manifest();
                    format!("{} {}", manifest.name, manifest.version)
                }),
                generation: running.plan.generation(name),
                hash: loaded.map(|module| module.hash().to_string()),
                path: block.path.as_ref().map(|path| path.display().to_string()),
                rules: rules.filter(|rule| rule.module.value == *name).count(),
                can_roll_back: running.before.contains_key(name),
                calls: stats.map_or(0, |stats| stats.handle_calls),
                events: stats.map_or(0, |stats| stats.events),
                traps: stats.map_or(0, |stats| stats.traps),
            }
        };
        blocks.map(entry).collect()
    }
}
