//! What `${name}` may stand for, hook by hook.

use hookwire_sdk::prelude::*;

/// A value of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    ClientId,
    Topic,
    Qos,
    MsgId,
    Payload,
}

use Parameter::{ClientId, MsgId, Payload, Qos, Topic};

impl Parameter {
    pub(super) fn name(self) -> &'static str {
        match self {
            ClientId => "clientid",
            Topic => "topic",
            Qos => "qos",
            MsgId => "msgid",
            Payload => "payload",
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Self> {
        let mut all = [ClientId, Topic, Qos, MsgId, Payload].into_iter();
        all.find(|parameter| parameter.name() == name)
    }

    /// The event's value: NULL where it has none, which [`offered`] rules out.
    pub(super) fn value(self, event: &Event) -> Value<'_> {
        match (self, event) {
            (ClientId, Event::Client(client)) => (&client.clientid).into(),
            (ClientId, Event::Subscription(subscription)) => (&subscription.client.clientid).into(),
            (ClientId, Event::Message(message)) => (&message.sender).into(),
            (ClientId, Event::Delivery(delivery)) => (&delivery.clientid).into(),
            (Topic, Event::Subscription(subscription)) => (&subscription.filter).into(),
            (Topic, Event::Message(message)) => (&message.topic).into(),
            (Topic, Event::Delivery(delivery)) => (&delivery.message.topic).into(),
            (Qos, Event::Subscription(subscription)) => subscription.qos.into(),
            (Qos, Event::Message(message)) => message.qos.into(),
            (MsgId, Event::Message(message)) => (&message.id).into(),
            (MsgId, Event::Delivery(delivery)) => (&delivery.message.id).into(),
            (Payload, Event::Message(message)) => (&message.payload).into(),
            _ => Value::Null,
        }
    }
}

/// What a hook offers.
pub(super) fn offered(hook: &str) -> Vec<&'static str> {
    let offered: &[Parameter] = match hook {
        "client.connected" | "session.created" | "client.disconnected" => &[ClientId],
        "session.subscribed" => &[ClientId, Topic, Qos],
        "session.unsubscribed" => &[ClientId, Topic],
        "message.publish" => &[MsgId, Topic, Payload, Qos, ClientId],
        "message.acked" | "message.deliver" => &[MsgId, Topic, ClientId],
        _ => &[],
    };
    offered.iter().map(|parameter| parameter.name()).collect()
}
