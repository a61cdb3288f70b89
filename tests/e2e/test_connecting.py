"""CONNECT and CONNACK: what is granted, client ids, and bytes in odd portions."""

import pytest

from support import wire
from support.raw import RawClient
from support.wait import wait_until
from support.wire import V5, V311

VERSIONS = pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])


def test_connack_says_what_this_server_grants(broker, unique):
    with RawClient.connected(broker.port, unique("raw")) as client:
        connack = client.connack
        assert connack.property(wire.MAXIMUM_QOS) is None, "QoS 2 needs no saying"
        for available in (
            wire.RETAIN_AVAILABLE,
            wire.SUBSCRIPTION_ID_AVAILABLE,
            wire.SHARED_AVAILABLE,
            wire.WILDCARD_AVAILABLE,
        ):
            assert connack.property(available) in (None, 1)
        assert connack.property(wire.TOPIC_ALIAS_MAXIMUM) == 64
        assert connack.property(wire.MAXIMUM_PACKET_SIZE) >= 200_000
        assert connack.property(wire.RECEIVE_MAXIMUM) >= 1
        assert connack.property(wire.ASSIGNED_CLIENT_ID) is None
        assert not connack.session_present


def test_a_session_outlives_its_connection_for_as_long_as_is_granted(start_broker, unique):
    broker = start_broker(
        'listener "tcp" "default" { address = "127.0.0.1:0" }\n'
        "mqtt { max_session_expiry_s = 1800 }\n"
    )
    client_id = unique("raw")
    for asked, granted, present in ((600, None, False), (3600, 1800, True)):
        props = [(wire.SESSION_EXPIRY, asked)]
        with RawClient.connected(broker.port, client_id, clean=False, props=props) as client:
            assert client.connack.property(wire.SESSION_EXPIRY) == granted
            assert client.connack.session_present is present
            client.disconnect()


@VERSIONS
def test_an_empty_client_id_is_given_one_of_its_own(broker, store, unique, version):
    topic = unique("t")
    with (
        RawClient.connected(broker.port, "", version) as one,
        RawClient.connected(broker.port, "", version) as two,
    ):
        one.publish(topic, b"1")
        two.publish(topic, b"2")
        senders = [row["sender"] for row in store.messages(topic)]
        assert all(senders)
        assert senders[0] != senders[1]
        if version == V5:
            assigned = [c.connack.property(wire.ASSIGNED_CLIENT_ID) for c in (one, two)]
            assert assigned == senders
        for sender in senders:
            wait_until(lambda sender=sender: store.is_online(sender), f"{sender} is online")
        one.ping()


def test_v5_may_leave_the_client_id_empty_without_clean_start(broker):
    with RawClient.connected(broker.port, "", V5, clean=False) as client:
        assert client.connack.property(wire.ASSIGNED_CLIENT_ID)


def test_3_1_1_may_leave_the_client_id_empty_only_with_clean_session(broker):
    """[MQTT-3.1.3-8]"""
    with RawClient(broker.port, V311) as client:
        client.send(wire.connect("", V311, clean=False))
        assert client.expect(wire.CONNACK).reason == 2
        client.expect_closed()


@VERSIONS
def test_long_and_foreign_client_ids_are_taken(broker, store, unique, version):
    for client_id in [unique("ж☃ id with spaces/#+"), unique("x" * 40)]:
        with RawClient.connected(broker.port, client_id, version) as client:
            topic = unique("t")
            client.publish(topic)
            assert store.messages(topic)[0]["sender"] == client_id


def conversation(topic, client_id, version):
    """A client's whole life, as packets."""
    return [
        wire.connect(client_id, version, keep_alive=60),
        wire.subscribe(1, (topic, 1), version=version),
        wire.publish(topic, b"payload", version, qos=1, packet_id=2),
        wire.PINGREQ,
    ]


def assert_answered(client, store, topic):
    """The answers to `conversation`."""
    assert client.expect(wire.CONNACK).reason == 0
    assert client.expect(wire.SUBACK).reasons == [1]
    got = [client.read() for _ in range(3)]
    by_type = {packet.type: packet for packet in got}
    assert set(by_type) == {wire.PUBLISH, wire.PUBACK, wire.PINGRESP}
    assert by_type[wire.PUBLISH].payload == b"payload"
    assert by_type[wire.PUBACK].packet_id == 2
    assert store.payloads(topic) == [b"payload"]


@VERSIONS
def test_packets_behind_connect_in_one_write_are_served(broker, store, unique, version):
    """A client may send on before it has its CONNACK (section 3.1.4)."""
    topic = unique("t")
    with RawClient(broker.port, version) as client:
        client.send(*conversation(topic, unique("raw"), version))
        assert_answered(client, store, topic)


@VERSIONS
def test_bytes_one_at_a_time_are_served(broker, store, unique, version):
    topic = unique("t")
    with RawClient(broker.port, version) as client:
        for byte in b"".join(conversation(topic, unique("raw"), version)):
            client.send(bytes([byte]))
        assert_answered(client, store, topic)


@VERSIONS
def test_a_whole_life_in_one_write_is_stored(broker, store, unique, version):
    """Even if the client is gone before the store has answered."""
    topic, client_id = unique("t"), unique("raw")
    with RawClient(broker.port, version) as client:
        client.send(*conversation(topic, client_id, version), wire.disconnect())
        wait_until(lambda: store.payloads(topic) == [b"payload"], "the message is stored")
        wait_until(lambda: store.is_offline(client_id), "the client is offline")
        # [MQTT-3.2.0-1]
        assert client.expect(wire.CONNACK).reason == 0


@VERSIONS
def test_two_hundred_clients_connect_at_once(broker, store, unique, version):
    topic = unique("t")
    ids = [unique(f"crowd{number}") for number in range(200)]
    clients = [RawClient(broker.port, version) for _ in ids]
    for client, client_id in zip(clients, ids, strict=True):
        client.send(wire.connect(client_id, version))
    for client in clients:
        assert client.expect(wire.CONNACK).reason == 0
    for client, client_id in zip(clients, ids, strict=True):
        client.send(wire.publish(topic, client_id, version, qos=1, packet_id=1))
    for client in clients:
        client.expect(wire.PUBACK)
    assert sorted(store.payloads(topic)) == sorted(text.encode() for text in ids)
    assert all(store.is_online(client_id) for client_id in ids)
    for client in clients:
        client.close()
    wait_until(lambda: all(map(store.is_offline, ids)), "all 200 are offline")
