//! From the client to the broker: each packet to the place that serves it, and
//! every breach of the protocol to its end.

use std::sync::Arc;

use hookwire_mqtt::{DecodeError, Disconnect, Packet, Publish, QoS, ReasonCode, TopicName};

use super::{CloseReason, ConnectionKey, Farewell, Stage};
use crate::hooks::{ClientInfo, ConnectionInfo, Hooks, RuleSet, Verdict};
use crate::shard::{Flow, Shard};
use crate::spine::Incoming;
use crate::time::Now;

/// A breach of the protocol: a short name to count it under, and the farewell.
pub(super) struct Breach {
    pub(super) kind: &'static str,
    pub(super) reason: ReasonCode,
    pub(super) text: &'static str,
}

impl<H: Hooks> Shard<H> {
    /// Takes one packet of a client, in the order received, or asks for it later.
    pub fn packet(&mut self, now: Now, key: ConnectionKey, packet: Packet<'_>) -> Flow {
        let Some(connection) = self.connection_mut(key) else {
            return Flow::Close;
        };
        match connection.stage {
            Stage::Live => {}
            Stage::Arriving => return self.packet_while_arriving(now, key, packet),
            Stage::Closing | Stage::Gone => return Flow::Close,
        }
        connection.last_seen_ms = now.mono_ms;
        if self.has_to_wait(key, &packet) {
            self.pause(key);
            return Flow::Later;
        }
        self.counters.packets_received += 1;
        let mut is_taken = true;
        match packet {
            Packet::Publish(publish) => is_taken = self.on_publish(now, key, &publish),
            Packet::PubAck(ack) => self.on_puback(now, key, &ack),
            Packet::PubRec(ack) => self.on_pubrec(now, key, &ack),
            Packet::PubRel(ack) => self.on_pubrel(key, &ack),
            Packet::PubComp(ack) => self.on_pubcomp(now, key, &ack),
            Packet::Subscribe(subscribe) => is_taken = self.on_subscribe(now, key, &subscribe),
            Packet::Unsubscribe(unsubscribe) => {
                is_taken = self.on_unsubscribe(now, key, &unsubscribe);
            }
            Packet::PingReq => self.append_packet(key, |version, out| {
                Packet::PingResp.encode(version, out);
            }),
            Packet::Disconnect(disconnect) => self.on_disconnect(now, key, &disconnect),
            Packet::Auth(auth) => self.on_auth(now, key, *auth),
            Packet::Connect(_) => self.breach(
                now,
                key,
                &Breach {
                    kind: "second CONNECT",
                    reason: ReasonCode::ProtocolError,
                    text: "a connection has one CONNECT",
                },
            ),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => self
                .breach(
                    now,
                    key,
                    &Breach {
                        kind: "server packet from client",
                        reason: ReasonCode::ProtocolError,
                        text: "only a server sends this packet",
                    },
                ),
        }
        if !self.closings.is_empty() {
            self.close_listed(now);
        }
        if !is_taken {
            // It is counted when it comes again.
            self.counters.packets_received -= 1;
            self.pause(key);
            return Flow::Later;
        }
        self.open_or_close(key)
    }

    pub(super) fn open_or_close(&self, key: ConnectionKey) -> Flow {
        match self.connection(key) {
            Some(connection) if connection.is_open() => Flow::Continue,
            _ => Flow::Close,
        }
    }

    /// The client sent bytes that are no packet: it is told why, counted, and closed.
    pub fn malformed(&mut self, now: Now, key: ConnectionKey, error: &DecodeError) {
        self.counters.protocol_error(error.kind());
        let farewell = Farewell::new(error.reason(), error.to_string());
        self.close(now, key, CloseReason::ProtocolError, Some(farewell));
    }

    /// False: rules are asked whether it may be, and it has to come again.
    fn on_publish(&mut self, now: Now, key: ConnectionKey, publish: &Publish<'_>) -> bool {
        if let Some(breach) = self.breach_of(key, publish) {
            self.breach(now, key, &breach);
            return true;
        }
        if !publish.properties.is_empty()
            && let Some(alias) = publish.properties.topic_alias()
        {
            return self.on_publish_by_alias(now, key, publish, alias);
        }
        self.on_named_publish(now, key, publish, publish.topic)
    }

    /// What of a PUBLISH breaks a rule that takes knowledge of the connection.
    fn breach_of(&self, key: ConnectionKey, publish: &Publish<'_>) -> Option<Breach> {
        if publish.qos > QoS::AtMostOnce && self.exceeds_receive_maximum(key, publish) {
            return Some(Breach {
                kind: "receive maximum",
                reason: ReasonCode::ReceiveMaximumExceeded,
                text: "more publishes at once than Receive Maximum",
            });
        }
        if publish.properties.is_empty() {
            return None;
        }
        // The server grants none, and a client must not send any [MQTT-3.3.4-6].
        if publish
            .properties
            .subscription_identifiers()
            .next()
            .is_some()
        {
            return Some(Breach {
                kind: "subscription identifier in PUBLISH",
                reason: ReasonCode::ProtocolError,
                text: "a client sends no subscription identifier",
            });
        }
        if self.limits.check_payload_format
            && publish.qos == QoS::AtMostOnce
            && !is_in_its_format(publish)
        {
            // There is no acknowledgement to say it with.
            return Some(Breach {
                kind: "payload format",
                reason: ReasonCode::PayloadFormatInvalid,
                text: "the payload is not UTF-8",
            });
        }
        None
    }

