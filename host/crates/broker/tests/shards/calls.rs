//! What rules and administrators want of the broker, on whatever worker the
//! client lives, and what workers are asked about themselves.

use std::cell::RefCell;
use std::sync::Mutex;

use hookwire_broker::{
    Answer, BrokerCall, ClientState, Command, DeliveryOutcome, Limits, MAX_HOPS, OwnMessage, Reply,
    SubscriptionInfo,
};

use super::*;

fn own(topic: &str, payload: &str) -> OwnMessage {
    OwnMessage {
        topic: topic.into(),
        payload: payload.as_bytes().to_vec(),
        sender: "$rule/alert".into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        expiry_s: None,
        user_properties: Vec::new(),
        hops: 1,
    }
}

fn subscription(filter: &str) -> SubscriptionInfo {
    SubscriptionInfo {
        filter: filter.into(),
        qos: QoS::AtLeastOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
        identifier: None,
        is_new: true,
    }
}

/// A place for one answer.
fn place<T: Send + 'static>() -> (Arc<Mutex<Option<T>>>, Reply<T>) {
    let place = Arc::new(Mutex::new(None));
    let filled = Arc::clone(&place);
    let reply = Reply::new(move |answer| *filled.lock().unwrap() = Some(answer));
    (place, reply)
}

fn taken<T>(place: &Mutex<Option<T>>) -> T {
    place.lock().unwrap().take().unwrap()
}

#[test]
fn what_a_rule_publishes_passes_the_rules_is_retained_and_expires() {
    for worker in 0..2 {
        let mut world = World::new(2);
        let watchers = spread(&mut world, V5, 4);
        for &watcher in &watchers {
            world.subscribe(watcher, "alert/#", QoS::AtLeastOnce);
            world.got(watcher);
        }
        rules_on(&world, "alert/#");
        let message = OwnMessage {
            retain: true,
            expiry_s: Some(60),
            user_properties: vec![
                ("level".to_owned(), "high".to_owned()),
                ("bro\0ken".to_owned(), String::new()),
            ],
            ..own("alert/a", "hot")
        };
        world.call(worker, BrokerCall::Publish(message));
        let told = format!("message.publish $rule/alert/{worker} alert/a hot");
        assert_eq!(
            world.told(),
            [told],
            "a publisher of its own on each worker"
        );
        let submitted = world.script.borrow().submitted[0].2.clone();
        assert_eq!((submitted.hops, submitted.retain), (1, true));
        assert_eq!(submitted.expires_at_ms, START_MS + 60_000);
        world.decide(0, Verdict::Proceed);
        for &watcher in &watchers {
            let got = world.got(watcher);
            let marks = "expiry 60, level=high";
            assert_eq!(got, [marked("alert/a", "hot", Some(1), marks)]);
        }
        assert_eq!(world.retained.len(), 1);
        for watcher in watchers {
            world.drop_socket(watcher);
        }
        world.assert_empty();
    }
}

#[test]
fn what_one_sender_publishes_is_released_in_order() {
    let mut world = World::new(1);
    let watcher = world.connect(V5, "watcher");
    world.subscribe(watcher, "#", QoS::AtMostOnce);
    rules_on(&world, "a/#");
    world.call(0, BrokerCall::Publish(own("a/1", "first")));
    world.call(0, BrokerCall::Publish(own("b/1", "second, without rules")));
    world.call(0, BrokerCall::Publish(own("a/2", "third")));
    world.decide(1, Verdict::Proceed);
    assert!(world.payloads(watcher).is_empty());
    world.decide(0, Verdict::Proceed);
    let expected = ["first", "second, without rules", "third"];
    assert_eq!(world.payloads(watcher), expected);
    world.drop_socket(watcher);
    world.assert_empty();
}

