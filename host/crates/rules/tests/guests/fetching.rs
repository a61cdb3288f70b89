//! `session.fetch` and `message.position`: what is stored, and how far it was
//! acknowledged.

use std::sync::Arc;

use hookwire_broker::{
    Answer, ClientInfo, FetchRequest, Hook, Hooks, Page, Question, RuleSet, Stores, Ticket, Wants,
};
use hookwire_mqtt::{QoS, TopicFilter, TopicName};

use crate::blocks::{MODULE, rule};
use crate::rig::with_rules;

fn topical(name: &str, hook: &str, topic: &str, action: &str, more: &str) -> String {
    rule(
        name,
        hook,
        action,
        &format!("topic = \"{topic}\"\n  {more}"),
    )
}

fn client() -> Arc<ClientInfo> {
    Arc::new(ClientInfo {
        clientid: "c".into(),
        username: None,
        connection: None,
    })
}

fn fetch(filter: &str, cursor: Option<&str>) -> Question {
    Question::Fetch(FetchRequest {
        wants: Wants::Queued,
        client: client(),
        filter: filter.into(),
        qos: QoS::AtLeastOnce,
        cursor: cursor.map(Into::into),
        begins: cursor.is_none(),
        max_messages: 10,
        after_writes: true,
    })
}

fn shown(page: &Page) -> (String, Option<&str>) {
    let message = &page.messages[0];
    let payload = String::from_utf8_lossy(&message.payload);
    let text = format!("{} {} {payload}", message.id, message.topic);
    (text, page.next.as_deref())
}

#[test]
fn pages_come_by_the_cursor_of_the_one_before() {
    // Bound as the storage backends of old have it.
    let rules = MODULE.to_owned() + &topical("r", "session.subscribed", "#", "pages", "");
    with_rules(&rules, async |mut rig| {
        let mut cursor: Option<Arc<str>> = None;
        let mut pages = Vec::new();
        loop {
            let question = fetch("pages/#", cursor.as_deref());
            let Answer::Fetch(Ok(page)) = rig.ask(Hook::SessionFetch, question).await else {
                panic!("no page after {pages:?}");
            };
            let (text, next) = shown(&page);
            pages.push(text);
            match next {
                Some(next) => cursor = Some(next.into()),
                None => break,
            }
        }
        let expected = [
            "00000000000000000000 pages/topic 0 true",
            "00000000000000000001 pages/topic 1 false",
            "00000000000000000002 pages/topic 2 false",
        ];
        assert_eq!(pages, expected);
        // A page that cannot be sent is none, and says nothing of an end.
        let answer = rig.ask(Hook::SessionFetch, fetch("odd/#", Some("2"))).await;
        assert!(matches!(answer, Answer::Fetch(Err(_))), "{answer:?}");
    });
}

#[test]
fn the_core_is_told_where_a_message_was_stored() {
    let rules = MODULE.to_owned()
        + &topical(
            "s",
            "message.publish",
            "t/#",
            "store_plain",
            "pool = \"memory\"",
        )
        + &topical(
            "u",
            "message.publish",
            "unread",
            "store",
            "pool = \"memory\"",
        )
        + &topical("n", "message.publish", "other", "noop", "")
        + &topical("f", "session.fetch", "t/#", "pages", "");
    with_rules(&rules, async |mut rig| {
        rig.publish("p", "t/a", "kept");
        rig.publish("p", "other", "passed over");
        rig.publish("p", "unread", "kept elsewhere");
        let stored = rig.stored().await;
        assert_ne!(stored[0], Stores::NONE);
        assert_eq!(stored[1], Stores::NONE, "no rule that stores matches");
        assert_eq!(stored[2], Stores::NONE, "nobody is handed it from there");
    });
}

#[test]
fn a_read_waits_for_the_writes_of_its_client_before_it() {
    let rules = MODULE.to_owned()
        + &topical("p", "message.acked", "#", "position", "pool = \"memory\"")
        + &topical("f", "session.fetch", "#", "pages", "");
    with_rules(&rules, async |mut rig| {
        let message = Arc::new(rig.message("p", "t/a", "kept"));
        let topic = TopicName::new("t/a").unwrap();
        let set = rig.rules.match_topic(Hook::MessagePosition, topic);
        assert_ne!(set, RuleSet::NONE);
        rig.store.close();
        rig.rules.submit_position(set, &client(), message);
        let filter = TopicFilter::new("t/#").unwrap();
        let read = rig.rules.fetch_rules(Wants::Queued, &filter)[0].rules;
        let ticket = Ticket {
            key: 1,
            sequence: 1,
        };
        let mut answers = Vec::new();
        // One that need not know of them does not wait.
        let Question::Fetch(mut early) = fetch("t/#", None) else {
            unreachable!("it is a page that is asked for");
        };
        early.after_writes = false;
        let sequence = 2;
        let other = Ticket { sequence, ..ticket };
        rig.rules.ask(read, other, Question::Fetch(early));
        rig.wait_for("the page comes that does not wait", |rig| {
            rig.rules.take_answers(&mut answers);
            answers
                .pop()
                .is_some_and(|answered| answered.ticket == other)
        })
        .await;
        rig.rules.ask(read, ticket, fetch("t/#", None));
        for _ in 0..100 {
            tokio::task::yield_now().await;
            rig.rules.take_answers(&mut answers);
        }
        assert!(answers.is_empty(), "{answers:?}");
        rig.store.open();
        rig.wait_for("the page comes", |rig| {
            rig.rules.take_answers(&mut answers);
            !answers.is_empty()
        })
        .await;
        assert_eq!(rig.store.rows().len(), 1);
    });
}
