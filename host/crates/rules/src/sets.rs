//! Which rules match a topic, cut into the steps in which they run.
//!
//! Sets are made once for each combination of rules that topics lead to, and
//! known to the core by number. Their count is bounded; beyond it, a topic gets
//! the set of all rules of its hook, whose filters are then asked again for
//! each message.

use std::rc::Rc;
use std::sync::Arc;

use hookwire_broker::{Message, RuleSet};
use hookwire_mqtt::TopicName;
use rustc_hash::FxHashMap;

use crate::interest::{MessageKind, MessageKinds};
use crate::manifest::Hook;
use crate::plan::{PlannedRule, RuleId, Rules};

const MAX_SETS: usize = 4096;

/// Rules of one hook that run on one event, one call into a guest after another.
pub(crate) struct Set {
    pub(crate) steps: Box<[Step]>,
    /// Messages that any of the rules has to see.
    pub(crate) kinds: MessageKinds,
    /// Whether filters must be asked for each message.
    pub(crate) asks_filters: bool,
}

/// Consecutive rules of one module: one call.
///
/// On `message.publish` a rule that may change the message is a step of its
/// own, so that the rule behind it sees what it made of the message.
pub(crate) struct Step {
    pub(crate) module: usize,
    pub(crate) rules: Box<[RuleId]>,
    kinds: MessageKinds,
}

impl Set {
    fn of(rules: &Rules, ids: &[RuleId], asks_filters: bool) -> Self {
        let same_step = |left: &RuleId, right: &RuleId| {
            matches!(
                (rules.get(*left), rules.get(*right)),
                (Some(left), Some(right)) if share_a_call(left, right)
            )
        };
        let steps: Box<[Step]> = ids
            .chunk_by(same_step)
            .map(|ids| Step::of(rules, ids))
            .collect();
        let kinds = steps
            .iter()
            .fold(MessageKinds::NONE, |kinds, step| kinds.union(step.kinds));
        Self {
            steps,
            kinds,
            asks_filters,
        }
    }

    /// The first step from number `from` on that has to see the message.
    pub(crate) fn next_step(&self, rules: &Rules, from: usize, message: &Message) -> Option<usize> {
        let kind = MessageKind::from(message);
        let has_to_see = |step: &Step| {
            step.kinds.contain(kind)
                && (!self.asks_filters
                    || step
                        .rules
                        .iter()
                        .filter_map(|id| rules.get(*id))
                        .any(|rule| self.runs(rule, kind, message)))
        };
        let mut steps = self.steps.iter().enumerate().skip(from);
        steps
            .find(|(_, step)| has_to_see(step))
            .map(|(number, _)| number)
    }

    /// Whether a rule of the set runs on a message of that kind.
    pub(crate) fn runs(&self, rule: &PlannedRule, kind: MessageKind, message: &Message) -> bool {
        rule.interest.kinds.contain(kind)
            && (!self.asks_filters
                || TopicName::new(&message.topic).is_ok_and(|topic| rule.filter.matches(topic)))
    }
}

fn share_a_call(left: &PlannedRule, right: &PlannedRule) -> bool {
    let changes = left.hook == Hook::MessagePublish && !left.stores;
    left.module == right.module && !changes
}

impl Step {
    fn of(rules: &Rules, ids: &[RuleId]) -> Self {
        let planned = || ids.iter().filter_map(|id| rules.get(*id));
        Self {
            module: planned().next().map_or(usize::MAX, |rule| rule.module),
            rules: ids.into(),
            kinds: planned().fold(MessageKinds::NONE, |kinds, rule| {
                kinds.union(rule.interest.kinds)
            }),
        }
    }
}

/// The sets of one worker.
pub(crate) struct Sets {
    rules: Arc<Rules>,
    numbers: FxHashMap<Box<[RuleId]>, u32>,
    /// The first is the empty one, [`RuleSet::NONE`].
    sets: Vec<Rc<Set>>,
    /// All rules of a hook: for client hooks, and for topics beyond the bound.
    whole: [(Hook, u32); Hook::ALL.len()],
}