#[test]
fn what_may_not_be_published_is_dropped_and_counted() {
    let mut world = World::new(1);
    let watcher = world.connect(V5, "watcher");
    world.subscribe(watcher, "#", QoS::AtMostOnce);
    world.got(watcher);
    let too_far = OwnMessage {
        hops: MAX_HOPS + 1,
        ..own("a", "too far")
    };
    for message in [
        own("$SYS/broker/uptime", "forged"),
        own("a/#", "no topic"),
        own("", "no topic"),
        own("$delayed/x/a", "no delay"),
        too_far,
    ] {
        world.call(0, BrokerCall::Publish(message));
    }
    assert_eq!(world.counters().own_publishes_dropped, 5);
    assert_eq!(world.counters().own_publishes, 5);
    let last = OwnMessage {
        hops: MAX_HOPS,
        ..own("a", "just so")
    };
    world.call(0, BrokerCall::Publish(last));
    assert_eq!(world.payloads(watcher), ["just so"]);
    // A denial has nobody to be told, and is counted.
    rules_on(&world, "#");
    world.script.borrow_mut().generation += 1;
    world.call(0, BrokerCall::Publish(own("a", "denied")));
    world.decide(0, Verdict::Deny(refusal()));
    world.call(0, BrokerCall::Publish(own("a", "closed")));
    world.decide(0, Verdict::Disconnect(refusal()));
    assert_eq!(world.counters().publishes_refused, 2);
    assert!(world.payloads(watcher).is_empty());
    // One that is held back.
    world.call(0, BrokerCall::Publish(own("$delayed/2/a", "later")));
    world.decide(0, Verdict::Proceed);
    assert!(world.payloads(watcher).is_empty());
    world.advance_ms(2_000);
    assert_eq!(world.payloads(watcher), ["later"]);
}

#[test]
fn a_message_is_delivered_to_one_client_whatever_it_subscribes_to() {
    for id in ["client-0", "client-1", "client-2", "client-3"] {
        let mut world = World::new(2);
        rules_on(&world, "#");
        world.listen(Hook::MessageDeliver, "#");
        let client = world.connect(V5, id);
        let bystander = world.connect(V5, "bystander");
        world.subscribe(bystander, "#", QoS::AtMostOnce);
        world.got(bystander);
        let call = BrokerCall::Deliver {
            clientid: id.into(),
            message: OwnMessage {
                retain: true,
                ..own("for/you", "alone")
            },
        };
        world.call(0, call);
        // Past the rules of message.publish, not past those of message.deliver.
        let expected = format!("message.deliver {id} for/you alone 1");
        assert_eq!(world.told(), [expected]);
        world.answer(0, Answer::Deliver(DeliveryOutcome::Proceed));
        let expected = marked("for/you", "alone", Some(1), "retain");
        assert_eq!(world.got(client), [expected]);
        assert!(world.got(bystander).is_empty());
    }
    let mut world = World::new(2);
    let call = BrokerCall::Deliver {
        clientid: "nobody".into(),
        message: own("for/you", "alone"),
    };
    world.call(0, call);
    assert_eq!(world.counters().own_publishes_dropped, 1);
}

