//! A client and a message from beginning to end: all hooks, in one list.

use hookwire_broker::{
    Answer, AuthenticationOutcome, Authorization, DeliveryOutcome, Question, Restored,
    SubscriptionOutcome,
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
                Question::Authenticate(_) => panic!("it waits elsewhere"),
            };
            world.answer(0, answer);
        } else if !world.script.borrow().authentications.is_empty() {
            world.authenticate(AuthenticationOutcome::Accept { data: None });
        } else if !world.script.borrow().submitted.is_empty() {
            world.decide(0, Verdict::Proceed);
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
                filters: vec![hookwire_mqtt::SubscribeFilter::new("t", QoS::AtLeastOnce)],
            };
            world.send(client, Packet::Subscribe(subscribe))
        });
        twice(&mut world, |world| world.publish(client, "t", "m", Some(1)));
        world.puback(client, 1);
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
            client.authorize one subscribe t 1
            client.subscribe one t 1 new
            session.subscribed one t 1 new
            client.authorize one publish t 1
            message.publish one t m
            message.deliver one t m 1
            message.acked one m
            client.unsubscribe one t
            session.unsubscribed one t 1 known
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
        for hook in Hook::ALL {
            let name = hook.name();
            assert!(told.iter().any(|told| told.starts_with(name)), "{name}");
        }
        world.assert_empty();
    }
}
