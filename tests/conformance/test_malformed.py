"""Packets that no client may send: the end of the connection.

What stands here is what the standards call malformed or a protocol error, or
what cannot be read at all. How strictly a server looks at the rest, MQTT 5
leaves to it (4.13.1).
"""

import pytest

from conformance import build
from conformance.build import V5, V31, V311, packet, properties, text, two
from conformance.net import name
from conformance.properties import (
    AUTH,
    AUTH_METHOD,
    CONNACK,
    CONNECT,
    DISCONNECT,
    FILTER_INVALID,
    MALFORMED,
    PACKET_NAMES,
    PACKET_TOO_LARGE,
    PINGREQ,
    PINGRESP,
    PROTOCOL_ERROR,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    SUBSCRIBE,
    TOPIC_INVALID,
    UNSUBACK,
    UNSUBSCRIBE,
)
from conformance.versions import OASIS, cases, versions


def _none(version):
    """Where MQTT 5 has properties, and there are none."""
    return properties() if version == V5 else b""


def _body(kind, version):
    """A right body for each packet of a client, behind CONNECT."""
    match kind:
        case n if n in (PUBACK, PUBREC, PUBREL, PUBCOMP):
            return two(1)
        case n if n == SUBSCRIBE:
            return two(1) + _none(version) + text("t") + b"\0"
        case n if n == UNSUBSCRIBE:
            return two(1) + _none(version) + text("t")
        case n if n == AUTH:
            return b"\x18" + properties((AUTH_METHOD, "m"))
        case _:
            return b""


RIGHT_FLAGS = {PUBACK: 0, PUBREC: 0, PUBREL: 2, PUBCOMP: 0, SUBSCRIBE: 2, UNSUBSCRIBE: 2,
               PINGREQ: 0, DISCONNECT: 0}  # fmt: skip


@OASIS
@pytest.mark.parametrize("kind", RIGHT_FLAGS, ids=lambda kind: PACKET_NAMES[kind])
def test_reserved_flags_are_the_end(net, version, kind):
    for flags in {0, 1, 2, 3, 4, 8, 10, 15} - {RIGHT_FLAGS[kind]}:
        bad = packet(kind, _body(kind, version), flags)
        net.join(version).breaks(bad, reasons=(MALFORMED,))


@pytest.mark.parametrize("flags", [1, 2, 8, 15])
def test_reserved_flags_of_auth_are_the_end(net, flags):
    net.join(V5).breaks(packet(AUTH, _body(AUTH, V5), flags), reasons=(MALFORMED, PROTOCOL_ERROR))


@OASIS
@pytest.mark.parametrize("flags", [1, 2, 4, 8])
def test_reserved_flags_of_connect_are_the_end(net, version, flags):
    client = net.open(version)
    body = build.connect(name("flags"), version)[2:]
    client.try_send(packet(CONNECT, body, flags))
    if version == V5:
        client.expect_refusal(MALFORMED, PROTOCOL_ERROR)
    else:
        client.expect_end()


NOT_OF_A_CLIENT = {
    "reserved type 0": lambda version: packet(0),
    "CONNACK": lambda version: packet(CONNACK, b"\0\0" + _none(version)),
    "SUBACK": lambda version: packet(SUBACK, two(1) + _none(version) + b"\0"),
    "UNSUBACK": lambda version: packet(UNSUBACK, two(1) + _none(version)),
    "PINGRESP": lambda version: packet(PINGRESP),
}


@OASIS
@pytest.mark.parametrize("bad", cases(NOT_OF_A_CLIENT))
def test_packets_of_servers_are_the_end(net, version, bad):
    net.join(version).breaks(bad(version), reasons=(MALFORMED, PROTOCOL_ERROR))


@versions(V311)
def test_type_15_is_reserved_before_mqtt_5(net, version):
    net.join(version).breaks(packet(AUTH), reasons=())


FILTERS = {
    "SUBSCRIBE to nothing": lambda version: build.subscribe(1, version=version),
    "SUBSCRIBE with QoS 3": lambda version: build.subscribe(1, ("t", 3), version=version),
    "SUBSCRIBE with reserved bits": lambda version: build.subscribe(
        1, ("t", 0xC0), version=version
    ),
    "SUBSCRIBE with one reserved bit": lambda version: build.subscribe(
        1, ("t", 0x80), version=version
    ),
    "SUBSCRIBE with a wrong one behind a right one": lambda version: build.subscribe(
        1, ("t", 0), ("t", 0x40), version=version
    ),
    "SUBSCRIBE with packet id 0": lambda version: build.subscribe(0, ("t", 0), version=version),
    "SUBSCRIBE without options": lambda version: packet(
        SUBSCRIBE, two(1) + _none(version) + text("t"), 2
    ),
    "UNSUBSCRIBE from nothing": lambda version: build.unsubscribe(1, version=version),
    "UNSUBSCRIBE with packet id 0": lambda version: build.unsubscribe(0, "t", version=version),
}


