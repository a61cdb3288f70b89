//! A client and a message from beginning to end: all hooks, in one list.

use hookwire_broker::{
    Answer, AuthenticationOutcome, Authorization, BrokerCall, DeliveryOutcome, OwnMessage, Page,
    Question, Restored, SubscriptionOutcome,
};

use super::*;

fn all_hooks(workers: u16) -> World {
    let world = World::new(workers);
    for hook in Hook::ALL {
        world.listen(hook, "#");
    }
    {
        let mut script = world.script.borrow_mut();
        script.wants_passwords = true;
        script.publish_filter = TopicFilter::new("#").ok();
        script.acked_filter = TopicFilter::new("#").ok();
    }
    world
}

/// Says yes to everything until nothing waits.
fn agree(world: &mut World) {
    loop {
        let question = world.script.borrow().questions.front().cloned();
        if let Some((_, _, question)) = question {
            let answer = match question {
                Question::Connect(_) => Answer::Connect(None),
                Question::Authorize(_) => {
                    let keep_ms = Some(0);
                    Answer::Authorize(Authorization::Allow { keep_ms })
                }
                Question::CreateSession(_) => Answer::CreateSession(Ok(Restored::default())),
                Question::Subscribe(_) | Question::Unsubscribe(_) => {
                    Answer::Subscribe(SubscriptionOutcome::Proceed)
                }
                Question::Deliver(_) => Answer::Deliver(DeliveryOutcome::Proceed),
                Question::Exchange(_) => Answer::Exchange(Ok(())),
                Question::Fetch(_) => Answer::Fetch(Ok(Page::default())),
                Question::Authenticate(_) => panic!("it waits elsewhere"),
            };
            world.answer(0, answer);
        } else if !world.script.borrow().authentications.is_empty() {
            world.authenticate(AuthenticationOutcome::Accept { data: None });
        } else if !world.script.borrow().submitted.is_empty() {
            world.store();
        } else {
            return;
        }
    }
}

fn twice(world: &mut World, mut packet: impl FnMut(&mut World) -> Flow) {
    // The first time it is asked about.
    assert_eq!(packet(world), Flow::Later);
    agree(world);
    assert_eq!(packet(world), Flow::Continue);
    agree(world);
}

#[test]
fn a_client_and_its_message_pass_every_hook_in_order() {
    for workers in [1, 2] {
        let mut world = all_hooks(workers);
        let mut connect = Connect::new(V5, "one");
        connect.clean_start = false;
        connect.session_expiry_interval_s = 60;
        let client = world.connect_with(connect.clone());
        agree(&mut world);
        twice(&mut world, |world| {
            let subscribe = hookwire_mqtt::Subscribe {
                packet_id: PacketId::FIRST,
                subscription_identifier: None,
                user_properties: Vec::new(),
                filters: vec![hookwire_mqtt::SubscribeFilter::new("t", QoS::ExactlyOnce)],
            };
            world.send(client, Packet::Subscribe(subscribe))
        });
        twice(&mut world, |world| {
            world.publish_exactly_once(client, "t", "m", 1)
        });
        for kind in [AckKind::PubRec, AckKind::PubComp, AckKind::PubRel] {
            world.ack(client, kind, 1);
            agree(&mut world);
        }
        twice(&mut world, |world| {
            let unsubscribe = Unsubscribe {
                packet_id: PacketId::FIRST,
                filters: vec!["t".to_owned()],
                user_properties: Vec::new(),
            };
            world.send(client, Packet::Unsubscribe(unsubscribe))
        });
        twice(&mut world, |world| world.publish(client, "t", "n", Some(2)));
        world.drop_socket(client);
        world.connect_with(connect.clone());
        agree(&mut world);
        world.connect_with(connect.clone());
        agree(&mut world);
        connect.clean_start = true;
        connect.session_expiry_interval_s = 0;
        let last = world.connect_with(connect);
        agree(&mut world);
        world.send(last, Packet::Disconnect(Disconnect::default()));
        let told = world.told();
        let expected = "\
            client.connect one
            client.authenticate one Connect
            session.created one
            client.connack one
            client.connected one
            client.authorize one subscribe t 2
            client.subscribe one t 2 new
            session.subscribed one t 2 new
            session.fetch one t begins
            session.retained one t
            client.authorize one publish t 2
            message.publish one t m
            message.deliver one t m 2
            session.exchange one 1 sent
            session.exchange one 1 received
            message.acked one m
            message.position one m
            session.exchange one 1 completed
            session.exchange one 1 released
            client.unsubscribe one t
            session.unsubscribed one t 2 known
            client.authorize one publish t 1
            message.publish one t n
            message.dropped nobody n no-subscriber
            client.disconnected one socket-closed
            client.connect one
            client.authenticate one Connect
            session.resumed one
            client.connack one
            client.connected one
            client.connect one
            client.authenticate one Connect
            session.takenover one
            client.disconnected one SessionTakenOver taken-over
            session.resumed one
            client.connack one
            client.connected one
            client.connect one
            client.authenticate one Connect
            client.disconnected one SessionTakenOver taken-over
            session.discarded one
            session.created one
            client.connack one
            client.connected one
            client.disconnected one normal
            session.terminated one normal";
        let expected: Vec<&str> = expected.lines().map(str::trim).collect();
        assert_eq!(told, expected);
        // That the broker has started, no client is there to see.
        let of_clients = |hook: &Hook| *hook != Hook::NodeStarted;
        for hook in Hook::ALL.into_iter().filter(of_clients) {
            let name = hook.name();
            assert!(told.iter().any(|told| told.starts_with(name)), "{name}");
        }
        world.assert_empty();
    }
}

