"""What MQTT 5 adds on the way to a subscriber: properties, and its limits."""

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from support import wire
from support.mosquitto import MosquittoSub, mosquitto_pub
from support.paho import PahoClient
from support.raw import RawClient
from support.wait import wait_until
from support.wire import V5, V311

MESSAGE_PROPERTIES = [
    (wire.PAYLOAD_FORMAT, 1),
    (wire.CONTENT_TYPE, "application/json"),
    (wire.RESPONSE_TOPIC, "answers/here"),
    (wire.CORRELATION_DATA, b"\x00\xff\x01"),
    (wire.USER_PROPERTY, ("first", "1")),
    (wire.USER_PROPERTY, ("second", "")),
    (wire.USER_PROPERTY, ("first", "again")),
]


@pytest.mark.parametrize("qos", [0, 1])
def test_properties_arrive_unchanged_and_in_order(broker, unique, qos):
    topic = unique("t")
    with (
        RawClient.connected(broker.port, unique("v5"), V5) as reader,
        RawClient.connected(broker.port, unique("v311"), V311) as old_reader,
        RawClient.connected(broker.port, unique("pub"), V5) as writer,
    ):
        reader.subscribe(topic)
        old_reader.subscribe(topic)
        send = writer.publish if qos else writer.publish_qos0
        send(topic, b"{}", props=MESSAGE_PROPERTIES)
        got = reader.message()
        # User properties keep their order [MQTT-3.3.2-18].
        assert sorted(got.properties[:4]) == sorted(MESSAGE_PROPERTIES[:4])
        assert got.properties[4:] == MESSAGE_PROPERTIES[4:]
        assert (got.topic, got.payload, got.qos) == (topic, b"{}", qos)
        got = old_reader.message()
        assert (got.topic, got.payload, got.qos) == (topic, b"{}", qos)


def test_a_message_expiry_interval_is_passed_on(broker, unique):
    """As what is left of it [MQTT-3.3.2-6]."""
    topic = unique("t")
    with RawClient.connected(broker.port, unique("raw")) as client:
        client.subscribe(topic, qos=0)
        client.publish_qos0(topic, b"", props=[(wire.MESSAGE_EXPIRY, 1000)])
        assert 900 < client.message().property(wire.MESSAGE_EXPIRY) <= 1000


def test_between_paho_and_mosquitto(broker, unique):
    topic = unique("t")
    properties = Properties(PacketTypes.PUBLISH)
    properties.ContentType = "text/csv"
    properties.ResponseTopic = "answers"
    properties.CorrelationData = b"id-7"
    properties.UserProperty = [("a", "1"), ("a", "2")]
    output_format = "properties|%C|%R|%D|%P|"
    with (
        PahoClient(broker.port, unique("paho"), V5) as paho,
        MosquittoSub(broker.port, topic, arguments=["-F", output_format]) as mosquitto,
    ):
        paho.subscribe(topic)
        paho.publish(topic, b"by paho", properties=properties)
        mosquitto_pub(
            broker.port, topic, b"by mosquitto",
            arguments=[
                "-D", "publish", "content-type", "text/csv",
                "-D", "publish", "response-topic", "answers",
                "-D", "publish", "correlation-data", "id-7",
                "-D", "publish", "user-property", "a", "1",
                "-D", "publish", "user-property", "a", "2",
            ],
        )  # fmt: skip
        for message in paho.wait_for_messages(2):
            got = message.properties
            assert (got.ContentType, got.ResponseTopic) == ("text/csv", "answers")
            assert got.CorrelationData == b"id-7"
            assert got.UserProperty == [("a", "1"), ("a", "2")]

        def printed():
            lines = mosquitto.lines()
            return [line for line in lines if line.startswith("properties|")][1:] and lines

        lines = [line for line in wait_until(printed, "two messages") if "properties|" in line]
        assert lines == ["properties|text/csv|answers|id-7|a:1 a:2|"] * 2


@pytest.mark.parametrize("receive_maximum", [1, 5])
def test_a_receive_maximum_is_never_exceeded(broker, unique, receive_maximum):
    """[MQTT-3.3.4-9]"""
    topic, count = unique("t"), 40
    props = [(wire.RECEIVE_MAXIMUM, receive_maximum)]
    with (
        RawClient.connected(broker.port, unique("reader"), props=props) as reader,
        RawClient.connected(broker.port, unique("writer")) as writer,
    ):
        reader.subscribe(topic)
        for number in range(count):
            writer.publish(topic, str(number))
        unacknowledged = [reader.expect(wire.PUBLISH) for _ in range(receive_maximum)]
        received = list(unacknowledged)
        reader.expect_quiet()
        # QoS 0 does not count against it.
        reader.subscribe(topic + "/0", qos=0)
        writer.publish_qos0(topic + "/0", b"passes")
        assert reader.expect(wire.PUBLISH).payload == b"passes"
        while unacknowledged:
            reader.send(wire.puback(unacknowledged.pop(0).packet_id))
            if len(received) < count:
                received.append(reader.expect(wire.PUBLISH))
                unacknowledged.append(received[-1])
            in_use = [packet.packet_id for packet in unacknowledged]
            assert len(set(in_use)) == len(in_use) <= receive_maximum
            if len(received) in (10, count):
                reader.expect_quiet(0.1)
        assert [packet.payload for packet in received] == [b"%d" % n for n in range(count)]
        assert not any(packet.dup for packet in received)


def test_a_message_larger_than_the_client_takes_is_left_out(broker, unique):
    """[MQTT-3.1.2-24]"""
    topic = unique("t")
    props = [(wire.MAXIMUM_PACKET_SIZE, 200), (wire.RECEIVE_MAXIMUM, 2)]
    with (
        RawClient.connected(broker.port, unique("reader"), props=props) as reader,
        RawClient.connected(broker.port, unique("writer")) as writer,
    ):
        reader.subscribe(topic)
        for size in (10, 5000, 5000, 5000, 11):
            writer.publish(topic, b"x" * size)
            writer.publish_qos0(topic, b"x" * size)
        got = [len(reader.message().payload) for _ in range(4)]
        assert sorted(got) == [10, 10, 11, 11]
        reader.ping()
