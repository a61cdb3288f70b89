//! Rules that hand over what is stored, by subscription.

use std::sync::Arc;

use hookwire_mqtt::{TopicFilter, TopicName};

use super::{Begins, Granted, Source};
use crate::hooks::{FetchRule, Stores};

/// What a session reads; true for one generation of the rules.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) generation: u64,
    /// In the order in which the subscriptions were made.
    pub(crate) list: Vec<Known>,
    /// Subscriptions so far.
    made: u64,
}

/// One rule that hands over what is stored for one subscription.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) filter: TopicFilter,
    pub(crate) rule: FetchRule,
    /// Grows with each subscription that is made.
    age: u64,
    /// Whether the subscription's place in the store is kept.
    has_begun: bool,
    /// Whether the subscription is from before the broker began, when its place may
    /// have been kept.
    is_restored: bool,
    /// What the rule said of where the subscription began.
    pub(crate) floor: Option<Arc<str>>,
}

impl Sources {
    /// The rules of a subscription, in the place of those that it had.
    pub(crate) fn set(&mut self, filter: &TopicFilter, rules: &[FetchRule]) {
        let is_its = |known: &Known| known.filter == *filter;
        let place = self.list.iter().position(is_its);
        let place = place.unwrap_or(self.list.len());
        let (before, others): (Vec<_>, Vec<_>) = self.list.drain(..).partition(is_its);
        self.list = others;
        self.made += u64::from(before.is_empty());
        let age = before.first().map_or(self.made, |known| known.age);
        let made = rules.iter().map(|rule| {
            // Numbers of rules change; the place is one in a store.
            let same = before.iter().find(|known| known.rule.stores == rule.stores);
            Known {
                filter: filter.clone(),
                rule: *rule,
                age,
                has_begun: same.is_some_and(|known| known.has_begun),
                is_restored: before.iter().any(|known| known.is_restored),
                floor: same.and_then(|known| known.floor.clone()),
            }
        });
        self.list.splice(place..place, made);
    }

    /// A subscription is gone.
    pub(crate) fn remove(&mut self, filter: &TopicFilter) {
        self.list.retain(|known| known.filter != *filter);
    }

    /// Those of one subscription.
    pub(crate) fn of(&self, filter: &TopicFilter) -> impl Iterator<Item = &Known> {
        self.list
            .iter()
            .filter(move |known| known.filter == *filter)
    }

    /// Whether some of them reads for this filter.
    pub(crate) fn has(&self, filter: &TopicFilter) -> bool {
        self.of(filter).next().is_some()
    }

    /// A subscription was given back.
    pub(crate) fn note_restored(&mut self, filter: &TopicFilter) {
        let list = self.list.iter_mut();
        for known in list.filter(|known| known.filter == *filter) {
            known.is_restored = true;
        }
    }

    /// A source has answered; what it said of its floor, if it did.
    pub(crate) fn note_begun(&mut self, source: &Source, floor: Option<Arc<str>>) {
        let is_it = |known: &&mut Known| source.reads_for(&known.filter, known.rule);
        if let Some(known) = self.list.iter_mut().find(is_it) {
            known.floor = floor.or_else(|| known.floor.take());
            known.has_begun = true;
        }
    }

    /// Whether the place of a source's subscription is known to be kept.
    pub(crate) fn has_begun(&self, source: &Source) -> bool {
        let is_it = |known: &&Known| source.reads_for(&known.filter, known.rule);
        let known = self.list.iter().find(is_it);
        known.is_some_and(|known| known.has_begun)
    }

    /// Whether the place of a source's subscription may be kept, for all that is known.
    pub(crate) fn may_have_begun(&self, source: &Source) -> bool {
        let mut known = self.of(&source.filter);
        known.any(|known| known.is_restored) || self.has_begun(source)
    }

    /// What reaches further back than a source, where the two overlap: what a client
    /// has of one topic comes from the older one first.
    pub(crate) fn older(&self, source: &Source) -> Vec<Known> {
        let is_older = |known: &&Known| {
            known.age < source.age && source.overlaps(&known.filter, known.rule.stores)
        };
        self.list.iter().filter(is_older).cloned().collect()
    }

