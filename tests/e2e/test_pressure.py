"""Clients that send more, or read less, than there is room for."""

import threading

import pytest

from support import wire
from support.raw import RawClient
from support.wait import wait_until
from support.wire import V5, V311

VERSIONS = pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])


def test_a_publisher_that_reads_no_puback_is_served_in_the_end(broker, store, unique):
    """MQTT 3.1.1 has no Receive Maximum: the broker stops reading instead."""
    topic, count = unique("t"), 5000
    with (
        RawClient.connected(broker.port, unique("flood"), V311) as flood,
        RawClient.connected(broker.port, unique("other"), V5) as other,
    ):
        packets = [
            wire.publish(topic, str(number), V311, qos=1, packet_id=number)
            for number in range(1, count + 1)
        ]
        sender = threading.Thread(target=flood.send, args=packets)
        sender.start()
        other.subscribe(other_topic := unique("other"), qos=0)
        other.publish_qos0(other_topic, b"beside it")
        assert other.message().payload == b"beside it"
        for number in range(1, count + 1):
            assert flood.expect(wire.PUBACK).packet_id == number
        sender.join()
        assert store.payloads(topic) == [b"%d" % number for number in range(1, count + 1)]


@VERSIONS
def test_a_client_gets_all_it_publishes_to_itself(broker, unique, version):
    """Its own acknowledgements, deliveries and publishes share one connection."""
    topic, count = unique("t"), 1000
    with RawClient.connected(broker.port, unique("raw"), version) as client:
        client.subscribe(topic)
        sent = acknowledged = 0
        got = []
        while acknowledged < count or len(got) < count:
            window = range(sent + 1, min(acknowledged + 50, count) + 1)
            client.send(
                *(wire.publish(topic, str(n), version, qos=1, packet_id=n) for n in window)
            )
            sent += len(window)
            packet = client.read()
            if packet.type == wire.PUBACK:
                acknowledged += 1
                assert packet.packet_id == acknowledged
            else:
                client.send(wire.puback(packet.packet_id))
                got.append(packet.payload)
        assert got == [b"%d" % number for number in range(1, count + 1)]


def test_a_subscriber_that_does_not_read_holds_nobody_up(broker, unique):
    topic, count, payload = unique("t"), 400, b"x" * 50_000
    with (
        RawClient.connected(broker.port, unique("deaf")) as deaf,
        RawClient.connected(broker.port, unique("reader")) as reader,
        RawClient.connected(broker.port, unique("writer")) as writer,
    ):
        deaf.subscribe(topic, qos=0)
        reader.subscribe(topic, qos=0)
        # 20 MB: more than every buffer on the way to the deaf one holds.
        for number in range(count):
            writer.publish_qos0(topic, payload + str(number).encode())
            assert reader.message().payload.endswith(b"x%d" % number)
        # What waits for it is bounded: it gets the oldest, misses some, and is
        # still served. On another worker the last one may come behind PINGRESP.
        deaf.send(wire.PINGREQ)
        got = []
        while (packet := deaf.read()).type != wire.PINGRESP:
            got.append(packet.payload)
        writer.publish_qos0(topic, b"again")
        while (payload := deaf.message().payload) != b"again":
            got.append(payload)
        numbers = [int(payload.lstrip(b"x")) for payload in got]
        assert numbers == sorted(numbers)
        assert numbers[0] == 0
        assert len(numbers) < count


@VERSIONS
def test_a_large_message_reaches_a_slow_reader_whole(broker, store, unique, version):
    topic, payload = unique("t"), bytes(range(256)) * 3600
    with (
        RawClient.connected(broker.port, unique("reader"), version) as reader,
        RawClient.connected(broker.port, unique("writer"), version) as writer,
    ):
        reader.subscribe(topic)
        for _ in range(4):
            writer.publish(topic, payload)
        for _ in range(4):
            assert reader.message().payload == payload
        assert store.payloads(topic) == [payload] * 4


def test_messages_wait_for_a_subscriber_that_acknowledges_late(broker, unique):
    topic, count = unique("t"), 500
    with (
        RawClient.connected(broker.port, unique("late")) as late,
        RawClient.connected(broker.port, unique("writer")) as writer,
    ):
        late.subscribe(topic)
        for number in range(count):
            writer.publish(topic, str(number))
        got = [late.message().payload for _ in range(count)]
        assert got == [b"%d" % number for number in range(count)]


@VERSIONS
def test_one_connection_is_left_of_many_with_one_client_id(broker, store, unique, version):
    client_id = unique("same")
    clients = [RawClient(broker.port, version) for _ in range(50)]
    for client in clients:
        client.send(wire.connect(client_id, version))
    for client in clients:
        assert client.expect(wire.CONNACK).reason == 0
    ended = []
    for client in clients:
        client.send(wire.PINGREQ)
        packet = client.read()
        if packet is None or packet.type == wire.DISCONNECT:
            ended.append(client)
    assert len(ended) == 49
    (left,) = [client for client in clients if client not in ended]
    left.publish(unique("t"))
    assert store.is_online(client_id)
    left.disconnect()
    wait_until(lambda: store.is_offline(client_id), "the last one is offline")


def test_publishers_that_vanish_in_the_middle_leave_no_harm(broker, store, unique):
    topic = unique("t")
    for number in range(30):
        client = RawClient.connected(broker.port, unique("raw"), V5)
        whole = wire.publish(topic, str(number), qos=1, packet_id=1)
        client.send(whole * 50, whole[: number % len(whole)])
        client.abort()
    with RawClient.connected(broker.port, unique("raw")) as client:
        client.publish(topic, b"end")
    assert b"end" in store.payloads(topic)
