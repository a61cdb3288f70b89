//! Packet ids, windows, and what is sent again.

use hookwire_mqtt::AckKind;
use hookwire_sim::model::Rule;
use hookwire_sim::packet::{Connect, Packet, Publish};

use crate::Case;
use crate::history::{History, QOS1, QOS2, ack, arrival, lasting, v5};

/// A client with a session that was sent messages of this QoS, with packet ids
/// from 1 on, acknowledged none, and lost its connection.
fn interrupted(history: &mut History, qos: hookwire_mqtt::QoS, count: u16) -> Vec<Publish> {
    let client = history.accept(lasting("c", true), false);
    let other = history.client("d");
    history.subscribes(client, "t", qos);
    let mut messages = Vec::new();
    for id in 1..=count {
        let message = history.message("t", qos, id);
        history.published(other, &message);
        history.arrives(client, &message, qos, id);
        messages.push(message);
    }
    history.drops(client);
    messages
}

fn again(message: &Publish, id: u16) -> Packet {
    Packet::Publish(Publish {
        dup: true,
        ..arrival(message, message.qos, id)
    })
}

pub(crate) const CASES: &[Case] = &[
    (Rule::IdInUse, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS1);
        for id in [1, if bad { 1 } else { 2 }] {
            let message = history.message("t", QOS1, 1);
            history.published(client, &message);
            history.arrives(client, &message, QOS1, id);
        }
    }),
    (Rule::IdInUse, |history, bad| {
        // A QoS 2 exchange ends with PUBCOMP.
        let client = history.client("c");
        history.subscribes(client, "t", QOS2);
        for end in [false, true] {
            let message = history.message("t", QOS2, 1);
            history.published(client, &message);
            history.arrives(client, &message, QOS2, 1);
            history.sends(client, ack(AckKind::PubRec, 1));
            history.gets(client, ack(AckKind::PubRel, 1));
            if !bad || end {
                history.sends(client, ack(AckKind::PubComp, 1));
            }
        }
    }),
    (Rule::Window, |history, bad| {
        let connect = Connect {
            receive_maximum: if bad { 1 } else { 2 },
            ..v5("c")
        };
        let client = history.accept(connect, false);
        history.subscribes(client, "t", QOS1);
        for id in [1, 2] {
            let message = history.message("t", QOS1, 1);
            history.published(client, &message);
            history.arrives(client, &message, QOS1, id);
        }
    }),
    (Rule::DupMissing, |history, bad| {
        let messages = interrupted(history, QOS1, 1);
        let client = history.accept(lasting("c", false), true);
        let mut publish = arrival(&messages[0], QOS1, 1);
        publish.dup = !bad;
        history.gets(client, Packet::Publish(publish));
    }),
    (Rule::DupUnexpected, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS1);
        let message = history.message("t", QOS1, 1);
        history.published(client, &message);
        let mut publish = arrival(&message, QOS1, 1);
        publish.dup = bad;
        history.gets(client, Packet::Publish(publish));
    }),
    (Rule::SentAgain, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS1);
        let message = history.message("t", QOS1, 1);
        history.published(client, &message);
        history.arrives(client, &message, QOS1, 1);
        if bad {
            history.gets(client, again(&message, 1));
        }
    }),
    (Rule::Qos2Twice, |history, bad| {
        let client = history.accept(lasting("c", true), false);
        history.subscribes(client, "t", QOS2);
        let message = history.message("t", QOS2, 1);
        history.published(client, &message);
        history.arrives(client, &message, QOS2, 1);
        history.sends(client, ack(AckKind::PubRec, 1));
        if bad {
            // Now the server surely has PUBREC.
            history.gets(client, ack(AckKind::PubRel, 1));
        }
        history.drops(client);
        let client = history.accept(lasting("c", false), true);
        history.gets(client, again(&message, 1));
    }),
    (Rule::ResendFirst, |history, bad| {
        let messages = interrupted(history, QOS1, 2);
        let client = history.accept(lasting("c", false), true);
        let order = if bad { [2, 1] } else { [1, 2] };
        for id in order {
            history.gets(client, again(&messages[usize::from(id) - 1], id));
        }
    }),
    (Rule::ResendFirst, |history, bad| {
        let messages = interrupted(history, QOS1, 1);
        let other = history.client("d");
        let message = history.message("t", QOS1, 1);
        history.published(other, &message);
        let client = history.accept(lasting("c", false), true);
        if !bad {
            history.gets(client, again(&messages[0], 1));
        }
        history.arrives(client, &message, QOS1, 2);
    }),
    (Rule::NotResent, |history, bad| {
        let messages = interrupted(history, QOS2, 1);
        let client = history.accept(lasting("c", false), true);
        if !bad {
            history.gets(client, again(&messages[0], 1));
        }
        history.calm();
    }),
    (Rule::NotResent, |history, bad| {
        // PUBREL comes again as well.
        let client = history.accept(lasting("c", true), false);
        history.subscribes(client, "t", QOS2);
        let message = history.message("t", QOS2, 1);
        history.published(client, &message);
        history.arrives(client, &message, QOS2, 1);
        history.sends(client, ack(AckKind::PubRec, 1));
        history.gets(client, ack(AckKind::PubRel, 1));
        history.drops(client);
        let client = history.accept(lasting("c", false), true);
        if !bad {
            history.gets(client, ack(AckKind::PubRel, 1));
        }
        history.calm();
    }),
    (Rule::PubRelUnexpected, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS2);
        let message = history.message("t", QOS2, 1);
        history.published(client, &message);
        history.arrives(client, &message, QOS2, 1);
        if !bad {
            history.sends(client, ack(AckKind::PubRec, 1));
        }
        history.gets(client, ack(AckKind::PubRel, 1));
    }),
    (Rule::PubRelOrder, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS2);
        for id in [1, 2] {
            let message = history.message("t", QOS2, id);
            history.published(client, &message);
            history.arrives(client, &message, QOS2, id);
            history.sends(client, ack(AckKind::PubRec, id));
        }
        let order = if bad { [2, 1] } else { [1, 2] };
        for id in order {
            history.gets(client, ack(AckKind::PubRel, id));
        }
    }),
    (Rule::Twice, |history, bad| {
        // What was acknowledged and confirmed does not come again.
        let client = history.accept(lasting("c", true), false);
        history.subscribes(client, "t", QOS1);
        let message = history.message("t", QOS1, 1);
        history.published(client, &message);
        history.is_taken(client, &message, QOS1, 1);
        if bad {
            history.rest();
        }
        history.drops(client);
        let client = history.accept(lasting("c", false), true);
        history.gets(client, again(&message, 1));
    }),
];
