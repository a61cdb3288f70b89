//! Topic filters and what is registered under them, matched against topic names.
//!
//! A trie over levels, kept in an arena: neither a filter nor a topic of tens of
//! thousands of levels makes anything here recurse. One topic visits each node
//! at most once.

use hookwire_mqtt::{TopicFilter, TopicName};
use rustc_hash::FxHashMap;
use slab::Slab;

/// Maps topic filters to values; several values may stand under one filter.
#[derive(Debug)]
pub struct FilterIndex<T> {
    nodes: Slab<Node<T>>,
    root: usize,
    entries: usize,
}

#[derive(Debug)]
struct Node<T> {
    parent: Option<usize>,
    /// The level that leads here from the parent.
    level: Box<str>,
    children: FxHashMap<Box<str>, usize>,
    values: Vec<T>,
}

impl<T> Node<T> {
    fn new(parent: Option<usize>, level: &str) -> Self {
        Self {
            parent,
            level: level.into(),
            children: FxHashMap::default(),
            values: Vec::new(),
        }
    }
}

impl<T> Default for FilterIndex<T> {
    fn default() -> Self {
        let mut nodes = Slab::new();
        let root = nodes.insert(Node::new(None, ""));
        Self {
            nodes,
            root,
            entries: 0,
        }
    }
}

impl<T> FilterIndex<T> {
    /// Values in the index, over all filters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries
    }

    /// Whether nothing is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Adds a value under a filter; true if it is the first under this filter.
    pub fn insert(&mut self, filter: &TopicFilter, value: T) -> bool {
        let mut at = self.root;
        for level in filter.levels() {
            at = match self.nodes[at].children.get(level) {
                Some(&child) => child,
                None => {
                    let child = self.nodes.insert(Node::new(Some(at), level));
                    self.nodes[at].children.insert(level.into(), child);
                    child
                }
            };
        }
        let values = &mut self.nodes[at].values;
        values.push(value);
        self.entries += 1;
        values.len() == 1
    }

    /// Removes the values under this filter for which `gone` holds; true if
    /// that left none under it.
    pub fn remove(&mut self, filter: &TopicFilter, gone: impl Fn(&T) -> bool) -> bool {
        let Some(at) = self.find(filter) else {
            return false;
        };
        let values = &mut self.nodes[at].values;
        let before = values.len();
        values.retain(|value| !gone(value));
        self.entries -= before - values.len();
        let emptied = before > 0 && values.is_empty();
        if emptied {
            self.prune(at);
        }
        emptied
    }

    /// The value under exactly this filter for which `wanted` holds.
    pub fn get_mut(&mut self, filter: &TopicFilter, wanted: impl Fn(&T) -> bool) -> Option<&mut T> {
        let at = self.find(filter)?;
        self.nodes[at].values.iter_mut().find(|value| wanted(value))
    }

    /// Calls `found` for every value whose filter matches the topic, a value
    /// once for each of its filters. Wildcards at the start do not match a topic
    /// that begins with `$` [MQTT-4.7.2-1].
    pub fn matches(&self, topic: TopicName<'_>, mut found: impl FnMut(&T)) {
        let levels: Vec<&str> = topic.levels().collect();
        let mut waiting = vec![(self.root, 0)];
        while let Some((at, depth)) = waiting.pop() {
            let node = &self.nodes[at];
            let wildcards = depth > 0 || !topic.is_reserved();
            if wildcards && let Some(&all) = node.children.get("#") {
                self.nodes[all].values.iter().for_each(&mut found);
            }
            let Some(&level) = levels.get(depth) else {
                node.values.iter().for_each(&mut found);
                continue;
            };
            if let Some(&child) = node.children.get(level) {
                waiting.push((child, depth + 1));
            }
            if wildcards && let Some(&child) = node.children.get("+") {
                waiting.push((child, depth + 1));
            }
        }
    }

    fn find(&self, filter: &TopicFilter) -> Option<usize> {
        filter.levels().try_fold(self.root, |at, level| {
            self.nodes[at].children.get(level).copied()
        })
    }

    fn prune(&mut self, mut at: usize) {
        while self.nodes[at].values.is_empty() && self.nodes[at].children.is_empty() {
            let Some(parent) = self.nodes[at].parent else {
                return;
            };
            let node = self.nodes.remove(at);
            self.nodes[parent].children.remove(&node.level);
            at = parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::new(text).unwrap()
    }

    fn found(index: &FilterIndex<String>, topic: &str) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        index.matches(TopicName::new(topic).unwrap(), |value| {
            all.insert(value.clone());
        });
        all
    }

    #[test]
    fn a_filter_and_a_topic_of_many_levels_do_not_overflow_the_stack() {
        let text = "a/".repeat(30_000) + "b";
        let mut index = FilterIndex::default();
        index.insert(&filter(&text), text.clone());
        index.insert(&filter("#"), "#".to_owned());
        assert_eq!(found(&index, &text).len(), 2);
        assert!(index.remove(&filter(&text), |_| true));
        assert_eq!(index.nodes.len(), 2, "only the root and # are left");
    }

    #[test]
    fn first_and_last_value_of_a_filter_are_told() {
        let mut index = FilterIndex::default();
        assert!(index.insert(&filter("a/+"), 1));
        assert!(!index.insert(&filter("a/+"), 2));
        assert!(!index.remove(&filter("a/+"), |value| *value == 1));
        assert!(!index.remove(&filter("a/+"), |value| *value == 1));
        assert!(index.remove(&filter("a/+"), |value| *value == 2));
        assert!(index.is_empty());
        assert_eq!(index.nodes.len(), 1);
    }

    fn any_filter() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec!["a", "b", "$x", "", "+"]), 1..5)
            .prop_flat_map(|levels| {
                let open = levels.join("/");
                prop_oneof![
                    Just(open.clone()),
                    Just(format!("{open}/#")),
                    Just("#".to_owned())
                ]
            })
            .prop_filter("a filter is not empty", |text| !text.is_empty())
    }

    fn any_topic() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec!["a", "b", "$x", ""]), 1..6)
            .prop_map(|levels| levels.join("/"))
            .prop_filter("a topic is not empty", |text| !text.is_empty())
    }

    proptest! {
        #[test]
        fn finds_what_the_filters_themselves_match(
            filters in prop::collection::btree_set(any_filter(), 0..20),
            removed in prop::collection::btree_set(any_filter(), 0..10),
            topics in prop::collection::vec(any_topic(), 1..10),
        ) {
            let mut index = FilterIndex::default();
            for text in filters.union(&removed) {
                index.insert(&filter(text), text.clone());
            }
            for text in &removed {
                index.remove(&filter(text), |_| true);
            }
            let left: BTreeSet<_> = filters.difference(&removed).cloned().collect();
            prop_assert_eq!(index.len(), left.len());
            for topic in &topics {
                let name = TopicName::new(topic).unwrap();
                let expected: BTreeSet<_> =
                    left.iter().filter(|text| filter(text).matches(name)).cloned().collect();
                prop_assert_eq!(found(&index, topic), expected, "topic {}", topic);
            }
        }
    }
}
