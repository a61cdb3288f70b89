//! Subscriptions and QoS 2 exchanges that modules restore, or make for a client, as a
//! session has them.

use hookwire_broker::{MessageId, RestoredExchange, SubscriptionInfo};
use hookwire_mqtt::{PacketId, QoS, TopicError, TopicFilter};

use crate::text::quoted;
use crate::wit::exports::hookwire::rule::actions::{
    RestoredExchange as GuestExchange, RestoredSubscription,
};
use crate::wit::hookwire::broker::broker::Subscribing;

/// Why a subscription cannot be made on a client's behalf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// No such filter.
    #[error("the filter {filter:?} {source}")]
    Filter {
        /// What the guest wrote, shortened.
        filter: String,
        /// The rule it breaks.
        source: TopicError,
    },
    /// There is no such QoS.
    #[error("the subscription to {filter:?} has QoS {qos}")]
    QoS {
        /// Its filter.
        filter: String,
        /// What the guest wrote.
        qos: u8,
    },
    /// There is no such retain handling.
    #[error("the subscription to {filter:?} has retain handling {retain_handling}")]
    RetainHandling {
        /// Its filter.
        filter: String,
        /// What the guest wrote.
        retain_handling: u8,
    },
}

/// A subscription that a module restores.
///
/// # Errors
/// When no client could make it.
pub fn subscription(given: RestoredSubscription) -> Result<SubscriptionInfo, SubscriptionError> {
    checked(
        SubscriptionInfo {
            filter: given.filter.into(),
            qos: QoS::AtMostOnce,
            no_local: given.no_local,
            retain_as_published: given.retain_as_published,
            retain_handling: given.retain_handling,
            identifier: given.identifier,
            is_new: true,
        },
        given.qos,
    )
}

/// Why a restored exchange means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the exchange {packet_id} of {message_id:?} cannot be restored: {why}")]
pub struct ExchangeError {
    /// Its packet id.
    pub packet_id: u16,
    /// Its message id, shortened.
    pub message_id: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// A QoS 2 exchange that a module restores.
///
/// # Errors
/// When no client could have it.
pub fn exchange(given: &GuestExchange) -> Result<RestoredExchange, ExchangeError> {
    let known = given.message_id.parse::<MessageId>();
    let wrong = |why| ExchangeError {
        packet_id: given.packet_id,
        message_id: quoted(given.message_id.clone()),
        why,
    };
    let packet_id = PacketId::new(given.packet_id).ok_or_else(|| wrong("0 is no packet id"))?;
    let message_id = || known.map_err(|_| wrong("a message id is 20 base62 characters"));
    match (&*given.direction, &*given.state) {
        ("in", "received") => Ok(RestoredExchange::Taken(packet_id)),
        ("out", "sent") => Ok(RestoredExchange::Sent(packet_id, message_id()?)),
        ("out", "received") => Ok(RestoredExchange::Received(packet_id, message_id()?)),
        ("out", "completed") => Ok(RestoredExchange::Completed(message_id()?)),
        _ => Err(wrong(
            "there is \"in\" and \"received\", and \"out\" with \"sent\", \"received\" or \"completed\"",
        )),
    }
}

/// A subscription that a module wants to be made.
///
/// # Errors
/// When no client could make it.
pub fn subscribing(given: Subscribing) -> Result<SubscriptionInfo, SubscriptionError> {
    checked(
        SubscriptionInfo {
            filter: given.filter.into(),
            qos: QoS::AtMostOnce,
            no_local: given.no_local,
            retain_as_published: given.retain_as_published,
            retain_handling: given.retain_handling,
            identifier: given.identifier,
            is_new: true,
        },
        given.qos,
    )
}

fn checked(mut given: SubscriptionInfo, qos: u8) -> Result<SubscriptionInfo, SubscriptionError> {
    let filter = || quoted(given.filter.to_string());
    if let Err(source) = TopicFilter::new(&given.filter) {
        let filter = filter();
        return Err(SubscriptionError::Filter { filter, source });
    }
    if given.retain_handling > 2 {
        return Err(SubscriptionError::RetainHandling {
            filter: filter(),
            retain_handling: given.retain_handling,
        });
    }
    let Ok(qos) = QoS::try_from(qos) else {
        let filter = filter();
        return Err(SubscriptionError::QoS { filter, qos });
    };
    given.qos = qos;
    Ok(given)
}
