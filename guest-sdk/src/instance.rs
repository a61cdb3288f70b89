//! One configured instance of a module: finds the action of each call and runs it.

use std::cell::RefCell;
use std::rc::Rc;

use crate::action::{Action, Bound, Findings};
use crate::bindings::exports::hookwire::rule::actions::{
    Call, ConfigError, Manifest, Rule, Setting, Settled,
};
use crate::bindings::hookwire::types::events::Event;
use crate::nearest::hint;
use crate::panic::running;
use crate::{Context, Fault, Verdict};

/// What [`module!`](crate::module) writes down.
pub trait ModuleActions {
    /// Name of the module.
    const NAME: &'static str;
    /// Version of its crate.
    const VERSION: &'static str;
    /// Its actions.
    const ACTIONS: &'static [Action];
}

/// Hooks on which the broker waits for a verdict.
const DECISIONS: [&str; 8] = [
    "client.connect",
    "client.authenticate",
    "client.authorize",
    "session.created",
    "client.subscribe",
    "client.unsubscribe",
    "message.publish",
    "message.deliver",
];

/// A module with its rules.
#[derive(Debug)]
pub struct Instance {
    /// Sorted by id.
    rules: Vec<BoundRule>,
}

#[derive(Debug)]
struct BoundRule {
    id: u32,
    action: Bound,
    context: Context,
}

impl Instance {
    /// The manifest of a module.
    pub(crate) fn describe<M: ModuleActions>() -> Manifest {
        Manifest {
            name: M::NAME.to_owned(),
            version: M::VERSION.to_owned(),
            actions: M::ACTIONS.iter().map(Action::entry).collect(),
        }
    }

    /// Binds rules to the actions of a module.
    ///
    /// # Errors
    /// Everything that is wrong with the rules, each with the rule's id.
    pub(crate) fn configure<M: ModuleActions>(
        setting: Setting,
    ) -> Result<(Self, Vec<ConfigError>), Vec<ConfigError>> {
        let node: Rc<str> = setting.node.into();
        let mut given = setting.rules;
        given.sort_unstable_by_key(|rule| rule.id);
        let all: Rc<[Rule]> = given.into();
        let mut rules = Vec::with_capacity(all.len());
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        for (place, rule) in all.iter().enumerate() {
            let mut findings = Findings::default();
            let context = Context {
                node: Rc::clone(&node),
                rule: rule.name.clone(),
                hook: rule.hook.clone(),
                topic: rule.topic.clone(),
                pool: rule.pool.clone(),
                all: Rc::clone(&all),
                place,
                opened: RefCell::default(),
            };
            let bound = bind(M::ACTIONS, rule, context, &mut findings);
            let id = rule.id;
            let said = |message| ConfigError { rule: id, message };
            errors.extend(findings.refusals.into_iter().map(said));
            warnings.extend(findings.warnings.into_iter().map(said));
            rules.extend(bound);
        }
        if errors.is_empty() {
            Ok((Self { rules }, warnings))
        } else {
            Err(errors)
        }
    }

    /// Runs the calls in order. Consecutive calls of one rule are one batch. An
    /// event that a rule decided about goes no further here: the host looks for
    /// the rules behind, on what the event is then.
    pub(crate) fn handle(&self, events: &[Event], calls: &[Call]) -> Vec<Settled> {
        let mut settled = Vec::new();
        let mut decided = Vec::new();
        let mut first = 0;
        for run in calls.chunk_by(|a, b| a.rule == b.rule) {
            let numbers = first..first + run.len();
            first += run.len();
            let before = settled.len();
            if decided.is_empty() {
                self.run(events, calls, numbers, &mut settled);
            } else {
                let goes_on = |number: &usize| {
                    let event = calls.get(*number).map(|call| call.event as usize);
                    event.and_then(|event| decided.get(event)) != Some(&true)
                };
                self.run(events, calls, numbers.filter(goes_on), &mut settled);
            }
            if settled.len() > before && run.first().is_some_and(|call| self.decides(call.rule)) {
                decided.resize(events.len(), false);
                for entry in &settled[before..] {
                    let call = calls.get(entry.call as usize);
                    let place = call.and_then(|call| decided.get_mut(call.event as usize));
                    if let Some(place) = place {
                        *place = true;
                    }
                }
            }
        }
        settled
    }

