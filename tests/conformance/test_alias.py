"""Topic aliases, in both directions. MQTT 5."""

import pytest

from conformance import build
from conformance.build import V5
from conformance.net import name
from conformance.properties import (
    ALIAS_INVALID,
    MALFORMED,
    PROTOCOL_ERROR,
    TOPIC_ALIAS,
    TOPIC_ALIAS_MAXIMUM,
)
from conformance.versions import kept

REASONS = (ALIAS_INVALID, PROTOCOL_ERROR, MALFORMED)


def _maximum(client):
    granted = client.connack.get(TOPIC_ALIAS_MAXIMUM, 0)
    assert granted, "the suite asks for a broker that takes topic aliases"
    return granted


def _aliased(client, alias, topic="", payload=b"m", qos=0):
    client.publish(topic, payload, qos=qos, props=[(TOPIC_ALIAS, alias)])


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_server_takes_every_alias_it_allows(net, qos):
    base = name("topic")
    listener, client = net.listen(f"{base}/+"), net.join(V5)
    aliases = [*range(1, min(_maximum(client), 20) + 1), _maximum(client)]
    for alias in aliases:
        _aliased(client, alias, f"{base}/{alias}", qos=qos)
    for alias in reversed(aliases):
        _aliased(client, alias, payload=b"again", qos=qos)
    heard = [(got.topic, got.payload) for got in listener.heard(client)]
    expected = [(f"{base}/{alias}", b"m") for alias in aliases]
    assert heard == expected + [(f"{base}/{alias}", b"again") for alias in reversed(aliases)]


def test_an_alias_can_be_given_another_topic(net):
    base = name("topic")
    listener, client = net.listen(f"{base}/+"), net.join(V5)
    for topic in (f"{base}/1", "", f"{base}/2", "", ""):
        _aliased(client, 1, topic)
    heard = [got.topic for got in listener.heard(client)]
    assert heard == [f"{base}/1"] * 2 + [f"{base}/2"] * 3


def test_a_topic_can_have_several_aliases(net):
    base = name("topic")
    listener, client = net.listen(f"{base}/+"), net.join(V5)
    _maximum(client)
    for alias, topic in ((1, f"{base}/1"), (2, f"{base}/1"), (1, f"{base}/2"), (2, ""), (1, "")):
        _aliased(client, alias, topic)
    heard = [got.topic[-1] for got in listener.heard(client)]
    assert heard == ["1", "1", "2", "1", "2"]


def test_an_alias_beyond_the_maximum_is_the_end(net):
    client = net.join(V5)
    bad = build.publish(name("topic"), b"m", props=[(TOPIC_ALIAS, _maximum(client) + 1)])
    client.breaks(bad, reasons=(ALIAS_INVALID,))


def test_an_alias_that_was_never_set_is_the_end(net):
    client = net.join(V5)
    _aliased(client, 1, name("topic"))
    client.breaks(build.publish("", b"m", props=[(TOPIC_ALIAS, 2)]), reasons=REASONS)


def test_no_topic_and_no_alias_is_the_end(net):
    net.join(V5).breaks(build.publish("", b"m"), reasons=(PROTOCOL_ERROR, MALFORMED))


def test_aliases_end_with_their_connection(net):
    who = name("who")
    client = net.join(V5, who, **kept(V5))
    _aliased(client, 1, name("topic"), qos=1)
    client.disconnect()
    client = net.join(V5, who, **kept(V5))
    client.breaks(build.publish("", b"m", props=[(TOPIC_ALIAS, 1)]), reasons=REASONS)


def test_aliases_are_not_passed_on(net):
    # The reader fails on any alias that this listener did not allow.
    topic = name("topic")
    listener, client = net.listen(topic), net.join(V5)
    _aliased(client, 1, topic)
    _aliased(client, 1)
    assert [got.topic for got in listener.heard(client)] == [topic, topic]


# From the server to a client; whether it uses any is its own affair.


@pytest.mark.parametrize("props", [[], [(TOPIC_ALIAS_MAXIMUM, 0)]], ids=["absent", "0"])
def test_a_server_sends_no_alias_that_was_not_allowed(net, props):
    base = name("topic")
    client, publisher = net.join(V5, props=props), net.join(V5)
    client.subscribe(f"{base}/+", qos=1)
    for index in range(20):
        publisher.publish(f"{base}/{index % 4}", b"m", qos=index % 2)
        got = client.message()
        assert (got.topic, got.get(TOPIC_ALIAS)) == (f"{base}/{index % 4}", None)


@pytest.mark.parametrize("maximum", [1, 3, 0xFFFF])
def test_a_server_keeps_to_the_aliases_it_may_use(net, maximum):
    base = name("topic")
    client = net.join(V5, props=[(TOPIC_ALIAS_MAXIMUM, maximum)])
    client.subscribe(f"{base}/+", qos=2)
    publisher = net.join(V5)
    for index in range(40):
        publisher.publish(f"{base}/{index % 7}", bytes([index]), qos=index % 3)
        got = client.message()
        assert (got.topic, got.payload) == (f"{base}/{index % 7}", bytes([index]))


def test_a_server_begins_anew_with_each_connection(net):
    topic, who = name("topic"), name("who")
    options = kept(V5, props=[(TOPIC_ALIAS_MAXIMUM, 5)])
    publisher = net.join(V5)
    client = net.join(V5, who, **options)
    client.subscribe(topic, qos=1)
    for _ in range(3):
        for index in range(3):
            publisher.publish(topic, bytes([index]), qos=1)
            assert client.message().topic == topic
        client.disconnect()
        # The client knows no alias of its last connection.
        client = net.join(V5, who, **options)
