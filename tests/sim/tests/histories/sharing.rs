//! Shared subscriptions.

use hookwire_sim::model::Rule;

use crate::Case;
use crate::history::{QOS1, QOS2, lasting};

pub(crate) const CASES: &[Case] = &[
    (Rule::SharedTwice, |history, bad| {
        let [one, other] = ["c", "d"].map(|id| history.client(id));
        for client in [one, other] {
            history.subscribes(client, "$share/g/t", QOS1);
        }
        let message = history.message("t", QOS1, 1);
        history.published(one, &message);
        history.is_taken(one, &message, QOS1, 1);
        if bad {
            history.is_taken(other, &message, QOS1, 1);
        }
    }),
    (Rule::SharedTwice, |history, bad| {
        // Another member gets it when the first one's session ended without an
        // acknowledgement, but not a QoS 2 message.
        let qos = if bad { QOS2 } else { QOS1 };
        let publisher = history.client("p");
        let [one, other] = ["c", "d"].map(|id| history.client(id));
        for client in [one, other] {
            history.subscribes(client, "$queue/t", qos);
        }
        let message = history.message("t", qos, 1);
        history.published(publisher, &message);
        history.arrives(one, &message, qos, 1);
        history.drops(one);
        history.is_taken(other, &message, qos, 1);
    }),
    (Rule::SharedTwice, |history, bad| {
        // A subscription of one's own gets a message beside the shared one.
        let [one, other] = ["c", "d"].map(|id| history.client(id));
        for client in [one, other] {
            history.subscribes(client, "$share/g/#", QOS1);
        }
        history.subscribes(one, "t", QOS1);
        let message = history.message("t", QOS1, 1);
        history.published(one, &message);
        history.is_taken(one, &message, QOS1, 1);
        history.is_taken(if bad { one } else { other }, &message, QOS1, 2);
        if bad {
            history.is_taken(other, &message, QOS1, 2);
        }
    }),
    (Rule::SharedLost, |history, bad| {
        let [one, other] = ["c", "d"].map(|id| history.client(id));
        for client in [one, other] {
            history.subscribes(client, "$share/g/t", QOS1);
        }
        let message = history.message("t", QOS1, 1);
        history.published(one, &message);
        if !bad {
            history.is_taken(other, &message, QOS1, 1);
        }
        history.calm();
    }),
    (Rule::SharedTwice, |history, bad| {
        // A member that is away may come back for it.
        let one = history.accept(lasting("c", true), false);
        let other = history.client("d");
        for client in [one, other] {
            history.subscribes(client, "$share/g/t", QOS1);
        }
        let message = history.message("t", QOS1, 1);
        history.published(other, &message);
        history.arrives(one, &message, QOS1, 1);
        history.drops(one);
        if bad {
            history.is_taken(other, &message, QOS1, 1);
        }
        let one = history.accept(lasting("c", false), true);
        let mut again = crate::history::arrival(&message, QOS1, 1);
        again.dup = true;
        history.gets(one, hookwire_sim::packet::Packet::Publish(again));
    }),
];
