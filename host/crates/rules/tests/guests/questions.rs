//! The hooks that ask a question: what each verdict answers.

use std::sync::Arc;

use hookwire_broker::{
    Access, Answer, Authentication, AuthenticationOutcome, AuthenticationStep, Authorization,
    ClientInfo, DeliveryOutcome, DeliveryRequest, Hook, Operation, Question, Restored,
    SubscriptionInfo, SubscriptionOutcome, SubscriptionRequest,
};
use hookwire_mqtt::{QoS, ReasonCode};

use crate::blocks::{MODULE, rule};
use crate::rig::{Rig, with_rules};

fn client() -> Arc<ClientInfo> {
    Arc::new(ClientInfo {
        clientid: "c".into(),
        username: Some("user".into()),
        connection: None,
    })
}

fn credentials(step: AuthenticationStep, data: Option<&[u8]>) -> Question {
    Question::Authenticate(Authentication {
        client: client(),
        step,
        password: Some(b"secret".to_vec()),
        method: Some("TEST".into()),
        data: data.map(<[u8]>::to_vec),
    })
}

fn access() -> Question {
    Question::Authorize(Access {
        client: client(),
        operation: Operation::Publish,
        topic: "a/b".into(),
        qos: QoS::AtLeastOnce,
        retain: true,
    })
}

fn subscription() -> SubscriptionInfo {
    SubscriptionInfo {
        filter: "a/#".into(),
        qos: QoS::ExactlyOnce,
        no_local: true,
        retain_as_published: false,
        retain_handling: 1,
        identifier: None,
        is_new: true,
    }
}

fn subscribe() -> Question {
    Question::Subscribe(SubscriptionRequest {
        client: client(),
        subscription: subscription(),
        user_properties: [("k".to_owned(), "v".to_owned())].into(),
    })
}

fn rules(hook: &str, actions: &[(&str, &str)]) -> String {
    let rules = actions
        .iter()
        .map(|(name, action)| rule(name, hook, action, ""));
    MODULE.to_owned() + &rules.collect::<String>()
}

#[test]
fn the_first_rule_that_answers_decides() {
    let check = |actions: &[(&str, &str)], expected: Authorization| {
        with_rules(&rules("client.authorize", actions), async |mut rig: Rig| {
            let answer = rig.ask(Hook::ClientAuthorize, access()).await;
            assert_eq!(answer, Answer::Authorize(expected.clone()), "{actions:?}");
        });
    };
    let allow = Authorization::Allow { keep_ms: Some(5) };
    let deny = Authorization::Deny {
        refusal: hookwire_broker::Refusal {
            reason: ReasonCode::NotAuthorized,
            text: "on purpose".to_owned(),
        },
        keep_ms: Some(0),
    };
    check(&[("a", "noop")], Authorization::Deferred);
    check(&[("a", "noop"), ("b", "allow"), ("c", "no")], allow);
    check(&[("a", "noop"), ("b", "no"), ("c", "allow")], deny);
}

#[test]
fn a_rule_that_fails_lets_nobody_in() {
    let broken = [("a", "trap"), ("b", "allow")];
    // An action that reads payloads is only for messages.
    assert!(
        !crate::blocks::problems(&crate::blocks::settings(&rules(
            "client.authorize",
            &broken
        )))
        .is_empty()
    );
    let fails = rule(
        "a",
        "client.authorize",
        "fail",
        "options {\n    kind = \"denied\"\n  }",
    );
    let allows = rule("b", "client.authorize", "allow", "");
    with_rules(
        &(MODULE.to_owned() + &fails + &allows),
        async |mut rig: Rig| {
            let answer = rig.ask(Hook::ClientAuthorize, access()).await;
            let Answer::Authorize(Authorization::Deny { keep_ms, .. }) = answer else {
                panic!("{answer:?}");
            };
            assert_eq!(keep_ms, Some(0), "and it is asked again");
        },
    );
    let goes_on = fails.replace("options", "on_error = \"continue\"\n  options");
    with_rules(
        &(MODULE.to_owned() + &goes_on + &allows),
        async |mut rig: Rig| {
            let answer = rig.ask(Hook::ClientAuthorize, access()).await;
            let allow = Authorization::Allow { keep_ms: Some(5) };
            assert_eq!(answer, Answer::Authorize(allow));
        },
    );
}

