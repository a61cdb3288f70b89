//! Attributes of messages that have no field of their own, made before the events
//! of a batch borrow them.

use hookwire_bindings::extras::{Extra, of_message};

use crate::worker::subject::Subject;

/// By event; empty when no message of the batch has any.
pub(crate) struct Extras(Vec<Vec<Extra>>);

impl Extras {
    pub(crate) fn of<'a>(subjects: impl Iterator<Item = &'a Subject> + Clone) -> Self {
        let has_some = |subject: &Subject| {
            let message = subject.message();
            message.is_some_and(|message| {
                message.packet_id.is_some() || !message.properties.is_empty()
            })
        };
        if !subjects.clone().any(has_some) {
            return Self(Vec::new());
        }
        let extras = subjects.map(|subject| {
            let is_publish = matches!(subject, Subject::Publish(_));
            let message = subject.message();
            message.map_or_else(Vec::new, |message| of_message(message, is_publish))
        });
        Self(extras.collect())
    }

    /// Those of each event.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[Extra]> {
        self.0.iter().map(Vec::as_slice)
    }
}
