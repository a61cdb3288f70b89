//! What rules and administrators want of the broker: done here, or mailed to the
//! worker on which the client lives.

use std::sync::Arc;

use hookwire_mqtt::{PublishProperties, TopicName};

use crate::connection::{CloseReason, Connection, ConnectionKey, Farewell, subscription_info};
use crate::delayed::{self, DELAYED_PREFIX};
use crate::hooks::{
    BrokerCall, ClientInfo, ClientState, Hooks, MAX_HOPS, OwnMessage, Refusal, Stores,
};
use crate::link::{WorkerId, worker_of};
use crate::message::Message;
use crate::session::{SessionKey, Terms};
use crate::shard::Shard;
use crate::time::Now;
use crate::transit::Transit;

/// Messages of one sender that may be with the rules at once.
const MAX_UNSETTLED: usize = 8_192;
/// Senders remembered before those that have nothing under way are forgotten.
const SPARE_SENDERS: usize = 256;

/// Bytes that a call keeps in memory, about.
pub(crate) fn call_bytes(call: &BrokerCall) -> usize {
    const OVERHEAD_BYTES: usize = 128;
    let own = match call {
        BrokerCall::Publish(message) | BrokerCall::Deliver { message, .. } => {
            message.payload.len() + message.topic.len()
        }
        BrokerCall::Subscribe { .. }
        | BrokerCall::Unsubscribe { .. }
        | BrokerCall::Disconnect { .. }
        | BrokerCall::Lookup { .. } => 0,
    };
    OVERHEAD_BYTES + own
}

/// The client that a call is about.
fn client_of(call: &BrokerCall) -> Option<&str> {
    match call {
        BrokerCall::Publish(_) => None,
        BrokerCall::Deliver { clientid, .. }
        | BrokerCall::Subscribe { clientid, .. }
        | BrokerCall::Unsubscribe { clientid, .. }
        | BrokerCall::Disconnect { clientid, .. }
        | BrokerCall::Lookup { clientid, .. } => Some(clientid),
    }
}

impl<H: Hooks> Shard<H> {
    /// Does what rules wanted since the last call.
    pub(crate) fn take_calls(&mut self, now: Now) {
        let mut calls = std::mem::take(&mut self.calls);
        self.hooks.take_calls(&mut calls);
        for call in calls.drain(..) {
            self.call(now, call);
        }
        self.calls = calls;
    }

    /// Does what is wanted, or has it done where the client lives.
    pub(crate) fn call(&mut self, now: Now, call: BrokerCall) {
        let worker = client_of(&call).and_then(|clientid| {
            let worker = worker_of(clientid, self.links.len());
            WorkerId::try_from(worker).ok()
        });
        match worker.filter(|worker| *worker != self.worker) {
            None => self.carry_out_here(now, call),
            Some(worker) => {
                if let Some(link) = self.links.get_mut(usize::from(worker)) {
                    link.send_call(call);
                }
            }
        }
    }

    /// Does what is wanted of this worker.
    pub(crate) fn carry_out_here(&mut self, now: Now, call: BrokerCall) {
        match call {
            BrokerCall::Publish(message) => self.publish_for(now, message),
            BrokerCall::Deliver { clientid, message } => self.deliver_for(now, &clientid, message),
            BrokerCall::Subscribe {
                clientid,
                subscription,
            } => {
                if let Some(session) = self.session_of_client(&clientid) {
                    self.subscribe_for(now, session, subscription);
                    self.send_waiting(now, session);
                }
            }
            BrokerCall::Unsubscribe { clientid, filter } => {
                if let Some(session) = self.session_of_client(&clientid) {
                    self.revoke(now, session, &filter);
                }
            }
            BrokerCall::Disconnect {
                clientid,
                refusal,
                reply,
            } => {
                let was_there = self.kick(now, &clientid, &refusal);
                if let Some(reply) = reply {
                    reply.send(was_there);
                }
            }
            BrokerCall::Lookup { clientid, reply } => {
                let session = self.session_of_client(&clientid);
                reply.send(session.and_then(|session| self.client_state(session)));
            }
        }
    }

    fn session_of_client(&self, clientid: &str) -> Option<SessionKey> {
        self.clients.get(clientid).copied()
    }

    /// A message that no client sent, at the top of the spine.
    fn publish_for(&mut self, now: Now, own: OwnMessage) {
        self.counters.own_publishes += 1;
        let destination = match delayed::parse(&own.topic) {
            Ok((topic, delay_ms)) => Some((topic.as_str(), delay_ms)),
            Err(delayed::NotDelayed) if is_open(&own.topic) => Some((&*own.topic, 0)),
            Err(delayed::NotDelayed) => None,
        };
        let Some((topic, delay_ms)) = destination.filter(|_| own.hops <= MAX_HOPS) else {
            self.counters.own_publishes_dropped += 1;
            return;
        };
        let topic = self.topics.topic_text(topic);
        let sender = self.sender(&own.sender);
        let has_room = |place: &&Connection| place.pipeline.len() < MAX_UNSETTLED;
        let Some(place) = self.connection(sender).filter(has_room) else {
            self.counters.own_publishes_dropped += 1;
            return;
        };
        let own = OwnMessage {
            sender: Arc::clone(&place.client.clientid),
            ..own
        };
        let message = self.message_of(now, own, topic);
        self.publish_own(now, sender, message, delay_ms);
    }

