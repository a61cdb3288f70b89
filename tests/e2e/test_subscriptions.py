"""What SUBSCRIBE grants, and what a subscription matches."""

import pytest
from paho.mqtt.subscribeoptions import SubscribeOptions

from support import wire
from support.paho import PahoClient
from support.raw import RawClient
from support.wire import V5, V311

VERSIONS = pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])

TOPICS = [
    "sport", "sport/", "/sport", "sport/tennis", "sport/tennis/player1",
    "sport/tennis/player1/ranking", "sport//player1", "sports", "Sport", "/", "//",
    "$own", "$own/sport", "sport/$own",
]  # fmt: skip

# The examples of section 4.7, and the corners beside them.
MATCHES = {
    "sport": ["sport"],
    "sport/#": ["sport", "sport/", "sport/tennis", "sport/tennis/player1",
                "sport/tennis/player1/ranking", "sport//player1", "sport/$own"],
    "#": [topic for topic in TOPICS if not topic.startswith("$")],
    "+": ["sport", "sports", "Sport"],
    "+/+": ["sport/", "/sport", "sport/tennis", "/", "sport/$own"],
    "/+": ["/sport", "/"],
    "/#": ["/sport", "/", "//"],
    "+/+/player1": ["sport/tennis/player1", "sport//player1"],
    "sport/+": ["sport/", "sport/tennis", "sport/$own"],
    "sport/+/player1/#": ["sport/tennis/player1", "sport/tennis/player1/ranking",
                          "sport//player1"],
    "$own/#": ["$own", "$own/sport"],
    "$own/+": ["$own/sport"],
    "+/sport": ["/sport"],
}  # fmt: skip


@pytest.mark.parametrize("filter_", MATCHES)
@VERSIONS
def test_a_filter_matches_its_topics(broker, unique, version, filter_):
    end = unique("end")
    with RawClient.connected(broker.port, unique("raw"), version) as client:
        assert client.subscribe(filter_, end, qos=0) == [0, 0]
        client.send(*(wire.publish(topic, version=version) for topic in [*TOPICS, end]))
        got = []
        while (topic := client.message().topic) != end:
            got.append(topic)
        assert got == MATCHES[filter_]


@VERSIONS
def test_overlapping_subscriptions_deliver_once_at_the_highest_qos(broker, unique, version):
    """[MQTT-3.3.4-2] leaves it to the server to send a copy per subscription; this one sends one."""
    root = unique("t")
    with RawClient.connected(broker.port, unique("raw"), version) as client:
        assert client.subscribe(f"{root}/#", f"{root}/a", qos=0) == [0, 0]
        assert client.subscribe(f"{root}/+", qos=1) == [1]
        with RawClient.connected(broker.port, unique("pub"), version) as publisher:
            publisher.publish(f"{root}/a", b"once")
            publisher.publish(f"{root}/a/b", b"end")
        got = [client.message(), client.message()]
        assert [(m.payload, m.qos) for m in got] == [(b"once", 1), (b"end", 0)]


def test_subscribing_again_replaces_the_qos(broker, unique):
    topic = unique("t")
    with RawClient.connected(broker.port, unique("raw")) as client:
        assert client.subscribe(topic, qos=1) == [1]
        assert client.subscribe(topic, qos=0) == [0]
        client.publish_qos0(topic, b"0")
        assert client.message().qos == 0
        packet_id = client.next_packet_id()
        client.send(wire.publish(topic, b"1", qos=1, packet_id=packet_id))
        got = {client.read().type, client.read().type}
        assert got == {wire.PUBACK, wire.PUBLISH}
        client.ping()


GRANTS = [
    # (filter, options, MQTT 5 reason code, 3.1.1 return code)
    ("a/b", 0, 0x00, 0x00),
    ("a/b", 1, 0x01, 0x01),
    ("a/b", 2, 0x02, 0x02),
    ("a/#/b", 1, 0x8F, 0x80),
    ("a#", 1, 0x8F, 0x80),
    ("a/+b", 1, 0x8F, 0x80),
    ("", 1, 0x8F, 0x80),
    ("$share/group/a", 1, 0x01, 0x01),
    ("$share/group", 1, 0x8F, 0x80),
    ("$share/gr+up/a", 1, 0x8F, 0x80),
    ("$queue/a", 2, 0x02, 0x02),
]


@VERSIONS
def test_each_filter_of_a_subscribe_has_its_own_answer(broker, unique, version):
    with RawClient.connected(broker.port, unique("raw"), version) as client:
        entries = [(text, options) for text, options, _, _ in GRANTS]
        client.send(wire.subscribe(9, *entries, version=version))
        ack = client.expect(wire.SUBACK)
        assert ack.packet_id == 9
        assert ack.reasons == [v5 if version == V5 else v311 for _, _, v5, v311 in GRANTS]
        client.publish_qos0("a/b", b"still served")
        assert client.message().payload == b"still served"


def test_paho_is_told_the_same(broker, unique):
    with PahoClient(broker.port, unique("paho"), V5) as client:
        assert client.subscribe("a/b", qos=2) == [0x02]
        assert client.subscribe("$share/group", qos=1) == [0x8F]
    with PahoClient(broker.port, unique("paho"), V311) as client:
        assert client.subscribe("a/b", qos=2) == [0x02]
        assert client.subscribe("$share/group", qos=1) == [0x80]


@VERSIONS
def test_unsubscribing_ends_the_deliveries(broker, unique, version):
    topic, other = unique("t"), unique("other")
    with RawClient.connected(broker.port, unique("raw"), version) as client:
        client.subscribe(topic, other, qos=0)
        client.send(wire.unsubscribe(7, topic, "never/subscribed", version=version))
        ack = client.expect(wire.UNSUBACK)
        assert ack.packet_id == 7
        assert ack.reasons == ([0x00, 0x11] if version == V5 else [])
        client.publish_qos0(topic, b"gone")
        client.publish_qos0(other, b"here")
        assert client.message().payload == b"here"


def test_no_local_keeps_own_messages_away(broker, unique):
    topic = unique("t")
    with (
        PahoClient(broker.port, unique("own"), V5) as own,
        PahoClient(broker.port, unique("other"), V5) as other,
    ):
        own.subscribe(topic, options=SubscribeOptions(qos=1, noLocal=True))
        own.publish(topic, b"own")
        other.publish(topic, b"other's")
        assert [m.payload for m in own.wait_for_messages(1)] == [b"other's"]


@pytest.mark.parametrize("clean", [True, False])
def test_subscriptions_end_with_their_session(broker, unique, clean):
    topic, client_id = unique("t"), unique("raw")
    with RawClient.connected(broker.port, client_id, V311, clean=False) as client:
        client.subscribe(topic)
    with RawClient.connected(broker.port, client_id, V311, clean=clean) as client:
        assert client.connack.session_present is not clean
        if not clean:
            client.publish_qos0(topic, b"still subscribed")
            assert client.message().payload == b"still subscribed"
            return
        client.publish(topic, b"to nobody")
        client.subscribe(topic)
        client.publish_qos0(topic, b"now")
        assert client.message().payload == b"now"
