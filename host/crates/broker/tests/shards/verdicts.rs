//! What rules decide, and how the publisher is told.

use super::*;

#[test]
fn publishes_are_released_in_order_whatever_order_the_verdicts_come_in() {
    let mut world = World::new(3);
    rules_on(&world, "#");
    let subscriber = world.connect(V5, "subscriber");
    world.subscribe(subscriber, "#", QoS::AtMostOnce);
    world.got(subscriber);
    let publisher = world.connect(V5, "publisher");
    for (id, payload) in [(1, "a"), (2, "b"), (3, "c")] {
        world.publish(publisher, "t", payload, Some(id));
    }
    world.decide(2, Verdict::Proceed);
    world.decide(1, Verdict::Drop);
    assert!(world.got(publisher).is_empty() && world.got(subscriber).is_empty());
    world.decide(0, Verdict::Proceed);
    let acks = ["PUBACK 1 Success", "PUBACK 2 Success", "PUBACK 3 Success"].map(other);
    assert_eq!(world.got(publisher), acks);
    assert_eq!(world.payloads(subscriber), ["a", "c"]);
}

#[test]
fn a_message_without_rules_waits_behind_one_that_has_some() {
    let mut world = World::new(1);
    rules_on(&world, "slow");
    let client = world.connect(V311, "client");
    world.subscribe(client, "#", QoS::AtMostOnce);
    world.got(client);
    world.publish(client, "slow", "1", Some(1));
    world.publish(client, "fast", "2", Some(2));
    assert!(world.got(client).is_empty());
    world.decide(0, Verdict::Proceed);
    assert_eq!(
        world.got(client),
        [
            publish("slow", "1", None),
            other("PUBACK 1 Success"),
            publish("fast", "2", None),
            other("PUBACK 2 Success"),
        ]
    );
}

#[test]
fn each_verdict_is_told_as_the_version_can_tell_it() {
    // Verdict, version, what the publisher gets, whether it is closed, what is delivered.
    type Case = (
        fn(&Message) -> Verdict,
        ProtocolVersion,
        &'static [&'static str],
        bool,
        &'static [&'static str],
    );
    let cases: [Case; 12] = [
        (
            |_| Verdict::Proceed,
            V311,
            &["PUBACK 9 Success"],
            false,
            &["old"],
        ),
        (|_| Verdict::Drop, V5, &["PUBACK 9 Success"], false, &[]),
        (
            |message| {
                let payload = "new".into();
                Verdict::Replace(Arc::new(Message {
                    payload,
                    ..message.clone()
                }))
            },
            V5,
            &["PUBACK 9 Success"],
            false,
            &["new"],
        ),
        (
            |_| Verdict::Deny(refusal()),
            V5,
            &["PUBACK 9 QuotaExceeded"],
            false,
            &[],
        ),
        (
            |_| Verdict::Deny(refusal()),
            V311,
            &["PUBACK 9 Success"],
            false,
            &[],
        ),
        (
            |_| Verdict::Disconnect(refusal()),
            V5,
            &["DISCONNECT QuotaExceeded"],
            true,
            &[],
        ),
        (|_| Verdict::Disconnect(refusal()), V311, &[], true, &[]),
        (
            |_| Verdict::Failed {
                refusal: refusal(),
                retryable: true,
                is_refused: false,
            },
            V5,
            &["PUBACK 9 QuotaExceeded"],
            false,
            &[],
        ),
        (
            |_| Verdict::Failed {
                refusal: refusal(),
                retryable: true,
                is_refused: false,
            },
            V311,
            &[],
            true,
            &[],
        ),
        (
            |_| Verdict::Failed {
                refusal: refusal(),
                retryable: false,
                is_refused: false,
            },
            V311,
            // What failed may be mended by the time that it comes again.
            &[],
            true,
            &[],
        ),
        (
            |_| Verdict::Failed {
                refusal: refusal(),
                retryable: false,
                is_refused: true,
            },
            V311,
            // Sent again it would fail again: it is a dead letter.
            &["PUBACK 9 Success"],
            false,
            &[],
        ),
        (
            |_| Verdict::Failed {
                refusal: refusal(),
                retryable: false,
                is_refused: true,
            },
            V5,
            &["PUBACK 9 QuotaExceeded"],
            false,
            &[],
        ),
    ];
    for (number, (verdict, version, told, closed, delivered)) in cases.into_iter().enumerate() {
        let mut world = World::new(2);
        rules_on(&world, "t");
        let subscriber = world.connect(V5, "subscriber");
        world.subscribe(subscriber, "#", QoS::AtMostOnce);
        world.got(subscriber);
        let publisher = world.connect(version, "publisher");
        world.publish(publisher, "t", "old", Some(9));
        let message = Arc::clone(&world.script.borrow().submitted[0].2);
        world.decide(0, verdict(&message));
        let told: Vec<Got> = told.iter().map(|text| other(text)).collect();
        assert_eq!(world.got(publisher), told, "case {number}");
        assert_eq!(world.clients[publisher].closed, closed, "case {number}");
        assert_eq!(world.payloads(subscriber), delivered, "case {number}");
    }
}

