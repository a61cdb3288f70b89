//! What rules are asked between CONNECT and CONNACK, and in which order.

use hookwire_broker::{
    Answer, AuthenticationOutcome, Authorization, Denial, Event, ListenerInfo, Question, Restored,
    RestoredSession, SubscriptionInfo,
};

use super::*;

/// Rules on everything that a client passes until it is served.
pub(crate) fn asked_about_everything(workers: u16) -> World {
    let world = World::new(workers);
    world.script.borrow_mut().wants_passwords = true;
    for hook in [
        Hook::ClientConnect,
        Hook::ClientAuthorize,
        Hook::SessionCreated,
        Hook::SessionResumed,
        Hook::ClientConnack,
        Hook::ClientConnected,
        Hook::SessionSubscribed,
        Hook::SessionDiscarded,
        Hook::SessionTakenover,
        Hook::ClientDisconnected,
        Hook::SessionTerminated,
    ] {
        world.listen(hook, "#");
    }
    world
}

pub(crate) fn with_will(version: ProtocolVersion, id: &str, topic: &str) -> Connect {
    let mut connect = Connect::new(version, id);
    connect.will = Some(Will {
        topic: topic.to_owned(),
        payload: b"gone".to_vec(),
        qos: QoS::AtLeastOnce,
        retain: true,
        delay_interval_s: 0,
        properties: Vec::new(),
    });
    connect
}

pub(crate) fn denial(reason: ReasonCode) -> Denial {
    Denial {
        refusal: Refusal {
            reason,
            text: "no".to_owned(),
        },
        server_reference: None,
    }
}

pub(crate) const ALLOW: Answer = Answer::Authorize(Authorization::Allow { keep_ms: None });

pub(crate) fn accept() -> AuthenticationOutcome {
    AuthenticationOutcome::Accept { data: None }
}

pub(crate) fn created(restored: Restored) -> Answer {
    Answer::CreateSession(Ok(restored))
}

pub(crate) fn subscription(filter: &str) -> SubscriptionInfo {
    SubscriptionInfo {
        filter: filter.into(),
        qos: QoS::AtLeastOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
        identifier: Some(7),
        is_new: true,
    }
}

#[test]
fn everything_is_asked_in_order_and_connack_comes_last() {
    let mut world = asked_about_everything(2);
    let client = world.connect_with(with_will(V5, "client", "$delayed/5/last/words"));
    assert_eq!(world.told(), ["client.connect client"]);
    world.answer(0, Answer::Connect(None));
    assert_eq!(world.told(), ["client.authenticate client Connect"]);
    world.authenticate(accept());
    assert_eq!(
        world.told(),
        ["client.authorize client will last/words 1 retain"]
    );
    world.answer(0, ALLOW);
    assert_eq!(world.told(), ["session.created client"]);
    assert!(
        world.got(client).is_empty(),
        "nothing is sent before CONNACK"
    );
    world.answer(0, created(Restored::default()));
    assert_eq!(
        world.told(),
        ["client.connack client", "client.connected client"]
    );
    assert_eq!(world.got(client), [other("CONNACK Success")]);
}