    fn exceeds_receive_maximum(&self, key: ConnectionKey, publish: &Publish<'_>) -> bool {
        let Some(connection) = self
            .connection(key)
            .filter(|connection| connection.version.is_v5())
        else {
            return false;
        };
        if connection.unacknowledged < self.limits.receive_maximum {
            return false;
        }
        // One that is sent again is counted already.
        !self.was_received(key, publish)
    }

    fn on_publish_by_alias(
        &mut self,
        now: Now,
        key: ConnectionKey,
        publish: &Publish<'_>,
        alias: u16,
    ) -> bool {
        if alias > self.limits.max_topic_aliases {
            let breach = Breach {
                kind: "topic alias",
                reason: ReasonCode::TopicAliasInvalid,
                text: "the topic alias is above Topic Alias Maximum",
            };
            self.breach(now, key, &breach);
            return true;
        }
        let named =
            (!publish.topic.is_empty()).then(|| self.topics.topic_text(publish.topic.as_str()));
        let Some(connection) = self.live(key) else {
            return true;
        };
        let known = match named {
            Some(topic) => {
                connection.aliases_in.set(alias, Arc::clone(&topic));
                Some(topic)
            }
            None => connection.aliases_in.get(alias).cloned(),
        };
        match known.as_deref().map(TopicName::new) {
            Some(Ok(topic)) => self.on_named_publish(now, key, publish, topic),
            _ => {
                let breach = Breach {
                    kind: "topic alias",
                    reason: ReasonCode::ProtocolError,
                    text: "the topic alias was never set",
                };
                self.breach(now, key, &breach);
                true
            }
        }
    }

    fn on_named_publish(
        &mut self,
        now: Now,
        key: ConnectionKey,
        publish: &Publish<'_>,
        topic: TopicName<'_>,
    ) -> bool {
        let incoming = Incoming {
            publish,
            topic,
            is_in_its_format: !self.limits.check_payload_format || is_in_its_format(publish),
        };
        let (topic, delay_ms, mut verdict) = if incoming.is_plain() {
            (topic, None, None)
        } else {
            let (topic, delay_ms, refusal) = self.destination(&incoming);
            (topic, delay_ms, refusal.map(Verdict::Deny))
        };
        let entry = self.topic_entry(topic);
        // Nobody may have anything to say about it: then this is all it costs.
        if (entry.access_rules != RuleSet::NONE || self.denies_unlisted)
            && verdict.is_none()
            && !self.was_received(key, publish)
        {
            match self.access_of(now, key, publish, &entry) {
                Some(denial) => verdict = denial,
                None => return false,
            }
        }
        self.counters.publishes_received += 1;
        self.counters.payload_bytes_received += publish.payload.len() as u64;
        if publish.qos == QoS::ExactlyOnce && self.is_sent_again(key, publish) {
            return true;
        }
        self.publish(now, key, publish, &entry, delay_ms, verdict);
        true
    }

    /// Whether it is a QoS 2 publish that was taken before.
    fn was_received(&self, key: ConnectionKey, publish: &Publish<'_>) -> bool {
        let session = self
            .connection(key)
            .and_then(|connection| connection.session);
        let id = publish
            .packet_id
            .filter(|_| publish.qos == QoS::ExactlyOnce);
        let session = session.and_then(|session| self.session(session));
        id.zip(session).is_some_and(|(id, session)| {
            session.received.contains(&id) && !session.kept.is_another(id, publish.dup)
        })
    }

    fn on_disconnect(&mut self, now: Now, key: ConnectionKey, disconnect: &Disconnect) {
        let asks = disconnect.session_expiry_interval_s;
        let asked = self
            .connection(key)
            .is_some_and(|connection| connection.asked_for_expiry);
        if asks.is_some_and(|seconds| seconds > 0) && !asked {
            let breach = Breach {
                kind: "session expiry in DISCONNECT",
                reason: ReasonCode::ProtocolError,
                text: "CONNECT had no session expiry interval",
            };
            return self.breach(now, key, &breach);
        }
        let max = self.limits.max_session_expiry_s;
        let session = self
            .connection(key)
            .and_then(|connection| connection.session);
        if let Some(seconds) = asks
            && let Some(session) = session.and_then(|session| self.session_mut(session))
        {
            session.expiry_interval_s = seconds.min(max);
        }
        if let Some(connection) = self.connection_mut(key) {
            connection.left_with = disconnect.reason;
            if let Some(seconds) = asks {
                connection.client = expiring(&connection.client, seconds.min(max));
            }
        }
        let reason = match disconnect.reason {
            ReasonCode::Success => CloseReason::Normal,
            _ => CloseReason::NormalWithWill,
        };
        self.close(now, key, reason, None);
    }

    pub(super) fn breach(&mut self, now: Now, key: ConnectionKey, breach: &Breach) {
        self.counters.protocol_error(breach.kind);
        let farewell = Farewell::new(breach.reason, breach.text);
        self.close(now, key, CloseReason::ProtocolError, Some(farewell));
    }
}

/// The client, with another Session Expiry Interval.
fn expiring(client: &Arc<ClientInfo>, session_expiry_s: u32) -> Arc<ClientInfo> {
    let connection = client.connection.as_ref().map(|connection| {
        Arc::new(ConnectionInfo {
            session_expiry_s,
            ..ConnectionInfo::clone(connection)
        })
    });
    Arc::new(ClientInfo {
        connection,
        ..ClientInfo::clone(client)
    })
}

fn is_in_its_format(publish: &Publish<'_>) -> bool {
    publish.properties.is_empty()
        || !publish.properties.payload_format_utf8()
        || std::str::from_utf8(publish.payload).is_ok()
}
