"""Bytes that are no MQTT: the right reason code, closed, and nobody else notices."""

import random
import re

import pytest

from support import wire
from support.raw import RawClient
from support.wait import wait_until
from support.wire import V5, V311, Will, binary, packet, properties

MALFORMED, PROTOCOL_ERROR = 0x81, 0x82


def raw_publish(flags, *parts):
    return packet(0x30 | flags, b"".join(parts))


T = binary("t")
NO_PROPERTIES = b"\x00"

# What a connected MQTT 5 client sends, and the reason code of the DISCONNECT.
AFTER_CONNECT = {
    "reserved type 0": (b"\x00\x00", MALFORMED),
    "flags on PINGREQ": (b"\xc1\x00", MALFORMED),
    "a body in PINGREQ": (b"\xc0\x01\x00", MALFORMED),
    "SUBSCRIBE without its flags": (b"\x80\x02\x00\x01", MALFORMED),
    "length of five bytes": (b"\x30\xff\xff\xff\xff\x01", MALFORMED),
    "length longer than it has to be": (b"\xc0\x80\x00", MALFORMED),
    "PUBLISH with QoS 3": (raw_publish(6, T, b"\x00\x01", NO_PROPERTIES), MALFORMED),
    "DUP on QoS 0": (raw_publish(8, T, NO_PROPERTIES), MALFORMED),
    "PUBLISH without a topic": (raw_publish(0), MALFORMED),
    "topic longer than the packet": (raw_publish(0, b"\x00\xff", b"t"), MALFORMED),
    "topic that is not UTF-8": (raw_publish(0, binary(b"\xff\xfe"), NO_PROPERTIES), MALFORMED),
    "topic with a surrogate": (raw_publish(0, binary(b"\xed\xa0\x80"), b"\x00"), MALFORMED),
    "topic with U+0000": (raw_publish(0, binary("a\0b"), NO_PROPERTIES), MALFORMED),
    "topic with #": (wire.publish("a/#"), 0x90),
    "topic with +": (wire.publish("+/a"), 0x90),
    "empty topic": (wire.publish(""), PROTOCOL_ERROR),
    "QoS 1 with packet id 0": (wire.publish("t", qos=1, packet_id=0), PROTOCOL_ERROR),
    "QoS 1 without a packet id": (raw_publish(2, T), MALFORMED),
    "QoS 2 with packet id 0": (wire.publish("t", qos=2, packet_id=0), PROTOCOL_ERROR),
    "topic alias too large": (wire.publish("t", props=[(wire.TOPIC_ALIAS, 999)]), 0x94),
    "topic alias 0": (wire.publish("t", props=[(wire.TOPIC_ALIAS, 0)]), 0x94),
    "topic alias never set": (wire.publish("", props=[(wire.TOPIC_ALIAS, 1)]), PROTOCOL_ERROR),
    "properties longer than the packet": (raw_publish(0, T, b"\x7f"), MALFORMED),
    "unknown property": (raw_publish(0, T, b"\x02\x7f\x00"), MALFORMED),
    "property of another packet": (
        wire.publish("t", props=[(wire.SESSION_EXPIRY, 1)]), MALFORMED),
    "property cut off": (raw_publish(0, T, b"\x02\x02\x00"), MALFORMED),
    "property twice": (
        wire.publish("t", props=[(wire.CONTENT_TYPE, "a"), (wire.CONTENT_TYPE, "a")]),
        PROTOCOL_ERROR),
    "payload format 2": (wire.publish("t", props=[(wire.PAYLOAD_FORMAT, 2)]), PROTOCOL_ERROR),
    "subscription identifier in PUBLISH": (
        wire.publish("t", props=[(wire.SUBSCRIPTION_ID, 1)]), PROTOCOL_ERROR),
    "SUBSCRIBE to nothing": (wire.subscribe(1), PROTOCOL_ERROR),
    "SUBSCRIBE with packet id 0": (wire.subscribe(0, ("a", 0)), PROTOCOL_ERROR),
    "SUBSCRIBE with QoS 3": (wire.subscribe(1, ("a", 3)), PROTOCOL_ERROR),
    "SUBSCRIBE with retain handling 3": (wire.subscribe(1, ("a", 0x30)), PROTOCOL_ERROR),
    "SUBSCRIBE with reserved options": (wire.subscribe(1, ("a", 0xC0)), MALFORMED),
    "filter without options": (
        packet(0x82, b"\x00\x01\x00" + binary("a")), MALFORMED),
    "no local on a shared subscription": (
        wire.subscribe(1, ("$share/g/a", 4)), PROTOCOL_ERROR),
    "subscription identifier 0": (
        wire.subscribe(1, ("a", 0), props=[(wire.SUBSCRIPTION_ID, 0)]), PROTOCOL_ERROR),
    "UNSUBSCRIBE from nothing": (wire.unsubscribe(1), PROTOCOL_ERROR),
    "second CONNECT": (wire.connect("again"), PROTOCOL_ERROR),
    "CONNACK from a client": (packet(0x20, b"\x00\x00\x00"), PROTOCOL_ERROR),
    "SUBACK from a client": (packet(0x90, b"\x00\x01\x00\x00"), PROTOCOL_ERROR),
    "PINGRESP from a client": (packet(0xD0), PROTOCOL_ERROR),
    "AUTH nobody asked for": (packet(0xF0, b"\x18\x00"), PROTOCOL_ERROR),
    "flags on PUBREL": (packet(0x60, b"\x00\x01"), MALFORMED),
    "PUBACK with an unknown reason": (packet(0x40, b"\x00\x01\x55"), MALFORMED),
    "DISCONNECT with an unknown reason": (packet(0xE0, b"\x55"), MALFORMED),
    "DISCONNECT that wants a session to stay": (
        wire.disconnect(0, [(wire.SESSION_EXPIRY, 60)]), PROTOCOL_ERROR),
    "more than the largest packet": (b"\x30\xff\xff\xff\x7f", 0x95),
}  # fmt: skip


