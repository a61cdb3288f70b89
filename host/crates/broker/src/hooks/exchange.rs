//! QoS 2 exchanges, as what keeps them over a crash has to know them.

use std::sync::Arc;

use hookwire_mqtt::PacketId;

use super::ClientInfo;
use crate::message::MessageId;

/// A QoS 2 exchange that comes to a step after which the other side may rely on
/// it: MQTT goes on when the rules have answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Whose.
    pub client: Arc<ClientInfo>,
    /// The packet id it goes by.
    pub packet_id: PacketId,
    /// Which step of which direction.
    pub step: ExchangeStep,
}

/// A step of a QoS 2 exchange, MQTT section 4.3.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeStep {
    /// PUBREL of a client that publishes came; PUBCOMP is about to go out.
    Released,
    /// This message is about to be sent to the client.
    Sent {
        /// Its id.
        message: MessageId,
        /// Its topic.
        topic: Arc<str>,
    },
    /// PUBREC came for this message; PUBREL is about to go out.
    Received(MessageId),
    /// PUBCOMP came for it, or PUBREC with an error. Nobody waits for the answer.
    Completed(MessageId),
}

impl ExchangeStep {
    /// The message that is sent, where one is.
    #[must_use]
    pub fn message(&self) -> Option<MessageId> {
        match self {
            Self::Released => None,
            Self::Sent { message, .. } | Self::Received(message) | Self::Completed(message) => {
                Some(*message)
            }
        }
    }
}

/// What a restored session knows of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoredExchange {
    /// The client's publish with this packet id was taken, and PUBREL did not come.
    Taken(PacketId),
    /// The message was sent, or was about to be, by this packet id.
    Sent(PacketId, MessageId),
    /// PUBREC came for it.
    Received(PacketId, MessageId),
    /// PUBCOMP came for it, and the client's position is still before it.
    Completed(MessageId),
}
