//! Answers that come when nobody waits for them any more, or never, while a
//! client arrives.

use hookwire_broker::{Answer, Operation, Question, Restored};

use super::arriving::{
    ALLOW, accept, asked_about_everything, created, denial, subscription, with_will,
};
use super::*;

#[test]
fn who_goes_while_rules_are_asked_leaves_nothing_behind_and_late_answers_find_nobody() {
    type Answering = fn(&mut World);
    let at_connect: Answering = |_| {};
    let at_authenticate: Answering = |world| {
        world.answer(0, Answer::Connect(None));
    };
    let at_will: Answering = |world| {
        world.answer(0, Answer::Connect(None));
        world.authenticate(accept());
    };
    let at_session: Answering = |world| {
        world.answer(0, Answer::Connect(None));
        world.authenticate(accept());
        world.answer(0, ALLOW);
    };
    for reach in [at_connect, at_authenticate, at_will, at_session] {
        let mut world = asked_about_everything(1);
        let client = world.connect_with(with_will(V5, "client", "last/words"));
        reach(&mut world);
        world.drop_socket(client);
        world.assert_empty();
        // Whatever the question was, its answer is for nobody.
        while !world.script.borrow().questions.is_empty() {
            let question = world.script.borrow().questions[0].2.clone();
            world.answer(0, positive(&question));
        }
        if !world.script.borrow().authentications.is_empty() {
            world.authenticate(accept());
        }
        world.assert_empty();
        assert_eq!(world.counters().connections_accepted, 0);
        assert!(world.routes.is_empty());
    }
}

fn positive(question: &Question) -> Answer {
    match question {
        Question::Connect(_) => Answer::Connect(None),
        Question::Authorize(access) => {
            assert_eq!(access.operation, Operation::PublishWill);
            ALLOW
        }
        Question::CreateSession(_) => created(Restored {
            subscriptions: vec![subscription("late/#")],
            session: None,
        }),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_newcomer_of_the_same_id_takes_the_place_of_one_that_is_asked_about() {
    let mut world = World::new(2);
    world.listen(Hook::SessionCreated, "#");
    let first = world.connect_with(lasting("same"));
    let second = world.connect_with(lasting("same"));
    assert_eq!(world.got(first), [other("CONNACK ServerUnavailable")]);
    assert!(world.clients[first].closed);
    // The first one's answer comes now, for a connection that is no more.
    let late = Restored {
        subscriptions: vec![subscription("late/#")],
        session: None,
    };
    world.answer(0, created(late));
    assert!(world.got(second).is_empty());
    world.answer(0, created(Restored::default()));
    assert_eq!(world.got(second), [other("CONNACK Success")]);
    assert_eq!(world.holdings().subscriptions, 0);
}

#[test]
fn an_answer_given_twice_counts_once() {
    let mut world = World::new(1);
    world.listen(Hook::ClientConnect, "#");
    world.listen(Hook::SessionCreated, "#");
    let client = world.connect_with(Connect::new(V5, "client"));
    let (worker, ticket) = world.answer(0, Answer::Connect(None));
    // The same number with a refusal: the question it was for is answered.
    let late = Answer::Connect(Some(denial(ReasonCode::Banned)));
    world.answer_ticket(worker, ticket, late);
    assert!(!world.clients[client].closed);
    world.answer(0, created(Restored::default()));
    assert_eq!(world.got(client), [other("CONNACK Success")]);
}

#[test]
fn rules_that_never_answer_are_given_up_at_the_deadline_whatever_was_asked() {
    for (hook, refusal) in [
        (Hook::ClientConnect, "CONNACK ServerBusy"),
        (Hook::ClientAuthorize, "CONNACK ServerBusy"),
        (Hook::SessionCreated, "CONNACK ServerUnavailable"),
    ] {
        let mut world = World::new(1);
        world.listen(hook, "#");
        let client = world.connect_with(with_will(V5, "client", "last/words"));
        world.advance_ms(9_000);
        assert!(world.got(client).is_empty());
        world.advance_ms(2_000);
        assert_eq!(world.got(client), [other(refusal)]);
        world.assert_empty();
    }
}

#[test]
fn packets_wait_until_the_session_is_there_and_then_come() {
    let mut world = World::new(1);
    world.listen(Hook::SessionCreated, "#");
    let client = world.connect_with(Connect::new(V5, "client"));
    assert_eq!(world.send(client, Packet::PingReq), Flow::Later);
    world.answer(0, created(Restored::default()));
    assert!(!world.clients[client].paused);
    assert_eq!(world.got(client), [other("CONNACK Success")]);
}

#[test]
fn a_session_is_made_once_the_publishes_of_the_old_connection_are_settled() {
    let mut world = World::new(1);
    rules_on(&world, "t");
    let old = world.connect(V5, "client");
    world.publish(old, "t", "last", Some(1));
    world.listen(Hook::SessionCreated, "#");
    let new = world.connect_with(Connect::new(V5, "client"));
    assert!(world.script.borrow().questions.is_empty());
    world.decide(0, Verdict::Proceed);
    assert_eq!(world.script.borrow().questions.len(), 1);
    world.answer(0, created(Restored::default()));
    assert_eq!(world.got(new), [other("CONNACK Success")]);
}
