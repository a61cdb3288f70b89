//! Which rules match a topic.
//!
//! Sets are made once for each combination of rules that topics lead to, and
//! known to the core by number. Their count is bounded; beyond it, a topic gets
//! the set of all rules of its hook, whose filters are then asked again for
//! each message.

use std::rc::Rc;
use std::sync::Arc;

use hookwire_broker::{FetchRule, Hook, RuleSet, Wants};
use hookwire_mqtt::{TopicFilter, TopicName};
use rustc_hash::FxHashMap;

use crate::lane::group::Lanes;
use crate::plan::set::Set;
use crate::plan::{Plan, RuleId};

const MAX_SETS: usize = 4096;

/// The sets of one worker, for one plan.
pub(crate) struct Sets {
    plan: Arc<Plan>,
    lanes: Rc<Lanes>,
    numbers: FxHashMap<Box<[RuleId]>, u32>,
    /// The first is the empty one, [`RuleSet::NONE`].
    sets: Vec<Rc<Set>>,
    /// All rules of a hook: for hooks without a topic, and beyond the bound.
    whole: [u32; Hook::ALL.len()],
    /// For those who are told of events that no rule sees.
    without_rules: [u32; Hook::ALL.len()],
}

impl Sets {
    pub(crate) fn new(plan: Arc<Plan>, lanes: Rc<Lanes>) -> Self {
        let mut sets = vec![Rc::new(Set::of(
            &plan,
            &lanes,
            Hook::MessagePublish,
            &[],
            false,
        ))];
        let whole = Hook::ALL.map(|hook| {
            let ids: Vec<RuleId> = plan.rules.chain(hook).collect();
            if ids.is_empty() {
                return 0;
            }
            sets.push(Rc::new(Set::of(&plan, &lanes, hook, &ids, true)));
            last_number(&sets)
        });
        Self {
            plan,
            lanes,
            numbers: FxHashMap::default(),
            sets,
            whole,
            without_rules: [0; Hook::ALL.len()],
        }
    }

    pub(crate) fn get(&self, set: RuleSet) -> Option<&Rc<Set>> {
        self.sets.get(set.0 as usize)
    }

    /// All rules of a hook, for events without a topic.
    pub(crate) fn whole(&self, hook: Hook) -> RuleSet {
        let found = Hook::ALL.iter().position(|known| *known == hook);
        let number = found.and_then(|place| self.whole.get(place));
        number.map_or(RuleSet::NONE, |number| RuleSet(*number))
    }

    /// The rules of a hook that match a topic.
    pub(crate) fn matching(&mut self, hook: Hook, topic: TopicName<'_>) -> RuleSet {
        let ids = self.plan.rules.matching(hook, topic);
        self.number_of(hook, &ids)
            .unwrap_or_else(|| self.whole(hook))
    }

    /// The rules of a hook that have to see a subscription.
    pub(crate) fn matching_filter(&mut self, hook: Hook, filter: &TopicFilter) -> Rc<Set> {
        let ids = self.plan.rules.matching_filter(hook, filter);
        self.set_of(hook, &ids)
    }