impl Sets {
    pub(crate) fn new(rules: Arc<Rules>) -> Self {
        let mut sets = vec![Rc::new(Set::of(&rules, &[], false))];
        let whole = Hook::ALL.map(|hook| {
            let ids: Vec<RuleId> = rules.chain(hook).collect();
            if ids.is_empty() {
                return (hook, 0);
            }
            sets.push(Rc::new(Set::of(&rules, &ids, true)));
            (hook, last_number(&sets))
        });
        Self {
            rules,
            numbers: FxHashMap::default(),
            sets,
            whole,
        }
    }

    pub(crate) fn get(&self, set: RuleSet) -> Option<&Rc<Set>> {
        self.sets.get(set.0 as usize)
    }

    /// All rules of a hook, for events without a topic.
    pub(crate) fn whole(&self, hook: Hook) -> RuleSet {
        let found = self.whole.iter().find(|(known, _)| *known == hook);
        found.map_or(RuleSet::NONE, |(_, number)| RuleSet(*number))
    }

    /// The rules of a hook that match a topic.
    pub(crate) fn matching(&mut self, hook: Hook, topic: TopicName<'_>) -> RuleSet {
        let ids = self.matching_rules(hook, topic, None);
        if let Some(number) = self.known(&ids) {
            return number;
        }
        if self.sets.len() >= MAX_SETS {
            return self.whole(hook);
        }
        self.intern(ids).1
    }

    /// The rules of a hook behind rule `done` that match a topic: what is left
    /// to run when a rule has changed the topic.
    pub(crate) fn left(&mut self, hook: Hook, topic: TopicName<'_>, done: RuleId) -> Rc<Set> {
        let ids = self.matching_rules(hook, topic, Some(done));
        let known = self.known(&ids).and_then(|number| self.get(number));
        match known {
            Some(set) => Rc::clone(set),
            None if self.sets.len() >= MAX_SETS => Rc::new(Set::of(&self.rules, &ids, false)),
            None => self.intern(ids).0,
        }
    }

    fn matching_rules(
        &self,
        hook: Hook,
        topic: TopicName<'_>,
        done: Option<RuleId>,
    ) -> Vec<RuleId> {
        let matches = |id: &RuleId| {
            let rule = self.rules.get(*id);
            done.is_none_or(|done| *id > done)
                && rule.is_some_and(|rule| rule.filter.matches(topic))
        };
        self.rules.chain(hook).filter(matches).collect()
    }

    fn known(&self, ids: &[RuleId]) -> Option<RuleSet> {
        if ids.is_empty() {
            return Some(RuleSet::NONE);
        }
        self.numbers.get(ids).map(|number| RuleSet(*number))
    }

    fn intern(&mut self, ids: Vec<RuleId>) -> (Rc<Set>, RuleSet) {
        let set = Rc::new(Set::of(&self.rules, &ids, false));
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
    use hookwire_broker::MessageId;
    use hookwire_mqtt::{QoS, TopicFilter};
    use hookwire_settings::OnError;

    use super::*;
    use crate::interest::Interest;
    use crate::stats::RuleCounters;

    fn rule(module: usize, filter: &str, stores: bool, interest: &[&str]) -> PlannedRule {
        let words: Vec<String> = interest.iter().map(|&word| word.to_owned()).collect();
        PlannedRule {
            name: String::new(),
            module,
            action: String::new(),
            hook: Hook::MessagePublish,
            filter: TopicFilter::new(filter).unwrap(),
            interest: Interest::read(&words).unwrap(),
            stores,
            on_error: OnError::Deny,
            counters: RuleCounters::default(),
        }
    }

    fn topic(name: &str) -> TopicName<'_> {
        TopicName::new(name).unwrap()
    }

    fn message(name: &str, qos: QoS) -> Message {
        Message {
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
        }
    }

    fn steps(set: &Set) -> Vec<(usize, Vec<RuleId>)> {
        let steps = set.steps.iter();
        steps
            .map(|step| (step.module, step.rules.to_vec()))
            .collect()
    }

