"""Retained messages: kept for later subscribers, replaced, cleared."""

import pytest

from clients.stage.scenario import scenario


@pytest.mark.parametrize("qos", [0, 1, 2])
@scenario()
def test_a_later_subscriber_gets_it_with_the_flag(library, qos):
    topic = library.topic()
    # Nothing else tells that a message of QoS 0 has reached the broker.
    there = library.connect()
    there.subscribe(topic, qos=0)
    library.connect().publish(topic, b"kept", qos=qos, retain=True)
    there.wait_for_message()
    later = library.connect()
    later.subscribe(topic, qos=2)
    message = later.wait_for_message()
    assert (message.topic, message.payload) == (topic, b"kept")
    assert (message.qos, message.retain) == (qos, True)


@scenario()
def test_a_subscriber_that_is_there_gets_it_without_the_flag(library):
    topic = library.topic()
    subscriber = library.connect()
    subscriber.subscribe(topic, qos=1)
    library.connect().publish(topic, b"kept", qos=1, retain=True)
    assert not subscriber.wait_for_message().retain


@scenario()
def test_the_last_one_counts(library):
    topic = library.topic()
    publisher = library.connect()
    publisher.publish(topic, b"first", qos=1, retain=True)
    publisher.publish(topic, b"second", qos=1, retain=True)
    publisher.publish(topic, b"passing", qos=1)
    later = library.connect()
    later.subscribe(topic, qos=1)
    publisher.publish(topic, b"end", qos=1)
    assert later.wait_for_payload(b"end") == [b"second"]


@scenario()
def test_an_empty_payload_clears_it(library):
    topic = library.topic()
    publisher = library.connect()
    publisher.publish(topic, b"kept", qos=1, retain=True)
    there = library.connect()
    there.subscribe(topic, qos=1)
    publisher.publish(topic, b"", qos=1, retain=True)
    # Who is there hears of it as of any message.
    assert [message.payload for message in there.wait_for(2)] == [b"kept", b""]
    later = library.connect()
    later.subscribe(topic, qos=1)
    publisher.publish(topic, b"end", qos=1)
    assert later.wait_for_payload(b"end") == []


@scenario()
def test_a_wildcard_finds_all_below_it(library):
    base = library.topic()
    publisher = library.connect()
    topics = [f"{base}/{branch}/{leaf}" for branch in "ab" for leaf in "xyz"]
    for topic in topics:
        publisher.publish(topic, topic.encode(), qos=1, retain=True)
    publisher.publish(topics[0], b"", qos=1, retain=True)
    later = library.connect()
    later.subscribe(f"{base}/+/x", f"{base}/a/#", qos=1)
    expected = {topics[3], topics[1], topics[2]}
    messages = later.wait_for(len(expected))
    assert {message.topic for message in messages} == expected
    assert all(message.retain for message in messages)