def connect_with(*props, **options):
    return wire.connect("raw", props=list(props), **options)


# What comes in place of a CONNECT; the version and reason code of the CONNACK,
# or None where there is no answer and the connection just closes.
INSTEAD_OF_CONNECT = {
    "a web browser": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", None),
    "a TLS handshake": (b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03" + bytes(58), None),
    "PINGREQ": (wire.PINGREQ, None),
    "PUBLISH": (wire.publish("t"), None),
    "flags on CONNECT": (b"\x11\x00", None),
    "another protocol name": (wire.connect("raw", name="MQTX"), None),
    "a packet too large": (b"\x10\xff\xff\xff\x7f", None),
    "version 6": (wire.connect("raw", level=6), (V5, 0x84)),
    "version 2": (wire.connect("raw", V311, name="MQIsdp", level=2), (V311, 1)),
    "reserved flag, 3.1.1": (wire.connect("raw", V311, flags=3), None),
    "reserved flag": (wire.connect("raw", flags=3), (V5, MALFORMED)),
    "will QoS 3": (wire.connect("raw", flags=0x1E, will=Will("t", b"")), (V5, MALFORMED)),
    "will QoS without a will": (wire.connect("raw", flags=0x0A), (V5, MALFORMED)),
    "will to a wildcard": (connect_with(will=Will("a/#", b"")), (V5, 0x90)),
    "client id that is not UTF-8": (wire.connect(b"\xff"), (V5, MALFORMED)),
    "client id with U+0000": (wire.connect("a\0b"), (V5, MALFORMED)),
    "bytes behind the end": (
        packet(0x10, wire.connect("raw")[2:] + b"\x00"), (V5, MALFORMED)),
    "cut off": (packet(0x10, wire.connect("raw")[2:-1]), (V5, MALFORMED)),
    "receive maximum 0": (connect_with((wire.RECEIVE_MAXIMUM, 0)), (V5, PROTOCOL_ERROR)),
    "maximum packet size 0": (
        connect_with((wire.MAXIMUM_PACKET_SIZE, 0)), (V5, PROTOCOL_ERROR)),
    "property twice": (
        connect_with((wire.RECEIVE_MAXIMUM, 9), (wire.RECEIVE_MAXIMUM, 9)),
        (V5, PROTOCOL_ERROR)),
    "authentication data without a method": (
        connect_with((wire.AUTH_DATA, b"x")), (V5, PROTOCOL_ERROR)),
    "an authentication method": (connect_with((wire.AUTH_METHOD, "x")), (V5, 0x8C)),
}  # fmt: skip


class Bystander:
    """Another client, which publishes to itself all the while."""

    def __init__(self, broker, unique):
        self.topic = unique("bystander")
        self.client = RawClient.connected(broker.port, unique("bystander"))
        self.client.subscribe(self.topic, qos=0)

    def assert_unmoved(self):
        self.client.publish_qos0(self.topic, b"here")
        assert self.client.message().payload == b"here"


@pytest.fixture
def bystander(broker, unique):
    other = Bystander(broker, unique)
    yield other
    other.assert_unmoved()
    other.client.close()


@pytest.mark.parametrize(
    ("sent", "reason"), AFTER_CONNECT.values(), ids=AFTER_CONNECT.keys()
)
def test_a_v5_client_is_told_why_it_is_closed(broker, unique, bystander, sent, reason):
    with RawClient.connected(broker.port, unique("raw")) as client:
        client.send(sent)
        said = client.expect_disconnect(reason)
        assert said.property(wire.REASON_STRING), "a reason code comes with words"
        bystander.assert_unmoved()


# The same in MQTT 3.1.1, which has no words for it.
AFTER_CONNECT_V311 = {
    "reserved type 0": b"\x00\x00",
    "AUTH": packet(0xF0),
    "flags on PINGREQ": b"\xc1\x00",
    "length of five bytes": b"\x30\xff\xff\xff\xff\x01",
    "PUBLISH with QoS 3": raw_publish(6, T, b"\x00\x01"),
    "PUBLISH without a topic": raw_publish(0),
    "topic that is not UTF-8": raw_publish(0, binary(b"\xff\xfe")),
    "topic with #": wire.publish("a/#", version=V311),
    "empty topic": wire.publish("", version=V311),
    "flags on PUBREL": packet(0x60, b"\x00\x01"),
    "SUBSCRIBE to nothing": wire.subscribe(1, version=V311),
    "SUBSCRIBE with QoS 3": wire.subscribe(1, ("a", 3), version=V311),
    "SUBSCRIBE with options of MQTT 5": wire.subscribe(1, ("a", 4), version=V311),
    "second CONNECT": wire.connect("again", V311),
    "CONNACK from a client": packet(0x20, b"\x00\x00"),
    "more than the largest packet": b"\x30\xff\xff\xff\x7f",
}


@pytest.mark.parametrize("sent", AFTER_CONNECT_V311.values(), ids=AFTER_CONNECT_V311.keys())
def test_a_3_1_1_client_is_just_closed(broker, unique, bystander, sent):
    with RawClient.connected(broker.port, unique("raw"), V311) as client:
        client.send(sent)
        client.expect_closed()
        bystander.assert_unmoved()


@pytest.mark.parametrize(
    ("sent", "answer"), INSTEAD_OF_CONNECT.values(), ids=INSTEAD_OF_CONNECT.keys()
)
@pytest.mark.usefixtures("bystander")
def test_a_connection_has_to_begin_with_a_right_connect(broker, sent, answer):
    with RawClient(broker.port) as client:
        if answer:
            client.version = answer[0]
        client.send(sent)
        if answer:
            assert client.expect(wire.CONNACK).reason == answer[1]
        client.expect_closed()


def test_packets_before_the_broken_one_are_served(broker, store, unique):
    topic = unique("t")
    with RawClient.connected(broker.port, unique("raw")) as client:
        client.send(wire.publish(topic, b"good", qos=1, packet_id=1), b"\x00\x00")
        while (got := client.read()).type == wire.PUBACK:
            assert store.payloads(topic) == [b"good"]
        assert (got.type, got.reason) == (wire.DISCONNECT, MALFORMED)
        wait_until(lambda: store.payloads(topic) == [b"good"], "the message is stored")


def test_a_broken_packet_in_the_same_write_as_connect_is_answered(broker, unique):
    with RawClient(broker.port) as client:
        client.send(wire.connect(unique("raw")), b"\x00\x00")
        assert client.expect(wire.CONNACK).reason == 0
        client.expect_disconnect(MALFORMED)


def test_a_client_that_wants_no_words_gets_the_code_alone(broker, unique):
    """[MQTT-3.1.2-29]"""
    props = [(wire.REQUEST_PROBLEM_INFORMATION, 0)]
    with RawClient.connected(broker.port, unique("raw"), props=props) as client:
        client.send(b"\x00\x00")
        assert client.expect_disconnect(MALFORMED).properties == []


def test_a_largest_packet_of_the_configuration_is_held(start_broker, unique):
    broker = start_broker(
        'listener "tcp" "default" { address = "127.0.0.1:0" }\n'
        "mqtt { max_packet_bytes = 2000 }\n"
    )
    with RawClient.connected(broker.port, unique("raw")) as client:
        assert client.connack.property(wire.MAXIMUM_PACKET_SIZE) == 2000
        head = len(wire.publish("t", b"x" * 1900)) - 1900
        fits = wire.publish("t", b"x" * (2000 - head))
        assert len(fits) == 2000
        client.send(fits)
        client.ping()
        client.send(wire.publish("t", b"x" * (2001 - head)))
        client.expect_disconnect(0x95)


def test_a_connection_without_connect_is_closed_in_time(start_broker, unique):
    broker = start_broker(
        'listener "tcp" "default" {\n  address = "127.0.0.1:0"\n  connect_timeout = "1s"\n}\n'
    )
    with RawClient(broker.port) as silent, RawClient(broker.port) as slow:
        slow.send(wire.connect("slow")[:-1])
        silent.expect_closed()
        slow.expect_closed()
    RawClient.connected(broker.port, unique("raw")).disconnect()


def test_what_was_malformed_is_counted(start_broker, unique):
    broker = start_broker()
    for version in (V311, V5):
        with RawClient.connected(broker.port, unique("raw"), version) as client:
            client.send(b"\x00\x00")
            client.expect_disconnect(MALFORMED)
    with RawClient(broker.port) as client:
        client.send(wire.PINGREQ)
        client.expect_closed()
    assert broker.stop() == 0
    log = broker.stderr()
    assert re.search(r'protocol errors kind="reserved packet type" count=2\b', log), log
    assert re.search(r'failed greetings kind="not connect" count=1\b', log), log


@pytest.mark.usefixtures("bystander")
def test_random_bytes_close_their_own_connection_at_most(broker, unique):
    seed = 20_240_607
    rng = random.Random(seed)
    for round_number in range(300):
        connected = rng.random() < 0.7
        client = (
            RawClient.connected(broker.port, unique("raw"), rng.choice([V311, V5]))
            if connected
            else RawClient(broker.port)
        )
        try:
            first = bytes([rng.choice([0x10, 0x30, 0x32, 0x3D, 0x40, 0x82, 0xA2, 0xE0])])
            body = properties() + rng.randbytes(rng.randrange(60))
            client.send(packet(first[0], body) if rng.random() < 0.5 else first + body)
        except OSError as error:
            assert connected, f"round {round_number} of seed {seed}: {error}"
        finally:
            client.close()
