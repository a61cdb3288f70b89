//! From the client to the broker: each packet to the place that serves it, and
//! every breach of the protocol to its end.

use hookwire_mqtt::{DecodeError, Disconnect, Packet, Publish, QoS, ReasonCode};

use super::{CloseReason, ConnectionKey, Farewell};
use crate::hooks::Hooks;
use crate::shard::{Flow, Shard};
use crate::time::Now;

/// A breach of the protocol: a short name to count it under, and the farewell.
pub(super) struct Breach {
    pub(super) kind: &'static str,
    pub(super) reason: ReasonCode,
    pub(super) text: &'static str,
}

impl<H: Hooks> Shard<H> {
    /// Takes one packet of a client, in the order received.
    pub fn packet(&mut self, now: Now, key: ConnectionKey, packet: Packet<'_>) -> Flow {
        let Some(connection) = self.live(key) else {
            return Flow::Close;
        };
        connection.last_seen_ms = now.mono_ms;
        match packet {
            Packet::Publish(publish) => self.on_publish(now, key, &publish),
            Packet::PubAck(ack) => self.on_puback(key, &ack),
            Packet::Subscribe(subscribe) => self.on_subscribe(now, key, &subscribe),
            Packet::Unsubscribe(unsubscribe) => self.on_unsubscribe(key, &unsubscribe),
            Packet::PingReq => self.on_ping(key),
            Packet::Disconnect(disconnect) => self.on_disconnect(now, key, &disconnect),
            Packet::Connect(_) => {
                self.breach(
                    now,
                    key,
                    &Breach {
                        kind: "second CONNECT",
                        reason: ReasonCode::ProtocolError,
                        text: "a connection has one CONNECT",
                    },
                );
            }
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                self.breach(
                    now,
                    key,
                    &Breach {
                        kind: "server packet from client",
                        reason: ReasonCode::ProtocolError,
                        text: "only a server sends this packet",
                    },
                );
            }
        }
        self.flow(key)
    }

    /// The client sent bytes that are no packet: it is told why, counted, and closed.
    pub fn malformed(&mut self, now: Now, key: ConnectionKey, error: &DecodeError) {
        self.counters.protocol_error(error.kind());
        let farewell = Farewell::new(error.reason(), error.to_string());
        self.close(now, key, CloseReason::ProtocolError, Some(farewell));
    }

    fn on_publish(&mut self, now: Now, key: ConnectionKey, publish: &Publish<'_>) {
        self.counters.publishes_received += 1;
        let breach = if publish.qos == QoS::ExactlyOnce {
            Some(Breach {
                kind: "QoS 2 PUBLISH",
                reason: ReasonCode::QoSNotSupported,
                text: "this server takes QoS 0 and 1",
            })
        } else if publish.properties.topic_alias().is_some() {
            Some(Breach {
                kind: "topic alias",
                reason: ReasonCode::TopicAliasInvalid,
                text: "this server granted no topic aliases",
            })
        } else if publish
            .properties
            .subscription_identifiers()
            .next()
            .is_some()
        {
            Some(Breach {
                kind: "subscription identifier in PUBLISH",
                reason: ReasonCode::ProtocolError,
                text: "a client sends no subscription identifier",
            })
        } else if publish.retain && self.is_v5(key) {
            Some(Breach {
                kind: "retained PUBLISH",
                reason: ReasonCode::RetainNotSupported,
                text: "this server said that it retains nothing",
            })
        } else {
            None
        };
        match breach {
            Some(breach) => self.breach(now, key, &breach),
            None => self.publish(now, key, publish),
        }
    }

    fn on_ping(&mut self, key: ConnectionKey) {
        self.touch(key);
        if let Some(connection) = self.live(key) {
            Packet::PingResp.encode(connection.version, connection.output.tail());
        }
    }

    fn on_disconnect(&mut self, now: Now, key: ConnectionKey, disconnect: &Disconnect) {
        let asks_now = disconnect
            .session_expiry_interval_s
            .is_some_and(|seconds| seconds > 0);
        let asked = self
            .connection(key)
            .is_some_and(|connection| connection.asked_for_expiry);
        if asks_now && !asked {
            let breach = Breach {
                kind: "session expiry in DISCONNECT",
                reason: ReasonCode::ProtocolError,
                text: "CONNECT had no session expiry interval",
            };
            self.breach(now, key, &breach);
            return;
        }
        let reason = match disconnect.reason {
            ReasonCode::Success => CloseReason::Normal,
            _ => CloseReason::NormalWithWill,
        };
        self.close(now, key, reason, None);
    }

    fn is_v5(&self, key: ConnectionKey) -> bool {
        self.connection(key)
            .is_some_and(|connection| connection.version == hookwire_mqtt::ProtocolVersion::V5)
    }

    pub(super) fn breach(&mut self, now: Now, key: ConnectionKey, breach: &Breach) {
        self.counters.protocol_error(breach.kind);
        let farewell = Farewell::new(breach.reason, breach.text);
        self.close(now, key, CloseReason::ProtocolError, Some(farewell));
    }
}
