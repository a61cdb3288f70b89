//! What a session's subscriptions are read from when something is to be fetched.

use hookwire_mqtt::{TopicFilter, TopicName};

use crate::hooks::{FetchRule, Stores};

/// Rules that hand over what is stored, by subscription, the oldest first; true
/// for one generation of the rules.
///
/// The order matters where subscriptions overlap: the older one reaches further
/// back, so that what it hands over has to be sent before what the other does.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) generation: u64,
    list: Vec<Reading>,
}

/// One rule that reads for one subscription.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) filter: TopicFilter,
    pub(crate) rule: FetchRule,
    /// Whether the subscription's place in the store is known to be kept.
    pub(crate) is_kept: bool,
}

impl Sources {
    /// A subscription is read by these rules; one that is known keeps its place.
    pub(crate) fn set(&mut self, filter: &TopicFilter, rules: &[FetchRule]) {
        let place = self.age(filter);
        let read = rules.iter().map(|rule| self.reading(filter, *rule));
        let read: Vec<_> = read.collect();
        self.remove(filter);
        self.list.splice(place..place, read);
    }

    fn reading(&self, filter: &TopicFilter, rule: FetchRule) -> Reading {
        let is_same = |known: &Reading| known.filter == *filter && known.rule.stores == rule.stores;
        let known = self.list.iter().find(|known| is_same(known));
        Reading {
            filter: filter.clone(),
            rule,
            is_kept: known.is_some_and(|known| known.is_kept),
        }
    }

    /// Rules have changed: a session with these subscriptions is read by others.
    pub(crate) fn replace(
        &mut self,
        generation: u64,
        mut subscriptions: Vec<(TopicFilter, Vec<FetchRule>)>,
    ) {
        subscriptions.sort_by_key(|(filter, _)| self.age(filter));
        let read = subscriptions.iter().flat_map(|(filter, rules)| {
            let all = rules.iter();
            all.map(|rule| self.reading(filter, *rule))
        });
        self.list = read.collect();
        self.generation = generation;
    }

    /// A subscription is gone.
    pub(crate) fn remove(&mut self, filter: &TopicFilter) {
        self.list.retain(|known| known.filter != *filter);
    }

    /// The subscription's place in the store is kept.
    pub(crate) fn kept(&mut self, filter: &TopicFilter, rule: FetchRule) {
        let is_it = |known: &&mut Reading| known.filter == *filter && known.rule == rule;
        if let Some(known) = self.list.iter_mut().find(is_it) {
            known.is_kept = true;
        }
    }

    /// Whether the subscription's place in the store is known to be kept.
    pub(crate) fn is_kept(&self, filter: &TopicFilter, rule: FetchRule) -> bool {
        let is_it = |known: &&Reading| known.filter == *filter && known.rule == rule;
        self.list
            .iter()
            .find(is_it)
            .is_some_and(|known| known.is_kept)
    }

    /// What reaches further back than a subscription that begins, where the two
    /// overlap: what a client has of one topic comes from the older one first.
    pub(crate) fn older(&self, filter: &TopicFilter, rule: FetchRule) -> Vec<Reading> {
        let before = self.list.iter().take(self.age(filter));
        let overlapping = before
            .filter(|known| known.rule.stores.meets(rule.stores) && known.filter.overlaps(filter));
        overlapping.cloned().collect()
    }

    /// The place of a subscription, behind those that were there before it.
    pub(crate) fn age(&self, filter: &TopicFilter) -> usize {
        let place = self.list.iter().position(|known| known.filter == *filter);
        place.unwrap_or(self.list.len())
    }

    /// All, the oldest subscription first.
    pub(crate) fn list(&self) -> &[Reading] {
        &self.list
    }

    /// Where messages of a topic are read from.
    pub(crate) fn stores(&self, topic: TopicName<'_>) -> Stores {
        let matching = self.list.iter().filter(|known| known.filter.matches(topic));
        matching.fold(Stores::NONE, |stores, known| {
            stores.union(known.rule.stores)
        })
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

    fn shown(sources: &Sources) -> Vec<(&str, u32, bool)> {
        let all = sources.list().iter();
        all.map(|of| (of.filter.as_str(), of.rule.rules.0, of.is_kept))
            .collect()
    }

    #[test]
    fn subscriptions_keep_their_places_and_what_is_known_of_them() {
        let mut sources = Sources::default();
        sources.set(&filter("a"), &[rule(1, 1), rule(2, 2)]);
        sources.set(&filter("b"), &[rule(1, 1)]);
        sources.kept(&filter("a"), rule(2, 2));
        sources.kept(&filter("b"), rule(1, 1));
        assert!(sources.is_kept(&filter("b"), rule(1, 1)));
        assert!(!sources.is_kept(&filter("a"), rule(1, 1)));
        sources.set(&filter("a"), &[rule(1, 1), rule(2, 2)]);
        let expected = [("a", 1, false), ("a", 2, true), ("b", 1, true)];
        assert_eq!(shown(&sources), expected);
        // Numbers of rules are those of a generation; stores stay.
        let rules = vec![rule(7, 2), rule(8, 4)];
        let of = |text: &str| (filter(text), rules.clone());
        sources.replace(3, vec![of("c"), of("b"), of("a")]);
        let expected = [
            ("a", 7, true),
            ("a", 8, false),
            ("b", 7, false),
            ("b", 8, false),
            ("c", 7, false),
            ("c", 8, false),
        ];
        assert_eq!(shown(&sources), expected);
        let older: Vec<_> = sources.older(&filter("#"), rule(7, 2));
        let older: Vec<_> = older.iter().map(|of| of.filter.as_str()).collect();
        assert_eq!(older, ["a", "b", "c"]);
        assert!(sources.older(&filter("c"), rule(7, 2)).is_empty());
        assert!(sources.older(&filter("#"), rule(9, 8)).is_empty());
        sources.remove(&filter("b"));
        assert_eq!(sources.list().len(), 4);
        let topic = TopicName::new("c").expect("it is a topic");
        assert_eq!(sources.stores(topic), Stores(6));
    }
}
