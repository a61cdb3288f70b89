//! What enters the top of the spine without a PUBLISH: wills, what rules and
//! administrators publish, and what the broker itself has to say.

use std::sync::Arc;

use hookwire_mqtt::{PublishProperties, TopicName, Will};

use crate::connection::{Connection, ConnectionKey, Pending};
use crate::delayed;
use crate::faults::Fault;
use crate::hooks::{ClientInfo, Hooks, PublishFacts, Stores};
use crate::message::Message;
use crate::shard::Shard;
use crate::time::Now;

impl<H: Hooks> Shard<H> {
    /// The will of a connection that just closed.
    pub(crate) fn publish_will(&mut self, now: Now, key: ConnectionKey, will: Will) {
        if self.planted.is(Fault::WillLost) {
            return;
        }
        let (topic, delay_ms) = match delayed::parse(&will.topic) {
            Ok((topic, delay_ms)) => (topic, delay_ms),
            Err(delayed::NotDelayed) => match TopicName::new(&will.topic) {
                Ok(topic) => (topic, 0),
                Err(_) => return,
            },
        };
        let Some(connection) = self.connection(key) else {
            return;
        };
        let sender = Arc::clone(&connection.client.clientid);
        let properties = PublishProperties::from_validated(&will.properties);
        let message = Message {
            id: self.ids.next(now.wall_ms),
            topic: self.topics.topic_text(topic.as_str()),
            payload: will.payload.into(),
            sender,
            qos: will.qos,
            retain: will.retain,
            at_ms: now.wall_ms,
            expires_at_ms: Message::expiry(properties, now.wall_ms),
            properties: will.properties.into(),
            hops: 0,
            packet_id: None,
            foreign_id: None,
            stored: Stores::NONE,
        };
        self.counters.wills_published += 1;
        self.publish_own(now, key, message, delay_ms);
    }

    /// The will of a client that is long gone.
    pub(crate) fn publish_late_will(&mut self, now: Now, client: &Arc<ClientInfo>, will: Will) {
        let key = self.insert_connection(Connection::detached(Arc::clone(client)));
        self.publish_will(now, key, will);
        self.free_if_done(key);
    }

    /// What the broker itself publishes.
    pub(crate) fn publish_house(&mut self, now: Now, message: Message) {
        let client = Arc::new(ClientInfo {
            clientid: Arc::clone(&message.sender),
            username: None,
            connection: None,
        });
        let key = self.insert_connection(Connection::detached(client));
        self.publish_own(now, key, message, 0);
        self.free_if_done(key);
    }

    /// The top of the spine for a message without a PUBLISH.
    pub(crate) fn publish_own(
        &mut self,
        now: Now,
        key: ConnectionKey,
        message: Message,
        delay_ms: u64,
    ) {
        let Ok(topic) = TopicName::new(&message.topic) else {
            return;
        };
        let entry = self.topic_entry(topic);
        let facts = PublishFacts {
            qos: message.qos,
            retain: message.retain,
            payload_bytes: message.payload.len(),
        };
        let wanted = self.hooks.wants_publish(entry.publish_rules, facts);
        self.line_up(
            key,
            wanted.then_some(entry.publish_rules),
            Pending {
                message: Some(Arc::new(message)),
                receipt: None,
                delay_ms,
                has_rules: wanted,
                verdict: None,
            },
        );
        self.release(now, key);
    }
}
