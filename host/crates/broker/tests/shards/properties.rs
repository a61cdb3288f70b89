//! MQTT 5's properties of messages and subscriptions.

use hookwire_mqtt::{RetainHandling, Subscribe, SubscribeFilter};

use super::*;

/// A subscription with options, and its identifier.
fn subscribe(world: &mut World, client: usize, filter: SubscribeFilter, identifier: Option<u32>) {
    world.send(
        client,
        Packet::Subscribe(Subscribe {
            packet_id: PacketId::FIRST,
            subscription_identifier: identifier,
            user_properties: Vec::new(),
            filters: vec![filter],
        }),
    );
}

fn filter(text: &str) -> SubscribeFilter {
    SubscribeFilter::new(text, QoS::AtLeastOnce)
}

#[test]
fn a_delivery_names_all_the_subscriptions_that_match() {
    let mut world = World::new(2);
    let client = world.connect(V5, "client");
    subscribe(&mut world, client, filter("a/#"), Some(7));
    subscribe(&mut world, client, filter("a/+"), Some(268_435_455));
    subscribe(&mut world, client, filter("+/b"), None);
    world.got(client);
    let publisher = world.connect(V311, "publisher");
    world.publish(publisher, "a/b", "1", None);
    world.publish(publisher, "a/b/c", "2", Some(1));
    world.publish(publisher, "x/b", "3", None);
    let both = [
        marked("a/b", "1", None, "ids [7, 268435455]"),
        marked("a/b", "1", None, "ids [268435455, 7]"),
    ];
    let got = world.got(client);
    assert!(both.contains(&got[0]), "{got:?}");
    let rest = [
        marked("a/b/c", "2", Some(1), "ids [7]"),
        publish("x/b", "3", None),
    ];
    assert_eq!(got[1..], rest);
    // A new SUBSCRIBE replaces the identifier.
    subscribe(&mut world, client, filter("a/#"), None);
    world.got(client);
    world.publish(publisher, "a/b/c", "4", None);
    assert_eq!(world.got(client), [publish("a/b/c", "4", None)]);
}

#[test]
fn no_local_leaves_out_own_messages_of_that_subscription_only() {
    let mut world = World::new(1);
    let client = world.connect(V5, "client");
    let mut no_local = filter("a/#");
    no_local.no_local = true;
    subscribe(&mut world, client, no_local, Some(1));
    world.got(client);
    world.publish(client, "a/b", "own", None);
    assert!(world.got(client).is_empty());
    let other_client = world.connect(V5, "other");
    world.publish(other_client, "a/b", "other", None);
    assert_eq!(world.got(client), [marked("a/b", "other", None, "ids [1]")]);
    subscribe(
        &mut world,
        client,
        SubscribeFilter::new("a/b", QoS::AtMostOnce),
        Some(2),
    );
    world.got(client);
    world.publish(client, "a/b", "own", None);
    assert_eq!(world.got(client), [marked("a/b", "own", None, "ids [2]")]);
}

#[test]
fn the_retain_flag_is_kept_for_those_who_want_it_as_published() {
    let mut world = World::new(1);
    let client = world.connect(V5, "client");
    let plain = world.connect(V5, "plain");
    let mut as_published = filter("t");
    as_published.retain_as_published = true;
    subscribe(&mut world, client, as_published, None);
    subscribe(&mut world, plain, filter("t"), None);
    world.got(client);
    world.got(plain);
    world.retain(client, "t", "1");
    world.publish(client, "t", "2", None);
    let expected = [marked("t", "1", None, "retain"), publish("t", "2", None)];
    assert_eq!(world.got(client), expected);
    assert_eq!(
        world.got(plain),
        [publish("t", "1", None), publish("t", "2", None)]
    );
}

#[test]
fn retain_handling_says_when_retained_messages_come() {
    use RetainHandling::{DoNotSend, SendAtSubscribe, SendIfNew};
    let cases = [
        (SendAtSubscribe, [1, 1]),
        (SendIfNew, [1, 0]),
        (DoNotSend, [0, 0]),
    ];
    for (handling, expected) in cases {
        let mut world = World::new(2);
        let client = world.connect(V5, "client");
        world.retain(client, "t", "kept");
        let counts = [(); 2].map(|()| {
            let mut wanted = filter("t");
            wanted.retain_handling = handling;
            subscribe(&mut world, client, wanted, None);
            world.payloads(client).len()
        });
        assert_eq!(counts, expected, "{handling:?}");
    }
}

