//! What rules decide about the filters of SUBSCRIBE and UNSUBSCRIBE.

use hookwire_broker::{
    Answer, Authorization, Event, Question, SubscriptionInfo, SubscriptionOutcome,
};
use hookwire_mqtt::{RetainHandling, Subscribe, SubscribeFilter};

use super::*;

fn guarded() -> World {
    let world = World::new(2);
    for hook in [
        Hook::ClientAuthorize,
        Hook::ClientSubscribe,
        Hook::ClientUnsubscribe,
        Hook::SessionSubscribed,
        Hook::SessionUnsubscribed,
    ] {
        world.listen(hook, "#");
    }
    world
}

fn subscribe(filters: &[&str]) -> Packet<'static> {
    Packet::Subscribe(Subscribe {
        packet_id: PacketId::FIRST,
        subscription_identifier: Some(5),
        user_properties: vec![("why".to_owned(), "test".to_owned())],
        filters: filters
            .iter()
            .map(|filter| SubscribeFilter::new(*filter, QoS::AtLeastOnce))
            .collect(),
    })
}

fn unsubscribe(filters: &[&str]) -> Packet<'static> {
    Packet::Unsubscribe(Unsubscribe {
        packet_id: PacketId::FIRST,
        filters: filters.iter().map(|filter| (*filter).to_owned()).collect(),
        user_properties: Vec::new(),
    })
}

fn denial(reason: ReasonCode) -> Refusal {
    Refusal {
        reason,
        text: "no".to_owned(),
    }
}

fn allowed() -> Answer {
    Answer::Authorize(Authorization::Allow { keep_ms: Some(0) })
}

fn denied() -> Answer {
    let refusal = denial(ReasonCode::NotAuthorized);
    let keep_ms = Some(0);
    Answer::Authorize(Authorization::Deny { refusal, keep_ms })
}

const PROCEED: Answer = Answer::Subscribe(SubscriptionOutcome::Proceed);

fn refused(reason: ReasonCode) -> Answer {
    Answer::Subscribe(SubscriptionOutcome::Deny(denial(reason)))
}

#[test]
fn access_comes_first_then_the_decision_then_the_grant_then_the_event() {
    let mut world = guarded();
    let client = world.connect(V5, "client");
    assert_eq!(world.send(client, subscribe(&["a/+"])), Flow::Later);
    assert_eq!(world.told(), ["client.authorize client subscribe a/+ 1"]);
    world.answer(0, allowed());
    assert_eq!(world.told(), ["client.subscribe client a/+ 1 new"]);
    assert!(world.routes.is_empty() && world.got(client).is_empty());
    world.answer(0, PROCEED);
    assert!(!world.clients[client].paused);
    assert_eq!(world.send(client, subscribe(&["a/+"])), Flow::Continue);
    assert_eq!(world.told(), ["session.subscribed client a/+ 1 new"]);
    assert_eq!(world.got(client), [other("SUBACK [GrantedQoS1]")]);
}

