//! A PUBLISH that a client received: which message it is, and whether it is as
//! it has to be.

use std::rc::Rc;

use hookwire_mqtt::{QoS, ReasonCode};

use super::Model;
use super::message::{FIRST_EMPTY, Message, Origin, WillState};
use super::rule::Rule;
use super::state::{ClientNo, MessageNo};
use crate::history::ConnectionNo;
use crate::packet::Publish;
use crate::policy::marked;
use crate::stamp::Stamp;
use crate::tally::Count;

impl Model {
    pub(super) fn received_publish(&mut self, no: ConnectionNo, publish: &Publish) {
        let Some(client) = self.connections[no].client else {
            return;
        };
        let Some(topic) = self.topic_received(no, publish) else {
            return self.violate(Rule::Alias, || format!("#{no}: {publish}"));
        };
        self.count(match publish.qos {
            QoS::AtMostOnce => Count::Delivery0,
            QoS::AtLeastOnce => Count::Delivery1,
            QoS::ExactlyOnce => Count::Delivery2,
        });
        if publish.payload.is_empty() {
            return self.received_empty(no, client, publish, &topic);
        }
        let Some(number) = self.identify(publish) else {
            return self.violate(Rule::Invented, || format!("#{no}: {topic:?}: {publish}"));
        };
        if !self.check_content(no, publish, &topic, number)
            || !self.check_whether_it_may_be(no, publish, number)
        {
            return;
        }
        let is_again = publish.qos > QoS::AtMostOnce && self.exchange(no, client, publish, number);
        self.check_expiry(no, publish, number, is_again);
        if !is_again {
            self.explain(no, client, publish, number);
        }
    }

    /// An empty message says nothing of itself: which one it is cannot be told,
    /// so it is held against the rules of packet ids and windows alone.
    fn received_empty(
        &mut self,
        no: ConnectionNo,
        client: ClientNo,
        publish: &Publish,
        topic: &Rc<str>,
    ) {
        let name = self.topics.name(topic);
        if !self.empties.contains(&name) {
            return self.violate(Rule::Invented, || format!("#{no}: {topic:?}: {publish}"));
        }
        if publish.qos == QoS::AtMostOnce {
            return;
        }
        let known = self.clients[client].session.exchange(publish.id);
        let known = known.filter(|known| publish.dup && known.message >= FIRST_EMPTY);
        let number = known.map_or_else(
            || {
                self.next_empty += 1;
                self.next_empty
            },
            |known| known.message,
        );
        self.exchange(no, client, publish, number);
    }

    /// The topic that the server names, by alias or by name.
    fn topic_received(&mut self, no: ConnectionNo, publish: &Publish) -> Option<Rc<str>> {
        let connection = &mut self.connections[no];
        let Some(alias) = publish.alias else {
            return (!publish.topic.is_empty()).then(|| Rc::clone(&publish.topic));
        };
        if alias == 0 || alias > connection.connect.topic_alias_maximum {
            return None;
        }
        if publish.topic.is_empty() {
            let known = connection.server_aliases.get(&alias).cloned();
            self.count(Count::DeliveryByAlias);
            return known;
        }
        connection
            .server_aliases
            .insert(alias, Rc::clone(&publish.topic));
        Some(Rc::clone(&publish.topic))
    }

    fn identify(&self, publish: &Publish) -> Option<MessageNo> {
        let stamp = Stamp::read(&publish.payload)?;
        self.messages
            .contains_key(&stamp.message)
            .then_some(stamp.message)
    }

    fn check_content(
        &mut self,
        no: ConnectionNo,
        publish: &Publish,
        topic: &Rc<str>,
        number: MessageNo,
    ) -> bool {
        let name = self.topics.name(topic);
        let is_undelivered = self.topics.matches(self.undelivered_topics, name);
        let is_marked = self.topics.matches(self.marked_topics, name);
        let is_v5 = self.connections[no].is_v5();
        let Some(message) = self.messages.get(&number) else {
            return false;
        };
        let extras = message.extras.as_ref().filter(|_| is_v5);
        let expiry_s = message.expiry_s.filter(|_| is_v5);
        let is_as_published = name == message.topic
            && !is_undelivered
            && match is_marked {
                true => publish.payload == marked(&message.payload),
                false => publish.payload == message.payload,
            }
            && publish.extras.as_ref() == extras
            && publish.expiry_s.is_some() == expiry_s.is_some();
        if !is_as_published {
            let published = self.topics.name_text(message.topic);
            let extras = message.extras.clone();
            self.violate(Rule::Changed, || {
                format!(
                    "#{no}: {topic:?}: {publish} {:?}; published to {published:?} {extras:?}",
                    publish.extras
                )
            });
        }
        is_as_published
    }

    /// Whether it is a message that is for subscribers at all, and already.
    fn check_whether_it_may_be(
        &mut self,
        no: ConnectionNo,
        publish: &Publish,
        number: MessageNo,
    ) -> bool {
        self.notice_will(number);
        let slack_ms = self.configuration.slack_ms;
        let Some(message) = self.messages.get(&number) else {
            return false;
        };
        let uncalled = matches!(
            message.origin,
            Origin::Will(WillState::Armed { .. } | WillState::Cancelled)
        );
        // A CONNECT that ends the session ends the delay of its will.
        let asked_clean = match (message.origin, message.publisher) {
            (Origin::Will(_), Some(client)) => self.clients[client].asked_clean,
            _ => None,
        };
        let connection = &self.connections[message.connection];
        let is_ended = connection.may_be_overtaken
            || asked_clean.is_some_and(|asked| asked.seq > connection.opened.seq);
        let is_early = message
            .due(slack_ms)
            .is_some_and(|due| self.now.ms < due.least_ms && !is_ended);
        let rule = if uncalled {
            Rule::WillUncalled
        } else if !message.may_pass() {
            Rule::Refused
        } else if is_early {
            Rule::Early
        } else {
            match message.origin {
                Origin::Will(_) => self.count(Count::DeliveryWill),
                Origin::Delayed { .. } => self.count(Count::DeliveryDelayed),
                Origin::Publish => {}
            }
            return true;
        };
        self.violate(rule, || format!("#{no}: {publish}"));
        false
    }

    /// A will may be seen before the end of its connection is: a client that
    /// does not read learns late that it was closed.
    fn notice_will(&mut self, number: MessageNo) {
        let Some(Message {
            connection, origin, ..
        }) = self.messages.get(&number)
        else {
            return;
        };
        let (no, origin) = (*connection, *origin);
        if !matches!(origin, Origin::Will(WillState::Armed { .. })) {
            return;
        }
        if self.closing_cause(no).is_none() {
            self.note_silent();
        }
        let connection = &self.connections[no];
        let is_given_up = connection.disconnect == Some(ReasonCode::Success);
        let is_silent = connection
            .silent_at_ms(self.configuration.max_keep_alive_s)
            .is_some_and(|silent_ms| silent_ms <= self.now.ms);
        if (!is_given_up || connection.has_other_cause || is_silent)
            && let Some(cause) = self.closing_cause(no)
        {
            self.call_will(no, cause);
        }
    }
}
