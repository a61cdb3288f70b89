//! `client.authorize` for publishes: who may publish where, what is kept of the
//! answers, and what those are told who may not.

use hookwire_broker::{
    Answer, Authorization, DenyAction, Limits, ListenerInfo, Operation, Question,
};

use super::*;

fn allow(keep_ms: Option<u64>) -> Answer {
    Answer::Authorize(Authorization::Allow { keep_ms })
}

fn deny(keep_ms: Option<u64>) -> Answer {
    let refusal = not_authorized();
    Answer::Authorize(Authorization::Deny { refusal, keep_ms })
}

fn not_authorized() -> Refusal {
    Refusal {
        reason: ReasonCode::NotAuthorized,
        text: "not yours".to_owned(),
    }
}

fn guarded(limits: &Limits) -> World {
    let world = World::with(2, limits);
    world.listen(Hook::ClientAuthorize, "guarded/#");
    world.listen(Hook::MessageDropped, "#");
    world
}

fn asked(world: &World) -> usize {
    world.script.borrow().questions.len()
}

#[test]
fn a_publish_waits_for_its_answer_and_everything_behind_it_waits_too() {
    let mut world = guarded(&limits());
    let watcher = world.connect(V5, "watcher");
    world.subscribe(watcher, "#", QoS::AtMostOnce);
    world.got(watcher);
    world.told();
    let client = world.connect(V5, "client");
    let before = world.counters();
    assert_eq!(
        world.publish(client, "guarded/a", "one", Some(1)),
        Flow::Later
    );
    assert!(world.clients[client].paused);
    assert_eq!(
        world.told(),
        ["client.authorize client publish guarded/a 1"]
    );
    assert_eq!(world.counters().packets_received, before.packets_received);
    assert_eq!(
        world.counters().publishes_received,
        before.publishes_received
    );
    assert!(world.got(client).is_empty());
    // What is handed over too early waits as well.
    assert_eq!(world.send(client, Packet::PingReq), Flow::Later);
    world.answer(0, allow(Some(0)));
    assert!(!world.clients[client].paused);
    assert_eq!(
        world.publish(client, "guarded/a", "one", Some(1)),
        Flow::Continue
    );
    assert_eq!(world.got(client), [other("PUBACK 1 Success")]);
    assert_eq!(world.payloads(watcher), ["one"]);
    assert_eq!(asked(&world), 0);
    assert_eq!(
        world.counters().publishes_received,
        before.publishes_received + 1
    );
}

#[test]
fn the_question_says_who_wants_to_publish_what_where() {
    let mut world = guarded(&limits());
    let client = world.connect(V5, "client");
    world.retain(client, "$delayed/3/guarded/x", "held back");
    let Question::Authorize(access) = world.script.borrow().questions[0].2.clone() else {
        panic!("another question");
    };
    assert_eq!(&*access.client.clientid, "client");
    assert!(access.client.connection.is_some());
    assert_eq!(access.operation, Operation::Publish);
    assert_eq!(&*access.topic, "guarded/x", "the topic behind the delay");
    assert_eq!((access.qos, access.retain), (QoS::AtMostOnce, true));
}

#[test]
fn answers_are_kept_as_long_as_they_say_and_rules_stay() {
    let mut world = guarded(&limits());
    let client = world.connect(V5, "client");
    // Until rules change.
    assert_eq!(world.publish(client, "guarded/a", "", None), Flow::Later);
    world.answer(0, allow(None));
    for _ in 0..3 {
        assert_eq!(world.publish(client, "guarded/a", "", None), Flow::Continue);
    }
    // The first of them had its own answer.
    assert_eq!(world.counters().access_kept, 2);
    // Of another QoS it is another wish.
    assert_eq!(world.publish(client, "guarded/a", "", Some(1)), Flow::Later);
    world.answer(0, allow(Some(500)));
    assert_eq!(
        world.publish(client, "guarded/a", "", Some(1)),
        Flow::Continue
    );
    world.advance_ms(499);
    assert_eq!(
        world.publish(client, "guarded/a", "", Some(2)),
        Flow::Continue
    );
    world.advance_ms(1);
    assert_eq!(world.publish(client, "guarded/a", "", Some(3)), Flow::Later);
    world.answer(0, allow(None));
    assert_eq!(
        world.publish(client, "guarded/a", "", Some(3)),
        Flow::Continue
    );
    // A reload clears everything.
    world.script.borrow_mut().generation += 1;
    assert_eq!(world.publish(client, "guarded/a", "", None), Flow::Later);
    // An answer of the rules before it is good for this packet alone.
    world.script.borrow_mut().generation += 1;
    world.answer(0, allow(None));
    assert_eq!(world.publish(client, "guarded/a", "", None), Flow::Continue);
    assert_eq!(world.publish(client, "guarded/a", "", None), Flow::Later);
}

