"""Maximum packet size, in both directions.

That no packet is larger than a client allows, the client looks at itself: it
fails on any that is. MQTT 5.
"""

import pytest

from conformance import build
from conformance.build import V5, V31, V311
from conformance.net import name
from conformance.properties import (
    DISCONNECT,
    MALFORMED,
    MAXIMUM_PACKET_SIZE,
    PACKET_TOO_LARGE,
    PROTOCOL_ERROR,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    RECEIVE_MAXIMUM,
    SUBACK,
    TAKEN_OVER,
    UNSUBACK,
    USER_PROPERTY,
)
from conformance.versions import kept, versions


def _size(topic, payload, qos):
    return len(build.publish(topic, payload, qos=qos, packet_id=1 if qos else None))


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_is_too_large_is_not_sent(net, qos):
    topic = name("topic")
    limit = _size(topic, b"x" * 50, qos)
    client = net.join(V5, props=[(MAXIMUM_PACKET_SIZE, limit)])
    client.subscribe(topic, qos=qos)
    publisher = net.join(V5)
    for size in (51, 50, 1_000, 49, 100):
        publisher.publish(topic, b"x" * size, qos=qos)
    publisher.publish(topic, b"end", qos=qos)
    assert [len(got.payload) for got in client.messages(3)] == [50, 49, 3]


@pytest.mark.parametrize("qos", [1, 2])
def test_what_is_too_large_counts_as_delivered(net, qos):
    topic = name("topic")
    props = [(MAXIMUM_PACKET_SIZE, _size(topic, b"small", qos)), (RECEIVE_MAXIMUM, 1)]
    client = net.join(V5, props=props)
    client.subscribe(topic, qos=qos)
    publisher = net.join(V5)
    # It takes no place in a window of one, before a message or behind it.
    for payload in (b"too large", b"1", b"too large", b"too large", b"2"):
        publisher.publish(topic, payload, qos=qos)
    assert [got.payload for got in client.messages(2)] == [b"1", b"2"]


def test_what_is_too_large_does_not_come_later(net):
    topic, who = name("topic"), name("who")
    options = kept(V5, props=[(MAXIMUM_PACKET_SIZE, _size(topic, b"small", 1))])
    client = net.join(V5, who, **options)
    client.subscribe(topic, qos=1)
    publisher = net.join(V5)
    publisher.publish(topic, b"too large", qos=1)
    publisher.publish(topic, b"1", qos=1)
    assert client.message().payload == b"1"
    client.disconnect()
    net.join(V5, who, **kept(V5)).expect_quiet(0.2)


def test_others_get_what_is_too_large_for_one(net):
    topic = name("topic")
    small = net.join(V5, props=[(MAXIMUM_PACKET_SIZE, _size(topic, b"small", 1))])
    small.subscribe(topic, qos=1)
    listener, publisher = net.listen(topic), net.join(V5)
    publisher.publish(topic, b"too large", qos=1)
    assert listener.message().payload == b"too large"


def test_retained_messages_fit_too(net):
    topic, publisher = name("topic"), net.join(V5)
    publisher.publish(f"{topic}/1", b"x" * 500, qos=1, retain=True)
    publisher.publish(f"{topic}/2", b"y", qos=1, retain=True)
    client = net.join(V5, props=[(MAXIMUM_PACKET_SIZE, 100)])
    client.subscribe(f"{topic}/#", qos=1)
    assert client.message().payload == b"y"
    client.expect_quiet(0.1)


def test_properties_count(net):
    topic, publisher = name("topic"), net.join(V5)
    client = net.join(V5, props=[(MAXIMUM_PACKET_SIZE, _size(topic, b"x" * 20, 1))])
    client.subscribe(topic, qos=1)
    publisher.publish(topic, b"", qos=1, props=[(USER_PROPERTY, ("key", "x" * 20))])
    publisher.publish(topic, b"end", qos=1)
    assert client.message().payload == b"end"


def _tight(net):
    """As much as a CONNACK needs: room for every answer, but not for many words in it."""
    return [(MAXIMUM_PACKET_SIZE, max(net.join(V5).connack.size, 20))]


def test_answers_to_publishes_fit(net):
    client = net.join(V5, props=_tight(net))
    client.publish(name("nobody"), b"m", qos=1)
    client.publish(name("nobody"), b"m", qos=2)
    client.send(build.pubrel(99))
    client.expect(PUBCOMP, 99)
    # What is refused may also be the end.
    for qos, kind in ((1, PUBACK), (2, PUBREC)):
        client = net.join(V5, props=_tight(net))
        client.send_publish("$SYS/broker/uptime", b"forged", qos)
        got = client.read()
        assert got is None or got.kind in (kind, DISCONNECT)


def test_releases_fit(net):
    topic = name("t")
    client = net.join(V5, props=_tight(net))
    client.subscribe(topic, qos=2)
    # Short enough to come at all.
    net.join(V5).publish(topic, b"", qos=2)
    got = client.expect(PUBLISH)
    client.send(build.pubrec(got.packet_id))
    client.expect(PUBREL, got.packet_id)
    client.send(build.pubcomp(got.packet_id), build.pubrec(99))
    client.ping()


def test_answers_to_subscriptions_fit(net):
    client = net.join(V5, props=_tight(net))
    for packet_id, filter_ in enumerate((name("topic"), "$share/g/" + name("topic")), 1):
        client.send(build.subscribe(packet_id, (filter_, 0)))
        client.expect(SUBACK, packet_id)
    client.send(build.unsubscribe(7, name("never")))
    client.expect(UNSUBACK, 7)


def test_the_last_word_fits(net):
    bad = (build.publish("#", b"m"), build.subscribe(1), build.connect("again", V5))
    for each in bad:
        client = net.join(V5, props=_tight(net))
        client.breaks(each, reasons=(MALFORMED, PROTOCOL_ERROR, 0x90))
    who = name("who")
    first = net.join(V5, who, props=_tight(net))
    net.join(V5, who)
    first.expect_end(TAKEN_OVER)


# From a client to the server.


def test_a_server_takes_packets_of_its_maximum(net):
    client, topic = net.join(V5), name("topic")
    limit = client.connack.get(MAXIMUM_PACKET_SIZE)
    assert limit is not None, "the suite asks for a broker with a maximum packet size"
    listener = net.listen(topic)
    head = _size(topic, b"x" * 20_000, 1) - 20_000
    client.publish(topic, b"x" * (limit - head), qos=1)
    assert len(listener.message().payload) == limit - head


def test_a_server_takes_nothing_beyond_its_maximum(net):
    client, topic = net.join(V5), name("topic")
    limit = client.connack.get(MAXIMUM_PACKET_SIZE)
    too_large = build.publish(topic, b"x" * limit, qos=1, packet_id=1)
    client.breaks(too_large, reasons=(PACKET_TOO_LARGE,))


@versions(V31, V311)
def test_older_clients_are_closed_for_what_is_too_large(net, version):
    limit = net.join(V5).connack.get(MAXIMUM_PACKET_SIZE)
    client = net.join(version)
    client.breaks(build.publish(name("topic"), b"x" * limit, version, 1, 1), reasons=())
