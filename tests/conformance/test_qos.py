"""QoS 0, 1 and 2 from a client to the server: answers, and what is passed on."""

import pytest

from conformance import build
from conformance.build import V5, V311
from conformance.net import name
from conformance.properties import (
    DISCONNECT,
    MALFORMED,
    PACKET_ID_NOT_FOUND,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    SUBACK,
)
from conformance.versions import ALL, OASIS, kept, versions


def _send(client, topic, payload, packet_id, qos, dup=False):
    client.send_publish(topic, payload, qos, packet_id=packet_id, dup=dup)


@ALL
def test_qos_0_is_not_answered(net, version):
    client, topic = net.join(version), name("topic")
    client.send_publish(topic, b"m")
    client.send(build.PING)
    client.expect(PINGRESP)
    client.expect_quiet(0.1)


@ALL
@pytest.mark.parametrize("packet_id", [1, 2, 0x100, 0x7FFF, 0xFFFF])
def test_qos_1_is_answered_with_puback(net, version, packet_id):
    client, topic = net.join(version), name("topic")
    listener = net.listen(topic, version=version)
    _send(client, topic, b"m", packet_id, qos=1)
    client.expect(PUBACK, packet_id)
    assert [got.payload for got in listener.heard(client)] == [b"m"]


@ALL
@pytest.mark.parametrize("packet_id", [1, 2, 0x100, 0x7FFF, 0xFFFF])
def test_qos_2_is_answered_with_pubrec_and_pubcomp(net, version, packet_id):
    client, topic = net.join(version), name("topic")
    listener = net.listen(topic, version=version)
    _send(client, topic, b"m", packet_id, qos=2)
    client.expect(PUBREC, packet_id)
    client.release(packet_id)
    assert [got.payload for got in listener.heard(client)] == [b"m"]


@ALL
def test_a_packet_id_is_free_after_puback(net, version):
    client, topic = net.join(version), name("topic")
    listener = net.listen(topic, version=version)
    for index, dup in enumerate((False, True, False)):
        _send(client, topic, bytes([index]), 7, qos=1, dup=dup)
        client.expect(PUBACK, 7)
    assert [got.payload for got in listener.heard(client)] == [b"\0", b"\1", b"\2"]


@ALL
@pytest.mark.parametrize("dup", [True, False], ids=["DUP", "no DUP"])
def test_qos_2_sent_again_is_passed_on_once(net, version, dup):
    client, topic = net.join(version), name("topic")
    listener = net.listen(topic, version=version)
    # With MQTT 5 a client sends again after a reconnect alone.
    for again in (False, dup) if version == V5 else (False, dup, dup, dup):
        _send(client, topic, b"m", 9, qos=2, dup=again)
        client.expect(PUBREC, 9)
    client.release(9)
    assert [got.payload for got in listener.heard(client)] == [b"m"]


@ALL
def test_qos_2_sent_again_and_again_is_passed_on_once(net, version):
    who, topic = name("who"), name("topic")
    listener = net.listen(topic, version=version)
    for dup in (False, True, True, True):
        client = net.join(version, who, **kept(version))
        _send(client, topic, b"m", 9, qos=2, dup=dup)
        client.expect(PUBREC, 9)
        client.abort()
    client = net.join(version, who, **kept(version))
    client.release(9)
    assert [got.payload for got in listener.heard(client)] == [b"m"]


@ALL
def test_a_packet_id_is_free_after_pubcomp(net, version):
    client, topic = net.join(version), name("topic")
    listener = net.listen(topic, version=version)
    for index, dup in enumerate((False, True, False)):
        _send(client, topic, bytes([index]), 9, qos=2, dup=dup)
        client.expect(PUBREC, 9)
        client.release(9)
    assert [got.payload for got in listener.heard(client)] == [b"\0", b"\1", b"\2"]


@ALL
def test_pubrel_sent_again_is_answered_again(net, version):
    client, topic = net.join(version), name("topic")
    listener = net.listen(topic, version=version)
    _send(client, topic, b"m", 9, qos=2)
    client.expect(PUBREC, 9)
    client.release(9)
    for _ in range(2):
        client.send(build.pubrel(9))
        assert client.expect(PUBCOMP, 9).reason in (0, PACKET_ID_NOT_FOUND)
    assert [got.payload for got in listener.heard(client)] == [b"m"]


@ALL
def test_pubrel_for_nothing_is_answered(net, version):
    client = net.join(version)
    client.send(build.pubrel(77))
    assert client.expect(PUBCOMP, 77).reason in (0, PACKET_ID_NOT_FOUND)
    client.ping()


