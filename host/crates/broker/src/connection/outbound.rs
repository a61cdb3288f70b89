//! From the broker to the client: deliveries within the client's window,
//! acknowledgements in the order of the publishes, and the last packet.

use std::sync::Arc;

use hookwire_mqtt::{Disconnect, PacketId, ProtocolVersion, PubAck, QoS};

use super::{Connection, ConnectionKey, Farewell};
use crate::hooks::{Hooks, Refusal};
use crate::session::SessionKey;
use crate::shard::Shard;
use crate::topic_cache::Target;
use crate::transit::{Framing, Transit, append_one, frame_bytes};

impl<H: Hooks> Shard<H> {
    /// Delivers with QoS 0: written now, or dropped when the client does not read.
    pub(crate) fn deliver_at_most_once(
        &mut self,
        target: Target,
        transit: &mut Transit<'_>,
        several: bool,
    ) {
        let Some(key) = self.receiver(target, transit) else {
            return;
        };
        let limit = self.limits.max_output_bytes;
        if self
            .connection(key)
            .is_none_or(|connection| connection.output.len() > limit)
        {
            self.counters.deliveries_dropped += 1;
            return;
        }
        self.send(key, transit, QoS::AtMostOnce, None, several);
    }

    /// Delivers with QoS 1: sent if the client's window has room, else queued
    /// behind what already waits, within the queue's bound.
    pub(crate) fn deliver_at_least_once(
        &mut self,
        target: Target,
        transit: &mut Transit<'_>,
        several: bool,
    ) {
        let Some(key) = self.receiver(target, transit) else {
            return;
        };
        let max_queued = self.limits.max_queued_messages;
        let Some(session) = self.session_mut(target.session) else {
            return;
        };
        if session.queue.is_empty() && session.inflight.has_room() {
            let id = session.inflight.send(transit.shared());
            self.send_or_forget(target.session, key, transit, id, several);
        } else if session.queue.len() < max_queued {
            session.queue.push_back(transit.shared());
        } else {
            self.counters.deliveries_dropped += 1;
        }
    }

    /// The client acknowledged a delivery: it leaves the window, its event goes
    /// to the rules, and the next messages in the queue follow.
    pub(crate) fn on_puback(&mut self, key: ConnectionKey, ack: &PubAck) {
        let Some(session_key) = self.live(key).and_then(|connection| connection.session) else {
            return;
        };
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        let client = Arc::clone(&session.client);
        let Some(message) = session.inflight.acknowledge(ack.packet_id) else {
            return;
        };
        if !ack.reason.is_error()
            && let Ok(topic) = hookwire_mqtt::TopicName::new(&message.topic)
        {
            let rules = self.topic_entry(topic).acked_rules;
            if rules != crate::hooks::RuleSet::NONE {
                self.hooks.submit_acked(rules, &client, message);
            }
        }
        self.send_queued(session_key, key);
    }

    /// Acknowledges a publish of this client; `refusal` says why not. Before MQTT 5
    /// there is no negative acknowledgement [MQTT-3.3.5-2].
    pub(crate) fn acknowledge(
        &mut self,
        key: ConnectionKey,
        packet_id: Option<PacketId>,
        refusal: Option<Refusal>,
    ) {
        let Some(packet_id) = packet_id else {
            return;
        };
        self.touch(key);
        let Some(connection) = self.live(key) else {
            return;
        };
        let mut ack = PubAck::success(packet_id);
        let Some(refusal) = refusal else {
            return ack.encode(connection.version, connection.output.tail());
        };
        ack.reason = refusal.reason;
        connection.append_explained(refusal.text, |text, version, out| {
            ack.reason_string = text;
            ack.encode(version, out);
        });
    }

    fn send_queued(&mut self, session_key: SessionKey, key: ConnectionKey) {
        while let Some(session) = self.session_mut(session_key)
            && session.inflight.has_room()
            && let Some(message) = session.queue.pop_front()
        {
            let id = session.inflight.send(Arc::clone(&message));
            let mut transit = Transit::of(&message);
            self.send_or_forget(session_key, key, &mut transit, id, false);
        }
    }

    /// Sends within the window; a message the client cannot take leaves it again.
    fn send_or_forget(
        &mut self,
        session: SessionKey,
        key: ConnectionKey,
        transit: &mut Transit<'_>,
        id: PacketId,
        several: bool,
    ) {
        if !self.send(key, transit, QoS::AtLeastOnce, Some(id), several)
            && let Some(session) = self.session_mut(session)
        {
            session.inflight.acknowledge(id);
        }
    }

    /// Appends a PUBLISH; false if it is larger than the client takes [MQTT-3.1.2-24].
    fn send(
        &mut self,
        key: ConnectionKey,
        transit: &mut Transit<'_>,
        qos: QoS,
        packet_id: Option<PacketId>,
        several: bool,
    ) -> bool {
        self.touch(key);
        let Some(connection) = self
            .connections
            .get_mut(key.index as usize)
            .filter(|connection| connection.generation == key.generation)
        else {
            return false;
        };
        let framing = Framing {
            version: connection.version,
            qos,
            packet_id,
            dup: false,
        };
        if connection.maximum_packet_bytes < usize::MAX
            && frame_bytes(transit, framing) > connection.maximum_packet_bytes
        {
            self.counters.deliveries_too_large += 1;
            return false;
        }
        self.counters.publishes_sent += 1;
        if several {
            self.frames.append(&mut connection.output, transit, framing);
        } else {
            append_one(&mut connection.output, transit, framing);
        }
        if connection.output.len() > self.limits.max_output_bytes / 4 {
            self.output_is_pressing = true;
        }
        true
    }

    /// The connection that a target's messages go to, unless they are its own
    /// and it wants none of those [MQTT-3.8.3-3].
    fn receiver(&mut self, target: Target, transit: &Transit<'_>) -> Option<ConnectionKey> {
        let session = self.session_mut(target.session)?;
        let own = target.no_local && session.client.clientid == *transit.sender;
        (!own).then_some(session.connection)
    }
}

/// Appends DISCONNECT for clients whose version lets a server send it.
pub(crate) fn close_packet(connection: &mut Connection, farewell: Farewell) {
    if connection.version == ProtocolVersion::V5 {
        let mut disconnect = Disconnect::with_reason(farewell.reason);
        connection.append_explained(farewell.text, |text, version, out| {
            disconnect.reason_string = text;
            disconnect.encode(version, out);
        });
    }
}
