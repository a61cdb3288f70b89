"""A store that cannot be written: the publisher is told as far as its version
of MQTT can say it, everybody else goes on, and so does the store afterwards."""

import pytest

from support import wire
from support.faults import Locked, TableGone
from support.raw import RawClient
from support.wait import wait_until
from support.wire import V5, V311

CONFIG = """
listener "tcp" "default" {
  address = "127.0.0.1:0"
}
pool "sqlite" "embedded" {
  file = "hookwire.db"
}
module "sqlite" {
  deadline = "1s"
}
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
  pool   = "embedded"
}
"""


FAULTS = pytest.mark.parametrize(
    "fault", [Locked, TableGone], ids=["locked", "table-gone"]
)


class Pair:
    """A QoS 0 publisher and its subscriber, which no storage rule concerns."""

    def __init__(self, broker, unique):
        self.topic = unique("qos0")
        self.reader = RawClient.connected(broker.port, unique("reader"))
        self.writer = RawClient.connected(broker.port, unique("writer"))
        self.reader.subscribe(self.topic, qos=0)

    def assert_served(self):
        self.writer.publish_qos0(self.topic, b"passes")
        assert self.reader.message().payload == b"passes"


@pytest.fixture
def broker(start_broker):
    return start_broker(CONFIG)


@FAULTS
def test_a_v5_publisher_gets_a_reason_code_and_words(broker, unique, fault):
    pair = Pair(broker, unique)
    with RawClient.connected(broker.port, unique("raw"), V5) as client:
        client.publish("t", b"before")
        with fault(broker):
            packet_id = client.next_packet_id()
            client.send(wire.publish("t", b"during", qos=1, packet_id=packet_id))
            pair.assert_served()
            ack = client.expect(wire.PUBACK)
            assert ack.packet_id == packet_id
            assert ack.reason >= 0x80
            assert ack.property(wire.REASON_STRING)
            pair.assert_served()
        wait_until(lambda: client.publish("t", b"after").reason == 0, "the store is back")
        pair.assert_served()
    with broker.store() as store:
        stored = store.payloads("t")
    assert stored[0] == b"before"
    assert stored[-1] == b"after"


@FAULTS
def test_a_3_1_1_publisher_is_closed_without_puback(broker, unique, fault):
    pair = Pair(broker, unique)
    client_id = unique("raw")
    with RawClient.connected(broker.port, client_id, V311) as client:
        client.publish("t", b"before")
        with fault(broker):
            client.send(
                *(wire.publish("t", b"during", V311, qos=1, packet_id=n) for n in (7, 8, 9))
            )
            pair.assert_served()
            client.expect_closed()
            pair.assert_served()

    # As a client does: it connects again and sends the message again.
    def sent_again():
        with RawClient.connected(broker.port, client_id, V311) as client:
            again = wire.publish("t", b"again", V311, qos=1, packet_id=7, dup=True)
            client.send(again)
            answer = client.read()
            return answer is not None and answer.packet_id == 7

    wait_until(sent_again, "the store is back")
    with broker.store() as store:
        assert store.payloads("t")[-1] == b"again"


@FAULTS
def test_no_subscriber_gets_what_was_refused(broker, unique, fault):
    """What is delivered was stored."""
    with (
        RawClient.connected(broker.port, unique("reader")) as reader,
        RawClient.connected(broker.port, unique("writer")) as writer,
    ):
        reader.subscribe("t")
        with fault(broker):
            assert writer.publish("t", b"refused").reason >= 0x80
        wait_until(lambda: writer.publish("t", b"taken").reason == 0, "the store is back")
        assert reader.message().payload == b"taken"


@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
def test_a_short_lock_delays_and_loses_nothing(broker, unique, version):
    with RawClient.connected(broker.port, unique("raw"), version) as client:
        with Locked(broker):
            for number in (1, 2, 3):
                client.send(wire.publish("t", str(number), version, qos=1, packet_id=number))
            client.expect_quiet(0.2)
        for number in (1, 2, 3):
            ack = client.expect(wire.PUBACK)
            assert (ack.packet_id, ack.reason) == (number, 0)
    with broker.store() as store:
        assert store.payloads("t") == [b"1", b"2", b"3"]


def test_clients_come_and_go_while_the_store_is_locked(broker, unique):
    """Presence is an event: it holds nobody up at the door."""
    with Locked(broker):
        for version in (V311, V5):
            with RawClient.connected(broker.port, unique("raw"), version) as client:
                client.subscribe("t", qos=0)
                client.publish_qos0("t", b"served")
                assert client.message().payload == b"served"
                client.disconnect()
    client_id = unique("raw")
    with RawClient.connected(broker.port, client_id) as client, broker.store() as store:
        wait_until(lambda: client.publish("t").reason == 0, "the store is back")
        wait_until(lambda: store.is_online(client_id), "presence is written again")


def test_a_publisher_that_wants_no_words_gets_none(broker, unique):
    props = [(wire.REQUEST_PROBLEM_INFORMATION, 0)]
    with RawClient.connected(broker.port, unique("raw"), props=props) as client, Locked(broker):
        ack = client.publish("t")
        assert ack.reason >= 0x80
        assert ack.properties == []


def test_a_stop_while_the_store_is_locked_ends(broker, unique):
    """What is in flight is settled at its deadline, and nobody is acknowledged."""
    with RawClient.connected(broker.port, unique("raw")) as client, Locked(broker):
        client.send(wire.publish("t", b"in flight", qos=1, packet_id=1))
        broker.stop()
        while (packet := client.read()) is not None:
            assert packet.type == wire.DISCONNECT or packet.reason >= 0x80