#[test]
fn rules_are_told_who_the_client_is_and_how_it_is_connected() {
    let mut world = World::new(1);
    world.listener = Arc::new(ListenerInfo {
        name: "outside".to_owned(),
        tls: true,
        mount_point: Some("tenant/".to_owned()),
        ..ListenerInfo::default()
    });
    world.listen(Hook::ClientConnect, "#");
    world.listen(Hook::ClientConnected, "#");
    let mut connect = Connect::new(V5, "client");
    connect.username = Some("user".to_owned());
    connect.keep_alive_s = 30;
    connect.session_expiry_interval_s = 90;
    connect.user_properties = vec![("a".to_owned(), "1".to_owned())];
    world.connect_with(connect);
    let question = world.script.borrow().questions[0].2.clone();
    let Question::Connect(client) = question else {
        panic!("{question:?}");
    };
    assert_eq!(
        (&*client.clientid, client.username.as_deref()),
        ("client", Some("user"))
    );
    let connection = client.connection.clone().unwrap();
    assert_eq!(connection.listener.name, "outside");
    assert!(connection.listener.tls && connection.clean_start);
    assert_eq!(connection.listener.mount_point.as_deref(), Some("tenant/"));
    assert_eq!((connection.version, connection.keep_alive_s), (V5, 30));
    assert_eq!(connection.session_expiry_s, 90);
    assert_eq!(
        *connection.user_properties,
        [("a".to_owned(), "1".to_owned())]
    );
    world.answer(0, Answer::Connect(None));
    let events = world.script.borrow().events.clone();
    let [Event::Client(event)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((&event.client, event.at_ms), (&client, START_MS));
}

#[test]
fn each_refusal_is_told_in_connack_as_the_version_can_and_to_its_rules() {
    type Refuse = fn(&mut World);
    let refuse_connect: Refuse = |world| {
        let denied = denial(ReasonCode::Banned);
        world.answer(0, Answer::Connect(Some(denied)));
    };
    let refuse_will: Refuse = |world| {
        world.answer(0, Answer::Connect(None));
        world.authenticate(accept());
        let Refusal { reason, text } = denial(ReasonCode::NotAuthorized).refusal;
        let refusal = Refusal { reason, text };
        let keep_ms = None;
        let denied = Authorization::Deny { refusal, keep_ms };
        world.answer(0, Answer::Authorize(denied));
    };
    let refuse_session: Refuse = |world| {
        world.answer(0, Answer::Connect(None));
        world.authenticate(accept());
        world.answer(0, ALLOW);
        let denied = denial(ReasonCode::ServerUnavailable);
        world.answer(0, Answer::CreateSession(Err(denied)));
    };
    let cases: [(ProtocolVersion, Refuse, &str, &str); 6] = [
        (V5, refuse_connect, "CONNACK Banned", "Banned"),
        (V311, refuse_connect, "CONNACK NotAuthorized", "Banned"),
        (V5, refuse_will, "CONNACK NotAuthorized", "NotAuthorized"),
        (V31, refuse_will, "CONNACK NotAuthorized", "NotAuthorized"),
        (
            V5,
            refuse_session,
            "CONNACK ServerUnavailable",
            "ServerUnavailable",
        ),
        (
            V311,
            refuse_session,
            "CONNACK ServerUnavailable",
            "ServerUnavailable",
        ),
    ];
    for (version, refuse, connack, told) in cases {
        let mut world = asked_about_everything(1);
        let client = world.connect_with(with_will(version, "client", "last/words"));
        refuse(&mut world);
        assert_eq!(world.got(client), [other(connack)], "{version}");
        assert!(world.clients[client].closed);
        let last = world.told().pop();
        assert_eq!(last, Some(format!("client.connack client {told}")));
        world.assert_empty();
    }
    // Also one that no rule had a part in.
    let mut world = asked_about_everything(1);
    let client = world.connect_with(with_will(V5, "client", "$SYS/broker"));
    assert_eq!(world.got(client), [other("CONNACK TopicNameInvalid")]);
    assert_eq!(world.told(), ["client.connack client TopicNameInvalid"]);
}

#[test]
fn whom_no_rule_knows_the_listener_lets_in_or_not() {
    let cases = [
        (false, false, "CONNACK Success"),
        (true, false, "CONNACK NotAuthorized"),
        (false, true, "CONNACK BadAuthenticationMethod"),
        (true, true, "CONNACK BadAuthenticationMethod"),
    ];
    for has_rules in [false, true] {
        for (denies, is_enhanced, expected) in cases {
            let mut world = World::new(1);
            world.script.borrow_mut().wants_passwords = has_rules;
            world.listener = Arc::new(ListenerInfo {
                denies_unknown_clients: denies,
                ..ListenerInfo::default()
            });
            let mut connect = Connect::new(V5, "client");
            connect.authentication_method = is_enhanced.then(|| "SCRAM".to_owned());
            let client = world.connect_with(connect);
            if has_rules {
                world.authenticate(AuthenticationOutcome::Deferred);
            }
            assert_eq!(world.got(client), [other(expected)], "rules: {has_rules}");
        }
    }
}

#[test]
fn a_will_that_no_rule_speaks_of_is_as_the_listener_says() {
    for (denies, expected) in [(false, "CONNACK Success"), (true, "CONNACK NotAuthorized")] {
        let mut world = World::new(1);
        world.listen(Hook::ClientAuthorize, "other/#");
        world.listener = Arc::new(ListenerInfo {
            denies_unlisted_access: denies,
            ..ListenerInfo::default()
        });
        let client = world.connect_with(with_will(V5, "client", "last/words"));
        assert_eq!(world.got(client), [other(expected)]);
        // And so where its rules defer.
        let deferring = world.connect_with(with_will(V5, "second", "other/words"));
        world.answer(0, Answer::Authorize(Authorization::Deferred));
        assert_eq!(world.got(deferring), [other(expected)]);
        assert_eq!(
            world.counters().publishes_denied,
            if denies { 2 } else { 0 }
        );
    }
}

#[test]
fn a_new_session_begins_with_what_its_rules_restore() {
    for clean_start in [false, true] {
        let mut world = World::new(2);
        let publisher = world.connect(V5, "publisher");
        world.retain(publisher, "kept/a", "retained");
        world.listen(Hook::SessionCreated, "#");
        world.listen(Hook::SessionSubscribed, "#");
        let mut connect = lasting("client");
        connect.clean_start = clean_start;
        let client = world.connect_with(connect);
        let mut silent = subscription("silent/#");
        silent.retain_handling = 2;
        let restored = Restored {
            subscriptions: vec![subscription("kept/#"), silent, subscription("a/#/b")],
            // A clean start finds nothing, whatever a rule says.
            session: clean_start.then(|| RestoredSession {
                subscriptions: vec![subscription("own/#")],
                exchanges: Vec::new(),
            }),
        };
        world.answer(0, created(restored));
        let got = world.got(client);
        let expected = [
            other("CONNACK Success"),
            marked("kept/a", "retained", None, "retain, ids [7]"),
        ];
        assert_eq!(got, expected);
        assert_eq!(
            world.told(),
            [
                "session.created client",
                "session.subscribed client kept/# 1 new",
                "session.subscribed client silent/# 1 new",
            ]
        );
        world.publish(publisher, "silent/a", "live", Some(1));
        assert_eq!(world.payloads(client), ["live"]);
        assert_eq!(world.holdings().subscriptions, 2);
    }
}

#[test]
fn a_session_that_rules_have_kept_goes_on() {
    let mut world = World::new(2);
    let publisher = world.connect(V5, "publisher");
    world.retain(publisher, "kept/a", "retained");
    for hook in [
        Hook::SessionCreated,
        Hook::SessionSubscribed,
        Hook::SessionResumed,
    ] {
        world.listen(hook, "#");
    }
    let client = world.connect_with(lasting("client"));
    let restored = Restored {
        // What a business server wrote; the second is the client's own, too.
        subscriptions: vec![subscription("proxy/#"), subscription("kept/#")],
        session: Some(RestoredSession {
            subscriptions: vec![SubscriptionInfo {
                qos: QoS::AtMostOnce,
                ..subscription("kept/#")
            }],
            exchanges: Vec::new(),
        }),
    };
    world.answer(0, created(restored));
    // Retained messages came when it subscribed.
    assert_eq!(
        world.got(client),
        [other("CONNACK Success, session present")]
    );
    assert_eq!(
        world.told(),
        [
            "session.created client",
            "session.resumed client",
            "session.subscribed client proxy/# 1 new",
        ]
    );
    world.publish(publisher, "kept/a", "by its own options", Some(1));
    let got = world.got(client);
    let expected = marked("kept/a", "by its own options", None, "ids [7]");
    assert_eq!(got, [expected]);
    assert_eq!(world.holdings().subscriptions, 2);
}

#[test]
fn a_session_that_is_there_is_resumed_and_nobody_asked() {
    let mut world = asked_about_everything(1);
    world.script.borrow_mut().wants_passwords = false;
    world.script.borrow_mut().rules.remove(&Hook::ClientConnect);
    let first = world.connect_with(lasting("client"));
    world.answer(0, created(Restored::default()));
    world.drop_socket(first);
    world.told();
    let second = world.connect_with(lasting("client"));
    assert_eq!(
        world.got(second),
        [other("CONNACK Success, session present")]
    );
    assert_eq!(
        world.told(),
        [
            "session.resumed client",
            "client.connack client",
            "client.connected client"
        ]
    );
    // Taken over, it goes on; a clean start ends it and makes another.
    let third = world.connect_with(lasting("client"));
    assert_eq!(
        world.got(third),
        [other("CONNACK Success, session present")]
    );
    assert_eq!(
        world.told(),
        [
            "session.takenover client",
            "client.disconnected client SessionTakenOver taken-over",
            "session.resumed client",
            "client.connack client",
            "client.connected client"
        ]
    );
    let fourth = world.connect_with(Connect::new(V5, "client"));
    assert_eq!(
        world.told(),
        [
            "client.disconnected client SessionTakenOver taken-over",
            "session.discarded client",
            "session.created client"
        ]
    );
    world.answer(0, created(Restored::default()));
    assert_eq!(world.got(fourth), [other("CONNACK Success")]);
    world.told();
    // It ends with its connection; the next one finds nothing to discard.
    world.send(fourth, Packet::Disconnect(Disconnect::default()));
    assert_eq!(
        world.told(),
        [
            "client.disconnected client normal",
            "session.terminated client normal"
        ]
    );
    world.assert_empty();
}