#[test]
fn without_a_cache_each_publish_is_asked_about_once() {
    let limits = Limits {
        max_kept_access: 0,
        ..limits()
    };
    let mut world = guarded(&limits);
    let client = world.connect(V311, "client");
    for number in 1..=5 {
        assert_eq!(
            world.publish(client, "guarded/a", "", Some(number)),
            Flow::Later
        );
        world.answer(0, allow(None));
        assert_eq!(
            world.publish(client, "guarded/a", "", Some(number)),
            Flow::Continue
        );
    }
    assert_eq!(world.counters().access_kept, 0);
}

#[test]
fn the_cache_is_bounded() {
    let limits = Limits {
        max_kept_access: 2,
        ..limits()
    };
    let mut world = guarded(&limits);
    let client = world.connect(V5, "client");
    for topic in ["guarded/a", "guarded/b", "guarded/c"] {
        assert_eq!(world.publish(client, topic, "", None), Flow::Later);
        world.answer(0, allow(None));
        assert_eq!(world.publish(client, topic, "", None), Flow::Continue);
    }
    assert_eq!(world.publish(client, "guarded/c", "", None), Flow::Continue);
    assert_eq!(world.publish(client, "guarded/b", "", None), Flow::Continue);
    assert_eq!(world.publish(client, "guarded/a", "", None), Flow::Later);
}

#[test]
fn a_denied_publish_is_told_as_its_version_can_and_its_rules_do_not_see_it() {
    for (version, id, expected) in [
        (V5, Some(1), Some("PUBACK 1 NotAuthorized")),
        (V5, None, None),
        (V311, Some(1), Some("PUBACK 1 Success")),
        (V31, Some(1), Some("PUBACK 1 Success")),
    ] {
        let mut world = guarded(&limits());
        rules_on(&world, "#");
        let client = world.connect(version, "client");
        world.publish(client, "guarded/a", "no", id);
        world.answer(0, deny(None));
        assert_eq!(world.publish(client, "guarded/a", "no", id), Flow::Continue);
        let expected: Vec<_> = expected.into_iter().map(other).collect();
        assert_eq!(world.got(client), expected, "{version}");
        let told = world.told();
        assert_eq!(
            told.last().map(String::as_str),
            Some("message.dropped nobody no denied")
        );
        assert!(!told.iter().any(|told| told.starts_with("message.publish")));
        assert_eq!(world.counters().publishes_denied, 1);
        // The answer is kept.
        assert_eq!(world.publish(client, "guarded/a", "no", id), Flow::Continue);
        assert_eq!(world.counters().publishes_denied, 2);
    }
}

#[test]
fn a_denied_qos_2_publish_is_over_with_its_pubrec_and_one_sent_again_is_not_asked_about() {
    let mut world = guarded(&limits());
    let client = world.connect(V5, "client");
    world.publish_exactly_once(client, "guarded/a", "no", 1);
    world.answer(0, deny(Some(0)));
    world.publish_exactly_once(client, "guarded/a", "no", 1);
    assert_eq!(world.got(client), [other("PUBREC 1 NotAuthorized")]);
    assert_eq!(world.holdings().received, 0, "the id is free");
    world.publish_exactly_once(client, "guarded/a", "yes", 1);
    world.answer(0, allow(Some(0)));
    world.publish_exactly_once(client, "guarded/a", "yes", 1);
    assert_eq!(world.got(client), [other("PUBREC 1 NoMatchingSubscribers")]);
    assert_eq!(
        world.publish_exactly_once(client, "guarded/a", "yes", 1),
        Flow::Continue
    );
    assert_eq!(asked(&world), 0);
    assert_eq!(world.got(client), [other("PUBREC 1 Success")]);
}

#[test]
fn who_cannot_be_told_is_closed_where_that_is_wanted() {
    let limits = Limits {
        deny_action: DenyAction::Disconnect,
        ..limits()
    };
    for (version, is_closed) in [(V311, true), (V5, false)] {
        let mut world = guarded(&limits);
        let client = world.connect(version, "client");
        world.publish(client, "guarded/a", "no", Some(1));
        world.answer(0, deny(None));
        world.publish(client, "guarded/a", "no", Some(1));
        assert_eq!(world.clients[client].closed, is_closed, "{version}");
        let got = world.got(client);
        assert_eq!(got.is_empty(), is_closed, "{got:?}");
    }
}

