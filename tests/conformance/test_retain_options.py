"""What a subscription of MQTT 5 says of retained messages."""

import pytest

from conformance import build
from conformance.build import V5
from conformance.net import name
from conformance.properties import CONTENT_TYPE, SUBACK, SUBSCRIPTION_ID, USER_PROPERTY
from conformance.versions import kept

AS_PUBLISHED = 0x08
ALWAYS, IF_NEW, NEVER = 0x00, 0x10, 0x20


def _retain(net, payload=b"kept"):
    topic, publisher = name("topic"), net.join(V5)
    publisher.publish(topic, payload, qos=1, retain=True)
    return topic, publisher


def test_handling_0_always_sends(net):
    topic, _ = _retain(net)
    client = net.join(V5)
    for _ in range(3):
        client.subscribe(topic, options=ALWAYS)
        got = client.message()
        assert (got.payload, got.retain) == (b"kept", True)


def test_handling_1_sends_to_new_subscriptions_alone(net):
    topic, publisher = _retain(net)
    client = net.listen()
    client.subscribe(topic, options=IF_NEW)
    assert client.message().retain
    client.subscribe(topic, options=IF_NEW)
    client.subscribe(topic, qos=0, options=IF_NEW)
    assert client.heard(publisher) == []
    client.unsubscribe(topic)
    client.subscribe(topic, options=IF_NEW)
    assert client.message().payload == b"kept"


def test_handling_1_and_a_subscription_of_another_filter(net):
    topic, _ = _retain(net)
    client = net.join(V5)
    client.subscribe(f"{topic}/#", options=NEVER)
    client.subscribe(topic, options=IF_NEW)
    assert client.message().retain


def test_handling_1_and_a_session_that_returns(net):
    topic, publisher = _retain(net)
    who = name("who")
    client = net.join(V5, who, **kept(V5))
    client.subscribe(topic, options=IF_NEW)
    client.message()
    client.ping()
    client.disconnect()
    client = net.listen(client_id=who, **kept(V5))
    client.subscribe(topic, options=IF_NEW)
    assert client.heard(publisher) == []


def test_handling_2_never_sends(net):
    topic, publisher = _retain(net)
    client = net.listen()
    client.subscribe(topic, options=NEVER)
    client.subscribe(topic, options=NEVER)
    assert client.heard(publisher) == []
    # What is published from now on comes all the same.
    publisher.publish(topic, b"new", qos=1, retain=True)
    assert client.message().payload == b"new"


def test_handling_is_of_each_filter_for_itself(net):
    first, publisher = _retain(net, b"first")
    second, _ = _retain(net, b"second")
    client = net.listen()
    client.subscribe(first, options=NEVER)
    client.subscribe(second, options=ALWAYS)
    assert [got.payload for got in client.heard(publisher)] == [b"second"]


@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("options", [0, AS_PUBLISHED], ids=["cleared", "as published"])
def test_the_flag_of_what_is_passed_on(net, retain, options):
    topic = name("topic")
    listener, publisher = net.listen(topic, options=options), net.join(V5)
    publisher.publish(topic, b"m", qos=1, retain=retain)
    assert listener.message().retain == (retain and bool(options))


@pytest.mark.parametrize("options", [0, AS_PUBLISHED], ids=["cleared", "as published"])
def test_retained_messages_have_the_flag_either_way(net, options):
    topic, _ = _retain(net)
    assert net.listen(topic, options=options).message().retain


def test_an_empty_message_has_the_flag_as_published(net):
    topic, publisher = _retain(net)
    listener = net.listen(topic, options=AS_PUBLISHED | NEVER)
    publisher.publish(topic, b"", qos=1, retain=True)
    got = listener.message()
    assert (got.payload, got.retain) == (b"", True)


def test_waiting_messages_have_the_flag_as_published(net):
    topic, who = name("topic"), name("who")
    client = net.join(V5, who, **kept(V5))
    client.subscribe(topic, qos=1, options=AS_PUBLISHED)
    client.disconnect()
    net.join(V5).publish(topic, b"m", qos=1, retain=True)
    assert net.join(V5, who, **kept(V5)).message().retain


def test_retained_messages_keep_their_properties(net):
    topic = name("topic")
    props = [(CONTENT_TYPE, "text/plain"), (USER_PROPERTY, ("b", "1")), (USER_PROPERTY, ("a", "2"))]
    net.join(V5).publish(topic, b"kept", qos=1, retain=True, props=props)
    got = net.listen(topic).message()
    assert got.get(CONTENT_TYPE) == "text/plain"
    assert got.all(USER_PROPERTY) == [("b", "1"), ("a", "2")]


def test_retained_messages_have_the_subscription_identifier(net):
    topic, _ = _retain(net)
    client = net.join(V5)
    client.subscribe(topic, props=[(SUBSCRIPTION_ID, 7)])
    assert client.message().all(SUBSCRIPTION_ID) == [7]


def test_shared_subscriptions_get_no_retained_messages(net):
    topic, publisher = _retain(net)
    listener = net.listen(f"$share/{name('group')}/{topic}")
    assert listener.heard(publisher) == []


def test_replacing_a_subscription_loses_nothing(net):
    topic, publisher = _retain(net, b"kept")
    client = net.listen(topic, qos=1)
    assert client.message().retain
    for index in range(30):
        # The two are on their way at once.
        client.send(build.subscribe(index + 1, (topic, 1)))
        publisher.publish(topic, bytes([index]), qos=1)
        client.expect(SUBACK, index + 1)
    heard = client.heard(publisher)
    assert [got.payload for got in heard if got.retain] == [b"kept"] * 30
    assert [got.payload[0] for got in heard if not got.retain] == list(range(30))
