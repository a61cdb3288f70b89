//! `$delayed/SECONDS/TOPIC`.

use super::*;

#[test]
fn a_delayed_message_is_accepted_now_and_comes_at_its_time() {
    let mut world = World::new(2);
    rules_on(&world, "t");
    let subscriber = world.connect(V311, "subscriber");
    world.subscribe(subscriber, "#", QoS::AtMostOnce);
    world.got(subscriber);
    let publisher = world.connect(V5, "publisher");
    world.publish(publisher, "$delayed/5/t", "late", Some(1));
    world.publish(publisher, "$delayed/2/t", "soon", None);
    assert!(
        world.got(publisher).is_empty(),
        "the rules have it, under its own topic"
    );
    world.decide(0, Verdict::Proceed);
    world.decide(0, Verdict::Proceed);
    assert_eq!(world.got(publisher), [other("PUBACK 1 Success")]);
    assert_eq!(world.holdings().delayed, 2);
    world.advance_ms(1_900);
    assert!(world.got(subscriber).is_empty());
    world.advance_ms(200);
    assert_eq!(world.got(subscriber), [publish("t", "soon", None)]);
    world.drop_socket(publisher);
    world.advance_ms(3_000);
    assert_eq!(world.got(subscriber), [publish("t", "late", None)]);
    assert!(
        world.script.borrow().submitted.is_empty(),
        "a rule sees it once"
    );
}

#[test]
fn what_is_no_delayed_topic_or_too_much_is_refused() {
    let mut bounds = limits();
    bounds.max_delayed_messages = 1;
    let mut world = World::with(1, &bounds);
    let publisher = world.connect(V5, "publisher");
    let old = world.connect(V311, "old");
    for (id, topic) in [
        (1, "$delayed/x/t"),
        (2, "$delayed/9999999/t"),
        (3, "$SYS/t"),
    ] {
        world.publish(publisher, topic, "", Some(id));
        let refused = other(&format!("PUBACK {id} TopicNameInvalid"));
        assert_eq!(world.got(publisher), [refused], "{topic}");
        // MQTT 3.1.1 cannot be told.
        world.publish(old, topic, "", Some(id));
        assert_eq!(world.got(old), [other(&format!("PUBACK {id} Success"))]);
    }
    world.publish(publisher, "$delayed/10/t", "", Some(4));
    world.publish(publisher, "$delayed/10/t", "", Some(5));
    let expected = [other("PUBACK 4 Success"), other("PUBACK 5 QuotaExceeded")];
    assert_eq!(world.got(publisher), expected);
    assert_eq!(world.counters().publishes_refused, 7);
}
