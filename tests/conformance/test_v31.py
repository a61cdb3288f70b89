"""What MQTT 3.1 asks for otherwise than MQTT 3.1.1. Its specification has no numbers."""

import pytest

from conformance import build
from conformance.build import PING, V31, Will, packet, text, two
from conformance.net import name
from conformance.properties import (
    CONNECT,
    PINGRESP,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    UNSUBACK,
    UNSUPPORTED_VERSION,
)
from conformance.versions import kept


def test_it_is_called_mqisdp_and_its_version_is_3(net):
    net.join(V31).ping()


@pytest.mark.parametrize("level", [0, 1, 2, 4, 5, 6])
def test_mqisdp_of_another_version_is_refused(net, level):
    client = net.open(V31)
    client.send(build.connect(name("who"), V31, level=level))
    client.expect_refusal(1, UNSUPPORTED_VERSION)


@pytest.mark.parametrize("protocol", ["MQIsdP", "MQIsd", "MQIsdpX"])
def test_another_name_is_not_mqtt_3_1(net, protocol):
    client = net.open(V31)
    client.send(build.connect(name("who"), V31, name=protocol))
    client.expect_refusal(1, UNSUPPORTED_VERSION)


def test_a_client_id_of_23_characters_is_taken(net):
    net.join(V31, (name("who") + "x" * 23)[:23]).ping()


@pytest.mark.parametrize("length", [24, 40])
def test_a_longer_client_id_is_refused(net, length):
    client = net.open(V31)
    client.send(build.connect((name("who") + "x" * length)[:length], V31))
    client.expect_refusal(2, said=True)


@pytest.mark.parametrize("clean", [True, False], ids=["clean", "kept"])
def test_an_empty_client_id_is_refused(net, clean):
    client = net.open(V31)
    client.send(build.connect("", V31, clean=clean))
    client.expect_refusal(2, said=True)


def test_suback_has_granted_qos_alone(net):
    # There is no code for a refusal; the reader fails on any but 0, 1 and 2.
    client = net.join(V31)
    client.send(build.subscribe(1, (name("topic"), 2), ("$SYS/#", 1), ("#", 0), version=V31))
    assert len(client.expect(SUBACK, 1).reasons) == 3


def _flagged(sent, flags):
    return bytes([sent[0] & 0xF0 | flags]) + sent[1:]


def test_subscribe_and_unsubscribe_may_have_dup(net):
    client, topic = net.join(V31), name("topic")
    client.send(_flagged(build.subscribe(1, (topic, 1), version=V31), 0x0A))
    client.expect(SUBACK, 1)
    client.publish(topic, b"m", qos=1)
    assert client.message().payload == b"m"
    client.send(_flagged(build.unsubscribe(2, topic, version=V31), 0x0A))
    client.expect(UNSUBACK, 2)


def test_pubrel_may_have_dup(net):
    client, topic = net.join(V31), name("topic")
    client.send_publish(topic, b"m", 2, packet_id=1)
    client.expect(PUBREC, 1)
    client.send(build.pubrel(1, flags=0x0A))
    client.expect(PUBCOMP, 1)
    client.send(build.pubrel(1, flags=0x0A))
    client.expect(PUBCOMP, 1)


def test_a_release_that_is_sent_again_may_have_dup(net):
    # The reader takes it with and without.
    topic, who = name("topic"), name("who")
    client = net.join(V31, who, **kept(V31))
    client.subscribe(topic, qos=2)
    net.join(V31).publish(topic, b"m", qos=2)
    packet_id = client.expect(PUBLISH).packet_id
    client.send(build.pubrec(packet_id))
    client.expect(PUBREL, packet_id)
    client.abort()
    net.join(V31, who, **kept(V31)).expect(PUBREL, packet_id)


MISSING = {"user name": 0x82, "user name and password": 0xC2}


@pytest.mark.parametrize("flags", MISSING.values(), ids=MISSING)
def test_flags_of_credentials_that_are_missing_are_ignored(net, flags):
    # The length of the packet takes precedence over them.
    client = net.open(V31)
    client.send(build.connect(name("who"), V31, flags=flags))
    client.accepted().ping()


def test_a_password_that_is_missing_is_ignored(net):
    client = net.open(V31)
    client.send(build.connect(name("who"), V31, username="user", flags=0xC2))
    client.accepted().ping()


def test_user_name_and_password(net):
    net.join(V31, username="user", password="word").ping()


def test_a_client_with_a_will(net):
    will = Will(name("will"), b"gone", 1, True)
    listener = net.listen(will.topic, version=V31)
    net.join(V31, will=will).abort()
    got = listener.message()
    assert (got.payload, got.qos, got.retain) == (b"gone", 1, False)


def test_a_connect_that_is_cut_off_is_the_end(net):
    body = text("MQIsdp") + bytes([3, 2]) + two(60)
    for cut in (body, body[:-1], body + b"\0", body + two(9) + b"short"):
        client = net.open(V31)
        client.try_send(packet(CONNECT, cut))
        client.expect_refusal(2)


def test_clients_of_all_versions_meet(net):
    topic = name("topic")
    old, publisher = net.listen(topic, version=V31), net.join()
    publisher.publish(topic, b"new", qos=2)
    assert old.message().payload == b"new"
    listener = net.listen(topic)
    old.publish(topic, b"old", qos=2)
    assert listener.message().payload == b"old"
    old.send(PING)
    old.expect(PINGRESP)
