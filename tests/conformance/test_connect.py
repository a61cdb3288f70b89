"""CONNECT: first and once, its form, and what a server makes of it."""

import pytest

from conformance import build
from conformance.build import PING, V5, V311, Will, packet, properties, text
from conformance.net import name
from conformance.properties import (
    AUTH_METHOD,
    BAD_AUTHENTICATION_METHOD,
    CONNACK,
    CONNECT,
    MALFORMED,
    NOT_AUTHORIZED,
    PINGRESP,
    PROTOCOL_ERROR,
    PUBLISH,
    SUBACK,
    TOPIC_INVALID,
    UNSUPPORTED_VERSION,
    USER_PROPERTY,
)
from conformance.versions import ALL, OASIS, cases

NOT_CONNECT = {
    "reserved type 0": packet(0, b""),
    "CONNACK": packet(CONNACK, b"\0\0"),
    "PUBLISH": build.publish("t", b"m", V311),
    "PUBACK": build.puback(1),
    "PUBREC": build.pubrec(1),
    "PUBREL": build.pubrel(1),
    "PUBCOMP": build.pubcomp(1),
    "SUBSCRIBE": build.subscribe(1, ("t", 0), version=V311),
    "UNSUBSCRIBE": build.unsubscribe(1, "t", version=V311),
    "PINGREQ": PING,
    "DISCONNECT": build.disconnect(),
    "AUTH": build.auth(0x19, [(AUTH_METHOD, "m")]),
    "another protocol": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("sent", cases(NOT_CONNECT))
def test_the_first_packet_has_to_be_connect(net, sent):
    net.open(V311).try_send(sent).expect_end()


@OASIS
def test_a_second_connect_is_the_end(net, version):
    client = net.join(version, client_id=name("twice"))
    client.breaks(build.connect(name("twice"), version), reasons=(PROTOCOL_ERROR,))


@OASIS
@pytest.mark.parametrize("protocol", ["MQTX", "mqtt", "MQTTX", "MQ", "\ufeffMQTT"])
def test_another_protocol_name_is_not_mqtt(net, version, protocol):
    client = net.open(version)
    client.send(build.connect(name("other"), version, name=protocol))
    client.expect_refusal(1, UNSUPPORTED_VERSION)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_an_old_protocol_level_is_refused(net, level):
    client = net.open(V311)
    client.send(build.connect(name("old"), V311, level=level))
    client.expect_refusal(1, UNSUPPORTED_VERSION, said=True)


@pytest.mark.parametrize("level", [6, 7, 127])
def test_a_protocol_level_to_come_is_refused(net, level):
    client = net.open(V5)
    client.send(build.connect(name("new"), V5, level=level))
    client.expect_refusal(1, UNSUPPORTED_VERSION)


WILL = Will("will", b"gone")

MALFORMED_CONNECTS = {
    "the reserved flag": {"flags": 0x03},
    "will QoS without a will": {"flags": 0x0A},
    "will retain without a will": {"flags": 0x22},
    "will QoS 3": {"flags": 0x1E, "will": WILL},
    "a will flag without a will": {"flags": 0x06},
    "a will without its flag": {"flags": 0x02, "will": WILL},
    "a user name flag without a user name": {"flags": 0x82},
    "a user name without its flag": {"flags": 0x02, "username": "u"},
    "a password flag without a password": {"flags": 0xC2, "username": "u"},
    "a password without its flag": {"flags": 0x82, "username": "u", "password": "p"},
    "no client id": {"client_id": None},
    "a will to a wildcard": {"will": Will("will/#")},
    "a will to an empty topic": {"will": Will("")},
}


@OASIS
@pytest.mark.parametrize("wrong", cases(MALFORMED_CONNECTS))
def test_a_malformed_connect_is_the_end(net, version, wrong):
    client = net.open(version)
    client.try_send(build.connect(**{"client_id": name("wrong"), "version": version, **wrong}))
    if version == V311:
        client.expect_end()
    else:
        client.expect_refusal(MALFORMED, PROTOCOL_ERROR, TOPIC_INVALID)


def test_a_password_needs_a_user_name_before_mqtt_5(net):
    client = net.open(V311)
    client.try_send(build.connect(name("nobody"), V311, password="p"))
    client.expect_end()


def test_a_password_stands_alone_in_mqtt_5(net):
    net.join(V5, password="p").ping()


@OASIS
def test_a_cut_off_connect_is_the_end(net, version):
    whole = build.connect(name("cut"), version, will=WILL, username="u", password="p")
    for end in range(3, len(whole) - 1, 3):
        client = net.open(version)
        client.try_send(packet(CONNECT, whole[2:end]))
        # Before the ninth byte is there, nobody knows the version.
        if version == V311 or end < 9:
            client.expect_end()
        else:
            client.expect_refusal(MALFORMED, PROTOCOL_ERROR)


@OASIS
def test_bytes_behind_the_payload_are_the_end(net, version):
    client = net.open(version)
    client.try_send(packet(CONNECT, build.connect(name("more"), version)[2:] + b"\0\0"))
    if version == V311:
        client.expect_end()
    else:
        client.expect_refusal(MALFORMED, PROTOCOL_ERROR)


@ALL
def test_the_payload_is_read_in_its_order(net, version):
    will = Will(name("will"), b"payload")
    client = net.join(version, will=will, username="user", password=b"\x00\xff")
    listener = net.listen(will.topic, version=version)
    client.abort()
    got = listener.message()
    assert (got.topic, got.payload) == (will.topic, will.payload)


def test_will_properties_stand_before_the_will_topic(net):
    will = Will(name("will"), b"payload", props=((USER_PROPERTY, ("k", "v")),))
    client = net.join(V5, will=will, username="user", password="word")
    listener = net.listen(will.topic)
    client.abort()
    got = listener.message()
    assert (got.topic, got.payload, got.all(USER_PROPERTY)) == (
        will.topic,
        b"payload",
        [("k", "v")],
    )


@ALL
def test_what_follows_a_connect_need_not_wait(net, version):
    topic = name("topic")
    client = net.open(version)
    client.send(
        build.connect(name("eager"), version),
        build.subscribe(1, (topic, 0), version=version),
        build.publish(topic, b"m", version),
        PING,
    )
    client.accepted()
    client.expect(SUBACK, 1)
    assert client.expect(PUBLISH).payload == b"m"
    client.expect(PINGRESP)
    client.expect_quiet(0.1)


@ALL
def test_a_packet_may_come_in_pieces(net, version):
    client = net.open(version)
    for byte in build.connect(name("slow"), version):
        client.send(bytes([byte]))
    client.accepted()
    for byte in build.subscribe(1, (name("topic"), 1), version=version) + PING:
        client.send(bytes([byte]))
    client.expect(SUBACK, 1)
    client.expect(PINGRESP)


def _refused(client, version):
    """Sends a CONNECT that a server has to refuse, and PUBLISH behind it."""
    topic = name("topic")
    if version == V5:
        connect = build.connect(name("who"), V5, props=[(AUTH_METHOD, "no such method")])
    else:
        connect = build.connect("", version, clean=False)
    client.send(connect + build.publish(topic, b"m", version))
    return topic


@OASIS
def test_nothing_behind_a_refused_connect_is_processed(net, version):
    everything = net.listen("#", version=version, qos=0)
    client = net.open(version)
    topic = _refused(client, version)
    client.expect_refusal(2, BAD_AUTHENTICATION_METHOD, NOT_AUTHORIZED)
    heard = everything.heard(net.join(version))
    assert topic not in [message.topic for message in heard]


def test_a_property_length_is_needed(net):
    body = text("MQTT") + bytes([5, 2, 0, 60])
    client = net.open(V5)
    client.try_send(packet(CONNECT, body + text(name("none"))))
    client.expect_refusal(MALFORMED, PROTOCOL_ERROR)


def test_properties_may_be_none(net):
    body = text("MQTT") + bytes([5, 2, 0, 60]) + properties() + text(name("none"))
    client = net.open(V5)
    client.send(packet(CONNECT, body))
    client.accepted().ping()
