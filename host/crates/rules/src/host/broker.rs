//! `hookwire:broker`: what a guest asks of the broker it runs in.

use std::sync::Arc;

use hookwire_bindings::fault::to_guest;
use hookwire_bindings::refusal::refusal;
use hookwire_bindings::session::subscribing;
use hookwire_bindings::state;
use hookwire_bindings::verdict::outgoing;
use hookwire_bindings::wit::exports::hookwire::rule::actions::Denial;
use hookwire_bindings::wit::hookwire::broker::broker::{
    ClientState, Host as BrokerHost, Outgoing, Subscribing,
};
use hookwire_bindings::wit::hookwire::types::faults::Fault as GuestFault;
use hookwire_broker::{BrokerCall, OwnMessage, Reply};
use hookwire_driver::{Fault, FaultKind};
use tokio::sync::oneshot;

use crate::host::{Host, fault};

type Answer<T = ()> = wasmtime::Result<Result<T, GuestFault>>;

impl BrokerHost for Host {
    fn publish(&mut self, message: Outgoing) -> Answer {
        self.check_may_call("broker.publish")?;
        let put = self.granted("broker.publish").and_then(|()| {
            let message = self.message(message)?;
            let bytes = bytes_of(&message);
            self.put_down(BrokerCall::Publish(message), bytes)
        });
        Ok(put.map_err(to_guest))
    }

    fn deliver(&mut self, clientid: String, message: Outgoing) -> Answer {
        self.check_may_call("broker.deliver")?;
        let put = self.granted("broker.deliver").and_then(|()| {
            let message = self.message(message)?;
            let bytes = bytes_of(&message) + clientid.len();
            let clientid = named(clientid)?;
            self.put_down(BrokerCall::Deliver { clientid, message }, bytes)
        });
        Ok(put.map_err(to_guest))
    }

    fn subscribe(&mut self, clientid: String, subscription: Subscribing) -> Answer {
        self.check_may_call("broker.subscribe")?;
        let put = self.granted("broker.subscribe").and_then(|()| {
            let subscription = subscribing(subscription).map_err(|error| invalid(&error))?;
            let bytes = clientid.len() + subscription.filter.len();
            let call = BrokerCall::Subscribe {
                clientid: named(clientid)?,
                subscription,
            };
            self.put_down(call, bytes)
        });
        Ok(put.map_err(to_guest))
    }

    fn unsubscribe(&mut self, clientid: String, filter: String) -> Answer {
        self.check_may_call("broker.unsubscribe")?;
        let put = self.granted("broker.unsubscribe").and_then(|()| {
            let bytes = clientid.len() + filter.len();
            let (clientid, filter) = (named(clientid)?, named(filter)?);
            self.put_down(BrokerCall::Unsubscribe { clientid, filter }, bytes)
        });
        Ok(put.map_err(to_guest))
    }

    fn disconnect(&mut self, clientid: String, reason_code: u8, reason: String) -> Answer {
        self.check_may_call("broker.disconnect")?;
        let put = self.granted("broker.disconnect").and_then(|()| {
            let bytes = clientid.len();
            let call = BrokerCall::Disconnect {
                clientid: named(clientid)?,
                refusal: refusal(Denial {
                    reason_code,
                    reason,
                    extras: Vec::new(),
                }),
                reply: None,
            };
            self.put_down(call, bytes)
        });
        Ok(put.map_err(to_guest))
    }

    async fn lookup(&mut self, clientid: String) -> Answer<Option<ClientState>> {
        self.check_may_call("broker.lookup")?;
        if let Err(denied) = self.granted("broker.lookup") {
            return Ok(Err(to_guest(denied)));
        }
        let (reply, answer) = oneshot::channel();
        self.outbox.lookups.push(BrokerCall::Lookup {
            clientid: clientid.into(),
            reply: Reply::new(move |state| drop(reply.send(state))),
        });
        let limit = self.store_deadline();
        Ok(match tokio::time::timeout_at(limit.into(), answer).await {
            Ok(Ok(found)) => Ok(found.map(|found| state::to_guest(&found))),
            Ok(Err(_)) | Err(_) => Err(to_guest(fault(
                FaultKind::Unavailable,
                "broker",
                "the client's worker did not answer in time",
            ))),
        })
    }
}

impl Host {
    /// Whether the call may be made; in a test, also whether it goes well.
    fn granted(&self, grant: &str) -> Result<(), Fault> {
        if self.access.has(grant) {
            return self.test_fault(grant);
        }
        let message = format!("{grant} was not granted: write grants = [\"{grant}\"]");
        Err(fault(FaultKind::Denied, "grant", message))
    }

    fn message(&self, message: Outgoing) -> Result<OwnMessage, Fault> {
        let sender = format!("$rule/{}", self.module);
        outgoing(message, &sender, self.outbox.hops).map_err(|error| invalid(&error))
    }

    fn put_down(&mut self, call: BrokerCall, bytes: usize) -> Result<(), Fault> {
        if self.outbox.put_down(call, bytes) {
            return Ok(());
        }
        let message = "one batch has put down too many calls of the broker";
        Err(fault(FaultKind::Saturated, "broker", message))
    }
}

