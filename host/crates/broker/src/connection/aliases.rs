//! Topic aliases of one connection, MQTT 5 section 3.3.2.3.4.

use std::sync::Arc;

use foldhash::HashMap;

/// Aliases that the client set for topics it publishes to.
#[derive(Debug, Default)]
pub(crate) struct AliasesIn {
    /// By alias, less one.
    topics: Vec<Option<Arc<str>>>,
}

impl AliasesIn {
    /// Sets `alias`, from 1, which the caller has held against the bound.
    pub(crate) fn set(&mut self, alias: u16, topic: Arc<str>) {
        let index = usize::from(alias.saturating_sub(1));
        if self.topics.len() <= index {
            self.topics.resize(index + 1, None);
        }
        if let Some(slot) = self.topics.get_mut(index) {
            *slot = Some(topic);
        }
    }

    pub(crate) fn get(&self, alias: u16) -> Option<&Arc<str>> {
        let index = usize::from(alias).checked_sub(1)?;
        self.topics.get(index)?.as_ref()
    }
}

/// Aliases that this server set for topics it sends to the client: one for each
/// of the first topics, as many as the client takes.
#[derive(Debug, Default)]
pub(crate) struct AliasesOut {
    maximum: u16,
    topics: HashMap<Arc<str>, u16>,
}

/// How a topic is named in one PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopicForm {
    /// By its name alone.
    Name,
    /// By its name, with an alias that holds from now on.
    NameAndAlias(u16),
    /// By its alias alone.
    Alias(u16),
}

impl AliasesOut {
    /// At most so many.
    pub(crate) fn up_to(maximum: u16) -> Self {
        Self {
            maximum,
            topics: HashMap::default(),
        }
    }

    /// Whether the client takes none.
    pub(crate) fn is_off(&self) -> bool {
        self.maximum == 0
    }

    /// How to name the topic. A new alias holds once [`AliasesOut::note`] is told.
    pub(crate) fn form(&self, topic: &str) -> TopicForm {
        match self.topics.get(topic) {
            Some(&alias) => TopicForm::Alias(alias),
            None if self.topics.len() < usize::from(self.maximum) => {
                // Below `maximum`, a u16.
                TopicForm::NameAndAlias(self.topics.len() as u16 + 1)
            }
            None => TopicForm::Name,
        }
    }

    /// The PUBLISH that sets the alias is on its way.
    pub(crate) fn note(&mut self, topic: &Arc<str>, alias: u16) {
        self.topics.insert(Arc::clone(topic), alias);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_known_once_it_was_sent_and_there_are_no_more_than_allowed() {
        let mut aliases = AliasesOut::up_to(2);
        let [a, b, c]: [Arc<str>; 3] = ["a".into(), "b".into(), "c".into()];
        assert_eq!(aliases.form(&a), TopicForm::NameAndAlias(1));
        assert_eq!(
            aliases.form(&a),
            TopicForm::NameAndAlias(1),
            "it was not sent"
        );
        aliases.note(&a, 1);
        assert_eq!(aliases.form(&a), TopicForm::Alias(1));
        aliases.note(&b, 2);
        assert_eq!(aliases.form(&c), TopicForm::Name);
        assert_eq!(aliases.form(&b), TopicForm::Alias(2));
        assert!(AliasesOut::default().is_off());
    }

    #[test]
    fn a_client_may_set_an_alias_anew() {
        let mut aliases = AliasesIn::default();
        assert_eq!(aliases.get(3), None);
        aliases.set(3, "a".into());
        aliases.set(3, "b".into());
        assert_eq!(aliases.get(3).map(|topic| &**topic), Some("b"));
        assert_eq!(aliases.get(2), None);
        assert_eq!(aliases.get(0), None);
    }
}