    fn decides(&self, rule: u32) -> bool {
        let place = self.rules.binary_search_by_key(&rule, |rule| rule.id);
        let rule = place.ok().and_then(|place| self.rules.get(place));
        rule.is_some_and(|rule| DECISIONS.contains(&rule.context.hook.as_str()))
    }

    /// The answer of a module that was never given its rules.
    pub(crate) fn unconfigured(calls: &[Call]) -> Vec<Settled> {
        let fault = Fault::invalid("hookwire:unconfigured", "the module was not configured");
        (0..calls.len())
            .map(|call| settle(call, Verdict::Failed(fault.clone())))
            .collect()
    }

    /// Runs those of the calls that have these numbers, all of one rule.
    fn run(
        &self,
        events: &[Event],
        calls: &[Call],
        numbers: impl Iterator<Item = usize> + Clone,
        settled: &mut Vec<Settled>,
    ) {
        let mut fail = |code: &str, message: String| {
            let verdict = Verdict::Failed(Fault::invalid(code, message));
            settled.extend(numbers.clone().map(|call| settle(call, verdict.clone())));
        };
        let meant = numbers.clone().filter_map(|number| calls.get(number));
        let Some(id) = meant.clone().next().map(|call| call.rule) else {
            return;
        };
        let Ok(place) = self.rules.binary_search_by_key(&id, |rule| rule.id) else {
            return fail("hookwire:rule", format!("the module has no rule {id}"));
        };
        let rule = &self.rules[place];
        let subjects: Option<Vec<&Event>> =
            meant.map(|call| events.get(call.event as usize)).collect();
        let Some(subjects) = subjects else {
            return fail(
                "hookwire:event",
                "a call names an event beyond the batch".to_owned(),
            );
        };
        let verdicts = running(rule.action.name, || {
            (rule.action.run)(&rule.context, &subjects)
        });
        if verdicts.is_proceed(subjects.len()) {
            return;
        }
        for (number, verdict) in numbers.zip(verdicts.into_list(subjects.len())) {
            if verdict != Verdict::Proceed {
                settled.push(settle(number, verdict));
            }
        }
    }
}

fn settle(call: usize, verdict: Verdict) -> Settled {
    Settled {
        call: u32::try_from(call).unwrap_or(u32::MAX),
        verdict,
    }
}

/// None where something refuses the rule.
fn bind(
    actions: &'static [Action],
    rule: &Rule,
    context: Context,
    findings: &mut Findings,
) -> Option<BoundRule> {
    let Some(action) = actions.iter().find(|action| action.name == rule.action) else {
        let names: Vec<&str> = actions.iter().map(|action| action.name).collect();
        let hint = hint(&rule.action, &names);
        findings.refuse(format!(
            "the module has no action `{}`; {hint}",
            rule.action
        ));
        return None;
    };
    if !action.hooks.contains(&rule.hook.as_str()) {
        findings.refuse(format!(
            "the action `{}` is for {}, not for {}",
            action.name,
            action.hooks.join(", "),
            rule.hook
        ));
    }
    if !action.pool.is_empty() && rule.pool.is_none() {
        findings.refuse(format!(
            "the action `{}` needs a pool of kind `{}`",
            action.name, action.pool
        ));
    }
    let run = (action.bind)(&context, &rule.options, findings)?;
    Some(BoundRule {
        id: rule.id,
        action: Bound {
            name: action.name,
            run,
        },
        context,
    })
}