/// A client id or a filter: as long as MQTT's texts may be [MQTT-1.5.4].
fn named(text: String) -> Result<Arc<str>, Fault> {
    const MAX_BYTES: usize = 65_535;
    if text.len() > MAX_BYTES {
        let message = format!(
            "a text of {} bytes is no client id and no filter",
            text.len()
        );
        return Err(fault(FaultKind::Invalid, "broker", message));
    }
    Ok(text.into())
}

fn bytes_of(message: &OwnMessage) -> usize {
    let properties = message.user_properties.iter();
    let properties: usize = properties
        .map(|(name, value)| name.len() + value.len())
        .sum();
    message.payload.len() + message.topic.len() + properties
}

fn invalid(error: &dyn std::error::Error) -> Fault {
    fault(FaultKind::Invalid, "broker", error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::host::{Access, Phase};

    fn host(grants: &[&str]) -> Host {
        let access = Access {
            grants: grants.iter().map(|&grant| grant.to_owned()).collect(),
            ..Access::default()
        };
        let mut host = Host::new("m".into(), Phase::Serving, Arc::new(access), 1 << 20);
        host.deadline = Instant::now() + Duration::from_secs(5);
        host.outbox.begin(3);
        host
    }

    fn message(topic: &str) -> Outgoing {
        Outgoing {
            topic: topic.to_owned(),
            payload: b"x".to_vec(),
            qos: 1,
            retain: true,
            expiry_s: Some(9),
            user_properties: Vec::new(),
            extras: Vec::new(),
        }
    }

    fn subscription(filter: &str) -> Subscribing {
        Subscribing {
            filter: filter.to_owned(),
            qos: 2,
            no_local: true,
            retain_as_published: false,
            retain_handling: 1,
            identifier: None,
            extras: Vec::new(),
        }
    }

    #[test]
    fn what_is_granted_is_put_down_in_order() {
        let all = [
            "broker.publish",
            "broker.deliver",
            "broker.subscribe",
            "broker.unsubscribe",
            "broker.disconnect",
        ];
        let mut host = host(&all);
        host.publish(message("a")).unwrap().unwrap();
        host.deliver("c".to_owned(), message("b")).unwrap().unwrap();
        let subscription = subscription("f/#");
        host.subscribe("c".to_owned(), subscription)
            .unwrap()
            .unwrap();
        host.unsubscribe("c".to_owned(), "f/#".to_owned())
            .unwrap()
            .unwrap();
        host.disconnect("c".to_owned(), 0x98, "go".to_owned())
            .unwrap()
            .unwrap();
        let calls = format!("{:?}", host.outbox.calls);
        let order = [
            "Publish",
            "Deliver",
            "Subscribe",
            "Unsubscribe",
            "Disconnect",
        ];
        let places: Vec<usize> = order
            .iter()
            .map(|word| calls.find(word).expect(word))
            .collect();
        assert!(places.is_sorted(), "{calls}");
        let BrokerCall::Publish(first) = &host.outbox.calls[0] else {
            panic!("{calls}");
        };
        assert_eq!((&*first.sender, first.hops), ("$rule/m", 4));
    }

    #[test]
    fn what_is_not_granted_or_makes_no_sense_is_refused() {
        let kind = |answer: Answer| answer.unwrap().map_err(|fault| fault.code);
        let denied = Err("host:grant".to_owned());
        let invalid = Err("host:broker".to_owned());
        let mut nothing = host(&["broker.lookup"]);
        assert_eq!(kind(nothing.publish(message("a"))), denied);
        assert_eq!(kind(nothing.deliver("c".to_owned(), message("a"))), denied);
        let subscribed = nothing.subscribe("c".to_owned(), subscription("a"));
        assert_eq!(kind(subscribed), denied);
        let mut host = host(&["broker.publish", "broker.subscribe"]);
        assert_eq!(kind(host.publish(message("a/#"))), invalid);
        assert_eq!(
            kind(host.subscribe("c".to_owned(), subscription("a/#/b"))),
            invalid
        );
        assert!(host.outbox.calls.is_empty());
    }

    #[test]
    fn too_much_is_refused_and_what_was_put_down_stays() {
        let mut host = host(&["broker.publish"]);
        let taken = (0..10_000)
            .take_while(|_| host.publish(message("a")).unwrap().is_ok())
            .count();
        assert_eq!(taken, crate::host::outbox::MAX_CALLS);
        let refused = host.publish(message("a")).unwrap().unwrap_err();
        assert_eq!(refused.code, "host:broker");
        assert!(refused.retryable);
        assert_eq!(host.outbox.calls.len(), taken);
    }

    #[tokio::test]
    async fn a_lookup_that_nobody_answers_ends() {
        let mut host = host(&["broker.lookup"]);
        host.deadline = Instant::now() + Duration::from_millis(20);
        let answer = host.lookup("c".to_owned()).await.unwrap().unwrap_err();
        assert_eq!(answer.code, "host:broker");
        assert!(answer.retryable);
    }

    #[test]
    fn describe_calls_nothing() {
        let access = Arc::new(Access::default());
        let mut host = Host::new("m".into(), Phase::Describing, access, 1 << 20);
        let trap = host.publish(message("a")).unwrap_err().to_string();
        assert!(trap.contains("describe called broker.publish"), "{trap}");
    }
}