    /// Where messages of a topic are read from.
    pub(crate) fn stores(&self, topic: TopicName<'_>) -> Stores {
        let matching = self.list.iter().filter(|known| known.filter.matches(topic));
        matching.fold(Stores::NONE, |stores, known| {
            stores.union(known.rule.stores)
        })
    }
}

impl Known {
    /// Has it hand over what it has, from the first page on.
    pub(crate) fn source(&self, granted: Granted, begins: Begins) -> Source {
        Source {
            filter: self.filter.clone(),
            rule: self.rule,
            granted,
            age: self.age,
            cursor: None,
            begins: match begins {
                Begins::Not if !self.has_begun => Begins::Restored,
                begins => begins,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::RuleSet;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::new(text).expect("it is a filter")
    }

    fn rule(number: u32, store: u64) -> FetchRule {
        FetchRule {
            rules: RuleSet(number),
            stores: Stores(store),
        }
    }

    fn granted() -> Granted {
        Granted {
            qos: hookwire_mqtt::QoS::AtLeastOnce,
            no_local: false,
            retain_as_published: false,
            identifier: None,
        }
    }

    fn ages(sources: &Sources) -> Vec<(&str, u32, u64)> {
        let known = sources.list.iter();
        known
            .map(|known| (known.filter.as_str(), known.rule.rules.0, known.age))
            .collect()
    }

    #[test]
    fn a_subscription_that_is_made_again_keeps_its_place_and_its_age() {
        let mut sources = Sources::default();
        sources.set(&filter("a"), &[rule(1, 1), rule(2, 2)]);
        sources.set(&filter("b"), &[rule(1, 1)]);
        assert_eq!(ages(&sources), [("a", 1, 1), ("a", 2, 1), ("b", 1, 2)]);
        sources.set(&filter("a"), &[rule(3, 1)]);
        assert_eq!(ages(&sources), [("a", 3, 1), ("b", 1, 2)]);
        sources.remove(&filter("a"));
        sources.set(&filter("a"), &[rule(3, 1)]);
        assert_eq!(ages(&sources), [("b", 1, 2), ("a", 3, 3)]);
        assert!(sources.has(&filter("b")) && !sources.has(&filter("c")));
    }

    #[test]
    fn what_is_older_is_what_overlaps_in_the_same_store() {
        let mut sources = Sources::default();
        for (text, store) in [("a/+", 1), ("b", 1), ("a/c", 2), ("a/#", 3)] {
            sources.set(&filter(text), &[rule(1, store)]);
        }
        let older = |place: usize| -> Vec<String> {
            let source = sources.list[place].source(granted(), Begins::Not);
            let older = sources.older(&source);
            older.iter().map(|known| known.filter.to_string()).collect()
        };
        assert!(older(0).is_empty() && older(1).is_empty() && older(2).is_empty());
        assert_eq!(older(3), ["a/+", "a/c"]);
    }

    #[test]
    fn a_place_that_is_kept_is_known_when_numbers_of_rules_change() {
        let mut sources = Sources::default();
        sources.set(&filter("a"), &[rule(1, 1)]);
        let begins = |sources: &Sources| sources.list[0].source(granted(), Begins::Not).begins;
        assert_eq!(
            begins(&sources),
            Begins::Restored,
            "nobody knows of a place"
        );
        let source = sources.list[0].source(granted(), Begins::Subscribed);
        assert!(!sources.has_begun(&source));
        sources.note_begun(&source, Some("7".into()));
        sources.note_begun(&source, None);
        assert!(sources.has_begun(&source));
        sources.set(&filter("a"), &[rule(9, 1)]);
        assert_eq!(begins(&sources), Begins::Not);
        assert_eq!(sources.list[0].floor.as_deref(), Some("7"));
        sources.set(&filter("a"), &[rule(9, 2)]);
        assert_eq!(begins(&sources), Begins::Restored, "of another store");
    }
}