@OASIS
@pytest.mark.parametrize("bad", cases(FILTERS))
def test_malformed_subscriptions_are_the_end(net, version, bad):
    net.join(version).breaks(bad(version), reasons=(MALFORMED, PROTOCOL_ERROR))


@versions(V311)
@pytest.mark.parametrize("options", [4, 8, 0x10, 0x20])
def test_subscription_options_are_reserved_before_mqtt_5(net, version, options):
    bad = build.subscribe(1, ("t", options), version=version)
    net.join(version).breaks(bad, reasons=())


PUBLISHES = {
    "packet id 0": lambda version: build.publish("t", b"m", version, 1, 0),
    "QoS 2 and packet id 0": lambda version: build.publish("t", b"m", version, 2, 0),
    "an empty topic": lambda version: build.publish("", b"m", version),
    "a topic with #": lambda version: build.publish("a/#", b"m", version),
    "a topic with +": lambda version: build.publish("a/+/b", b"m", version),
    "a topic that is #": lambda version: build.publish("#", b"m", version),
    "a topic with # inside": lambda version: build.publish("a#b", b"m", version),
    "a topic with + inside": lambda version: build.publish("a+b", b"m", version),
    "nothing in it": lambda version: packet(PUBLISH),
    "a topic that is cut off": lambda version: packet(PUBLISH, two(9) + b"topic"),
    "QoS 1 without a packet id": lambda version: packet(PUBLISH, text("t"), 2),
    "half a packet id": lambda version: packet(PUBLISH, text("t") + b"\0", 2),
}


@OASIS
@pytest.mark.parametrize("bad", cases(PUBLISHES))
def test_malformed_publishes_are_the_end(net, version, bad):
    reasons = (MALFORMED, PROTOCOL_ERROR, TOPIC_INVALID)
    net.join(version).breaks(bad(version), reasons=reasons)


@OASIS
@pytest.mark.parametrize(
    "kind",
    [PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, UNSUBSCRIBE],
    ids=lambda kind: PACKET_NAMES[kind],
)
@pytest.mark.parametrize("body", [b"", b"\0"], ids=["nothing", "half a packet id"])
def test_packets_without_a_packet_id_are_the_end(net, version, kind, body):
    bad = packet(kind, body, RIGHT_FLAGS[kind])
    net.join(version).breaks(bad, reasons=(MALFORMED, PROTOCOL_ERROR))


@OASIS
def test_a_filter_that_is_cut_off_is_the_end(net, version):
    body = two(1) + _none(version) + two(9) + b"filter"
    reasons = (MALFORMED, PROTOCOL_ERROR, FILTER_INVALID)
    net.join(version).breaks(packet(SUBSCRIBE, body, 2), reasons=reasons)
    net.join(version).breaks(packet(UNSUBSCRIBE, body, 2), reasons=reasons)


@OASIS
def test_a_length_of_five_bytes_is_the_end(net, version):
    bad = b"\x30\xff\xff\xff\xff\x01"
    net.join(version).breaks(bad, reasons=(MALFORMED, PROTOCOL_ERROR, PACKET_TOO_LARGE))


@versions(V31, V311)
def test_lengths_may_be_longer_than_they_have_to_be_before_mqtt_5(net, version):
    # MQTT 5 is the first to ask for the shortest form.
    client = net.join(version)
    client.send(b"\xc0\x80\x00")
    client.expect(PINGRESP)


# What only MQTT 5 has.

LENGTHS = {
    "PUBLISH": packet(PUBLISH, text("t") + b"\x7f"),
    "SUBSCRIBE": packet(SUBSCRIBE, two(1) + b"\x7f" + text("t") + b"\0", 2),
    "UNSUBSCRIBE": packet(UNSUBSCRIBE, two(1) + b"\x7f" + text("t"), 2),
    "PUBACK": packet(PUBACK, two(1) + b"\0\x7f"),
    "PUBREL": packet(PUBREL, two(1) + b"\0\x7f", 2),
    "DISCONNECT": packet(DISCONNECT, b"\0\x7f"),
}


@pytest.mark.parametrize("bad", cases(LENGTHS))
def test_properties_longer_than_their_packet_are_the_end(net, bad):
    net.join(V5).breaks(bad, reasons=(MALFORMED, PROTOCOL_ERROR))


@OASIS
def test_no_other_client_notices(net, version):
    topic = name("topic")
    listener, publisher = net.listen(topic, version=version), net.join(version)
    for bad in (packet(0), build.publish("#", b"m", version), build.subscribe(0, version=version)):
        net.join(version).breaks(bad, reasons=(MALFORMED, PROTOCOL_ERROR, TOPIC_INVALID))
        publisher.publish(topic, b"m", qos=1)
        assert listener.message().payload == b"m"


@OASIS
def test_what_comes_behind_is_not_processed(net, version):
    topic = name("topic")
    listener = net.listen(topic, version=version)
    client = net.join(version)
    client.try_send(packet(0) + build.publish(topic, b"m", version))
    client.expect_end(MALFORMED, PROTOCOL_ERROR)
    assert listener.heard(net.join(version)) == []