#[test]
fn a_challenge_is_answered_in_steps() {
    let rules = rules("client.authenticate", &[("a", "challenge")]);
    with_rules(&rules, async |mut rig: Rig| {
        let mut step = async |step, data| {
            let question = credentials(step, data);
            rig.ask(Hook::ClientAuthenticate, question).await
        };
        let continues = AuthenticationOutcome::Continue {
            data: Some(b"who?".to_vec()),
        };
        let accepts = AuthenticationOutcome::Accept { data: None };
        assert_eq!(
            step(AuthenticationStep::Connect, None).await,
            Answer::Authenticate(continues)
        );
        assert_eq!(
            step(AuthenticationStep::Continue, Some(b"me")).await,
            Answer::Authenticate(accepts)
        );
        let denied = step(AuthenticationStep::Continue, Some(b"you")).await;
        assert!(matches!(
            denied,
            Answer::Authenticate(AuthenticationOutcome::Deny(_))
        ));
    });
}

#[test]
fn a_session_begins_with_what_all_rules_restore() {
    let rules = rules(
        "session.created",
        &[("first", "restore"), ("second", "restore")],
    );
    with_rules(&rules, async |mut rig: Rig| {
        let question = Question::CreateSession(client());
        let answer = rig.ask(Hook::SessionCreated, question).await;
        let Answer::CreateSession(Ok(Restored {
            subscriptions,
            session: Some(session),
        })) = answer
        else {
            panic!("{answer:?}");
        };
        assert_eq!(&*subscriptions[0].filter, "restored/first");
        // The second says that the session is present.
        assert_eq!(&*session.subscriptions[0].filter, "restored/second");
        assert_eq!(subscriptions[0].retain_handling, 2);
    });
}

#[test]
fn a_subscription_is_changed_and_the_rules_of_what_it_is_then_are_asked() {
    let on = |name: &str, action: &str, topic: &str| {
        let more = format!("topic = \"{topic}\"");
        rule(name, "client.subscribe", action, &more)
    };
    let blocks = MODULE.to_owned()
        + &on("change", "filter", "a/#")
        + &on("old", "no", "a/#")
        + &on("new", "noop", "other/filter");
    with_rules(&blocks, async |mut rig: Rig| {
        let answer = rig.ask(Hook::ClientSubscribe, subscribe()).await;
        let expected = SubscriptionInfo {
            filter: "other/filter".into(),
            qos: QoS::AtMostOnce,
            ..subscription()
        };
        assert_eq!(
            answer,
            Answer::Subscribe(SubscriptionOutcome::Replace(expected))
        );
        assert_eq!(rig.rule_stats("old").events, 1, "it was called beside");
        assert_eq!(rig.rule_stats("new").events, 1);
    });
}

#[test]
fn deliveries_are_changed_or_dropped() {
    let rules_of = |actions: &[(&str, &str)]| rules("message.deliver", actions);
    let delivery = |rig: &mut Rig| {
        Question::Deliver(DeliveryRequest {
            client: client(),
            message: Arc::new(rig.message("s", "t", "x")),
            qos: QoS::AtLeastOnce,
        })
    };
    with_rules(&rules_of(&[("a", "noop")]), async |mut rig: Rig| {
        let question = delivery(&mut rig);
        let answer = rig.ask(Hook::MessageDeliver, question).await;
        assert_eq!(answer, Answer::Deliver(DeliveryOutcome::Proceed));
    });
    with_rules(&rules_of(&[("a", "rename")]), async |mut rig: Rig| {
        let question = delivery(&mut rig);
        let answer = rig.ask(Hook::MessageDeliver, question).await;
        let Answer::Deliver(DeliveryOutcome::Replace(message)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(&*message.topic, "renamed");
    });
    with_rules(&rules_of(&[("a", "no")]), async |mut rig: Rig| {
        let question = delivery(&mut rig);
        let answer = rig.ask(Hook::MessageDeliver, question).await;
        assert_eq!(answer, Answer::Deliver(DeliveryOutcome::Drop("denied")));
    });
}

#[test]
fn a_verdict_that_means_nothing_on_its_hook_fails_the_rule() {
    let rules = rules("client.connect", &[("a", "allow")]);
    with_rules(&rules, async |mut rig: Rig| {
        let question = Question::Connect(client());
        let answer = rig.ask(Hook::ClientConnect, question).await;
        let Answer::Connect(Some(denial)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(denial.refusal.reason, ReasonCode::ServerUnavailable);
        assert_eq!(rig.rule_stats("a").errors, 1);
    });
}