#[test]
fn what_follows_a_message_that_was_not_stored_is_left_to_the_client_to_send_again() {
    let mut world = World::new(2);
    rules_on(&world, "#");
    let subscriber = world.connect(V5, "subscriber");
    world.subscribe(subscriber, "#", QoS::AtMostOnce);
    world.got(subscriber);
    let publisher = world.connect(V311, "publisher");
    for (id, payload) in [(1, "a"), (2, "b"), (3, "c")] {
        world.publish(publisher, "t", payload, Some(id));
    }
    world.decide(1, Verdict::Proceed);
    let failed = Verdict::Failed {
        refusal: refusal(),
        retryable: true,
        is_refused: false,
    };
    world.decide(0, failed);
    world.decide(0, Verdict::Proceed);
    assert!(world.clients[publisher].closed);
    assert!(world.payloads(subscriber).is_empty());
    assert_eq!(world.script.borrow().abandoned.len(), 1);
    world.drop_socket(subscriber);
    world.assert_empty();
}

#[test]
fn texts_are_left_out_of_packets_that_would_be_too_large_with_them() {
    let mut world = World::new(1);
    rules_on(&world, "#");
    let mut connect = Connect::new(V5, "small");
    connect.maximum_packet_bytes = Some(12);
    let small = world.connect_with(connect);
    world.got(small);
    world.publish(small, "t", "", Some(1));
    world.decide(0, Verdict::Deny(refusal()));
    world.publish(small, "t", "", Some(2));
    world.decide(0, Verdict::Disconnect(refusal()));
    let bytes = world.received_bytes(small);
    assert!(bytes <= 2 * 12, "{bytes} bytes in two packets");
    let told = ["PUBACK 1 QuotaExceeded", "DISCONNECT QuotaExceeded"].map(other);
    assert_eq!(world.got(small), told);
}

#[test]
fn a_qos_0_message_that_failed_closes_nobody() {
    let mut world = World::new(1);
    rules_on(&world, "#");
    let publisher = world.connect(V311, "publisher");
    world.publish(publisher, "t", "x", None);
    world.decide(
        0,
        Verdict::Failed {
            refusal: refusal(),
            retryable: true,
            is_refused: false,
        },
    );
    assert!(!world.clients[publisher].closed);
    assert_eq!(world.counters().publishes_refused, 1);
}

#[test]
fn what_a_client_published_before_it_left_still_goes_on() {
    let mut world = World::new(2);
    rules_on(&world, "#");
    let subscriber = world.connect(V5, "subscriber");
    world.subscribe(subscriber, "#", QoS::AtMostOnce);
    world.got(subscriber);
    let publisher = world.connect(V5, "publisher");
    world.publish(publisher, "t", "1", Some(1));
    world.publish(publisher, "t", "2", None);
    world.drop_socket(publisher);
    let again = world.connect_with(Connect::new(V5, "publisher"));
    world.decide(0, Verdict::Proceed);
    assert!(
        world.got(again).is_empty(),
        "it is served once its earlier publishes are settled"
    );
    world.decide(0, Verdict::Proceed);
    assert_eq!(world.payloads(subscriber), ["1", "2"]);
    assert_eq!(
        world.got(again),
        [other("CONNACK Success")],
        "acknowledgements of the old connection do not go to the new"
    );
    world.drop_socket(again);
    world.drop_socket(subscriber);
    world.assert_empty();
}
