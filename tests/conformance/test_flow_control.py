"""Receive maximum, in both directions. MQTT 5."""

import pytest

from conformance import build
from conformance.build import V5
from conformance.net import name
from conformance.properties import (
    PINGRESP,
    PUBACK,
    PUBLISH,
    PUBREC,
    PUBREL,
    RECEIVE_MAXIMUM,
    RECEIVE_MAXIMUM_EXCEEDED,
    SUBACK,
    UNSPECIFIED,
    UNSUBACK,
)
from conformance.versions import kept


def _kept(maximum):
    return kept(V5, props=[(RECEIVE_MAXIMUM, maximum)])


class Window:
    """A client with a receive maximum, and more messages for it than that."""

    def __init__(self, net, maximum, qos_of_messages, who=None):
        self.topic = name("topic")
        self.client = net.join(V5, who, **_kept(maximum))
        self.client.subscribe(self.topic, qos=2)
        self.publisher = net.join(V5)
        for index, qos in enumerate(qos_of_messages):
            self.publisher.publish(self.topic, bytes([index]), qos=qos)
        # A PINGRESP comes behind what a server sends at once.
        self.held = self.take(min(maximum, len(qos_of_messages)))

    def take(self, count):
        """Exactly so many messages come."""
        got = [self.client.expect(PUBLISH) for _ in range(count)]
        self.client.expect_quiet(0.1)
        return got


@pytest.mark.parametrize("maximum", [1, 2, 5])
@pytest.mark.parametrize("qos", [1, 2])
def test_a_client_holds_no_more_than_its_receive_maximum(net, maximum, qos):
    window = Window(net, maximum, [qos] * 8)
    got = list(window.held)
    for index in range(8 - maximum):
        window.client.acknowledge(got[index])
        got += window.take(1)
    assert [message.payload[0] for message in got] == list(range(8))


def test_qos_1_and_2_share_the_window(net):
    window = Window(net, 3, [1, 2, 1, 2, 1, 2])
    window.client.acknowledge(window.held[0])
    window.client.acknowledge(window.held[1])
    assert [got.payload[0] for got in window.take(2)] == [3, 4]


def test_pubrec_opens_no_place_and_pubcomp_does(net):
    window = Window(net, 2, [2] * 4)
    packet_id = window.held[0].packet_id
    window.client.send(build.pubrec(packet_id))
    window.client.expect(PUBREL, packet_id)
    window.client.expect_quiet(0.15)
    window.client.send(build.pubcomp(packet_id))
    assert window.take(1)[0].payload == b"\2"


@pytest.mark.parametrize("qos", [1, 2])
def test_a_refusal_opens_a_place(net, qos):
    window = Window(net, 2, [qos] * 4)
    refuse = build.puback if qos == 1 else build.pubrec
    window.client.send(refuse(window.held[0].packet_id, UNSPECIFIED))
    assert window.take(1)[0].payload == b"\2"


def test_a_full_window_delays_nothing_else(net):
    window = Window(net, 1, [1, 1])
    client = window.client
    client.ping()
    client.send(build.subscribe(700, (name("other"), 1)))
    client.expect(SUBACK, 700)
    client.send(build.unsubscribe(701, name("other")))
    client.expect(UNSUBACK, 701)
    client.send_publish(name("other"), b"m", 1, packet_id=702)
    client.expect(PUBACK, 702)
    client.send_publish(name("other"), b"m", 2, packet_id=703)
    client.expect(PUBREC, 703)
    client.release(703)


def test_qos_0_does_not_fill_the_window(net):
    window = Window(net, 1, [1, 1])
    for index in range(5):
        window.publisher.publish(window.topic, bytes([10 + index]))
    window.publisher.publish(name("barrier"), b"m", qos=1)
    # They may come now or wait; afterwards everything is there.
    window.client.acknowledge(window.held[0])
    found = {window.client.message().payload[0] for _ in range(6)}
    assert found == {1, 10, 11, 12, 13, 14}


@pytest.mark.parametrize("qos", [1, 2])
def test_the_window_holds_after_a_return_too(net, qos):
    who = name("who")
    window = Window(net, 4, [qos] * 6, who)
    window.client.abort()
    window.client = net.join(V5, who, **_kept(2))
    got = window.take(2)
    assert [(message.payload[0], message.dup) for message in got] == [(0, True), (1, True)]
    for message in got:
        window.client.acknowledge(message)
    assert [message.payload[0] for message in window.take(2)] == [2, 3]


def test_the_first_quota_is_not_0(net):
    topic = name("topic")
    client = net.join(V5)
    client.subscribe(topic, qos=1)
    # A server may have a quota of its own, but not of 0.
    net.join(V5).publish(topic, b"m", qos=1)
    assert client.expect(PUBLISH).payload == b"m"


# From a client to the server.


def _granted(client):
    return client.connack.get(RECEIVE_MAXIMUM, 65_535)


def test_a_server_takes_its_receive_maximum(net):
    client, topic = net.join(V5), name("topic")
    listener = net.listen(topic)
    count = _granted(client)
    for packet_id in range(1, count + 1):
        client.send_publish(topic, b"m", 2, packet_id=packet_id)
    for packet_id in range(1, count + 1):
        client.expect(PUBREC, packet_id)
    for packet_id in range(1, count + 1):
        client.release(packet_id)
    assert len(listener.heard(client)) == count


def test_a_server_takes_no_more_than_its_receive_maximum(net):
    client, topic = net.join(V5), name("topic")
    count = _granted(client)
    for packet_id in range(1, count + 1):
        client.send_publish(topic, b"m", 2, packet_id=packet_id)
        client.expect(PUBREC, packet_id)
    client.breaks(
        build.publish(topic, b"m", qos=2, packet_id=count + 1), reasons=(RECEIVE_MAXIMUM_EXCEEDED,)
    )


def test_a_finished_handshake_opens_a_place_at_the_server(net):
    client, topic = net.join(V5), name("topic")
    count = _granted(client)
    for packet_id in range(1, count + 1):
        client.send_publish(topic, b"m", 2, packet_id=packet_id)
        client.expect(PUBREC, packet_id)
    for packet_id in range(1, 4):
        client.release(packet_id)
        client.send_publish(topic, b"m", 2, packet_id=packet_id)
        client.expect(PUBREC, packet_id)
    client.send(build.PING)
    client.expect(PINGRESP)


def test_qos_0_and_other_packets_are_taken_beyond_the_receive_maximum(net):
    client, topic = net.join(V5), name("topic")
    listener = net.listen(topic, qos=0)
    for packet_id in range(1, _granted(client) + 1):
        client.send_publish(name("other"), b"m", 2, packet_id=packet_id)
        client.expect(PUBREC, packet_id)
    client.publish(topic, b"m")
    client.send(build.subscribe(40_000, (name("other"), 1)))
    client.expect(SUBACK, 40_000)
    client.ping()
    assert listener.message().payload == b"m"
