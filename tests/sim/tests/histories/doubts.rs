//! Histories in which the model cannot know what the broker did, and must not
//! say that it did wrong.

use hookwire_mqtt::{AckKind, ReasonCode};
use hookwire_sim::history::{Outcome, What};
use hookwire_sim::model::{Configuration, Rule};
use hookwire_sim::packet::{Connect, Entry, Packet, Publish};

use crate::history::{
    History, QOS0, QOS1, QOS2, ack, arrival, disconnect, lasting, subscribe, v5, will_arrival,
};

#[test]
fn a_connect_without_an_answer_leaves_the_session_in_doubt() {
    for is_present in [false, true] {
        let mut history = History::new();
        let client = history.accept(lasting("c", true), false);
        history.subscribes(client, "t", QOS1);
        history.drops(client);
        let lost = history.open(lasting("c", true));
        history.drops(lost);
        history.accept(lasting("c", false), is_present);
        history.calm();
        assert_eq!(history.violations(), &[], "{is_present}");
    }
}

#[test]
fn an_acknowledgement_that_may_be_lost_allows_both() {
    for comes_again in [false, true] {
        let mut history = History::new();
        let client = history.accept(lasting("c", true), false);
        history.subscribes(client, "t", QOS1);
        let message = history.message("t", QOS1, 1);
        history.published(client, &message);
        history.is_taken(client, &message, QOS1, 1);
        history.drops(client);
        let client = history.accept(lasting("c", false), true);
        if comes_again {
            let mut again = arrival(&message, QOS1, 1);
            again.dup = true;
            history.gets(client, Packet::Publish(again));
        }
        history.calm();
        assert_eq!(history.violations(), &[], "{comes_again}");
    }
}

#[test]
fn a_pubrec_that_may_be_lost_is_answered_by_pubrel_or_publish() {
    for publish_comes in [false, true] {
        let mut history = History::new();
        let client = history.accept(lasting("c", true), false);
        history.subscribes(client, "t", QOS2);
        let message = history.message("t", QOS2, 1);
        history.published(client, &message);
        history.arrives(client, &message, QOS2, 1);
        history.sends(client, ack(AckKind::PubRec, 1));
        history.drops(client);
        let client = history.accept(lasting("c", false), true);
        if publish_comes {
            let mut again = arrival(&message, QOS2, 1);
            again.dup = true;
            history.gets(client, Packet::Publish(again));
            history.sends(client, ack(AckKind::PubRec, 1));
        }
        history.gets(client, ack(AckKind::PubRel, 1));
        history.sends(client, ack(AckKind::PubComp, 1));
        history.calm();
        assert_eq!(history.violations(), &[], "{publish_comes}");
    }
}

#[test]
fn of_two_retained_at_once_either_may_be_current() {
    for first_wins in [false, true] {
        let mut history = History::new();
        let [one, other] = ["p", "q"].map(|id| history.client(id));
        let messages = [one, other].map(|publisher| {
            let mut message = history.message("t", QOS1, 1);
            message.retain = true;
            history.publishes(publisher, &message);
            message
        });
        for publisher in [one, other] {
            history.gets(publisher, ack(AckKind::PubAck, 1));
        }
        let client = history.client("c");
        history.subscribes(client, "t", QOS1);
        let current = &messages[usize::from(!first_wins)];
        let publish = Publish {
            retain: true,
            ..arrival(current, QOS1, 1)
        };
        history.gets(client, Packet::Publish(publish));
        history.calm();
        assert_eq!(history.violations(), &[], "{first_wins}");
    }
}

#[test]
fn a_full_queue_may_lose_messages_and_only_then() {
    for (bound, expected) in [(1, None), (2, Some(Rule::Lost))] {
        let mut history = History::with(Configuration {
            max_queued_messages: bound,
            ..Configuration::default()
        });
        let client = history.accept(lasting("c", true), false);
        let other = history.client("d");
        history.subscribes(client, "t", QOS1);
        history.drops(client);
        for id in [1, 2] {
            let message = history.message("t", QOS1, id);
            history.published(other, &message);
        }
        history.calm();
        history.accept(lasting("c", false), true);
        history.calm();
        let first = history.violations().first();
        assert_eq!(first.map(|violation| violation.rule), expected, "{bound}");
    }
}

