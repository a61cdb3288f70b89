"""What is stored for a client reaches it: after it was away, after the broker was, in order and once."""

import pytest

from support import wire
from support.raw import RawClient
from support.rules import LISTENER, POOL, module, rule
from support.wait import wait_until
from support.wire import V5, V311

ACTIONS = [
    ("message.publish", "on_message_publish"),
    ("session.subscribed", "on_message_fetch"),
    ("message.acked", "on_message_acked"),
]


def config():
    rules = [rule(action, hook, "sqlite", action, pool="embedded") for hook, action in ACTIONS]
    return "workers = 2\n" + LISTENER + POOL + module("sqlite") + "".join(rules)


def publish(port, topic, payloads):
    with RawClient.connected(port, "publisher") as publisher:
        for payload in payloads:
            publisher.publish(topic, payload)


def lasting(port, client_id, version=V5):
    """A client with a session that outlives its connection."""
    props = [(wire.SESSION_EXPIRY, 3600)] if version == V5 else ()
    return RawClient.connected(port, client_id, version, clean=False, props=props)


def take(reader, count):
    return [reader.message().payload for _ in range(count)]


def payloads(numbers):
    return [str(number).encode() for number in numbers]


@pytest.mark.parametrize("filter", ["jobs/a", "jobs/#", "+/a"])
@pytest.mark.parametrize("version", [V311, V5])
def test_a_client_finds_what_came_while_it_was_away(start_broker, version, filter):
    broker = start_broker(config())
    publish(broker.port, "jobs/a", [b"before its time"])
    reader = lasting(broker.port, "reader", version)
    reader.subscribe(filter, qos=1)
    reader.close()
    # More than its queue would hold.
    expected = payloads(range(1500))
    publish(broker.port, "jobs/a", expected)
    reader = lasting(broker.port, "reader", version)
    assert reader.connack.session_present
    assert take(reader, len(expected)) == expected
    publish(broker.port, "jobs/a", [b"live"])
    assert take(reader, 1) == [b"live"]
    reader.close()


def test_each_reader_goes_on_from_its_own_place(start_broker):
    broker = start_broker(config())
    for client_id in ["one", "two"]:
        reader = lasting(broker.port, client_id)
        reader.subscribe("news", qos=1)
        reader.close()
    publish(broker.port, "news", payloads(range(10)))
    reader = lasting(broker.port, "one")
    assert take(reader, 10) == payloads(range(10))
    reader.close()
    with broker.store() as store:
        wait_until(
            lambda: [tuple(row) for row in store.query("SELECT clientid, mid FROM mqtt_acked")]
            == [("one", 10)],
            "the position of the first is kept",
        )
    publish(broker.port, "news", payloads(range(10, 15)))
    for client_id, first in [("one", 10), ("two", 0)]:
        reader = lasting(broker.port, client_id)
        expected = payloads(range(first, 15))
        assert take(reader, len(expected)) == expected, client_id
        reader.close()
