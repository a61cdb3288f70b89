//! What clients are answered.

use hookwire_mqtt::{AckKind, ReasonCode};
use hookwire_sim::history::Outcome;
use hookwire_sim::model::Rule;
use hookwire_sim::packet::{Connect, Entry, Packet, Publish};
use hookwire_sim::stamp::Decision;

use crate::Case;
use crate::history::{QOS1, QOS2, ack, ack_with, suback, subscribe, v5};

pub(crate) const CASES: &[Case] = &[
    (Rule::NotAnswered, |history, bad| {
        let client = history.client("c");
        let message = history.message("t", QOS1, 1);
        history.publishes(client, &message);
        if !bad {
            history.gets(client, ack(AckKind::PubAck, 1));
        }
        history.calm();
    }),
    (Rule::NotAnswered, |history, bad| {
        let client = history.open(v5("c"));
        if !bad {
            history.gets(client, crate::history::accepted(false));
        }
        history.calm();
    }),
    (Rule::AnswersNothing, |history, bad| {
        let client = history.client("c");
        let message = history.message("t", QOS1, 1);
        history.publishes(client, &message);
        history.gets(client, ack(AckKind::PubAck, if bad { 2 } else { 1 }));
    }),
    (Rule::AnswersNothing, |history, bad| {
        let client = history.client("c");
        let message = history.message("t", QOS2, 1);
        history.publishes(client, &message);
        history.gets(client, ack(AckKind::PubRec, 1));
        if !bad {
            history.sends(client, ack(AckKind::PubRel, 1));
        }
        history.gets(client, ack(AckKind::PubComp, 1));
    }),
    (Rule::AnswersNothing, |history, bad| {
        let client = history.client("c");
        if !bad {
            history.sends(client, Packet::PingReq);
        }
        history.gets(client, Packet::PingResp);
    }),
    (Rule::AckOrder, |history, bad| {
        let client = history.client("c");
        for id in [1, 2] {
            let message = history.message("t", QOS1, id);
            history.publishes(client, &message);
        }
        let order = if bad { [2, 1] } else { [1, 2] };
        for id in order {
            history.gets(client, ack(AckKind::PubAck, id));
        }
    }),
    (Rule::AckBeforeVerdict, |history, bad| {
        let client = history.client("c");
        let message = history.message("h/t", QOS1, 1);
        history.publishes(client, &message);
        if !bad {
            history.verdict(&message, Outcome::Passes);
        }
        history.gets(client, ack(AckKind::PubAck, 1));
    }),
    (Rule::AckOutcome, |history, bad| {
        let client = history.client("c");
        let payload = history.payload(Decision::Deny);
        let message = Publish::new("h/t", QOS1, 1, &payload);
        history.publishes(client, &message);
        history.verdict(&message, Outcome::Denied);
        let reason = if bad {
            ReasonCode::Success
        } else {
            ReasonCode::NotAuthorized
        };
        history.gets(client, ack_with(AckKind::PubAck, 1, reason));
    }),
    (Rule::AckOutcome, |history, bad| {
        // MQTT 3.1.1 is not told that a message was not stored; it is closed.
        let version = hookwire_mqtt::ProtocolVersion::V311;
        let client = history.accept(Connect::new(version, "c"), false);
        let payload = history.payload(Decision::Fail);
        let message = Publish::new("h/t", QOS1, 1, &payload);
        history.publishes(client, &message);
        history.verdict(&message, Outcome::Failed);
        if bad {
            history.gets(client, ack(AckKind::PubAck, 1));
        }
        history.is_closed(client);
    }),
    (Rule::SubAckCodes, |history, bad| {
        let client = history.client("c");
        history.sends(client, subscribe(1, Entry::new("t", QOS1)));
        let granted = if bad {
            ReasonCode::GrantedQoS2
        } else {
            ReasonCode::GrantedQoS1
        };
        history.gets(client, suback(1, vec![granted]));
    }),
    (Rule::SubAckCodes, |history, bad| {
        let client = history.client("c");
        history.sends(client, subscribe(1, Entry::new("a#", QOS1)));
        let reason = if bad {
            ReasonCode::GrantedQoS1
        } else {
            ReasonCode::TopicFilterInvalid
        };
        history.gets(client, suback(1, vec![reason]));
    }),
    (Rule::UnsubAckCodes, |history, bad| {
        let client = history.client("c");
        history.subscribes(client, "t", QOS1);
        history.sends(
            client,
            Packet::Unsubscribe {
                id: 2,
                filters: vec!["t".into(), "u".into()],
            },
        );
        let first = if bad {
            ReasonCode::NoSubscriptionExisted
        } else {
            ReasonCode::Success
        };
        history.gets(
            client,
            Packet::UnsubAck {
                id: 2,
                reasons: vec![first, ReasonCode::NoSubscriptionExisted],
                is_explained: false,
            },
        );
    }),
];
