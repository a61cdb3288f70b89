"""PUBACK for a message means that its row is committed.

Every check here reads the store the moment the acknowledgement is there, and
never waits for a row.
"""

import random
import re

import pytest

from support import wire
from support.mosquitto import mosquitto_pub
from support.paho import PahoClient
from support.raw import RawClient
from support.store import seconds_ago
from support.wire import V5, V311

VERSIONS = pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
MESSAGE_ID = re.compile(r"[0-9A-Za-z]{20}")

PAYLOADS = {
    "empty": b"",
    "text": "Grüße".encode(),
    "nul": b"\x00",
    "ff": b"\xff",
    "every-byte": bytes(range(256)),
    "200-kb": random.Random(7).randbytes(200_000),
}


@VERSIONS
def test_paho_finds_its_row_in_the_puback_callback(broker, store, unique, version):
    topic, client_id = unique("t/paho"), unique("paho")
    found = []
    with PahoClient(broker.port, client_id, version) as client:
        client.on_puback = lambda _mid: found.append(store.payloads(topic))
        for number in range(20):
            client.publish(topic, f"message {number}")
    expected = [f"message {number}".encode() for number in range(20)]
    assert found == [expected[: count + 1] for count in range(20)]


@VERSIONS
def test_mosquitto_pub_ends_when_its_row_is_there(broker, store, unique, version):
    topic, client_id = unique("t/mosquitto"), unique("mosquitto")
    output = mosquitto_pub(broker.port, topic, b"from mosquitto", version, client_id=client_id)
    assert store.payloads(topic) == [b"from mosquitto"]
    assert "received PUBACK" in output


@VERSIONS
def test_with_many_in_flight_each_puback_finds_its_row(broker, store, unique, version):
    topic = unique("t/pipelined")
    with RawClient.connected(broker.port, unique("raw"), version) as client:
        for first in (1, 101, 201):
            numbers = range(first, first + 100)
            client.send(
                *(wire.publish(topic, str(n), version, qos=1, packet_id=n) for n in numbers)
            )
            for number in numbers:
                ack = client.expect(wire.PUBACK)
                # In the order of the publishes [MQTT-4.6.0-2].
                assert (ack.packet_id, ack.reason) == (number, 0)
                assert str(number).encode() in store.payloads(topic)
    assert store.payloads(topic) == [str(number).encode() for number in range(1, 301)]


@VERSIONS
def test_a_row_says_what_was_published(broker, store, unique, version):
    topic, client_id = unique("straße/☃"), unique("sender")
    with RawClient.connected(broker.port, client_id, version) as client:
        client.publish(topic, b"payload")
    (row,) = store.messages(topic)
    assert MESSAGE_ID.fullmatch(row["msgid"]), row["msgid"]
    assert (row["topic"], row["sender"]) == (topic, client_id)
    assert (row["qos"], row["retain"], bytes(row["payload"])) == (1, 0, b"payload")
    assert row["node"]
    assert -2 < seconds_ago(row["arrived"]) < 120
    ((kind,),) = store.query("SELECT typeof(payload) FROM mqtt_msg WHERE topic = ?", topic)
    assert kind == "blob"


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
@VERSIONS
def test_payload_bytes_are_stored_and_delivered_unchanged(
    broker, store, unique, version, payload
):
    topic = unique("t/bytes")
    with (
        RawClient.connected(broker.port, unique("reader"), version) as reader,
        RawClient.connected(broker.port, unique("writer"), version) as writer,
    ):
        assert reader.subscribe(topic) == [1]
        writer.publish(topic, payload)
        assert store.payloads(topic) == [payload]
        assert reader.message().payload == payload


@VERSIONS
def test_mosquitto_payload_bytes_are_stored_unchanged(broker, store, unique, version):
    topic = unique("t/mosquitto-bytes")
    for payload in PAYLOADS.values():
        mosquitto_pub(broker.port, topic, payload, version)
    assert store.payloads(topic) == list(PAYLOADS.values())


@VERSIONS
def test_qos_0_is_delivered_and_not_stored(broker, store, unique, version):
    topic = unique("t/qos0")
    with (
        RawClient.connected(broker.port, unique("reader"), version) as reader,
        RawClient.connected(broker.port, unique("writer"), version) as writer,
    ):
        reader.subscribe(topic)
        writer.publish_qos0(topic, b"not kept")
        # Messages of one client are stored in order: behind this one's PUBACK
        # the one before it would be there.
        writer.publish(topic, b"kept")
        assert store.payloads(topic) == [b"kept"]
        assert [reader.message().payload for _ in range(2)] == [b"not kept", b"kept"]


def test_a_retain_flag_is_stored_and_the_message_is_kept(broker, store, unique):
    topic = unique("t/retain")
    with (
        RawClient.connected(broker.port, unique("reader"), V311) as reader,
        RawClient.connected(broker.port, unique("writer"), V311) as writer,
    ):
        reader.subscribe(topic)
        writer.publish(topic, b"flagged", retain=True)
        got = reader.message()
        assert (got.payload, got.retain) == (b"flagged", False)
        (row,) = store.messages(topic)
        assert row["retain"] == 1
        with RawClient.connected(broker.port, unique("late"), V311) as late:
            late.subscribe(topic)
            got = late.message()
            assert (got.payload, got.retain) == (b"flagged", True)


@VERSIONS
def test_message_ids_sort_in_the_order_published(broker, store, unique, version):
    topic = unique("t/ids")
    payloads = [str(number).encode() for number in range(500)]
    with PahoClient(broker.port, unique("paho"), version) as client:
        client.publish_many(topic, payloads)
    by_id = store.query("SELECT msgid, payload FROM mqtt_msg WHERE topic = ? ORDER BY msgid", topic)
    assert [bytes(row["payload"]) for row in by_id] == payloads
    assert len({row["msgid"] for row in by_id}) == 500
    assert store.payloads(topic) == payloads


def test_message_ids_go_on_growing_over_restarts(start_broker, unique):
    broker, topic = start_broker(), unique("t/restart")
    for number in range(4):
        if number % 2:
            broker.kill()
            broker.start()
        elif number:
            assert broker.stop() == 0
            broker.start()
        with RawClient.connected(broker.port, unique("raw")) as client:
            client.publish(topic, str(number))
    rows = broker.store().messages(topic)
    assert [bytes(row["payload"]) for row in rows] == [b"0", b"1", b"2", b"3"]
    ids = [row["msgid"] for row in rows]
    assert ids == sorted(ids)


def test_the_store_is_in_wal_mode(broker, store):
    assert broker.is_running()
    assert store.journal_mode() == "wal"
