"""Clients on different workers reach each other as if there were one."""

import pytest

from support import wire
from support.raw import RawClient
from support.wait import wait_until

CONFIG = """
workers = 3
listener "tcp" "default" {
  address = "127.0.0.1:0"
}
pool "sqlite" "embedded" {
  file = "hookwire.db"
}
module "sqlite" {}
rule "online" {
  hook   = "client.connected"
  module = "sqlite"
  action = "on_client_connected"
  pool   = "embedded"
}
rule "offline" {
  hook   = "client.disconnected"
  module = "sqlite"
  action = "on_client_disconnected"
  pool   = "embedded"
}
rule "store" {
  hook   = "message.publish"
  module = "sqlite"
  action = "on_message_publish"
  topic  = "#"
  pool   = "embedded"
}
"""
# So many ids that all of them on one worker is out of the question.
CLIENTS = 16


@pytest.fixture
def broker(start_broker):
    return start_broker(CONFIG)


@pytest.mark.parametrize("qos", [0, 1])
def test_everybody_reaches_everybody(broker, unique, qos):
    clients = [RawClient.connected(broker.port, unique("raw")) for _ in range(CLIENTS)]
    for number, client in enumerate(clients):
        client.subscribe(f"to/{number}", "to/all", qos=qos)
    expected = []
    for number, client in enumerate(clients):
        topics = [f"to/{other}" for other in range(CLIENTS)] + ["to/all"]
        expected.append(str(number).encode())
        for topic in topics:
            packet_id = client.next_packet_id() if qos else None
            client.send(wire.publish(topic, str(number), qos=qos, packet_id=packet_id))
    for number, client in enumerate(clients):
        got = {f"to/{number}": [], "to/all": []}
        for _ in range((2 + qos) * CLIENTS + qos):
            packet = client.read()
            if packet.type == wire.PUBACK:
                continue
            if qos:
                client.send(wire.puback(packet.packet_id))
            got[packet.topic].append(packet.payload)
        assert sorted(got[f"to/{number}"]) == sorted(expected)
        assert sorted(got["to/all"]) == sorted(expected)


def test_order_holds_across_workers(broker, unique):
    readers = [RawClient.connected(broker.port, unique("reader")) for _ in range(6)]
    for reader in readers:
        reader.subscribe("ordered")
    with RawClient.connected(broker.port, unique("writer")) as writer:
        for first in range(1, 500, 50):
            numbers = range(first, first + 50)
            writer.send(
                *(wire.publish("ordered", str(n), qos=1, packet_id=n) for n in numbers)
            )
            for number in numbers:
                assert writer.expect(wire.PUBACK).packet_id == number
    for reader in readers:
        got = [reader.message().payload for _ in range(500)]
        assert got == [str(number).encode() for number in range(1, 501)]
    with broker.store() as store:
        assert store.payloads("ordered") == got
        by_id = store.query("SELECT payload FROM mqtt_msg ORDER BY msgid")
        assert [bytes(row["payload"]) for row in by_id] == got


def test_a_subscription_is_gone_everywhere_when_its_client_is(broker, unique):
    with broker.store() as store:
        readers = [unique("reader") for _ in range(6)]
        for client_id in readers:
            client = RawClient.connected(broker.port, client_id)
            client.subscribe("t")
            client.close()
        wait_until(lambda: all(map(store.is_offline, readers)), "all are offline")
    with RawClient.connected(broker.port, unique("writer")) as writer:
        for _ in range(100):
            assert writer.publish("t").reason < 0x80
        writer.subscribe("t", qos=0)
        writer.publish_qos0("t", b"own")
        assert writer.message().payload == b"own"
