"""QoS 0, 1 and 2: what is published arrives, whole, in order, and as often as it should."""

import pytest

from clients.stage.scenario import scenario

QOS = pytest.mark.parametrize("qos", [0, 1, 2])

#: More than any window of unacknowledged messages.
MANY = 300


@QOS
@scenario()
def test_many_messages_arrive_once_and_in_order(library, qos):
    topic = library.topic()
    subscriber = library.connect()
    assert subscriber.subscribe(topic, qos=qos) == [qos]
    sent = [f"message {number}".encode() for number in range(MANY)]
    reasons = library.connect().publish_all(topic, sent, qos=qos)
    assert len(reasons) == MANY
    messages = subscriber.wait_for(MANY)
    assert [message.payload for message in messages] == sent
    assert {message.qos for message in messages} == {qos}
    assert {message.topic for message in messages} == {topic}
    assert not any(message.retain or message.dup for message in messages)


@QOS
@scenario()
def test_payloads_arrive_as_sent(library, qos):
    topic = library.topic()
    subscriber = library.connect()
    subscriber.subscribe(topic, qos=qos)
    publisher = library.connect()
    sent = [bytes(range(256)), b"", bytes(range(250)) * 400]
    for payload in sent:
        publisher.publish(topic, payload, qos=qos)
    assert [message.payload for message in subscriber.wait_for(len(sent))] == sent


@QOS
@scenario()
def test_no_more_than_the_subscription_asks_for(library, qos):
    topic = library.topic()
    subscriber = library.connect()
    assert subscriber.subscribe(topic, qos=qos) == [qos]
    publisher = library.connect()
    for published in range(3):
        publisher.publish(topic, b"%d" % published, qos=published)
    messages = subscriber.wait_for(3)
    # Messages of different QoS need not keep their order.
    got = {int(message.payload): message.qos for message in messages}
    assert got == {published: min(published, qos) for published in range(3)}


@scenario()
def test_filters_with_wildcards(library):
    base = library.topic("größe")
    subscriber = library.connect()
    subscriber.subscribe(f"{base}/+/x", f"{base}/deep/#", qos=1)
    publisher = library.connect()
    for topic in ("a/x", "a/y", "deep", "deep/er", "/x", "b/c/x", "end/x"):
        publisher.publish(f"{base}/{topic}", topic.encode(), qos=1)
    assert subscriber.wait_for_payload(b"end/x") == [b"a/x", b"deep", b"deep/er", b"/x"]


@scenario("subscribe again")
def test_nothing_comes_after_unsubscribing(library):
    topic, other = library.topic(), library.topic("other")
    subscriber = library.connect()
    subscriber.subscribe(topic, other, qos=1)
    publisher = library.connect()
    publisher.publish(topic, b"before", qos=1)
    subscriber.wait_for(1)
    subscriber.unsubscribe(topic)
    publisher.publish(topic, b"after", qos=1)
    publisher.publish(other, b"end", qos=1)
    assert subscriber.wait_for_payload(b"end") == [b"before"]


@scenario("subscribe and publish")
def test_a_client_hears_itself(library):
    topic = library.topic()
    client = library.connect()
    client.subscribe(topic, qos=2)
    client.publish(topic, b"hello", qos=2)
    assert client.wait_for_message().payload == b"hello"
