"""Sessions outlive the broker, however it ends: Session Present, subscriptions, what was missed, QoS 2."""

import pathlib
import re
import time

import pytest

from support import wire
from support.raw import RawClient
from support.rules import LISTENER
from support.wait import wait_until
from support.wire import PUBCOMP, PUBREC, PUBREL, V5, V311

DEFAULT = pathlib.Path(__file__).parents[2] / "etc" / "hookwire.hcl"



def config():
    """The default configuration, on a port that is free."""
    text = DEFAULT.read_text()
    found = re.search(r'^listener "tcp" "default" \{\n.*?^\}\n', text, re.S | re.M)
    return text.replace(found.group(0), LISTENER)


def lasting(port, client_id, version=V5, expiry=3600, clean=False):
    props = [(wire.SESSION_EXPIRY, expiry)] if version == V5 else ()
    return RawClient.connected(port, client_id, version, clean=clean, props=props)


def publish(port, topic, payloads):
    with RawClient.connected(port, "publisher") as publisher:
        for payload in payloads:
            publisher.publish(topic, payload)


def ack(packet_type, packet_id):
    """PUBREC, PUBREL or PUBCOMP with success."""
    first_byte = packet_type << 4 | (2 if packet_type == PUBREL else 0)
    return wire.packet(first_byte, packet_id.to_bytes(2, "big"))


def again(broker):
    broker.kill()
    broker.start()


@pytest.mark.parametrize("version", [V311, V5])
def test_a_client_resumes_without_subscribing_after_a_kill(start_broker, version):
    broker = start_broker(config())
    reader = lasting(broker.port, "reader", version)
    assert not reader.connack.session_present
    reader.subscribe("jobs/#", qos=1)
    reader.close()
    publish(broker.port, "jobs/a", [b"0", b"1"])
    again(broker)
    publish(broker.port, "jobs/a", [b"2"])
    reader = lasting(broker.port, "reader", version)
    assert reader.connack.session_present
    assert [reader.message().payload for _ in range(3)] == [b"0", b"1", b"2"]
    # Killed while it is connected, and its position is kept.
    with broker.store() as store:
        newest = "SELECT max(mid) FROM mqtt_acked WHERE clientid = 'reader'"
        wait_until(lambda: store.query(newest)[0][0] == 3, "the position is kept")
    again(broker)
    reader.close()
    publish(broker.port, "jobs/b", [b"3"])
    reader = lasting(broker.port, "reader", version)
    assert reader.connack.session_present
    assert reader.message().payload == b"3"
    publish(broker.port, "jobs/c", [b"live"])
    assert reader.message().payload == b"live"
    reader.close()


def test_session_present_is_told_where_there_is_one_only(start_broker):
    broker = start_broker(config())
    reader = lasting(broker.port, "reader")
    reader.subscribe("jobs/#", qos=1)
    reader.close()
    again(broker)
    # A clean start ends what is stored, also for the connections behind it.
    with lasting(broker.port, "reader", clean=True) as reader:
        assert not reader.connack.session_present
    publish(broker.port, "jobs/a", [b"for nobody"])
    again(broker)
    reader = lasting(broker.port, "reader")
    assert reader.connack.session_present, "that of the clean start"
    reader.expect_quiet()
    reader.disconnect()
    # It is over when its time is, whether the broker saw that or not.
    with lasting(broker.port, "brief", expiry=1) as brief:
        brief.subscribe("jobs/#", qos=1)
    broker.stop()
    wait_until(lambda: _is_over(broker, "brief"), "the session is over")
    broker.start()
    with lasting(broker.port, "brief") as brief:
        assert not brief.connack.session_present
    # One that ends with its connection leaves nothing.
    with RawClient.connected(broker.port, "passing") as passing:
        passing.subscribe("jobs/#", qos=1)
        passing.disconnect()
    again(broker)
    with lasting(broker.port, "passing") as passing:
        assert not passing.connack.session_present
    with broker.store() as store:
        rows = store.query("SELECT clientid FROM hookwire_sub ORDER BY clientid")
        assert [row[0] for row in rows] == []