    /// The place at which the messages of one sender stand in line for the rules. It
    /// is a publisher of its own on each worker: there is no order between workers.
    fn sender(&mut self, name: &Arc<str>) -> ConnectionKey {
        let known = self.senders.get(name).copied();
        if let Some(key) = known.filter(|key| self.connection(*key).is_some()) {
            return key;
        }
        if self.senders.len() >= SPARE_SENDERS {
            let mut senders = std::mem::take(&mut self.senders);
            senders.retain(|_, key| self.connection(*key).is_some());
            self.senders = senders;
        }
        let client = Arc::new(ClientInfo {
            clientid: format!("{name}/{}", self.worker).into(),
            ..ClientInfo::default()
        });
        let key = self.insert_connection(Connection::detached(client));
        self.senders.insert(Arc::clone(name), key);
        key
    }

    /// A message for one client, whatever it subscribes to.
    fn deliver_for(&mut self, now: Now, clientid: &str, own: OwnMessage) {
        let session = self.session_of_client(clientid);
        let Some(session) = session.filter(|_| TopicName::new(&own.topic).is_ok()) else {
            self.counters.own_publishes_dropped += 1;
            return;
        };
        let topic = self.topics.topic_text(&own.topic);
        let message = Arc::new(self.message_of(now, own, topic));
        let terms = Terms {
            qos: message.qos,
            retain_as_published: true,
            identifiers: None,
            reads: Stores::NONE,
        };
        let mut transit = Transit::of(&message);
        transit.deliver_rules = self.deliver_rules(&message.topic);
        self.deliver_to(now, session, &terms, None, &mut transit, false);
    }

    fn message_of(&mut self, now: Now, own: OwnMessage, topic: Arc<str>) -> Message {
        let mut properties = Vec::new();
        if let Some(seconds) = own.expiry_s {
            // Message Expiry Interval, section 3.3.2.3.3.
            properties.push(0x02);
            properties.extend_from_slice(&seconds.to_be_bytes());
        }
        let expires_at_ms = own.expiry_s.map_or(Message::NEVER, |seconds| {
            now.wall_ms.saturating_add(u64::from(seconds) * 1_000)
        });
        if !own.user_properties.is_empty() {
            let sayable =
                |(name, value): &&(String, String)| !name.contains('\0') && !value.contains('\0');
            let all = own.user_properties.iter().filter(sayable);
            let pairs = all.map(|(name, value)| (name.as_str(), value.as_str()));
            properties = PublishProperties::from_validated(&properties).with_user_properties(pairs);
        }
        Message {
            id: self.ids.next(now.wall_ms),
            topic,
            payload: own.payload.into(),
            sender: own.sender,
            qos: own.qos,
            retain: own.retain,
            at_ms: now.wall_ms,
            expires_at_ms,
            properties: properties.into(),
            hops: own.hops,
            packet_id: None,
            foreign_id: None,
            stored: Stores::NONE,
        }
    }

    /// Ends the connection of a client; whether there was one.
    fn kick(&mut self, now: Now, clientid: &str, refusal: &Refusal) -> bool {
        let served = self.connection_of(clientid);
        let arriving = self.arriving.get(clientid).copied();
        let keys = [served, arriving];
        for key in keys.into_iter().flatten() {
            let farewell = Farewell::new(refusal.reason, refusal.text.clone());
            self.close(now, key, CloseReason::Kicked, Some(farewell));
        }
        keys.iter().any(Option::is_some)
    }

    /// What is known of a client by its session.
    pub(crate) fn client_state(&self, key: SessionKey) -> Option<ClientState> {
        let session = self.session(key)?;
        let mut subscriptions: Vec<_> = session
            .subscriptions
            .iter()
            .map(|(filter, granted)| subscription_info(filter.as_str(), Some(*granted)))
            .collect();
        subscriptions.sort_unstable_by(|one, other| one.filter.cmp(&other.filter));
        Some(ClientState {
            client: Arc::clone(&session.client),
            is_connected: session.connection.is_some(),
            connected_at_ms: session.connected_at_ms,
            subscriptions,
            inflight: session.inflight.len(),
            queued: session.waiting(),
            queued_bytes: session.queue.bytes(),
            received: session.received.len(),
        })
    }
}

/// Whether anybody but the broker itself may publish there.
fn is_open(topic: &str) -> bool {
    TopicName::new(topic).is_ok()
        && !topic.starts_with("$SYS/")
        && !topic.starts_with(DELAYED_PREFIX)
}