    /// The rules that hand over what is stored for a subscription, each in a set of
    /// its own.
    pub(crate) fn fetch_rules(&mut self, wants: Wants, filter: &TopicFilter) -> Vec<FetchRule> {
        let hook = wants.hook();
        let ids = self.plan.rules.matching_filter(hook, filter);
        let mut rules = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(stores) = self.plan.rules.get(id).map(|rule| rule.store) else {
                continue;
            };
            rules.push(FetchRule {
                rules: self.kept_number(hook, &[id]),
                stores,
            });
        }
        rules
    }

    /// A set without rules that is not [`RuleSet::NONE`].
    pub(crate) fn without_rules(&mut self, hook: Hook) -> RuleSet {
        let place = Hook::ALL.iter().position(|known| *known == hook);
        let Some(slot) = place.and_then(|place| self.without_rules.get_mut(place)) else {
            return RuleSet::NONE;
        };
        if *slot == 0 {
            let set = Set::of(&self.plan, &self.lanes, hook, &[], false);
            self.sets.push(Rc::new(set));
            *slot = last_number(&self.sets);
        }
        RuleSet(*slot)
    }

    /// As [`Sets::matching_filter`], by number.
    pub(crate) fn number_of_filter(&mut self, hook: Hook, filter: &TopicFilter) -> RuleSet {
        let ids = self.plan.rules.matching_filter(hook, filter);
        self.kept_number(hook, &ids)
    }

    /// Also beyond the bound: nobody asks filters of subscriptions again, so the set
    /// stays.
    fn kept_number(&mut self, hook: Hook, ids: &[RuleId]) -> RuleSet {
        let number = self.number_of(hook, ids);
        number.unwrap_or_else(|| self.intern(hook, ids).1)
    }

    /// A set of just these rules.
    pub(crate) fn set_of(&mut self, hook: Hook, ids: &[RuleId]) -> Rc<Set> {
        match self.number_of(hook, ids).map(|number| self.get(number)) {
            Some(Some(set)) => Rc::clone(set),
            _ => Rc::new(Set::of(&self.plan, &self.lanes, hook, ids, false)),
        }
    }

    /// None beyond the bound.
    fn number_of(&mut self, hook: Hook, ids: &[RuleId]) -> Option<RuleSet> {
        if ids.is_empty() {
            return Some(RuleSet::NONE);
        }
        if let Some(number) = self.numbers.get(ids) {
            return Some(RuleSet(*number));
        }
        (self.sets.len() < MAX_SETS).then(|| self.intern(hook, ids).1)
    }

    fn intern(&mut self, hook: Hook, ids: &[RuleId]) -> (Rc<Set>, RuleSet) {
        let set = Rc::new(Set::of(&self.plan, &self.lanes, hook, ids, false));
        self.sets.push(Rc::clone(&set));
        let number = last_number(&self.sets);
        self.numbers.insert(ids.into(), number);
        (set, RuleSet(number))
    }
}

