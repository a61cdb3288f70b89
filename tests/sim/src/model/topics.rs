//! Topic names and filters by number, and which filter matches which name: a
//! plain matcher of its own, each pair compared once.

use std::rc::Rc;

use foldhash::HashMap;

/// Number of a topic name.
pub(crate) type TopicNo = u32;
/// Number of the text of a filter; a shared subscription has its own.
pub(crate) type FilterNo = u32;

#[derive(Debug, Default)]
pub(crate) struct Topics {
    names: HashMap<Rc<str>, TopicNo>,
    name_texts: Vec<Rc<str>>,
    filters: HashMap<Rc<str>, FilterNo>,
    known: Vec<Filter>,
}

#[derive(Debug)]
struct Filter {
    text: Rc<str>,
    is_shared: bool,
    is_valid: bool,
    /// By topic; None until asked for.
    matches: Vec<Option<bool>>,
}

impl Topics {
    pub(crate) fn name(&mut self, text: &Rc<str>) -> TopicNo {
        if let Some(&number) = self.names.get(text) {
            return number;
        }
        let number = self.name_texts.len() as TopicNo;
        self.names.insert(Rc::clone(text), number);
        self.name_texts.push(Rc::clone(text));
        number
    }

    pub(crate) fn name_text(&self, number: TopicNo) -> Rc<str> {
        Rc::clone(&self.name_texts[number as usize])
    }

    pub(crate) fn filter(&mut self, text: &Rc<str>) -> FilterNo {
        if let Some(&number) = self.filters.get(text) {
            return number;
        }
        let number = self.known.len() as FilterNo;
        let plain = shared_parts(text).map(|(_, plain)| plain);
        self.known.push(Filter {
            text: Rc::clone(text),
            is_shared: plain.is_some(),
            is_valid: is_valid(text),
            matches: Vec::new(),
        });
        self.filters.insert(Rc::clone(text), number);
        number
    }

    pub(crate) fn filter_text(&self, number: FilterNo) -> &str {
        &self.known[number as usize].text
    }

    pub(crate) fn is_shared(&self, number: FilterNo) -> bool {
        self.known[number as usize].is_shared
    }

    pub(crate) fn is_valid(&self, number: FilterNo) -> bool {
        self.known[number as usize].is_valid
    }

    /// Whether messages of the topic are for the filter; for a shared one, for
    /// the filter within it.
    pub(crate) fn matches(&mut self, filter: FilterNo, topic: TopicNo) -> bool {
        let filter = &mut self.known[filter as usize];
        let at = topic as usize;
        if filter.matches.len() <= at {
            filter.matches.resize(at + 1, None);
        }
        *filter.matches[at].get_or_insert_with(|| {
            let plain = shared_parts(&filter.text).map_or(&*filter.text, |(_, plain)| plain);
            filter.is_valid && text_matches(plain, &self.name_texts[at])
        })
    }

    /// How many names are known.
    pub(crate) fn names(&self) -> TopicNo {
        self.name_texts.len() as TopicNo
    }
}

/// Share name and filter of a shared subscription.
fn shared_parts(text: &str) -> Option<(&str, &str)> {
    if let Some(plain) = text.strip_prefix("$queue/") {
        return Some(("$queue", plain));
    }
    text.strip_prefix("$share/")?.split_once('/')
}

/// MQTT 5 sections 4.7.1 and 4.8.2.
fn is_valid(text: &str) -> bool {
    let plain = match shared_parts(text) {
        Some((group, plain)) if !group.is_empty() && !group.contains(['+', '#']) => plain,
        Some(_) => return false,
        None if text.starts_with("$share/") => return false,
        None => text,
    };
    let levels: Vec<&str> = plain.split('/').collect();
    let last = levels.len() - 1;
    !plain.is_empty()
        && levels
            .iter()
            .enumerate()
            .all(|(index, level)| match *level {
                "#" => index == last,
                "+" => true,
                level => !level.contains(['+', '#']),
            })
}

/// Whether a plain filter matches a topic name, level by level.
pub(crate) fn text_matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let filter: Vec<&str> = filter.split('/').collect();
    let topic: Vec<&str> = topic.split('/').collect();
    let (fixed, open) = match filter.split_last() {
        Some((&"#", fixed)) => (fixed, true),
        _ => (&filter[..], false),
    };
    let long_enough = if open {
        topic.len() >= fixed.len()
    } else {
        topic.len() == fixed.len()
    };
    long_enough
        && fixed
            .iter()
            .zip(&topic)
            .all(|(level, name)| *level == "+" || level == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_in_section_4_7() {
        let check = |filter: &str, topic: &str, expected: bool| {
            let mut topics = Topics::default();
            let (filter_no, name) = (topics.filter(&filter.into()), topics.name(&topic.into()));
            assert_eq!(
                topics.matches(filter_no, name),
                expected,
                "{filter} {topic}"
            );
        };
        check("sport/#", "sport", true);
        check("sport/#", "sport/tennis/x", true);
        check("sport/+", "sport", false);
        check("sport/+", "sport/", true);
        check("+/+", "/finance", true);
        check("+", "/finance", false);
        check("#", "$SYS/x", false);
        check("+/x", "$SYS/x", false);
        check("$SYS/#", "$SYS/x", true);
        check("$share/g/a/+", "a/b", true);
        check("$queue/a", "a", true);
        check("$share/g", "g", false);
        check("a#", "a#", false);
        check("a/#/b", "a/x/b", false);
    }

    #[test]
    fn shared_subscriptions_are_told_from_others() {
        let mut topics = Topics::default();
        for (text, shared, valid) in [
            ("a/b", false, true),
            ("$share/g/a", true, true),
            ("$queue/a", true, true),
            ("$share/g+/a", true, false),
            ("$share//a", true, false),
            ("$share/g/", true, false),
            ("$share/g", false, false),
            ("", false, false),
        ] {
            let filter = topics.filter(&text.into());
            assert_eq!(
                (topics.is_shared(filter), topics.is_valid(filter)),
                (shared, valid),
                "{text}"
            );
        }
    }
}
