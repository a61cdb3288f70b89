"""Messages of one client on one topic arrive in the order it sent them."""

import pytest

from conformance import build
from conformance.net import name
from conformance.properties import PUBACK, PUBREC
from conformance.versions import ALL, kept

COUNT = 100


def _numbers(messages):
    return [int.from_bytes(got.payload, "big") for got in messages]


def _number(index):
    return index.to_bytes(2, "big")


@ALL
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_arrive_in_order(net, version, qos):
    topic = name("topic")
    listeners = [net.listen(filter_, version=version, qos=qos) for filter_ in (topic, f"{topic}/#")]
    publisher = net.join(version)
    for index in range(COUNT):
        publisher.publish(topic, _number(index), qos=qos)
    for listener in listeners:
        assert _numbers(listener.heard(publisher)) == list(range(COUNT))


@ALL
@pytest.mark.parametrize("qos", [1, 2])
def test_messages_sent_at_once_arrive_in_order(net, version, qos):
    # As many as any server lets a client have in flight.
    count, topic = 15, name("topic")
    listener = net.listen(topic, version=version, qos=qos)
    publisher = net.join(version)
    publisher.send(
        *(build.publish(topic, _number(index), version, qos, index + 1) for index in range(count))
    )
    for index in range(count):
        publisher.expect(PUBACK if qos == 1 else PUBREC, index + 1)
    for index in range(count if qos == 2 else 0):
        publisher.release(index + 1)
    assert _numbers(listener.heard(publisher)) == list(range(count))


@ALL
@pytest.mark.parametrize("qos", [1, 2])
def test_waiting_messages_arrive_in_order(net, version, qos):
    topic, who = name("topic"), name("who")
    client = net.join(version, who, **kept(version))
    client.subscribe(topic, qos=qos)
    client.disconnect()
    publisher = net.join(version)
    for index in range(COUNT):
        publisher.publish(topic, _number(index), qos=qos)
    client = net.join(version, who, **kept(version))
    assert _numbers(client.messages(COUNT)) == list(range(COUNT))


@ALL
def test_publishers_do_not_disturb_each_others_order(net, version):
    topic = name("topic")
    listener = net.listen(f"{topic}/+", version=version, qos=1)
    publishers = [net.join(version) for _ in range(3)]
    for index in range(30):
        for which, publisher in enumerate(publishers):
            publisher.publish(f"{topic}/{which}", _number(index), qos=1)
    heard = listener.messages(90)
    for which in range(3):
        own = [got for got in heard if got.topic == f"{topic}/{which}"]
        assert _numbers(own) == list(range(30))
