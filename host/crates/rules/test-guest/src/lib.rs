//! A module for the tests of the rule runtime. Its actions do one thing each,
//! good or bad, straight on the generated bindings: some of it the SDK would
//! not let an author do.

mod actions;
mod bindings;
mod judge;
mod manifest;
mod rows;
mod tell;

use std::cell::RefCell;

use bindings::exports::hookwire::rule::actions::{
    Call, ConfigError, Event, Guest, Manifest, Rule, Setting, Settled,
};

thread_local! {
    static RULES: RefCell<Vec<Rule>> = const { RefCell::new(Vec::new()) };
}

struct TestGuest;

fn said(rules: &[Rule], of: fn(&Rule) -> Option<String>) -> Vec<ConfigError> {
    let said = rules.iter().filter_map(|rule| {
        let message = of(rule)?;
        let rule = rule.id;
        Some(ConfigError { rule, message })
    });
    said.collect()
}

impl Guest for TestGuest {
    fn describe() -> Manifest {
        manifest::manifest()
    }

    fn configure(setting: Setting) -> Result<Vec<ConfigError>, Vec<ConfigError>> {
        let errors = said(&setting.rules, actions::refusal);
        if !errors.is_empty() {
            return Err(errors);
        }
        let warnings = said(&setting.rules, actions::warning);
        RULES.set(setting.rules);
        Ok(warnings)
    }

    fn handle(events: Vec<Event>, calls: Vec<Call>) -> Vec<Settled> {
        RULES.with_borrow(|rules| {
            let mut settled = Vec::new();
            let mut first = 0;
            for run in calls.chunk_by(|left, right| left.rule == right.rule) {
                let rule = run
                    .first()
                    .and_then(|call| rules.iter().find(|rule| rule.id == call.rule));
                if let Some(rule) = rule {
                    let events: Vec<&Event> = run
                        .iter()
                        .filter_map(|call| events.get(call.event as usize))
                        .collect();
                    actions::run(rule, &events, first, &mut settled);
                }
                first += run.len() as u32;
            }
            settled
        })
    }
}