#[test]
fn what_a_client_cannot_take_is_not_due() {
    let mut history = History::new();
    let client = history.accept(
        Connect {
            maximum_packet_bytes: Some(60),
            ..v5("c")
        },
        false,
    );
    let other = history.client("d");
    history.subscribes(client, "t", QOS1);
    let payload = history.payload(hookwire_sim::stamp::Decision::Proceed);
    let mut large = payload.to_vec();
    large.resize(100, b'x');
    let message = Publish::new("t", QOS1, 1, &large);
    history.published(other, &message);
    history.calm();
    assert_eq!(history.violations(), &[]);
}

#[test]
fn a_client_that_does_not_read_is_sent_its_messages_later() {
    let mut history = History::new();
    let client = history.client("c");
    let other = history.client("d");
    history.subscribes(client, "t", QOS1);
    let mut message = history.message("t", QOS1, 1);
    message.expiry_s = Some(1);
    history.published(other, &message);
    history.happens(What::Rest {
        is_calm: false,
        undrained: vec![client],
    });
    // It was written in time, and read late.
    history.wait(60_000);
    history.arrives(client, &message, QOS1, 1);
    history.sends(client, ack(AckKind::PubAck, 1));
    history.calm();
    assert_eq!(history.violations(), &[]);
}

#[test]
fn a_disconnect_that_may_be_unread_allows_the_will_and_its_absence() {
    for comes in [false, true] {
        let mut history = History::new();
        let watcher = history.client("watcher");
        history.subscribes(watcher, "w", QOS1);
        let will = history.will("w", 0);
        let client = history.accept(
            Connect {
                will: Some(will.clone()),
                ..v5("c")
            },
            false,
        );
        history.sends(client, disconnect(ReasonCode::Success));
        history.drops(client);
        history.wait(2_000);
        if comes {
            history.is_taken(watcher, &will_arrival(&will, 1), QOS1, 1);
        }
        history.calm();
        assert_eq!(history.violations(), &[], "{comes}");
    }
}

#[test]
fn a_publish_that_is_not_acknowledged_may_arrive_or_not() {
    for arrives in [false, true] {
        let mut history = History::new();
        let client = history.client("c");
        let other = history.client("d");
        history.subscribes(client, "t", QOS1);
        let message = history.message("t", QOS1, 1);
        history.publishes(other, &message);
        history.drops(other);
        if arrives {
            history.is_taken(client, &message, QOS1, 1);
        }
        history.calm();
        assert_eq!(history.violations(), &[], "{arrives}");
    }
}

#[test]
fn a_message_that_failed_at_first_may_come_when_it_is_sent_again() {
    let mut history = History::new();
    let version = hookwire_mqtt::ProtocolVersion::V311;
    let connect = Connect {
        clean_start: false,
        ..Connect::new(version, "p")
    };
    let watcher = history.client("watcher");
    history.subscribes(watcher, "h/t", QOS1);
    let publisher = history.accept(connect.clone(), false);
    let payload = history.payload(hookwire_sim::stamp::Decision::Fail);
    let mut message = Publish::new("h/t", QOS1, 1, &payload);
    history.publishes(publisher, &message);
    history.verdict(&message, Outcome::Failed);
    history.is_closed(publisher);
    let publisher = history.accept(connect, true);
    message.dup = true;
    history.publishes(publisher, &message);
    history.verdict(&message, Outcome::Passes);
    history.gets(publisher, ack(AckKind::PubAck, 1));
    history.is_taken(watcher, &message, QOS1, 1);
    history.calm();
    assert_eq!(history.violations(), &[]);
}

#[test]
fn an_old_and_a_new_version_of_a_subscription_may_both_be_in_force() {
    for (qos, expected) in [(QOS0, None), (QOS1, None), (QOS2, Some(Rule::QosGranted))] {
        let mut history = History::new();
        let client = history.client("c");
        let other = history.client("d");
        history.subscribes(client, "t", QOS0);
        let message = history.message("t", QOS2, 1);
        history.publishes(other, &message);
        history.sends(client, subscribe(2, Entry::new("t", QOS1)));
        let id = u16::from(qos > QOS0);
        history.arrives(client, &message, qos, id);
        let first = history.violations().first();
        assert_eq!(first.map(|violation| violation.rule), expected, "{qos:?}");
    }
}