    #[test]
    fn storing_rules_run_last_and_share_a_call() {
        let rules = Rules::new(vec![
            rule(0, "#", true, &[]),
            rule(1, "#", false, &[]),
            rule(0, "#", true, &[]),
            rule(1, "#", false, &[]),
        ]);
        let mut sets = Sets::new(Arc::new(rules));
        let number = sets.matching(Hook::MessagePublish, topic("a"));
        let set = sets.get(number).unwrap();
        assert_eq!(
            steps(set),
            [(1, vec![0]), (1, vec![1]), (0, vec![2, 3])],
            "rules that may change the message have a call of their own"
        );
    }

    #[test]
    fn topics_with_the_same_rules_share_a_set() {
        let rules = Rules::new(vec![rule(0, "a/#", true, &[]), rule(0, "+/b", true, &[])]);
        let mut sets = Sets::new(Arc::new(rules));
        let mut of = |name| sets.matching(Hook::MessagePublish, topic(name));
        assert_eq!(of("a/c"), of("a/d/e"));
        assert_ne!(of("a/b"), of("a/c"));
        assert_eq!(of("c/d"), RuleSet::NONE);
        assert_eq!(of("$SYS/b"), RuleSet::NONE);
    }

    #[test]
    fn steps_that_need_not_see_a_message_are_passed_over() {
        let rules = Rules::new(vec![
            rule(0, "#", false, &["retain"]),
            rule(1, "#", false, &["qos>0"]),
        ]);
        let rules = Arc::new(rules);
        let mut sets = Sets::new(Arc::clone(&rules));
        let number = sets.matching(Hook::MessagePublish, topic("a"));
        let set = sets.get(number).unwrap();
        let next = |from, qos| set.next_step(&rules, from, &message("a", qos));
        assert_eq!(next(0, QoS::AtLeastOnce), Some(1));
        assert_eq!(next(2, QoS::AtLeastOnce), None);
        assert_eq!(next(0, QoS::AtMostOnce), None);
    }

    #[test]
    fn beyond_the_bound_filters_are_asked_each_time() {
        // Fourteen levels that match or not: more combinations than sets.
        let levels = |level: usize| "+/".repeat(level) + "x/" + &"+/".repeat(13 - level) + "end";
        let rules = (0..14).map(|level| rule(0, &levels(level), true, &[]));
        let rules = Arc::new(Rules::new(rules.collect()));
        let mut sets = Sets::new(Arc::clone(&rules));
        let name = |bits: u32| {
            let level = |level: u32| if bits >> level & 1 == 1 { "x/" } else { "y/" };
            (0..14).map(level).collect::<String>() + "end"
        };
        for bits in 0..1 << 14 {
            let name = name(bits);
            let number = sets.matching(Hook::MessagePublish, topic(&name));
            let set = Rc::clone(sets.get(number).unwrap());
            let message = message(&name, QoS::AtMostOnce);
            let runs = rules
                .chain(Hook::MessagePublish)
                .filter(|id| set.steps.iter().any(|step| step.rules.contains(id)))
                .filter_map(|id| rules.get(id))
                .filter(|rule| set.runs(rule, MessageKind::from(&message), &message));
            assert_eq!(runs.count(), bits.count_ones() as usize, "{name}");
            assert_eq!(
                set.next_step(&rules, 0, &message).is_some(),
                bits != 0,
                "{name}"
            );
        }
        assert_eq!(sets.sets.len(), MAX_SETS);
    }

    #[test]
    fn what_is_left_after_a_change_of_topic() {
        let rules = Rules::new(vec![
            rule(0, "a", false, &[]),
            rule(0, "b", false, &[]),
            rule(1, "b", true, &[]),
        ]);
        let mut sets = Sets::new(Arc::new(rules));
        let left = |sets: &mut Sets, name, done| {
            steps(&sets.left(Hook::MessagePublish, topic(name), done))
        };
        assert_eq!(left(&mut sets, "b", 0), [(0, vec![1]), (1, vec![2])]);
        assert_eq!(left(&mut sets, "b", 1), [(1, vec![2])]);
        assert_eq!(left(&mut sets, "a", 0), []);
    }
}
