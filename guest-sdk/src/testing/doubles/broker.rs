//! `hookwire:broker/broker`: calls are kept, clients are those of the test.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

use crate::bindings::hookwire::broker::broker::{Outgoing, Subscribing};
use crate::broker::{ClientState, Publish};
use crate::{Fault, RestoredSubscription};

/// Something that a module asked of the broker.
///
/// ```
/// use hookwire_sdk::testing::{self, BrokerCall};
/// use hookwire_sdk::{broker, reason_code};
///
/// broker::disconnect("c1", reason_code::BANNED, "too loud").unwrap();
/// let calls = testing::take_broker_calls();
/// let BrokerCall::Disconnect { clientid, reason_code, .. } = &calls[0] else {
///     panic!("{calls:?}");
/// };
/// assert_eq!((clientid.as_str(), *reason_code), ("c1", 0x8A));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum BrokerCall {
    /// [`broker::publish`](crate::broker::publish).
    Publish(Publish),
    /// [`broker::deliver`](crate::broker::deliver).
    Deliver {
        /// The receiver.
        clientid: String,
        /// What it is sent.
        message: Publish,
    },
    /// [`broker::subscribe`](crate::broker::subscribe).
    Subscribe {
        /// The client.
        clientid: String,
        /// What it is subscribed to.
        subscription: RestoredSubscription,
    },
    /// [`broker::unsubscribe`](crate::broker::unsubscribe).
    Unsubscribe {
        /// The client.
        clientid: String,
        /// The subscription that ends.
        filter: String,
    },
    /// [`broker::disconnect`](crate::broker::disconnect).
    Disconnect {
        /// The client.
        clientid: String,
        /// What it is told.
        reason_code: u8,
        /// For a person.
        reason: String,
    },
}

#[derive(Default)]
struct State {
    calls: Vec<BrokerCall>,
    clients: HashMap<String, ClientState>,
    faults: VecDeque<Fault>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// What was asked of the broker on this thread since the last call, in order.
/// Calls that failed are not in it.
///
/// ```
/// use hookwire_sdk::broker::{self, Publish};
/// use hookwire_sdk::testing;
///
/// broker::publish(&Publish::new("a", "")).unwrap();
/// assert_eq!(testing::take_broker_calls().len(), 1);
/// assert!(testing::take_broker_calls().is_empty());
/// ```
#[must_use]
pub fn take_broker_calls() -> Vec<BrokerCall> {
    STATE.with_borrow_mut(|state| std::mem::take(&mut state.calls))
}

/// The next call of this thread fails, a lookup too. Several wait in line.
///
/// ```
/// use hookwire_sdk::{Fault, FaultKind, broker, testing};
///
/// testing::fail_next_broker_call(Fault::new(FaultKind::Saturated, "hookwire:broker", "full"));
/// assert!(broker::unsubscribe("c1", "a/#").is_err());
/// assert!(broker::unsubscribe("c1", "a/#").is_ok());
/// ```
pub fn fail_next_broker_call(fault: Fault) {
    STATE.with_borrow_mut(|state| state.faults.push_back(fault));
}

/// A client that [`broker::lookup`](crate::broker::lookup) finds on this thread.
///
/// ```
/// use hookwire_sdk::{broker, testing};
///
/// testing::set_client(testing::client_state("c1"));
/// assert_eq!(broker::lookup("c1").unwrap().unwrap().clientid, "c1");
/// assert_eq!(broker::lookup("c2").unwrap(), None);
/// ```
pub fn set_client(client: ClientState) {
    STATE.with_borrow_mut(|state| state.clients.insert(client.clientid.clone(), client));
}

pub(crate) fn publish(message: Outgoing<'_>) -> Result<(), Fault> {
    record(BrokerCall::Publish(owned(&message)))
}

pub(crate) fn deliver(clientid: &str, message: Outgoing<'_>) -> Result<(), Fault> {
    record(BrokerCall::Deliver {
        clientid: clientid.to_owned(),
        message: owned(&message),
    })
}

pub(crate) fn subscribe(clientid: &str, subscription: Subscribing<'_>) -> Result<(), Fault> {
    record(BrokerCall::Subscribe {
        clientid: clientid.to_owned(),
        subscription: RestoredSubscription {
            no_local: subscription.no_local,
            retain_as_published: subscription.retain_as_published,
            retain_handling: subscription.retain_handling,
            identifier: subscription.identifier,
            ..RestoredSubscription::new(subscription.filter, subscription.qos)
        },
    })
}

pub(crate) fn unsubscribe(clientid: &str, filter: &str) -> Result<(), Fault> {
    record(BrokerCall::Unsubscribe {
        clientid: clientid.to_owned(),
        filter: filter.to_owned(),
    })
}

pub(crate) fn disconnect(clientid: &str, reason_code: u8, reason: &str) -> Result<(), Fault> {
    record(BrokerCall::Disconnect {
        clientid: clientid.to_owned(),
        reason_code,
        reason: reason.to_owned(),
    })
}

pub(crate) fn lookup(clientid: &str) -> Result<Option<ClientState>, Fault> {
    STATE.with_borrow_mut(|state| match state.faults.pop_front() {
        Some(fault) => Err(fault),
        None => Ok(state.clients.get(clientid).cloned()),
    })
}

/// Keeps a call that the host would take: it looks at what is asked first.
fn record(call: BrokerCall) -> Result<(), Fault> {
    check(&call)?;
    STATE.with_borrow_mut(|state| match state.faults.pop_front() {
        Some(fault) => Err(fault),
        None => {
            state.calls.push(call);
            Ok(())
        }
    })
}

fn check(call: &BrokerCall) -> Result<(), Fault> {
    let wrong = match call {
        BrokerCall::Publish(message) | BrokerCall::Deliver { message, .. } => {
            let topic = message.topic.as_str();
            (topic.is_empty() || topic.contains(['+', '#', '\0']) || message.qos > 2)
                .then(|| format!("no message: topic `{topic}`, QoS {}", message.qos))
        }
        BrokerCall::Subscribe { subscription, .. } => {
            let filter = subscription.filter.as_str();
            (filter.is_empty() || subscription.qos > 2)
                .then(|| format!("no subscription: `{filter}`, QoS {}", subscription.qos))
        }
        BrokerCall::Unsubscribe { .. } => None,
        BrokerCall::Disconnect { reason_code, .. } => {
            (*reason_code < 0x80).then(|| format!("no reason to go: code {reason_code:#04x}"))
        }
    };
    match wrong {
        Some(message) => Err(Fault::invalid("hookwire:broker", message)),
        None => Ok(()),
    }
}

fn owned(message: &Outgoing<'_>) -> Publish {
    let properties = message.user_properties.iter();
    Publish {
        topic: message.topic.to_owned(),
        payload: message.payload.to_owned(),
        qos: message.qos,
        retain: message.retain,
        expiry_s: message.expiry_s,
        user_properties: properties
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}
