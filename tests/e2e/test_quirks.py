"""What real devices do."""

import threading

import pytest

from support import wire
from support.raw import RawClient
from support.wait import wait_until
from support.wire import V5, V311

VERSIONS = pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])

IDS = {
    "spaces": "  my device  1 ",
    "topic characters": "a/+/#/$SYS",
    "quotes": "it's \"quoted\" \\ back",
    "percent": "%c %u %s",
    "emoji": "🌡️ sensor",
    "control character": "a\x01b\nc",
    "one byte": "x",
    "longest": "l" * 65_535,
}


@VERSIONS
@pytest.mark.parametrize("client_id", IDS.values(), ids=IDS.keys())
def test_odd_client_ids_have_sessions_like_any_other(broker, unique, client_id, version):
    topic = unique("t")
    props = [(wire.SESSION_EXPIRY, 60)] if version == V5 else None
    options = {"clean": False} | ({"props": props} if props else {})
    with RawClient.connected(broker.port, client_id, version, **options) as client:
        client.subscribe(topic)
    with RawClient.connected(broker.port, client_id, version, **options) as client:
        assert client.connack.session_present
        client.publish_qos0(topic, b"to itself")
        assert client.message().payload == b"to itself"
    RawClient.connected(broker.port, client_id, version).close()


@VERSIONS
def test_a_keep_alive_of_0_is_never_over(start_broker, unique, version):
    broker = start_broker()
    with (
        RawClient.connected(broker.port, unique("silent"), version, keep_alive=0) as silent,
        RawClient.connected(broker.port, unique("short"), version, keep_alive=1) as short,
    ):
        short.expect_disconnect(0x8D)
        silent.ping()


@VERSIONS
def test_everything_may_come_in_one_piece(broker, unique, version):
    topic = unique("t")
    with RawClient(broker.port, version) as client:
        client.send(
            wire.connect(unique("raw"), version)
            + wire.subscribe(1, (topic, 1), version=version)
            + wire.publish(topic, b"one piece", version, qos=1, packet_id=2)
            + wire.PINGREQ
        )
        got = [client.read() for _ in range(5)]
        kinds = [packet.type for packet in got]
        assert kinds[:2] == [wire.CONNACK, wire.SUBACK]
        assert set(kinds[2:]) == {wire.PUBLISH, wire.PUBACK, wire.PINGRESP}
        assert [packet.payload for packet in got if packet.payload] == [b"one piece"]


@VERSIONS
def test_a_storm_of_reconnects_leaves_one_client(start_broker, unique, version):
    broker = start_broker(
        'listener "tcp" "default" { address = "127.0.0.1:0" }\nmqtt { sys_interval_s = 1 }\n'
    )
    ids = [unique("storm") for _ in range(4)]

    def storm(client_id):
        for number in range(150):
            client = RawClient(broker.port, version)
            client.send(wire.connect(client_id, version, clean=number % 3 == 0))
            if number % 2:
                client.expect(wire.CONNACK)
            if number % 5 == 0:
                client.socket.close()

    threads = [threading.Thread(target=storm, args=(client_id,)) for client_id in ids * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with RawClient.connected(broker.port, unique("curious")) as curious:
        last = [RawClient.connected(broker.port, client_id, version) for client_id in ids]
        for client in last:
            client.ping()
        curious.subscribe("$SYS/broker/clients/connected", qos=0)
        wait_until(
            lambda: int(curious.message().payload) == len(ids) + 1,
            "one connection of each client is left",
        )
        for client in last:
            client.close()
