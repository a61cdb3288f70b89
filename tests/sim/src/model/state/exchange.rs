//! A delivery with a packet id, from PUBLISH to its last acknowledgement.

use hookwire_mqtt::QoS;

use super::MessageNo;
use crate::history::ConnectionNo;

/// A delivery with a packet id.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) id: u16,
    pub(crate) message: MessageNo,
    pub(crate) qos: QoS,
    pub(crate) step: Step,
    /// The connection on which the server last sent a packet of it.
    pub(crate) connection: ConnectionNo,
    /// Grows in the order first received.
    pub(crate) order: u64,
    /// Grows in the order of the PUBRECs.
    pub(crate) received_order: u64,
    /// Whether the session may have been lost since.
    pub(crate) is_in_doubt: bool,
}

/// How far a delivery is, from the client's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// PUBLISH was received.
    Delivered,
    /// The last packet was sent: PUBACK, PUBCOMP, or a PUBREC that refuses. It
    /// may not have arrived.
    Finished {
        /// Whether the server surely had PUBREC.
        had_pubrec: bool,
    },
    /// PUBREC was sent.
    Received {
        /// It has surely arrived.
        is_confirmed: bool,
    },
    /// PUBREL was received.
    Released,
}

impl Exchange {
    /// Whether the server must not use the id for another message.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.step, Step::Finished { .. }) && !self.is_in_doubt
    }
}
