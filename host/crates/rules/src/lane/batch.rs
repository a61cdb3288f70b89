//! One batch: which rules run on which events, in which order.

use std::rc::Rc;
use std::time::Instant;

use hookwire_bindings::wit::exports::hookwire::rule::actions::Call;
use hookwire_broker::Hook;
use hookwire_settings::OnError;
use rustc_hash::FxHashMap;

use crate::house::House;
use crate::lane::item::Item;
use crate::plan::set::Set;
use crate::plan::{PlannedRule, RuleId};
use crate::worker::subject::ClientHash;

/// The items of a batch and the calls made of them. Kept by a lane, so that
/// its buffers are reused.
#[derive(Default)]
pub(crate) struct Batch {
    /// Event number n of the batch is item number n.
    pub(crate) items: Vec<Item>,
    pub(crate) calls: Vec<Call>,
    /// Rules that were to run on an event, and whose breaker is open.
    pub(crate) held_back: Vec<(u32, RuleId)>,
    /// Rules for which earlier events of the client wait on disk.
    pub(crate) behind: Vec<(u32, RuleId)>,
    /// Calls that were not made, because others brought the module down too
    /// often. None of them did.
    pub(crate) left: Vec<(u32, RuleId)>,
    /// What rules that run on the item need to see of it.
    pub(crate) needs: Vec<Needs>,
    order: Vec<CallKey>,
    segments: Segments,
}

/// What is filled in of an event because a rule asks for it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Needs {
    pub(crate) payload: bool,
    pub(crate) connection: bool,
}

impl Batch {
    /// Works out the calls for the items.
    ///
    /// Calls of one rule follow one another, because a module turns those into
    /// one store call; the events of one client keep their order all the same.
    pub(crate) fn plan_calls(&mut self, now: Instant, house: &House) {
        self.order.clear();
        self.needs.clear();
        self.held_back.clear();
        self.behind.clear();
        self.left.clear();
        let one_hook = self
            .items
            .windows(2)
            .all(|pair| pair[0].set.hook == pair[1].set.hook);
        self.segments.clear();
        for (event, item) in (0_u32..).zip(&self.items) {
            let segment = if one_hook {
                0
            } else {
                self.segments.place(item)
            };
            let mut needs = Needs::default();
            for id in item.rules() {
                let Some(rule) = item.set.plan.rules.get(*id) else {
                    continue;
                };
                if !item.set.runs(rule, &item.subject) {
                    continue;
                }
                if rule.on_error == OnError::Spool
                    && item.replay.is_none()
                    && house.is_behind(&rule.name, item.subject.clientid())
                {
                    self.behind.push((event, *id));
                    if item.set.hook.is_decision() {
                        break;
                    }
                    continue;
                }
                if !rule.breaker.lets_through(now) {
                    self.held_back.push((event, *id));
                    if item.set.hook.is_decision() {
                        // What comes behind it is decided when this is.
                        break;
                    }
                    continue;
                }
                needs.payload |= rule.interest.payload;
                needs.connection |= rule.interest.connection;
                self.order.push(CallKey {
                    segment,
                    rule: rule.number,
                    event,
                });
            }
            self.needs.push(needs);
        }
        self.order.sort_unstable();
        self.calls.clear();
        self.calls.extend(self.order.iter().map(|key| Call {
            rule: key.rule,
            event: key.event,
        }));
    }

    /// The rule of a call, with its number in the plan that its event runs by.
    pub(crate) fn rule(&self, call: Call) -> Option<(RuleId, Rc<Set>)> {
        let item = self.items.get(usize::try_from(call.event).ok()?)?;
        let mut ids = item.rules().iter();
        let id = ids.find(|id| {
            let rule = item.set.plan.rules.get(**id);
            rule.is_some_and(|rule| rule.number == call.rule)
        })?;
        Some((*id, Rc::clone(&item.set)))
    }

    /// Calls each rule that runs once for each run of its calls, with the
    /// number of events.
    pub(crate) fn each_run(&self, mut see: impl FnMut(&PlannedRule, usize)) {
        for run in self.order.chunk_by(|left, right| left.rule == right.rule) {
            let found = run.first().and_then(|key| {
                self.rule(Call {
                    rule: key.rule,
                    event: key.event,
                })
            });
            if let Some((id, set)) = found
                && let Some(rule) = set.plan.rules.get(id)
            {
                see(rule, run.len());
            }
        }
    }

    /// How often publishes of rules led to these events.
    pub(crate) fn hops(&self) -> u8 {
        let hops = self.items.iter().map(|item| item.subject.hops());
        hops.max().unwrap_or_default()
    }
}

/// Sorts calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CallKey {
    segment: u16,
    /// The module's own number of it: the same in every plan that has the
    /// module as it is.
    rule: u32,
    event: u32,
}

/// Cuts a batch of several hooks into segments of one hook each, as few as the
/// order of each client's events allows.
#[derive(Default)]
struct Segments {
    hooks: Vec<Hook>,
    /// Segment of the client's latest event.
    latest: FxHashMap<ClientHash, u16>,
}

impl Segments {
    fn clear(&mut self) {
        self.hooks.clear();
        self.latest.clear();
    }

    fn place(&mut self, item: &Item) -> u16 {
        let hook = item.set.hook;
        let earliest = self.latest.get(&item.client).copied().unwrap_or_default();
        let hooks = self.hooks.iter().enumerate().skip(usize::from(earliest));
        let found = hooks
            .filter(|(_, other)| **other == hook)
            .map(|(number, _)| number)
            .next();
        let segment = found.unwrap_or_else(|| {
            self.hooks.push(hook);
            self.hooks.len() - 1
        });
        let segment = u16::try_from(segment).unwrap_or(u16::MAX);
        self.latest.insert(item.client, segment);
        segment
    }
}
