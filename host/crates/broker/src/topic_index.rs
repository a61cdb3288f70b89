//! Topic names and what is kept under each, found by topic filters: the other
//! way round from [`crate::FilterIndex`]. A trie in an arena; nothing recurses.

use hookwire_mqtt::TopicFilter;
use rustc_hash::FxHashMap;
use slab::Slab;

/// Maps topic names to one value each.
#[derive(Debug)]
pub(crate) struct TopicIndex<T> {
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
    value: Option<T>,
}

impl<T> Node<T> {
    fn new(parent: Option<usize>, level: &str) -> Self {
        Self {
            parent,
            level: level.into(),
            children: FxHashMap::default(),
            value: None,
        }
    }
}

impl<T> Default for TopicIndex<T> {
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

impl<T> TopicIndex<T> {
    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    pub(crate) fn get(&self, topic: &str) -> Option<&T> {
        self.nodes[self.find(topic)?].value.as_ref()
    }

    pub(crate) fn insert(&mut self, topic: &str, value: T) {
        let mut at = self.root;
        for level in topic.split('/') {
            at = match self.nodes[at].children.get(level) {
                Some(&child) => child,
                None => {
                    let child = self.nodes.insert(Node::new(Some(at), level));
                    self.nodes[at].children.insert(level.into(), child);
                    child
                }
            };
        }
        if self.nodes[at].value.replace(value).is_none() {
            self.entries += 1;
        }
    }

    pub(crate) fn remove(&mut self, topic: &str) -> Option<T> {
        let mut at = self.find(topic)?;
        let value = self.nodes[at].value.take()?;
        self.entries -= 1;
        while self.nodes[at].value.is_none() && self.nodes[at].children.is_empty() {
            let Some(parent) = self.nodes[at].parent else {
                break;
            };
            let node = self.nodes.remove(at);
            self.nodes[parent].children.remove(&node.level);
            at = parent;
        }
        Some(value)
    }

    /// Calls `found` for every value whose topic matches the filter, once each.
    /// Wildcards at the start do not match topics that begin with `$`
    /// [MQTT-4.7.2-1].
    pub(crate) fn matching(&self, filter: &TopicFilter, mut found: impl FnMut(&T)) {
        let levels: Vec<&str> = filter.levels().collect();
        let mut waiting = vec![(self.root, 0)];
        while let Some((at, depth)) = waiting.pop() {
            let node = &self.nodes[at];
            match levels.get(depth).copied() {
                None => node.value.iter().for_each(&mut found),
                // The level above `#` matches as well; the root has no value.
                // Below it, `#` goes on matching.
                Some("#") => {
                    node.value.iter().for_each(&mut found);
                    waiting.extend(self.wild(at).map(|child| (child, depth)));
                }
                Some("+") => waiting.extend(self.wild(at).map(|child| (child, depth + 1))),
                Some(level) => {
                    let child = node.children.get(level);
                    waiting.extend(child.map(|&child| (child, depth + 1)));
                }
            }
        }
    }

    /// The children that a wildcard matches.
    fn wild(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let is_root = at == self.root;
        let children = self.nodes[at].children.iter();
        children
            .filter(move |(level, _)| !is_root || !level.starts_with('$'))
            .map(|(_, &child)| child)
    }

    fn find(&self, topic: &str) -> Option<usize> {
        topic.split('/').try_fold(self.root, |at, level| {
            self.nodes[at].children.get(level).copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hookwire_mqtt::TopicName;
    use proptest::prelude::*;

    use super::*;

    fn any_level() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["a", "b", "$x", ""])
    }

    fn any_topic() -> impl Strategy<Value = String> {
        prop::collection::vec(any_level(), 1..5)
            .prop_map(|levels| levels.join("/"))
            .prop_filter("a topic is not empty", |text| !text.is_empty())
    }

    fn any_filter() -> impl Strategy<Value = String> {
        let level = prop_oneof![3 => any_level(), 1 => Just("+")];
        (prop::collection::vec(level, 0..4), any::<bool>())
            .prop_map(|(mut levels, all)| {
                if all {
                    levels.push("#");
                }
                levels.join("/")
            })
            .prop_filter("a filter is not empty", |text| !text.is_empty())
    }

    proptest! {
        #[test]
        fn finds_what_the_filter_itself_matches(
            topics in prop::collection::btree_set(any_topic(), 0..30),
            removed in prop::collection::btree_set(any_topic(), 0..15),
            filters in prop::collection::vec(any_filter(), 1..10),
        ) {
            let mut index = TopicIndex::default();
            for topic in topics.union(&removed) {
                index.insert(topic, topic.clone());
            }
            for topic in &removed {
                prop_assert_eq!(index.remove(topic), Some(topic.clone()));
                prop_assert_eq!(index.remove(topic), None);
            }
            let left: BTreeSet<_> = topics.difference(&removed).cloned().collect();
            prop_assert_eq!(index.len(), left.len());
            for text in &filters {
                let filter = TopicFilter::new(text).unwrap();
                let mut found = Vec::new();
                index.matching(&filter, |topic| found.push(topic.clone()));
                found.sort();
                let expected: Vec<_> = left
                    .iter()
                    .filter(|topic| filter.matches(TopicName::new(topic).unwrap()))
                    .cloned()
                    .collect();
                prop_assert_eq!(found, expected, "filter {}", text);
            }
            for topic in &left {
                index.remove(topic);
            }
            prop_assert_eq!(index.nodes.len(), 1, "only the root is left");
        }
    }
}
