//! `hookwire:broker`: what a guest asks of the broker it runs in.

use hookwire_bindings::fault::to_guest;
use hookwire_bindings::state;
use hookwire_bindings::verdict::{outgoing, refusal, subscribing};
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
            let bytes = message.payload.len();
            self.put_down(BrokerCall::Publish(message), bytes)
        });
        Ok(put.map_err(to_guest))
    }

    fn deliver(&mut self, clientid: String, message: Outgoing) -> Answer {
        self.check_may_call("broker.deliver")?;
        let put = self.granted("broker.deliver").and_then(|()| {
            let message = self.message(message)?;
            let bytes = message.payload.len();
            let clientid = clientid.into();
            self.put_down(BrokerCall::Deliver { clientid, message }, bytes)
        });
        Ok(put.map_err(to_guest))
    }

    fn subscribe(&mut self, clientid: String, subscription: Subscribing) -> Answer {
        self.check_may_call("broker.subscribe")?;
        let put = self.granted("broker.subscribe").and_then(|()| {
            let subscription = subscribing(subscription).map_err(|error| invalid(&error))?;
            let clientid = clientid.into();
            let call = BrokerCall::Subscribe {
                clientid,
                subscription,
            };
            self.put_down(call, 0)
        });
        Ok(put.map_err(to_guest))
    }

    fn unsubscribe(&mut self, clientid: String, filter: String) -> Answer {
        self.check_may_call("broker.unsubscribe")?;
        let put = self.granted("broker.unsubscribe").and_then(|()| {
            let (clientid, filter) = (clientid.into(), filter.into());
            self.put_down(BrokerCall::Unsubscribe { clientid, filter }, 0)
        });
        Ok(put.map_err(to_guest))
    }

    fn disconnect(&mut self, clientid: String, reason_code: u8, reason: String) -> Answer {
        self.check_may_call("broker.disconnect")?;
        let put = self.granted("broker.disconnect").and_then(|()| {
            let call = BrokerCall::Disconnect {
                clientid: clientid.into(),
                refusal: refusal(Denial {
                    reason_code,
                    reason,
                    extras: Vec::new(),
                }),
                reply: None,
            };
            self.put_down(call, 0)
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
    fn granted(&self, grant: &str) -> Result<(), Fault> {
        if self.access.has(grant) {
            return Ok(());
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

fn invalid(error: &dyn std::error::Error) -> Fault {
    fault(FaultKind::Invalid, "broker", error.to_string())
}