#[test]
fn a_client_is_subscribed_looked_up_unsubscribed_and_closed_from_any_worker() {
    for worker in 0..2 {
        let mut world = World::new(2);
        world.listen(Hook::SessionSubscribed, "#");
        world.listen(Hook::SessionUnsubscribed, "#");
        let publisher = world.connect(V5, "publisher");
        world.retain(publisher, "a/kept", "kept");
        let client = world.connect(V5, "client");
        let clientid: Arc<str> = "client".into();
        world.call(
            worker,
            BrokerCall::Subscribe {
                clientid: Arc::clone(&clientid),
                subscription: subscription("a/#"),
            },
        );
        assert_eq!(world.told(), ["session.subscribed client a/# 1 new"]);
        assert_eq!(world.payloads(client), ["kept"]);
        let (found, reply) = place::<Option<ClientState>>();
        let clientid_again = Arc::clone(&clientid);
        world.call(
            worker,
            BrokerCall::Lookup {
                clientid: clientid_again,
                reply,
            },
        );
        let state = taken(&found).unwrap();
        assert_eq!(&*state.client.clientid, "client");
        assert!(state.is_connected && state.connected_at_ms == START_MS);
        assert_eq!(&*state.subscriptions[0].filter, "a/#");
        world.call(
            worker,
            BrokerCall::Unsubscribe {
                clientid: Arc::clone(&clientid),
                filter: "a/#".into(),
            },
        );
        assert_eq!(world.told(), ["session.unsubscribed client a/# 1 known"]);
        let (was_there, reply) = place();
        world.call(
            worker,
            BrokerCall::Disconnect {
                clientid: Arc::clone(&clientid),
                refusal: Refusal {
                    reason: ReasonCode::AdministrativeAction,
                    text: "goodbye".to_owned(),
                },
                reply: Some(reply),
            },
        );
        assert!(taken(&was_there));
        assert_eq!(
            world.got(client),
            [other("DISCONNECT AdministrativeAction")]
        );
        assert!(world.clients[client].closed);
        // Now there is nobody of that name.
        let (found, reply) = place::<Option<ClientState>>();
        let lookup = BrokerCall::Lookup {
            clientid: Arc::clone(&clientid),
            reply,
        };
        world.call(worker, lookup);
        assert_eq!(taken(&found), None);
        let (was_there, reply) = place();
        let refusal = refusal();
        let reply = Some(reply);
        world.call(
            worker,
            BrokerCall::Disconnect {
                clientid,
                refusal,
                reply,
            },
        );
        assert!(!taken(&was_there));
    }
}

#[test]
fn a_kick_reaches_a_client_that_still_arrives() {
    let mut world = World::new(1);
    world.listen(Hook::SessionCreated, "#");
    let client = world.connect_with(Connect::new(V5, "client"));
    world.call(
        0,
        BrokerCall::Disconnect {
            clientid: "client".into(),
            refusal: refusal(),
            reply: None,
        },
    );
    assert_eq!(world.got(client), [other("CONNACK QuotaExceeded")]);
    world.assert_empty();
}

#[test]
fn clients_are_listed_by_id_a_page_at_a_time() {
    let mut world = World::new(1);
    for id in ["d", "b", "a", "e", "c"] {
        world.connect(V5, id);
    }
    let pages = RefCell::new(Vec::new());
    let mut after = None;
    for _ in 0..3 {
        let (page, reply) = place::<Vec<ClientState>>();
        let command = Command::Clients {
            after: after.clone(),
            limit: 2,
            reply,
        };
        world.shards[0].command(world.now, command);
        let ids: Vec<Arc<str>> = taken(&page)
            .iter()
            .map(|state| Arc::clone(&state.client.clientid))
            .collect();
        after = ids.last().cloned();
        pages.borrow_mut().push(ids.join(""));
    }
    assert_eq!(*pages.borrow(), ["ab", "cd", "e"]);
    let (page, reply) = place::<Vec<ClientState>>();
    let limit = 0;
    let command = Command::Clients {
        after: None,
        limit,
        reply,
    };
    world.shards[0].command(world.now, command);
    assert!(taken(&page).is_empty());
}

#[test]
fn an_administrator_publishes_and_reads_what_a_worker_holds() {
    let mut world = World::with(2, &Limits::default());
    let watchers = spread(&mut world, V311, 4);
    for &watcher in &watchers {
        world.subscribe(watcher, "news", QoS::AtMostOnce);
        world.got(watcher);
    }
    let message = OwnMessage {
        sender: "$admin".into(),
        hops: 0,
        ..own("news", "hello")
    };
    let command = Command::Call(BrokerCall::Publish(message));
    world.shards[1].command(world.now, command);
    world.settle();
    for &watcher in &watchers {
        assert_eq!(world.payloads(watcher), ["hello"]);
    }
    let mut sessions = 0;
    for worker in 0..2 {
        let (report, reply) = place();
        let command = Command::Report { reply };
        world.shards[worker].command(world.now, command);
        let (holdings, counters) = taken(&report);
        sessions += holdings.sessions;
        assert_eq!(counters.own_publishes, u64::from(worker == 1));
    }
    assert_eq!(sessions, 4);
}
