"""What a server sends again when a client comes back to its session."""

import pytest

from conformance import build
from conformance.build import V5
from conformance.net import name
from conformance.properties import PUBLISH, PUBREL, UNSPECIFIED
from conformance.versions import ALL, kept


class Away:
    """A client with unfinished messages, about to come back."""

    def __init__(self, net, version, qos_of_messages, qos=2):
        self.net, self.version = net, version
        self.topic, self.who = name("topic"), name("who")
        self.client = net.join(version, self.who, **kept(version))
        self.client.subscribe(self.topic, qos=qos)
        self.publisher = net.join(version)
        for index, each in enumerate(qos_of_messages):
            self.publisher.publish(self.topic, bytes([index]), qos=each)
        self.held = [self.client.expect(PUBLISH) for _ in qos_of_messages]

    def back(self):
        self.client.abort()
        self.client = self.net.join(self.version, self.who, **kept(self.version))
        return self.client


@ALL
@pytest.mark.parametrize("qos", [1, 2])
def test_an_unacknowledged_message_is_sent_again(net, version, qos):
    away = Away(net, version, [qos])
    assert not away.held[0].dup
    again = away.back().expect(PUBLISH)
    assert again.dup
    assert (again.packet_id, again.qos) == (away.held[0].packet_id, qos)
    assert (again.topic, again.payload) == (away.topic, b"\0")
    away.client.acknowledge(again)
    away.back().expect_quiet(0.1)


@ALL
@pytest.mark.parametrize("qos", [1, 2])
def test_it_is_sent_again_at_every_return(net, version, qos):
    away = Away(net, version, [qos])
    for _ in range(3):
        again = away.back().expect(PUBLISH)
        assert (again.dup, again.packet_id) == (True, away.held[0].packet_id)


@ALL
@pytest.mark.parametrize("qos", [1, 2])
def test_acknowledged_messages_are_not_sent_again(net, version, qos):
    away = Away(net, version, [qos] * 4)
    away.client.acknowledge(away.held[1])
    away.client.acknowledge(away.held[2])
    away.client.ping()
    again = [away.back().expect(PUBLISH), away.client.expect(PUBLISH)]
    assert [got.payload for got in again] == [b"\0", b"\3"]
    away.client.expect_quiet(0.1)


@ALL
def test_they_are_sent_again_in_their_order(net, version):
    away = Away(net, version, [1, 2, 2, 1, 1, 2, 1, 2])
    away.back()
    again = [away.client.expect(PUBLISH) for _ in away.held]
    assert [got.packet_id for got in again] == [got.packet_id for got in away.held]
    assert [got.payload for got in again] == [got.payload for got in away.held]
    assert all(got.dup for got in again)


@ALL
def test_new_messages_come_behind_those_sent_again(net, version):
    away = Away(net, version, [1, 1, 1])
    away.client.abort()
    # Whoever took over from it knows that its connection is gone.
    net.join(version, away.who, **kept(version)).disconnect()
    for index in (3, 4):
        away.publisher.publish(away.topic, bytes([index]), qos=1)
    got = away.back().messages(5)
    assert [message.payload for message in got] == [bytes([index]) for index in range(5)]
    assert [message.dup for message in got] == [True] * 3 + [False] * 2


@ALL
def test_after_pubrec_pubrel_is_sent_again_and_not_the_message(net, version):
    away = Away(net, version, [2])
    packet_id = away.held[0].packet_id
    away.client.send(build.pubrec(packet_id))
    away.client.expect(PUBREL, packet_id)
    for _ in range(2):
        client = away.back()
        client.expect(PUBREL, packet_id)
    client.send(build.pubcomp(packet_id))
    client.expect_quiet(0.1)
    away.back().expect_quiet(0.1)


@ALL
def test_messages_and_releases_are_both_sent_again(net, version):
    away = Away(net, version, [2, 2, 2, 2])
    released = [away.held[0].packet_id, away.held[1].packet_id]
    for packet_id in released:
        away.client.send(build.pubrec(packet_id))
        away.client.expect(PUBREL, packet_id)
    client = away.back()
    got = [client.read() for _ in range(4)]
    assert [each.packet_id for each in got if each.kind == PUBREL] == released
    again = [each for each in got if each.kind == PUBLISH]
    assert [each.payload for each in again] == [b"\2", b"\3"]
    assert all(each.dup for each in again)


@ALL
def test_a_message_sent_again_is_finished_as_usual(net, version):
    away = Away(net, version, [2, 1])
    client = away.back()
    assert sorted(client.message().qos for _ in range(2)) == [1, 2]
    client.ping()
    away.publisher.publish(away.topic, b"next", qos=2)
    assert client.message().payload == b"next"


@ALL
def test_nothing_is_sent_again_of_qos_0(net, version):
    away = Away(net, version, [0, 0])
    away.back().expect_quiet(0.1)


@pytest.mark.parametrize("qos", [1, 2])
def test_a_refused_message_is_not_sent_again(net, qos):
    away = Away(net, V5, [qos])
    refuse = build.puback if qos == 1 else build.pubrec
    away.client.send(refuse(away.held[0].packet_id, UNSPECIFIED))
    away.client.ping()
    client = away.back()
    client.expect_quiet(0.1)
    away.publisher.publish(away.topic, b"next", qos=qos)
    assert client.message().payload == b"next"


@ALL
def test_packet_ids_in_use_are_not_used_for_new_messages(net, version):
    away = Away(net, version, [1, 2, 1])
    client = away.back()
    for index in range(3):
        away.publisher.publish(away.topic, bytes([10 + index]), qos=1)
    got = [client.expect(PUBLISH) for _ in range(6)]
    assert len({message.packet_id for message in got}) == 6


@ALL
def test_a_message_taken_for_a_session_reaches_it(net, version):
    # More than any window, so that some were never sent before.
    who, topic = name("who"), name("topic")
    client = net.join(version, who, **kept(version))
    client.subscribe(topic, qos=1)
    publisher = net.join(version)
    for index in range(60):
        publisher.publish(topic, bytes([index]), qos=1)
    client.abort()
    client = net.join(version, who, **kept(version))
    assert [got.payload[0] for got in client.messages(60)] == list(range(60))
