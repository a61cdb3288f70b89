"""Take-over, keep-alive, wills: how connections end, and who is told."""

import time

import pytest

from support import wire
from support.paho import PahoClient
from support.raw import RawClient
from support.wait import wait_until
from support.wire import V5, V311, Will

VERSIONS = pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])

SESSION_TAKEN_OVER, KEEP_ALIVE_TIMEOUT = 0x8E, 0x8D


@VERSIONS
def test_a_client_id_that_connects_again_takes_over(broker, unique, version):
    """[MQTT-3.1.4-3]"""
    client_id, topic = unique("raw"), unique("t")
    old = RawClient.connected(broker.port, client_id, version)
    old.subscribe(topic)
    with RawClient.connected(broker.port, client_id, version) as new:
        old.expect_disconnect(SESSION_TAKEN_OVER)
        new.publish(topic, b"the old one's subscription is gone")
        new.subscribe(topic, qos=0)
        new.publish_qos0(topic, b"new")
        assert new.message().payload == b"new"


def test_paho_is_taken_over(broker, unique):
    client_id = unique("paho")
    old = PahoClient(broker.port, client_id, V5).connect()
    with PahoClient(broker.port, client_id, V5) as new:
        wait_until(lambda: old.disconnects, "the old client is disconnected")
        assert old.disconnects[0].value == SESSION_TAKEN_OVER
        assert not new.disconnects
    old.close()


def test_take_over_goes_across_versions_and_back(broker, unique):
    client_id = unique("raw")
    connections = [RawClient.connected(broker.port, client_id, V311)]
    for version in (V5, V311, V5):
        connections.append(RawClient.connected(broker.port, client_id, version))
        connections[-2].expect_disconnect(SESSION_TAKEN_OVER)
    connections[-1].ping()


@VERSIONS
def test_a_silent_client_is_closed_after_one_and_a_half_keep_alives(broker, unique, version):
    """[MQTT-3.1.2-22]"""
    with RawClient.connected(broker.port, unique("raw"), version, keep_alive=1) as client:
        connected = time.monotonic()
        client.expect_disconnect(KEEP_ALIVE_TIMEOUT)
        assert time.monotonic() - connected > 1.4


@VERSIONS
def test_pings_and_publishes_keep_a_client_alive(broker, unique, version):
    with (
        RawClient.connected(broker.port, unique("busy"), version, keep_alive=1) as busy,
        RawClient.connected(broker.port, unique("free"), version, keep_alive=0) as free,
    ):
        end = time.monotonic() + 4
        while time.monotonic() < end:
            busy.expect_quiet(0.5)
            busy.ping()
            busy.expect_quiet(0.5)
            busy.publish(unique("t"))
        free.ping()


def test_messages_to_a_client_do_not_keep_it_alive(broker, unique):
    """Only what the client sends counts."""
    topic = unique("t")
    with (
        RawClient.connected(broker.port, unique("silent"), keep_alive=1) as silent,
        RawClient.connected(broker.port, unique("talker")) as talker,
    ):
        silent.subscribe(topic, qos=0)

        def ended():
            talker.publish_qos0(topic, b"message")
            talker.ping()
            return silent.read().type == wire.DISCONNECT

        wait_until(ended, "the silent client is closed")
        silent.expect_closed()


def watcher(broker, unique, topic):
    """A subscriber to the topic of a will."""
    client = RawClient.connected(broker.port, unique("watcher"))
    client.subscribe(topic)
    return client


def vanish(client, broker):
    client.close()


def reset(client, broker):
    client.abort()


def break_the_protocol(client, broker):
    client.send(b"\x00\x00")


def be_taken_over(client, broker):
    RawClient.connected(broker.port, client.client_id, client.version).disconnect()


def go_silent(client, broker):
    """The keep-alive of one second runs out."""


ENDS = [vanish, reset, break_the_protocol, be_taken_over, go_silent]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
@pytest.mark.parametrize("qos", [0, 1])
@VERSIONS
def test_a_will_is_published_when_its_client_does_not_say_goodbye(
    broker, store, unique, version, qos, end
):
    topic, client_id = unique("will"), unique("mortal")
    will = Will(topic, b"\x00last words\xff", qos)
    keep_alive = 1 if end is go_silent else 0
    with watcher(broker, unique, topic) as heir:
        mortal = RawClient.connected(
            broker.port, client_id, version, will=will, keep_alive=keep_alive
        )
        mortal.client_id = client_id
        end(mortal, broker)
        got = heir.message()
        assert (got.topic, got.payload, got.qos) == (topic, will.payload, qos)
        # A will passes the rules like any message.
        stored = store.messages(topic)
        assert [(row["sender"], row["qos"]) for row in stored] == ([(client_id, 1)] if qos else [])
        mortal.close()


@pytest.mark.parametrize(
    ("goodbye", "published"),
    [(wire.disconnect(), False), (wire.disconnect(0x00), False), (wire.disconnect(0x04), True)],
    ids=["bare", "normal", "with-will"],
)
def test_disconnect_decides_over_the_will(broker, store, unique, goodbye, published):
    """[MQTT-3.14.4-3], and reason code 0x04 of MQTT 5."""
    topic, client_id = unique("will"), unique("mortal")
    with watcher(broker, unique, topic) as heir:
        mortal = RawClient.connected(broker.port, client_id, will=Will(topic, b"will", 1))
        mortal.send(goodbye)
        mortal.expect_closed()
        wait_until(lambda: store.is_offline(client_id), "the client is offline")
        if published:
            assert heir.message().payload == b"will"
        heir.send(wire.publish(topic, b"end"))
        assert heir.message().payload == b"end"
    assert len(store.messages(topic)) == published


def test_a_3_1_1_disconnect_drops_the_will(broker, store, unique):
    topic, client_id = unique("will"), unique("mortal")
    with watcher(broker, unique, topic) as heir:
        mortal = RawClient.connected(broker.port, client_id, V311, will=Will(topic, b"will", 1))
        mortal.disconnect()
        wait_until(lambda: store.is_offline(client_id), "the client is offline")
        heir.send(wire.publish(topic, b"end"))
        assert heir.message().payload == b"end"
    assert store.messages(topic) == []


def test_a_v5_will_keeps_its_properties(broker, unique):
    topic = unique("will")
    props = ((wire.CONTENT_TYPE, "text/plain"), (wire.USER_PROPERTY, ("a", "b")))
    will = Will(topic, b"will", 1, properties=((wire.WILL_DELAY, 0), *props))
    with watcher(broker, unique, topic) as heir:
        RawClient.connected(broker.port, unique("mortal"), will=will).close()
        assert heir.message().properties == list(props)


def test_a_retained_will_of_qos_2_is_kept_for_who_comes_later(broker, unique):
    topic = unique("t")
    with watcher(broker, unique, topic) as heir:
        will = Will(topic, b"will", 2, retain=True)
        RawClient.connected(broker.port, unique("mortal"), will=will).close()
        assert not heir.message().retain
    with watcher(broker, unique, topic) as late:
        got = late.message()
        assert (got.payload, got.retain) == (b"will", True)
