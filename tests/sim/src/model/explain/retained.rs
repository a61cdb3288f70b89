//! Deliveries that came as retained messages.

use hookwire_mqtt::{QoS, RetainHandling};

use crate::model::message::{Copy, Message, Origin, is_feasible};
use crate::model::rule::Rule;
use crate::model::state::{ClientNo, MessageNo};
use crate::model::{Model, lower};
use crate::packet::Publish;
use crate::tally::Count;

impl Model {
    /// The subscriptions for which it can have come as a retained message.
    pub(super) fn retained_versions(
        &mut self,
        client: ClientNo,
        publish: &Publish,
        number: MessageNo,
    ) -> Result<Vec<u64>, Rule> {
        let Some(message) = self.messages.get(&number) else {
            return Err(Rule::Invented);
        };
        if !publish.retain || !message.retain {
            return Err(Rule::RetainFlag);
        }
        let mut wrong = Rule::NoSubscription;
        let mut found = Vec::new();
        for index in 0..self.clients[client].session.versions.len() {
            let version = &self.clients[client].session.versions[index];
            if version.is_shared || !self.topics.matches(version.filter, message.topic) {
                continue;
            }
            match self.fits_retained(client, index, publish, message) {
                Ok(()) => found.push(version.number),
                Err(rule) => wrong = rule,
            }
        }
        if found.is_empty() {
            Err(wrong)
        } else {
            Ok(found)
        }
    }

    /// Whether a version of a subscription can have been sent the message as a
    /// retained one.
    fn fits_retained(
        &self,
        client: ClientNo,
        index: usize,
        publish: &Publish,
        message: &Message,
    ) -> Result<(), Rule> {
        let version = &self.clients[client].session.versions[index];
        let is_unasked = version.retain_handling == RetainHandling::DoNotSend
            || (version.retain_handling == RetainHandling::SendIfNew && version.is_surely_known);
        let is_own = version.no_local
            && message.publisher == Some(client)
            && !matches!(message.origin, Origin::Will(_));
        let wrong = if is_unasked {
            Rule::RetainedUnasked
        } else if is_own {
            Rule::NoLocal
        } else if !self.was_retained(client, index, message.number) {
            Rule::RetainedStale
        } else if publish.qos != lower(message.qos, version.qos) {
            Rule::QosGranted
        } else if publish.identifiers != Vec::from_iter(version.identifier) {
            Rule::Identifiers
        } else {
            return Ok(());
        };
        Err(wrong)
    }

    /// Gives a retained message a place among those that the session received:
    /// each subscription was sent one of a topic.
    pub(super) fn took_retained(
        &mut self,
        client: ClientNo,
        number: MessageNo,
        versions: Vec<u64>,
    ) -> Result<(), Rule> {
        self.count(Count::DeliveryRetained);
        let Some(message) = self.messages.get(&number) else {
            return Ok(());
        };
        let session = &mut self.clients[client].session;
        session.owed.remove(&number);
        session.seen.entry(number).or_default().retained += 1;
        session.retained_copies.push((message.topic, versions));
        let of_topic = session
            .retained_copies
            .iter()
            .filter(|(topic, _)| *topic == message.topic);
        let copies: Vec<Copy> = of_topic
            .map(|(_, versions)| Copy {
                client,
                generation: session.generation,
                at: 0,
                qos: QoS::AtMostOnce,
                is_own: false,
                shared: Vec::new(),
                retained: versions.clone(),
            })
            .collect();
        if is_feasible(&copies, 0, |_| 0) {
            Ok(())
        } else {
            Err(Rule::RetainedTwice)
        }
    }
}