@ALL
def test_qos_2_goes_on_after_a_reconnect(net, version):
    who, topic = name("who"), name("topic")
    listener = net.listen(topic, version=version)
    client = net.join(version, who, **kept(version))
    for packet_id in (1, 2, 3):
        _send(client, topic, bytes([packet_id]), packet_id, qos=2)
        client.expect(PUBREC, packet_id)
    client.abort()
    client = net.join(version, who, **kept(version))
    _send(client, topic, b"\1", 1, qos=2, dup=True)
    client.expect(PUBREC, 1)
    _send(client, topic, b"\2", 2, qos=2, dup=True)
    client.expect(PUBREC, 2)
    for packet_id in (1, 2, 3):
        client.release(packet_id)
    assert [got.payload for got in listener.heard(client)] == [b"\1", b"\2", b"\3"]


@ALL
def test_a_new_session_knows_no_packet_ids(net, version):
    who, topic = name("who"), name("topic")
    listener = net.listen(topic, version=version)
    client = net.join(version, who)
    _send(client, topic, b"old", 5, qos=2)
    client.expect(PUBREC, 5)
    client.abort()
    client = net.join(version, who)
    _send(client, topic, b"new", 5, qos=2)
    client.expect(PUBREC, 5)
    client.release(5)
    assert [got.payload for got in listener.heard(client)][-1:] == [b"new"]


@ALL
def test_handshakes_may_overlap(net, version):
    client, topic = net.join(version), name("topic")
    listener = net.listen(topic, version=version)
    _send(client, topic, b"\1", 1, qos=2)
    _send(client, topic, b"\2", 2, qos=1)
    _send(client, topic, b"\3", 3, qos=2)
    client.expect(PUBREC, 1)
    client.expect(PUBACK, 2)
    client.expect(PUBREC, 3)
    client.release(3)
    _send(client, topic, b"\4", 3, qos=1)
    client.expect(PUBACK, 3)
    client.release(1)
    payloads = [got.payload for got in listener.heard(client)]
    # They may be passed on at PUBLISH or at PUBREL.
    assert sorted(payloads) == [b"\1", b"\2", b"\3", b"\4"]


@ALL
@pytest.mark.parametrize("qos", [1, 2])
def test_both_sides_count_packet_ids_for_themselves(net, version, qos):
    topic, other = name("topic"), name("other")
    client = net.join(version)
    client.subscribe(topic, qos=qos)
    net.join(version).publish(topic, b"in", qos=qos)
    arrived = client.expect(PUBLISH)
    _send(client, other, b"out", arrived.packet_id, qos=qos)
    client.expect(PUBACK if qos == 1 else PUBREC, arrived.packet_id)
    client.acknowledge(arrived)
    if qos == 2:
        client.release(arrived.packet_id)
    client.send(build.subscribe(arrived.packet_id, (other, 0), version=version))
    client.expect(SUBACK, arrived.packet_id)


@ALL
@pytest.mark.parametrize("qos", [1, 2])
def test_dup_is_not_passed_on(net, version, qos):
    client, topic = net.join(version), name("topic")
    listener = net.listen(topic, version=version)
    client.publish(topic, b"m", qos=qos, dup=True)
    assert [got.dup for got in listener.heard(client)] == [False]


@OASIS
def test_qos_3_is_the_end(net, version):
    bad = build.publish(name("topic"), b"m", version, qos=3, packet_id=1)
    net.join(version).breaks(bad, reasons=(MALFORMED,))


@versions(V311)
def test_qos_0_has_no_dup(net, version):
    # MQTT 5 leaves it to the server how strictly it looks at such things.
    net.join(version).breaks(build.publish("t", b"m", version, dup=True), reasons=())


@ALL
@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 100_000])
def test_payloads_are_passed_on_as_they_are(net, version, size):
    client, topic = net.join(version), name("topic")
    listener = net.listen(topic, version=version)
    payload = bytes(index * 7 % 256 for index in range(size))
    for qos in range(3):
        client.publish(topic, payload, qos=qos)
        got = listener.message()
        assert (got.topic, got.payload, got.qos) == (topic, payload, qos)


@versions(V311)
def test_what_a_client_may_not_publish_is_acknowledged_or_the_end(net, version):
    client = net.join(version)
    client.send_publish("$SYS/broker/uptime", b"forged", 1, packet_id=1)
    got = client.read()
    assert got is None or (got.kind, got.packet_id) == (PUBACK, 1)


def test_a_publish_may_be_refused_and_its_packet_id_is_free(net):
    client, topic = net.join(V5), name("topic")
    listener = net.listen(topic)
    client.send_publish("$SYS/broker/uptime", b"forged", 2, packet_id=1)
    got = client.read()
    if got is None or got.kind == DISCONNECT:
        return  # It may also be the end.
    assert (got.kind, got.packet_id) == (PUBREC, 1)
    if got.reason < 0x80:
        client.release(1)
    _send(client, topic, b"m", 1, qos=2)
    client.expect(PUBREC, 1)
    client.release(1)
    assert [message.payload for message in listener.heard(client)] == [b"m"]