fn last_number(sets: &[Rc<Set>]) -> u32 {
    u32::try_from(sets.len().saturating_sub(1)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hookwire_broker::{Message, MessageId, Stores, Ticket};
    use hookwire_mqtt::QoS;
    use hookwire_settings::OnError;

    use super::*;
    use crate::module::interest::Interest;
    use crate::plan::{PlannedRule, Rules};
    use crate::worker::subject::{Publish, Subject};

    fn rule(module: usize, filter: &str, stores: bool, interest: &[&str]) -> PlannedRule {
        let words: Vec<String> = interest.iter().map(|&word| word.to_owned()).collect();
        PlannedRule {
            name: "".into(),
            module,
            number: 0,
            action: String::new(),
            hook: Hook::MessagePublish,
            filter: TopicFilter::new(filter).unwrap(),
            interest: Interest::read(&words).unwrap(),
            stores,
            store: Stores::NONE,
            on_error: OnError::Deny,
            retry_for: std::time::Duration::ZERO,
            counters: Arc::default(),
            breaker: Arc::default(),
        }
    }

    fn plan(rules: Vec<PlannedRule>) -> Arc<Plan> {
        Arc::new(Plan {
            clock: crate::host::clock::GuestClock::default(),
            number: 1,
            modules: Vec::new(),
            warnings: Vec::new(),
            memory_bounds: Vec::new(),
            rules: Rules::new(rules),
            generations: std::collections::HashMap::new(),
        })
    }

    fn sets(plan: &Arc<Plan>) -> Sets {
        Sets::new(Arc::clone(plan), Rc::default())
    }

    fn topic(name: &str) -> TopicName<'_> {
        TopicName::new(name).unwrap()
    }

    fn message(name: &str, qos: QoS) -> Subject {
        let message = Message {
            id: MessageId::MIN,
            topic: name.into(),
            payload: Bytes::from_static(b"x"),
            sender: "c".into(),
            qos,
            retain: false,
            at_ms: 0,
            expires_at_ms: Message::NEVER,
            properties: Bytes::new(),
            hops: 0,
            packet_id: None,
            foreign_id: None,
            stored: Stores::NONE,
        };
        Subject::Publish(Publish {
            ticket: Ticket {
                key: 0,
                sequence: 0,
            },
            message: Arc::new(message),
            replaced: false,
            is_seen: false,
            stored: Stores::NONE,
        })
    }

    fn steps(set: &Set) -> Vec<(usize, Vec<RuleId>)> {
        let steps = set.steps.iter();
        steps
            .map(|step| (step.module, step.rules.to_vec()))
            .collect()
    }

    #[test]
    fn storing_rules_run_last_and_neighbours_share_a_call() {
        let plan = plan(vec![
            rule(0, "#", true, &[]),
            rule(1, "#", false, &[]),
            rule(0, "#", true, &[]),
            rule(1, "#", false, &[]),
            rule(0, "#", false, &[]),
        ]);
        let mut sets = sets(&plan);
        let number = sets.matching(Hook::MessagePublish, topic("a"));
        let set = sets.get(number).unwrap();
        assert_eq!(
            steps(set),
            [(1, vec![0, 1]), (0, vec![2]), (0, vec![3, 4])],
            "what stores has a call of its own"
        );
    }

    #[test]
    fn topics_with_the_same_rules_share_a_set() {
        let plan = plan(vec![rule(0, "a/#", true, &[]), rule(0, "+/b", true, &[])]);
        let mut sets = sets(&plan);
        let mut of = |name| sets.matching(Hook::MessagePublish, topic(name));
        assert_eq!(of("a/c"), of("a/d/e"));
        assert_ne!(of("a/b"), of("a/c"));
        assert_eq!(of("c/d"), RuleSet::NONE);
        assert_eq!(of("$SYS/b"), RuleSet::NONE);
    }

    #[test]
    fn steps_that_need_not_see_a_message_are_passed_over() {
        let plan = plan(vec![
            rule(0, "#", false, &["retain"]),
            rule(1, "#", false, &["qos>0"]),
        ]);
        let mut sets = sets(&plan);
        let number = sets.matching(Hook::MessagePublish, topic("a"));
        let set = sets.get(number).unwrap();
        let next = |from, qos| set.next_step(from, &message("a", qos));
        assert_eq!(next(0, QoS::AtLeastOnce), Some(1));
        assert_eq!(next(2, QoS::AtLeastOnce), None);
        assert_eq!(next(0, QoS::AtMostOnce), None);
    }

    #[test]
    fn beyond_the_bound_filters_are_asked_each_time() {
        // Fourteen levels that match or not: more combinations than sets.
        let levels = |level: usize| "+/".repeat(level) + "x/" + &"+/".repeat(13 - level) + "end";
        let plan = plan(
            (0..14)
                .map(|level| rule(0, &levels(level), true, &[]))
                .collect(),
        );
        let mut sets = sets(&plan);
        let name = |bits: u32| {
            let level = |level: u32| if bits >> level & 1 == 1 { "x/" } else { "y/" };
            (0..14).map(level).collect::<String>() + "end"
        };
        for bits in 0..1 << 14 {
            let name = name(bits);
            let number = sets.matching(Hook::MessagePublish, topic(&name));
            let set = Rc::clone(sets.get(number).unwrap());
            let message = message(&name, QoS::AtMostOnce);
            let runs = plan
                .rules
                .chain(Hook::MessagePublish)
                .filter(|id| set.steps.iter().any(|step| step.rules.contains(id)))
                .filter_map(|id| plan.rules.get(id))
                .filter(|rule| set.runs(rule, &message));
            assert_eq!(runs.count(), bits.count_ones() as usize, "{name}");
            assert_eq!(set.next_step(0, &message).is_some(), bits != 0, "{name}");
        }
        assert_eq!(sets.sets.len(), MAX_SETS);
    }

    #[test]
    fn who_decides_about_a_subscription_sees_what_overlaps() {
        let on = |hook, filter| PlannedRule {
            hook,
            ..rule(0, filter, false, &[])
        };
        let plan = plan(vec![
            on(Hook::ClientSubscribe, "secret/#"),
            on(Hook::SessionSubscribed, "secret/#"),
        ]);
        let mut sets = sets(&plan);
        let mut count = |hook, filter: &str| {
            let filter = TopicFilter::new(filter).unwrap();
            sets.matching_filter(hook, &filter).steps.len()
        };
        assert_eq!(count(Hook::ClientSubscribe, "#"), 1);
        assert_eq!(count(Hook::ClientSubscribe, "public/#"), 0);
        assert_eq!(count(Hook::SessionSubscribed, "#"), 0);
        assert_eq!(count(Hook::SessionSubscribed, "$share/g/secret/+"), 1);
    }
}
