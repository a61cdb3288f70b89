//! Acknowledging a client's publishes: in the order received, each when it is
//! decided [MQTT-4.6.0-2] [MQTT-4.6.0-3].

use hookwire_mqtt::{Ack, AckKind, PacketId, QoS, ReasonCode};

use super::ConnectionKey;
use crate::hooks::{Hooks, Refusal};
use crate::shard::Shard;

/// Which acknowledgement a publish waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) packet_id: PacketId,
    pub(crate) kind: AckKind,
}

impl Receipt {
    /// That of a PUBLISH as it came; none at QoS 0.
    pub(crate) fn of(qos: QoS, packet_id: Option<PacketId>) -> Option<Self> {
        let kind = match qos {
            QoS::AtMostOnce => return None,
            QoS::AtLeastOnce => AckKind::PubAck,
            QoS::ExactlyOnce => AckKind::PubRec,
        };
        packet_id.map(|packet_id| Self { packet_id, kind })
    }

    pub(crate) fn is_exactly_once(self) -> bool {
        self.kind == AckKind::PubRec
    }
}

impl<H: Hooks> Shard<H> {
    /// Acknowledges a publish that was taken.
    pub(crate) fn acknowledge(
        &mut self,
        key: ConnectionKey,
        receipt: Option<Receipt>,
        reason: ReasonCode,
    ) {
        let Some(Receipt { packet_id, kind }) = receipt else {
            return;
        };
        let ack = Ack::with_reason(packet_id, reason);
        self.append_packet(key, |version, out| ack.encode(kind, version, out));
    }

    /// Acknowledges a publish that was refused. Before MQTT 5 there is no
    /// negative acknowledgement [MQTT-3.3.5-2].
    pub(crate) fn refuse_publish(
        &mut self,
        key: ConnectionKey,
        receipt: Option<Receipt>,
        refusal: Refusal,
    ) {
        let Some(Receipt { packet_id, kind }) = receipt else {
            return;
        };
        let is_v5 = self
            .connection(key)
            .is_some_and(|connection| connection.version.is_v5());
        if is_v5 {
            // An exchange that fails ends here, and the id is free [MQTT-4.3.3-9].
            self.forget_received(key, receipt);
        }
        self.touch(key);
        let Some(connection) = self
            .connections
            .get_mut(key.index as usize)
            .filter(|connection| connection.generation == key.generation && connection.is_live())
        else {
            return;
        };
        self.counters.packets_sent += 1;
        let mut ack = Ack::with_reason(packet_id, allowed(refusal.reason));
        connection.append_explained(refusal.text, |text, version, out| {
            ack.reason_string = text;
            ack.encode(kind, version, out);
        });
    }

    /// A QoS 2 publish was not taken: the same id may bring it again.
    pub(crate) fn forget_received(&mut self, key: ConnectionKey, receipt: Option<Receipt>) {
        let Some(receipt) = receipt.filter(|receipt| receipt.is_exactly_once()) else {
            return;
        };
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        connection.unacknowledged = connection.unacknowledged.saturating_sub(1);
        let session = connection.session;
        if let Some(session) = session.and_then(|session| self.session_mut(session)) {
            session.received.remove(&receipt.packet_id);
        }
    }
}

/// The reason, if PUBACK and PUBREC can say it.
fn allowed(reason: ReasonCode) -> ReasonCode {
    match reason {
        ReasonCode::UnspecifiedError
        | ReasonCode::ImplementationSpecificError
        | ReasonCode::NotAuthorized
        | ReasonCode::TopicNameInvalid
        | ReasonCode::PacketIdentifierInUse
        | ReasonCode::QuotaExceeded
        | ReasonCode::PayloadFormatInvalid => reason,
        ReasonCode::MessageRateTooHigh | ReasonCode::ServerBusy => ReasonCode::QuotaExceeded,
        ReasonCode::Banned | ReasonCode::AdministrativeAction => ReasonCode::NotAuthorized,
        _ => ReasonCode::UnspecifiedError,
    }
}
