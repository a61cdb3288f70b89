//! Retained messages that a new subscription still has to get.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Delivery, Terms};
use crate::message::Message;

/// Retained messages found at SUBSCRIBE and not yet sent. They are not copied
/// into the queue, whose bounds are for what is published now; they are held by
/// reference, and leave before anything newer.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    runs: VecDeque<Run>,
    /// Messages in them.
    waiting: usize,
}

#[derive(Debug)]
struct Run {
    messages: std::vec::IntoIter<Arc<Message>>,
    terms: Terms,
}

impl Backlog {
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Adds what one subscription found.
    pub(crate) fn push(&mut self, messages: Vec<Arc<Message>>, terms: Terms) {
        if !messages.is_empty() {
            self.waiting += messages.len();
            self.runs.push_back(Run {
                messages: messages.into_iter(),
                terms,
            });
        }
    }

    /// The QoS of the next one.
    pub(crate) fn next_qos(&self) -> Option<hookwire_mqtt::QoS> {
        let run = self.runs.front()?;
        let message = run.messages.as_slice().first()?;
        Some(message.qos.min(run.terms.qos))
    }

    /// The next one, in the order of the ids.
    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        let run = self.runs.front_mut()?;
        let message = run.messages.next()?;
        self.waiting -= 1;
        let delivery = Delivery {
            qos: message.qos.min(run.terms.qos),
            retain: true,
            identifiers: run.terms.identifiers.clone(),
            group: None,
            is_covered: false,
            message,
        };
        if run.messages.as_slice().is_empty() {
            self.runs.pop_front();
        }
        Some(delivery)
    }

    /// Messages that wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting
    }
}