#[test]
fn a_rule_may_want_the_client_gone() {
    let mut world = guarded(&limits());
    let client = world.connect(V5, "client");
    world.publish(client, "guarded/a", "no", Some(1));
    world.answer(
        0,
        Answer::Authorize(Authorization::Disconnect(not_authorized())),
    );
    assert_eq!(
        world.publish(client, "guarded/a", "no", Some(1)),
        Flow::Close
    );
    assert_eq!(world.got(client), [other("DISCONNECT NotAuthorized")]);
    world.assert_empty();
}

#[test]
fn where_no_rule_speaks_the_listener_does() {
    for (denies, puback) in [(false, "NoMatchingSubscribers"), (true, "NotAuthorized")] {
        let mut world = guarded(&limits());
        world.listener = Arc::new(ListenerInfo {
            denies_unlisted_access: denies,
            ..ListenerInfo::default()
        });
        let client = world.connect(V5, "client");
        // No rule matches: nobody is asked.
        assert_eq!(world.publish(client, "open/a", "", Some(1)), Flow::Continue);
        assert_eq!(world.got(client), [other(&format!("PUBACK 1 {puback}"))]);
        // One that matches defers.
        world.publish(client, "guarded/a", "", Some(2));
        world.answer(0, Answer::Authorize(Authorization::Deferred));
        world.publish(client, "guarded/a", "", Some(2));
        assert_eq!(world.got(client), [other(&format!("PUBACK 2 {puback}"))]);
        let asked = world.publish(client, "guarded/a", "", Some(3));
        assert_eq!(asked, Flow::Later, "it is asked again");
    }
    // And where there are no rules at all.
    let mut world = World::new(1);
    world.listener = Arc::new(ListenerInfo {
        denies_unlisted_access: true,
        ..ListenerInfo::default()
    });
    let client = world.connect(V5, "client");
    world.publish(client, "open/a", "", Some(1));
    world.subscribe(client, "open/#", QoS::AtMostOnce);
    let expected = ["PUBACK 1 NotAuthorized", "SUBACK [NotAuthorized]"];
    assert_eq!(world.got(client), expected.map(other));
}

#[test]
fn a_denied_publish_is_answered_in_its_turn() {
    let mut world = guarded(&limits());
    rules_on(&world, "open/#");
    let client = world.connect(V5, "client");
    world.publish(client, "open/a", "first", Some(1));
    world.publish(client, "guarded/a", "second", Some(2));
    world.answer(0, deny(None));
    world.publish(client, "guarded/a", "second", Some(2));
    assert!(world.got(client).is_empty(), "the first is not decided");
    world.decide(0, Verdict::Proceed);
    let expected = ["PUBACK 1 Success", "PUBACK 2 NotAuthorized"];
    assert_eq!(world.got(client), expected.map(other));
}

#[test]
fn an_alias_stands_for_the_topic_that_is_asked_about() {
    let mut world = guarded(&limits());
    let client = world.connect(V5, "client");
    let alias = [0x23, 0, 1];
    world.publish_as(client, "guarded/a", "", false, &alias);
    world.answer(0, allow(None));
    world.publish_as(client, "guarded/a", "", false, &alias);
    world.publish_aliased(client, "by alias", &alias);
    assert_eq!(world.counters().access_kept, 1);
    assert_eq!(asked(&world), 0);
}

#[test]
fn a_client_that_goes_while_it_is_asked_about_leaves_nothing() {
    let mut world = guarded(&limits());
    let client = world.connect(V5, "client");
    world.publish(client, "guarded/a", "", Some(1));
    world.drop_socket(client);
    world.answer(0, allow(None));
    world.assert_empty();
    // Nor does the answer reach the next connection, whose question is its own.
    let again = world.connect(V5, "client");
    world.publish(again, "guarded/a", "", Some(1));
    assert_eq!(asked(&world), 1);
    assert!(world.clients[again].paused);
    // One that is taken over meanwhile.
    let third = world.connect(V5, "client");
    assert_eq!(world.got(again), [other("DISCONNECT SessionTakenOver")]);
    world.answer(0, deny(None));
    world.publish(third, "guarded/a", "", Some(1));
    world.answer(0, allow(None));
    world.publish(third, "guarded/a", "", Some(1));
    assert_eq!(world.got(third), [other("PUBACK 1 NoMatchingSubscribers")]);
}
