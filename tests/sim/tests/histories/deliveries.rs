//! What is delivered, to whom, and how.

use std::rc::Rc;

use hookwire_sim::history::Outcome;
use hookwire_sim::model::Rule;
use hookwire_sim::packet::{Entry, Extras, Packet, Publish};
use hookwire_sim::stamp::{Decision, Stamp, replaced};

use crate::Case;
use crate::history::{QOS0, QOS1, QOS2, arrival, suback, subscribe};

pub(crate) const CASES: &[Case] = &[
    (Rule::Invented, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS0);
        let message = history.message("t", QOS0, 0);
        if !bad {
            history.publishes(client, &message);
        }
        history.arrives(client, &message, QOS0, 0);
    }),
    (Rule::Changed, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS0);
        let mut message = history.message("t", QOS0, 0);
        message.extras = Some(Rc::new(Extras {
            content_type: Some("text".to_owned()),
            ..Extras::default()
        }));
        history.publishes(client, &message);
        if bad {
            message.extras = None;
        }
        history.arrives(client, &message, QOS0, 0);
    }),
    (Rule::Changed, |history, bad| {
        // The rules put another message in its place.
        let client = history.client("c");
        history.subscribes(client, "h/#", QOS0);
        let payload = history.payload(Decision::Replace);
        let message = Publish::new("h/t", QOS0, 0, &payload);
        history.publishes(client, &message);
        history.verdict(&message, Outcome::Passes);
        let stamp = Stamp::read(&payload).expect("stamped");
        let (topic, payload) = replaced(stamp, &message.topic, &payload);
        let other = Publish::new(&topic, QOS0, 0, &payload);
        history.arrives(client, if bad { &message } else { &other }, QOS0, 0);
    }),
    (Rule::Refused, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "h/#", QOS0);
        let message = history.message("h/t", QOS0, 0);
        history.publishes(client, &message);
        let outcome = if bad {
            Outcome::Denied
        } else {
            Outcome::Passes
        };
        history.verdict(&message, outcome);
        history.arrives(client, &message, QOS0, 0);
    }),
    (Rule::NoSubscription, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, if bad { "u" } else { "t" }, QOS0);
        let message = history.message("t", QOS0, 0);
        history.publishes(client, &message);
        history.arrives(client, &message, QOS0, 0);
    }),
    (Rule::NoSubscription, |history, bad| {
        // Published before the subscription, and routed before it.
        let client = history.client("c");
        let message = history.message("t", QOS0, 0);
        history.publishes(client, &message);
        if bad {
            history.calm();
        }
        history.subscribes(client, "t", QOS0);
        history.arrives(client, &message, QOS0, 0);
    }),
    (Rule::NoSubscription, |history, bad| {
        // Published behind the end of the subscription.
        let client = history.client("c");
        history.subscribes(client, "t", QOS0);
        let message = history.message("t", QOS0, 0);
        if !bad {
            history.publishes(client, &message);
        }
        history.sends(
            client,
            Packet::Unsubscribe {
                id: 2,
                filters: vec!["t".into()],
            },
        );
        history.gets(
            client,
            Packet::UnsubAck {
                id: 2,
                reasons: vec![hookwire_mqtt::ReasonCode::Success],
                is_explained: false,
            },
        );
        if bad {
            history.publishes(client, &message);
        }
        history.arrives(client, &message, QOS0, 0);
    }),
    (Rule::NoLocal, |history, bad| {
        let client = history.client("c");
        let other = history.client("d");
        let entry = Entry {
            no_local: true,
            ..Entry::new("t", QOS0)
        };
        history.subscribes_to(client, 1, entry);
        let message = history.message("t", QOS0, 0);
        history.publishes(if bad { client } else { other }, &message);
        history.arrives(client, &message, QOS0, 0);
    }),
    (Rule::QosGranted, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS0);
        history.subscribes(client, "#", QOS1);
        let message = history.message("t", QOS2, 1);
        history.publishes(client, &message);
        if bad {
            history.arrives(client, &message, QOS2, 1);
        } else {
            history.arrives(client, &message, QOS1, 1);
        }
    }),
    (Rule::QosGranted, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS2);
        let message = history.message("t", QOS1, 1);
        history.publishes(client, &message);
        if bad {
            history.arrives(client, &message, QOS0, 0);
        } else {
            history.arrives(client, &message, QOS1, 1);
        }
    }),
    (Rule::RetainFlag, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS0);
        let mut message = history.message("t", QOS0, 0);
        message.retain = true;
        history.publishes(client, &message);
        let mut publish = arrival(&message, QOS0, 0);
        publish.retain = bad;
        history.gets(client, Packet::Publish(publish));
    }),
    (Rule::RetainFlag, |history, bad| {
        let client = history.client("c");
        let entry = Entry {
            retain_as_published: true,
            ..Entry::new("t", QOS0)
        };
        history.subscribes_to(client, 1, entry);
        let mut message = history.message("t", QOS0, 0);
        message.retain = true;
        history.publishes(client, &message);
        let mut publish = arrival(&message, QOS0, 0);
        publish.retain = !bad;
        history.gets(client, Packet::Publish(publish));
    }),
    (Rule::Identifiers, |history, bad| {
        let client = history.client("c");
        for (id, filter) in [(7, "t"), (9, "#")] {
            history.sends(
                client,
                Packet::Subscribe {
                    id: 1,
                    identifier: Some(id),
                    entries: vec![Entry::new(filter, QOS0)],
                },
            );
            history.gets(client, suback(1, vec![hookwire_mqtt::ReasonCode::Success]));
        }
        let message = history.message("t", QOS0, 0);
        history.publishes(client, &message);
        let mut publish = arrival(&message, QOS0, 0);
        publish.identifiers = if bad { vec![7] } else { vec![9, 7] };
        history.gets(client, Packet::Publish(publish));
    }),
    (Rule::Twice, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS1);
        history.subscribes(client, "#", QOS1);
        let message = history.message("t", QOS1, 1);
        history.published(client, &message);
        history.is_taken(client, &message, QOS1, 1);
        if bad {
            history.is_taken(client, &message, QOS1, 2);
        }
    }),
    (Rule::Twice, |history, bad| {
        // A QoS 1 message that is published again comes again, a QoS 2 does not.
        let qos = if bad { QOS2 } else { QOS1 };
        let subscriber = history.client("s");
        history.subscribes(subscriber, "t", QOS0);
        let publisher = history.accept(crate::history::lasting("p", true), false);
        let mut message = history.message("t", qos, 1);
        history.publishes(publisher, &message);
        history.drops(publisher);
        let publisher = history.accept(crate::history::lasting("p", false), true);
        message.dup = true;
        history.publishes(publisher, &message);
        history.arrives(subscriber, &message, QOS0, 0);
        history.arrives(subscriber, &message, QOS0, 0);
    }),
    (Rule::Order, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS0);
        let messages = [0, 0].map(|id| history.message("t", QOS0, id));
        for message in &messages {
            history.publishes(client, message);
        }
        let [first, second] = &messages;
        let order = if bad {
            [second, first]
        } else {
            [first, second]
        };
        for message in order {
            history.arrives(client, message, QOS0, 0);
        }
    }),
    (Rule::Expired, |history, bad| {
        let client = history.accept(crate::history::lasting("c", true), false);
        let other = history.client("d");
        history.subscribes(client, "t", QOS1);
        history.drops(client);
        let mut message = history.message("t", QOS1, 1);
        message.expiry_s = Some(10);
        history.published(other, &message);
        history.rest();
        history.wait(if bad { 10_500 } else { 9_500 });
        let client = history.accept(crate::history::lasting("c", false), true);
        let mut publish = arrival(&message, QOS1, 1);
        publish.expiry_s = Some(u32::from(!bad));
        history.gets(client, Packet::Publish(publish));
    }),
    (Rule::ExpiryInterval, |history, bad| {
        let client = history.accept(crate::history::lasting("c", true), false);
        let other = history.client("d");
        history.subscribes(client, "t", QOS1);
        history.drops(client);
        let mut message = history.message("t", QOS1, 1);
        message.expiry_s = Some(10);
        history.published(other, &message);
        history.wait(4_000);
        let client = history.accept(crate::history::lasting("c", false), true);
        let mut publish = arrival(&message, QOS1, 1);
        publish.expiry_s = Some(if bad { 10 } else { 6 });
        history.gets(client, Packet::Publish(publish));
    }),
    (Rule::Early, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS0);
        let message = history.message("$delayed/5/t", QOS0, 0);
        history.publishes(client, &message);
        history.wait(if bad { 4_000 } else { 5_000 });
        let mut publish = arrival(&message, QOS0, 0);
        publish.topic = "t".into();
        history.gets(client, Packet::Publish(publish));
    }),
    (Rule::NoSubscription, |history, bad| {
        // What was asked for may be in force before SUBACK.
        let client = history.client("c");
        let filter = if bad { "u" } else { "t" };
        history.sends(client, subscribe(1, Entry::new(filter, QOS0)));
        let message = history.message("t", QOS0, 0);
        history.publishes(client, &message);
        history.arrives(client, &message, QOS0, 0);
    }),
];