#[test]
fn a_will_is_allowed_when_its_client_connects_and_passes_the_rules_when_it_is_called() {
    for delay_interval_s in [0, 5] {
        let mut world = World::new(2);
        let watcher = world.connect(V5, "watcher");
        world.subscribe(watcher, "last/#", QoS::AtLeastOnce);
        world.got(watcher);
        for hook in [Hook::ClientAuthorize, Hook::MessageDeliver] {
            world.listen(hook, "last/#");
        }
        rules_on(&world, "last/#");
        world.script.borrow_mut().generation += 1;
        let mut connect = Connect::new(V5, "dying");
        connect.session_expiry_interval_s = 60;
        connect.will = Some(Will {
            topic: "last/words".to_owned(),
            payload: b"gone".to_vec(),
            qos: QoS::AtLeastOnce,
            retain: false,
            delay_interval_s,
            properties: Vec::new(),
        });
        let dying = world.connect_with(connect);
        assert_eq!(world.told(), ["client.authorize dying will last/words 1"]);
        agree(&mut world);
        world.drop_socket(dying);
        world.advance_ms(u64::from(delay_interval_s) * 1_000 + 500);
        agree(&mut world);
        assert_eq!(
            world.told(),
            [
                "message.publish dying last/words gone",
                "message.deliver watcher last/words gone 1"
            ]
        );
        assert_eq!(world.payloads(watcher), ["gone"]);
    }
}

#[test]
fn what_rules_and_administrators_publish_passes_every_hook_of_a_message() {
    for (sender, hops) in [("$rule/r", 1), ("$admin", 0)] {
        for worker in 0..2 {
            let mut world = World::new(2);
            let watcher = world.connect(V5, "watcher");
            world.subscribe(watcher, "t/#", QoS::AtLeastOnce);
            world.got(watcher);
            for hook in [
                Hook::ClientAuthorize,
                Hook::MessageDeliver,
                Hook::MessageDropped,
            ] {
                world.listen(hook, "#");
            }
            rules_on(&world, "#");
            world.script.borrow_mut().acked_filter = TopicFilter::new("#").ok();
            let own = |topic: &str| {
                BrokerCall::Publish(OwnMessage {
                    topic: topic.into(),
                    payload: b"m".to_vec(),
                    sender: sender.into(),
                    qos: QoS::AtLeastOnce,
                    retain: false,
                    expiry_s: None,
                    user_properties: Vec::new(),
                    hops,
                })
            };
            world.call(worker, own("t/a"));
            agree(&mut world);
            world.puback(watcher, 1);
            world.call(worker, own("u/a"));
            agree(&mut world);
            world.call(worker, own("t/b"));
            world.decide(0, Verdict::Drop);
            assert_eq!(
                world.told(),
                [
                    // Nobody is asked whether a rule may publish.
                    format!("message.publish {sender}/{worker} t/a m"),
                    "message.deliver watcher t/a m 1".to_owned(),
                    "message.acked watcher m".to_owned(),
                    format!("message.publish {sender}/{worker} u/a m"),
                    "message.dropped nobody m no-subscriber".to_owned(),
                    format!("message.publish {sender}/{worker} t/b m"),
                    "message.dropped nobody m rule".to_owned(),
                ]
            );
        }
    }
}