#[test]
fn rules_are_told_everything_about_a_subscription() {
    let mut world = guarded();
    world
        .script
        .borrow_mut()
        .rules
        .remove(&Hook::ClientAuthorize);
    let client = world.connect(V5, "client");
    let mut wanted = SubscribeFilter::new("$share/group/a/#", QoS::ExactlyOnce);
    wanted.no_local = false;
    wanted.retain_as_published = true;
    wanted.retain_handling = RetainHandling::DoNotSend;
    let packet = Packet::Subscribe(Subscribe {
        packet_id: PacketId::FIRST,
        subscription_identifier: Some(9),
        user_properties: vec![("why".to_owned(), "test".to_owned())],
        filters: vec![wanted],
    });
    world.send(client, packet.clone());
    let Question::Subscribe(request) = world.script.borrow().questions[0].2.clone() else {
        panic!("another question");
    };
    let expected = SubscriptionInfo {
        filter: "$share/group/a/#".into(),
        qos: QoS::ExactlyOnce,
        no_local: false,
        retain_as_published: true,
        retain_handling: 2,
        identifier: Some(9),
        is_new: true,
    };
    assert_eq!(request.subscription, expected);
    assert_eq!(
        *request.user_properties,
        [("why".to_owned(), "test".to_owned())]
    );
    world.answer(0, PROCEED);
    world.send(client, packet.clone());
    let events = world.script.borrow().events.clone();
    let [Event::Subscription(event)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(event.subscription, expected);
    assert_eq!((&*event.client.clientid, event.at_ms), ("client", START_MS));
    // Once more, it is no longer new.
    world.send(client, packet.clone());
    world.answer(0, PROCEED);
    world.send(client, packet);
    let told = world.told();
    assert_eq!(
        told[told.len() - 2..],
        [
            "client.subscribe client $share/group/a/# 2 known",
            "session.subscribed client $share/group/a/# 2 known"
        ]
    );
}

#[test]
fn a_shared_subscription_is_authorized_by_the_filter_behind_its_group() {
    let mut world = World::new(1);
    world.listen(Hook::ClientAuthorize, "a/#");
    let client = world.connect(V5, "client");
    for filter in ["$share/group/a/b", "$queue/a/b"] {
        world.send(client, subscribe(&[filter]));
        assert_eq!(world.told(), ["client.authorize client subscribe a/b 1"]);
        world.answer(0, denied());
        world.send(client, subscribe(&[filter]));
        assert_eq!(world.got(client), [other("SUBACK [NotAuthorized]")]);
    }
    assert!(world.routes.is_empty());
}

#[test]
fn each_filter_of_a_packet_has_its_own_answer_whatever_their_order() {
    for (version, suback) in [
        (
            V5,
            "SUBACK [GrantedQoS1, NotAuthorized, Success, QuotaExceeded, TopicFilterInvalid, GrantedQoS1]",
        ),
        (
            V311,
            "SUBACK [GrantedQoS1, UnspecifiedError, Success, UnspecifiedError, UnspecifiedError, GrantedQoS1]",
        ),
    ] {
        let mut world = guarded();
        let client = world.connect(version, "client");
        let filters = ["a", "b", "c", "d", "x/#/y", "e"];
        assert_eq!(world.send(client, subscribe(&filters)), Flow::Later);
        assert_eq!(
            world.script.borrow().questions.len(),
            5,
            "not the broken one"
        );
        // e, then b, then the others may.
        world.answer(4, allowed());
        world.answer(1, denied());
        for _ in 0..3 {
            world.answer(0, allowed());
        }
        // Now a decision is open for each of them: e, a, c, d.
        let other_filter = SubscriptionInfo {
            filter: "replaced/c".into(),
            qos: QoS::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: 0,
            identifier: None,
            is_new: true,
        };
        world.answer(3, refused(ReasonCode::QuotaExceeded));
        let replaced = SubscriptionOutcome::Replace(other_filter);
        world.answer(2, Answer::Subscribe(replaced));
        world.answer(1, PROCEED);
        assert!(world.clients[client].paused, "one is left");
        world.answer(0, PROCEED);
        assert!(!world.clients[client].paused);
        world.told();
        world.send(client, subscribe(&filters));
        assert_eq!(world.got(client), [other(suback)]);
        assert_eq!(
            world.told(),
            [
                "session.subscribed client a 1 new",
                "session.subscribed client replaced/c 0 new",
                "session.subscribed client e 1 new"
            ]
        );
        assert_eq!(world.holdings().subscriptions, 3);
        assert_eq!(world.counters().subscriptions_denied, 2);
        world.publish(client, "replaced/c", "1", None);
        world.told();
    }
}

#[test]
fn a_packet_of_many_filters_asks_about_some_at_a_time_and_ends() {
    let mut world = guarded();
    let client = world.connect(V5, "client");
    let filters: Vec<String> = (0..500).map(|number| format!("t/{number}")).collect();
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    assert_eq!(world.send(client, subscribe(&filters)), Flow::Later);
    let mut answered = 0;
    let mut most = 0;
    while !world.script.borrow().questions.is_empty() {
        let open = world.script.borrow().questions.len();
        most = most.max(open);
        let index = answered % open;
        let question = world.script.borrow().questions[index].2.clone();
        let answer = match question {
            Question::Authorize(_) if answered % 3 == 0 => denied(),
            Question::Authorize(_) => allowed(),
            _ if answered % 5 == 0 => refused(ReasonCode::Banned),
            _ => PROCEED,
        };
        world.answer(index, answer);
        answered += 1;
        assert!(answered <= 1_000);
    }
    assert!(most <= 64, "{most} questions were open at once");
    assert!(!world.clients[client].paused);
    assert_eq!(world.send(client, subscribe(&filters)), Flow::Continue);
    let denied = usize::try_from(world.counters().subscriptions_denied).unwrap();
    assert!(denied > 100, "{denied}");
    assert_eq!(world.holdings().subscriptions, 500 - denied);
}

#[test]
fn an_answer_that_is_kept_lets_a_filter_through_at_once() {
    let mut world = World::new(1);
    world.listen(Hook::ClientAuthorize, "#");
    let client = world.connect(V5, "client");
    world.send(client, subscribe(&["a"]));
    let keep_ms = None;
    world.answer(0, Answer::Authorize(Authorization::Allow { keep_ms }));
    world.send(client, subscribe(&["a"]));
    assert_eq!(world.send(client, subscribe(&["a"])), Flow::Continue);
    assert_eq!(world.got(client).len(), 2);
    assert_eq!(world.counters().access_kept, 1);
}

#[test]
fn rules_may_keep_a_subscription_from_ending() {
    let mut world = guarded();
    for hook in [Hook::ClientAuthorize, Hook::ClientSubscribe] {
        world.script.borrow_mut().rules.remove(&hook);
    }
    let client = world.connect(V5, "client");
    world.send(client, subscribe(&["a", "b"]));
    world.got(client);
    world.told();
    let packet = unsubscribe(&["a", "b", "never"]);
    assert_eq!(world.send(client, packet.clone()), Flow::Later);
    assert_eq!(
        world.told(),
        [
            "client.unsubscribe client a",
            "client.unsubscribe client b",
            "client.unsubscribe client never"
        ]
    );
    world.answer(2, PROCEED);
    world.answer(1, PROCEED);
    world.answer(0, refused(ReasonCode::NotAuthorized));
    world.send(client, packet);
    assert_eq!(
        world.got(client),
        [other(
            "UNSUBACK [NotAuthorized, Success, NoSubscriptionExisted]"
        )]
    );
    assert_eq!(world.told(), ["session.unsubscribed client b 1 known"]);
    assert_eq!(world.holdings().subscriptions, 1);
    // The end of the session is not told filter by filter.
    world.drop_socket(client);
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn a_rule_may_want_the_client_gone_at_any_filter() {
    type Answering = fn(&mut World);
    let at_access: Answering = |world| {
        let gone = Authorization::Disconnect(denial(ReasonCode::Banned));
        world.answer(1, Answer::Authorize(gone));
    };
    let at_decision: Answering = |world| {
        world.answer(1, allowed());
        let gone = SubscriptionOutcome::Disconnect(denial(ReasonCode::Banned));
        world.answer(1, Answer::Subscribe(gone));
    };
    for reach in [at_access, at_decision] {
        let mut world = guarded();
        let client = world.connect(V5, "client");
        world.send(client, subscribe(&["a", "b"]));
        reach(&mut world);
        assert_eq!(
            world.got(client),
            [other("DISCONNECT AdministrativeAction")]
        );
        assert!(world.clients[client].closed);
        // The other filter's answer comes too late.
        world.answer(0, allowed());
        world.assert_empty();
    }
}

#[test]
fn an_answer_of_the_wrong_kind_or_for_another_connection_decides_nothing() {
    let mut world = guarded();
    let client = world.connect(V5, "client");
    world.send(client, subscribe(&["a"]));
    let (worker, ticket, _) = world.script.borrow().questions[0].clone();
    world.answer_ticket(usize::from(worker), ticket, PROCEED);
    assert!(world.clients[client].paused);
    world.drop_socket(client);
    world.answer(0, allowed());
    world.assert_empty();
    assert!(world.script.borrow().questions.is_empty());
}
