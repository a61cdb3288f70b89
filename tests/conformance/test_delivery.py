"""QoS 0, 1 and 2 from the server to a client."""

import time

import pytest

from conformance import build
from conformance.build import V5, V31, V311
from conformance.net import name
from conformance.properties import PINGRESP, PUBLISH, PUBREL
from conformance.versions import ALL, versions


@ALL
@pytest.mark.parametrize("granted", [0, 1, 2])
@pytest.mark.parametrize("published", [0, 1, 2])
def test_the_lower_qos_counts(net, version, granted, published):
    topic = name("topic")
    listener = net.listen(topic, version=version, qos=granted)
    publisher = net.join(version)
    publisher.publish(topic, b"m", qos=published)
    heard = listener.heard(publisher)
    assert [(got.qos, got.payload) for got in heard] == [(min(published, granted), b"m")]


@ALL
def test_qos_0_has_no_packet_id(net, version):
    # Two bytes more would be at the front of the payload.
    client, topic = net.join(version), name("topic")
    client.subscribe(topic, qos=0)
    client.publish(topic, b"\0\1payload")
    got = client.message()
    assert (got.payload, got.dup, got.packet_id) == (b"\0\1payload", False, 0)


@ALL
@pytest.mark.parametrize("qos", [1, 2])
def test_packet_ids_in_use_are_not_used_again(net, version, qos):
    client, topic = net.join(version), name("topic")
    client.subscribe(topic, qos=qos)
    publisher = net.join(version)
    held = []
    for index in range(10):
        publisher.publish(topic, bytes([index]), qos=qos)
        held.append(client.expect(PUBLISH))
        if index == 4:
            client.acknowledge(held.pop(1))
    ids = [message.packet_id for message in held]
    assert len(set(ids)) == len(ids)
    assert not any(message.dup for message in held)
    for message in held:
        client.acknowledge(message)


@ALL
def test_packet_ids_never_run_out(net, version):
    client, topic = net.join(version), name("topic")
    client.subscribe(topic, qos=1)
    publisher = net.join(version)
    for _ in range(300):
        publisher.publish(topic, b"m", qos=1)
        client.message()


@ALL
def test_acknowledgements_may_come_in_any_order(net, version):
    client, topic = net.join(version), name("topic")
    client.subscribe(topic, qos=2)
    publisher = net.join(version)
    for index in range(6):
        publisher.publish(topic, bytes([index]), qos=1 + index % 2)
    held = [client.expect(PUBLISH) for _ in range(6)]
    for message in reversed(held):
        client.acknowledge(message)
    publisher.publish(topic, b"after", qos=2)
    assert client.message().payload == b"after"


@ALL
def test_pubrec_is_answered_with_pubrel(net, version):
    client, topic = net.join(version), name("topic")
    client.subscribe(topic, qos=2)
    publisher = net.join(version)
    for payload in (b"one", b"two", b"three"):
        publisher.publish(topic, payload, qos=2)
    held = [client.expect(PUBLISH).packet_id for _ in range(3)]
    # PUBRELs come in the order of the PUBRECs, whatever that is.
    for packet_id in (held[1], held[2], held[0]):
        client.send(build.pubrec(packet_id))
    for packet_id in (held[1], held[2], held[0]):
        client.expect(PUBREL, packet_id)
        client.send(build.pubcomp(packet_id))
    client.ping()


@ALL
def test_pubrec_sent_again_is_answered_again(net, version):
    client, topic = net.join(version), name("topic")
    client.subscribe(topic, qos=2)
    net.join(version).publish(topic, b"m", qos=2)
    packet_id = client.expect(PUBLISH).packet_id
    for _ in range(2):
        client.send(build.pubrec(packet_id))
        assert client.expect(PUBREL, packet_id).reason == 0
    client.send(build.pubcomp(packet_id))
    client.ping()


@ALL
def test_acknowledgements_of_nothing_change_nothing(net, version):
    client, topic = net.join(version), name("topic")
    client.subscribe(topic, qos=1)
    net.join(version).publish(topic, b"m", qos=1)
    got = client.expect(PUBLISH)
    client.send(build.puback(got.packet_id), build.puback(got.packet_id), build.pubcomp(9))
    client.send(build.PING)
    # A server may end the connection over it, and may not answer it.
    answer = client.read()
    assert answer is None or answer.kind == PINGRESP or answer.reason in (0x82, 0x92)


@pytest.mark.ahead
@versions(V5)
@pytest.mark.parametrize("qos", [1, 2])
def test_nothing_is_sent_again_on_the_same_connection(net, version, qos):
    client, topic = net.join(version), name("topic")
    client.subscribe(topic, qos=qos)
    net.join(version).publish(topic, b"m", qos=qos)
    held = client.expect(PUBLISH)
    client.expect_quiet(4)
    if qos == 2:
        client.send(build.pubrec(held.packet_id))
        client.expect(PUBREL, held.packet_id)
        client.expect_quiet(3)


@pytest.mark.ahead
@versions(V31, V311)
def test_what_is_sent_again_has_dup(net, version):
    # Before MQTT 5 a server may send again on the same connection.
    client, topic = net.join(version), name("topic")
    client.subscribe(topic, qos=1)
    net.join(version).publish(topic, b"m", qos=1)
    held = client.expect(PUBLISH)
    end = time.monotonic() + 4
    while (left := end - time.monotonic()) > 0:
        try:
            got = client.read(left)
        except TimeoutError:
            break
        assert (got.kind, got.dup, got.packet_id) == (PUBLISH, True, held.packet_id)


@ALL
def test_each_subscriber_has_its_copy(net, version):
    topic = name("topic")
    listeners = [net.listen(topic, version=version, qos=qos) for qos in (0, 1, 2, 1)]
    publisher = net.join(version)
    publisher.publish(topic, b"m", qos=2)
    for listener, qos in zip(listeners, (0, 1, 2, 1), strict=True):
        assert [got.qos for got in listener.heard(publisher)] == [qos]


@ALL
def test_a_client_hears_itself(net, version):
    client, topic = net.join(version), name("topic")
    client.subscribe(topic, qos=2)
    for qos in range(3):
        client.publish(topic, bytes([qos]), qos=qos)
        assert client.message().qos == qos
