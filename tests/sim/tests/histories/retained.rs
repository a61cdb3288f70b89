//! Retained messages.

use hookwire_mqtt::RetainHandling;
use hookwire_sim::model::Rule;
use hookwire_sim::packet::{Entry, Packet, Publish};

use crate::Case;
use crate::history::{History, QOS1, QOS2, arrival};

/// A retained message, taken over by the server.
fn retained(history: &mut History) -> (usize, Publish) {
    let publisher = history.client("p");
    let message = retained_by(history, publisher);
    (publisher, message)
}

fn retained_by(history: &mut History, publisher: usize) -> Publish {
    let mut message = history.message("t", QOS1, 1);
    message.retain = true;
    history.published(publisher, &message);
    message
}

fn as_retained(message: &Publish, id: u16) -> Packet {
    Packet::Publish(Publish {
        retain: true,
        ..arrival(message, QOS1, id)
    })
}

fn cleared(history: &mut History, publisher: usize) {
    let mut empty = Publish::new("t", QOS1, 2, b"");
    empty.retain = true;
    history.published(publisher, &empty);
}

fn handling(retain_handling: RetainHandling) -> Entry {
    Entry {
        retain_handling,
        ..Entry::new("t", QOS1)
    }
}

pub(crate) const CASES: &[Case] = &[
    (Rule::RetainedStale, |history, bad| {
        let (publisher, message) = retained(history);
        if bad {
            cleared(history, publisher);
        }
        let client = history.client("c");
        history.subscribes(client, "#", QOS1);
        history.gets(client, as_retained(&message, 1));
    }),
    (Rule::RetainedStale, |history, bad| {
        let (publisher, old) = retained(history);
        let new = retained_by(history, publisher);
        let client = history.client("c");
        history.subscribes(client, "+", QOS1);
        history.gets(client, as_retained(if bad { &old } else { &new }, 1));
    }),
    (Rule::RetainedUnasked, |history, bad| {
        let (_, message) = retained(history);
        let client = history.client("c");
        let asked = if bad {
            RetainHandling::DoNotSend
        } else {
            RetainHandling::SendAtSubscribe
        };
        history.subscribes_to(client, 1, handling(asked));
        history.gets(client, as_retained(&message, 1));
    }),
    (Rule::RetainedUnasked, |history, bad| {
        let (_, message) = retained(history);
        let client = history.client("c");
        if bad {
            history.subscribes_to(client, 1, handling(RetainHandling::DoNotSend));
        }
        history.subscribes_to(client, 1, handling(RetainHandling::SendIfNew));
        history.gets(client, as_retained(&message, 1));
    }),
    (Rule::RetainedTwice, |history, bad| {
        let (_, message) = retained(history);
        let client = history.client("c");
        history.subscribes(client, "t", QOS1);
        history.gets(client, as_retained(&message, 1));
        if !bad {
            history.subscribes(client, "t", QOS1);
        }
        history.gets(client, as_retained(&message, 2));
    }),
    (Rule::RetainedLost, |history, bad| {
        let (_, message) = retained(history);
        let client = history.client("c");
        history.subscribes(client, "t", QOS1);
        if !bad {
            history.gets(client, as_retained(&message, 1));
        }
        history.calm();
    }),
    (Rule::RetainedLost, |history, bad| {
        // Two clients may retain at once; when one surely was last, it counts.
        let (_, _) = retained(history);
        let other = history.client("q");
        let message = retained_by(history, other);
        let client = history.client("c");
        history.subscribes(client, "t", QOS2);
        if !bad {
            history.gets(client, as_retained(&message, 1));
        }
        history.calm();
    }),
    (Rule::NoLocal, |history, bad| {
        let client = history.client("c");
        let other = history.client("d");
        let message = retained_by(history, if bad { client } else { other });
        let entry = Entry {
            no_local: true,
            ..Entry::new("t", QOS1)
        };
        history.subscribes_to(client, 1, entry);
        history.gets(client, as_retained(&message, 1));
    }),
    (Rule::QosGranted, |history, bad| {
        let (_, message) = retained(history);
        let client = history.client("c");
        let granted = if bad { crate::history::QOS0 } else { QOS1 };
        history.subscribes(client, "t", granted);
        history.gets(client, as_retained(&message, 1));
    }),
];