def _is_over(broker, client_id):
    with broker.store() as store:
        (row,) = store.query(
            f"SELECT ends_at_ms FROM hookwire_session WHERE clientid = '{client_id}'"
        )
        return row[0] is not None and row[0] < time.time() * 1000


def test_who_was_connected_at_a_kill_is_offline_before_anybody_connects(start_broker):
    broker = start_broker(config())
    client = lasting(broker.port, "client")
    with broker.store() as store:
        states = "SELECT state FROM mqtt_client WHERE clientid = 'client'"
        online = [("1",)]
        wait_until(
            lambda: [tuple(row) for row in store.query(states)] == online, "the client is online"
        )
    again(broker)
    with broker.store() as store:
        assert store.query(states)[0][0] == "0"
    client.close()


def test_a_qos_2_message_reaches_its_receiver_once_over_kills(start_broker):
    broker = start_broker(config())
    reader = lasting(broker.port, "reader")
    reader.subscribe("jobs/#", qos=2)
    publisher = lasting(broker.port, "publisher")
    packet = wire.publish("jobs/a", b"once", qos=2, packet_id=7)
    publisher.send(packet)
    publisher.expect(PUBREC)
    first = reader.expect(wire.PUBLISH)
    assert (first.qos, first.payload, first.dup) == (2, b"once", False)
    again(broker)
    reader.close()
    publisher.close()
    # The publisher did not see PUBREC, nor the broker that of the reader.
    publisher = lasting(broker.port, "publisher")
    assert publisher.connack.session_present
    publisher.send(wire.publish("jobs/a", b"once", qos=2, packet_id=7, dup=True))
    publisher.expect(PUBREC)
    reader = lasting(broker.port, "reader")
    second = reader.expect(wire.PUBLISH)
    assert (second.packet_id, second.dup) == (first.packet_id, True)
    reader.send(ack(PUBREC, second.packet_id))
    reader.expect(PUBREL)
    again(broker)
    reader.close()
    publisher.close()
    reader = lasting(broker.port, "reader")
    reader.expect(PUBREL)
    reader.expect_quiet()
    reader.send(ack(PUBCOMP, second.packet_id))
    publisher = lasting(broker.port, "publisher")
    publisher.send(ack(PUBREL, 7))
    publisher.expect(PUBCOMP)
    again(broker)
    reader.close()
    publisher.close()
    # Both packet ids are free.
    publisher = lasting(broker.port, "publisher")
    publisher.send(wire.publish("jobs/a", b"another", qos=2, packet_id=7))
    publisher.expect(PUBREC)
    reader = lasting(broker.port, "reader")
    other = reader.expect(wire.PUBLISH)
    assert (other.payload, other.dup) == (b"another", False)
    with broker.store() as store:
        rows = store.query("SELECT cast(payload AS text) FROM mqtt_msg ORDER BY id")
        assert [row[0] for row in rows] == ["once", "another"]
    reader.close()
    publisher.close()


def test_mqtt_5_properties_survive(start_broker):
    broker = start_broker(config())
    with lasting(broker.port, "reader") as reader:
        reader.subscribe("jobs/#", qos=1)
    props = [
        (wire.PAYLOAD_FORMAT, 1),
        (wire.MESSAGE_EXPIRY, 3600),
        (wire.CONTENT_TYPE, "application/json"),
        (wire.RESPONSE_TOPIC, "answers/a"),
        (wire.CORRELATION_DATA, b"\x00\xff\x07"),
        (wire.USER_PROPERTY, ("unit", "C")),
        (wire.USER_PROPERTY, ("unit", "K")),
    ]
    with RawClient.connected(broker.port, "publisher") as publisher:
        publisher.publish("jobs/a", b"{}", props=props)
    again(broker)
    with lasting(broker.port, "reader") as reader:
        got = reader.message()
    left = got.property(wire.MESSAGE_EXPIRY)
    assert 0 < left <= 3600
    others = sorted(got.properties, key=str)
    expected = [(known, left if known == wire.MESSAGE_EXPIRY else value) for known, value in props]
    assert others == sorted(expected, key=str)
