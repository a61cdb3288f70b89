//! What has to be delivered, wills among it.

use hookwire_mqtt::ReasonCode;
use hookwire_sim::model::Rule;
use hookwire_sim::packet::{Connect, Packet};

use crate::Case;
use crate::history::{History, QOS1, QOS2, disconnect, lasting, v5, will_arrival};

/// A subscriber to `w`, and a client with a will for it after a delay.
fn with_will(history: &mut History, delay_s: u32) -> (usize, usize, hookwire_sim::packet::Will) {
    let watcher = history.client("watcher");
    history.subscribes(watcher, "w", QOS1);
    let will = history.will("w", delay_s);
    let connect = Connect {
        will: Some(will.clone()),
        ..lasting("c", true)
    };
    let client = history.accept(connect, false);
    (watcher, client, will)
}

pub(crate) const CASES: &[Case] = &[
    (Rule::Lost, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS1);
        let message = history.message("t", QOS1, 1);
        history.published(client, &message);
        if !bad {
            history.is_taken(client, &message, QOS1, 1);
        }
        history.calm();
    }),
    (Rule::Lost, |history, bad| {
        // What was published while the client was away waits for it.
        let client = history.accept(lasting("c", true), false);
        let other = history.client("d");
        history.subscribes(client, "t", QOS2);
        history.drops(client);
        let message = history.message("t", QOS2, 1);
        history.published(other, &message);
        history.calm();
        let client = history.accept(lasting("c", false), true);
        if !bad {
            history.is_taken(client, &message, QOS2, 1);
        }
        history.calm();
    }),
    (Rule::Lost, |history, bad| {
        // Subscribing again loses nothing [MQTT-3.8.4-3].
        let client = history.client("c");
        history.subscribes(client, "t", QOS1);
        let message = history.message("t", QOS1, 1);
        history.published(client, &message);
        history.subscribes(client, "t", QOS1);
        if !bad {
            history.is_taken(client, &message, QOS1, 1);
        }
        history.calm();
    }),
    (Rule::WillLost, |history, bad| {
        let (watcher, client, will) = with_will(history, 0);
        history.drops(client);
        history.wait(2_000);
        if !bad {
            history.is_taken(watcher, &will_arrival(&will, 1), QOS1, 1);
        }
        history.calm();
    }),
    (Rule::WillLost, |history, bad| {
        // DISCONNECT may ask for it.
        let (watcher, client, will) = with_will(history, 3);
        history.sends(client, disconnect(ReasonCode::DisconnectWithWill));
        history.is_closed(client);
        history.wait(5_000);
        if !bad {
            history.is_taken(watcher, &will_arrival(&will, 1), QOS1, 1);
        }
        history.calm();
    }),
    (Rule::WillUncalled, |history, bad| {
        let (watcher, client, will) = with_will(history, 0);
        if !bad {
            history.drops(client);
        }
        history.arrives(watcher, &will_arrival(&will, 1), QOS1, 1);
    }),
    (Rule::WillUncalled, |history, bad| {
        // DISCONNECT takes it away.
        let (watcher, client, will) = with_will(history, 0);
        history.sends(client, disconnect(ReasonCode::Success));
        history.is_closed(client);
        if bad {
            history.arrives(watcher, &will_arrival(&will, 1), QOS1, 1);
        }
    }),
    (Rule::WillUncalled, |history, bad| {
        // The session is resumed before the delay is over, or behind it.
        let (watcher, client, will) = with_will(history, 10);
        history.drops(client);
        history.wait(if bad { 5_000 } else { 12_000 });
        history.accept(lasting("c", false), true);
        history.wait(10_000);
        history.arrives(watcher, &will_arrival(&will, 1), QOS1, 1);
    }),
    (Rule::Early, |history, bad| {
        let (watcher, client, will) = with_will(history, 10);
        history.drops(client);
        history.wait(if bad { 9_000 } else { 10_000 });
        history.arrives(watcher, &will_arrival(&will, 1), QOS1, 1);
    }),
    (Rule::WillLost, |history, bad| {
        // The end of the session ends the delay.
        let (watcher, client, will) = with_will(history, 500);
        history.drops(client);
        history.client("c");
        history.wait(2_000);
        if !bad {
            history.is_taken(watcher, &will_arrival(&will, 1), QOS1, 1);
        }
        history.calm();
    }),
    (Rule::Twice, |history, bad| {
        let (watcher, client, will) = with_will(history, 0);
        history.drops(client);
        history.is_taken(watcher, &will_arrival(&will, 1), QOS1, 1);
        if bad {
            history.is_taken(watcher, &will_arrival(&will, 1), QOS1, 2);
        }
    }),
    (Rule::Lost, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS1);
        let message = history.message("$delayed/5/t", QOS1, 1);
        history.published(client, &message);
        history.calm();
        history.wait(7_000);
        if !bad {
            let mut publish = crate::history::arrival(&message, QOS1, 1);
            publish.topic = "t".into();
            history.gets(client, Packet::Publish(publish));
        }
        history.calm();
    }),
    (Rule::ClosedWithoutCause, |history, bad| {
        // A will is no reason to close.
        let will = history.will("w", 0);
        let client = history.accept(
            Connect {
                will: Some(will),
                ..v5("c")
            },
            false,
        );
        if !bad {
            history.sends(client, disconnect(ReasonCode::Success));
        }
        history.is_closed(client);
    }),
];