#[test]
fn messages_expire_while_they_wait_and_say_how_long_they_have() {
    let mut world = World::new(2);
    let mut connect = Connect::new(V5, "client");
    connect.clean_start = false;
    connect.session_expiry_interval_s = 1_000;
    connect.receive_maximum = 1;
    let client = world.connect_with(connect.clone());
    subscribe(&mut world, client, filter("t"), None);
    world.drop_socket(client);
    let publisher = world.connect(V5, "publisher");
    let expiry = |seconds: u8| [0x02, 0, 0, 0, seconds, 0x26, 0, 1, b'k', 0, 1, b'v'];
    let send = |world: &mut World, payload: &str, seconds: u8, id: u16| {
        let properties = expiry(seconds);
        let packet = Packet::Publish(hookwire_mqtt::Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: hookwire_mqtt::TopicName::new("t").unwrap(),
            packet_id: PacketId::new(id),
            properties: hookwire_mqtt::PublishProperties::from_validated(&properties),
            payload: payload.as_bytes(),
        });
        world.send(publisher, packet);
    };
    send(&mut world, "short", 3, 1);
    send(&mut world, "long", 100, 2);
    world.advance_ms(3_500);
    let back = world.connect_with(connect);
    let expected = [
        other("CONNACK Success, session present"),
        marked("t", "long", Some(1), "expiry 97, k=v"),
    ];
    assert_eq!(world.got(back), expected);
    assert_eq!(world.counters().deliveries_expired, 1);
    // Delivered at once it has all its time.
    world.puback(back, 1);
    send(&mut world, "fresh", 3, 3);
    let fresh = marked("t", "fresh", Some(2), "expiry 3, k=v");
    assert_eq!(world.got(back), [fresh]);
}

#[test]
fn a_client_publishes_by_alias_once_it_has_set_one() {
    let mut world = World::new(1);
    let watcher = world.connect(V5, "watcher");
    subscribe(&mut world, watcher, filter("#"), None);
    world.got(watcher);
    let client = world.connect(V5, "client");
    let alias = |alias: u8| [0x23, 0, alias];
    world.publish_as(client, "a", "1", false, &alias(1));
    world.publish_aliased(client, "2", &alias(1));
    world.publish_as(client, "b", "3", false, &alias(1));
    world.publish_aliased(client, "4", &alias(1));
    let expected = [("a", "1"), ("a", "2"), ("b", "3"), ("b", "4")];
    let expected = expected.map(|(topic, payload)| publish(topic, payload, None));
    assert_eq!(world.got(watcher), expected);
    world.publish_aliased(client, "5", &alias(2));
    assert_eq!(world.got(client), [other("DISCONNECT ProtocolError")]);
    let client = world.connect(V5, "client");
    world.publish_as(client, "a", "1", false, &alias(65));
    assert_eq!(world.got(client), [other("DISCONNECT TopicAliasInvalid")]);
}

#[test]
fn a_client_that_takes_aliases_gets_as_many_as_it_takes() {
    let mut world = World::new(1);
    let mut connect = Connect::new(V5, "client");
    connect.topic_alias_maximum = 1;
    let client = world.connect_with(connect);
    subscribe(
        &mut world,
        client,
        SubscribeFilter::new("#", QoS::AtMostOnce),
        None,
    );
    world.got(client);
    let publisher = world.connect(V5, "publisher");
    for topic in ["a", "a", "b", "a"] {
        world.publish(publisher, topic, "", None);
    }
    let expected = [
        marked("a", "", None, "alias 1"),
        marked("", "", None, "alias 1"),
        publish("b", "", None),
        marked("", "", None, "alias 1"),
    ];
    assert_eq!(world.got(client), expected);
}

#[test]
fn a_payload_that_is_not_utf_8_is_refused_where_that_is_asked_for() {
    for check in [false, true] {
        let mut bounds = limits();
        bounds.check_payload_format = check;
        let mut world = World::with(1, &bounds);
        let client = world.connect(V5, "client");
        let packet = |qos, id| {
            Packet::Publish(hookwire_mqtt::Publish {
                dup: false,
                qos,
                retain: false,
                topic: hookwire_mqtt::TopicName::new("t").unwrap(),
                packet_id: id,
                properties: hookwire_mqtt::PublishProperties::from_validated(&[0x01, 1]),
                payload: b"\xFF",
            })
        };
        world.send(client, packet(QoS::AtLeastOnce, PacketId::new(1)));
        world.send(client, packet(QoS::AtMostOnce, None));
        let expected = match check {
            false => vec![other("PUBACK 1 NoMatchingSubscribers")],
            true => vec![
                other("PUBACK 1 PayloadFormatInvalid"),
                other("DISCONNECT PayloadFormatInvalid"),
            ],
        };
        assert_eq!(world.got(client), expected);
    }
}

#[test]
fn a_client_is_told_what_it_asks_for_and_is_granted() {
    let mut bounds = limits();
    bounds.response_information = Some("replies/".to_owned());
    bounds.max_keep_alive_s = 30;
    let mut world = World::with(1, &bounds);
    let mut connect = Connect::new(V5, "client");
    let silent = world.connect_with(connect.clone());
    let granted = world.granted(silent);
    assert_eq!(granted.response_information, None);
    assert_eq!(granted.server_keep_alive_s, Some(30));
    assert_eq!(granted.topic_alias_maximum, Some(64));
    assert_eq!(granted.receive_maximum, Some(4));
    assert_eq!(granted.session_expiry_interval_s, None);
    connect.request_response_information = true;
    let curious = world.connect_with(connect);
    let granted = world.granted(curious);
    assert_eq!(granted.response_information.as_deref(), Some("replies/"));
}
