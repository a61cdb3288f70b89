"""DISCONNECT of either side, and the end of a connection."""

import pytest

from conformance import build
from conformance.build import PING, V5, V31, V311
from conformance.net import name
from conformance.properties import (
    MALFORMED,
    PROTOCOL_ERROR,
    REASON_STRING,
    SESSION_EXPIRY,
    TAKEN_OVER,
    USER_PROPERTY,
)
from conformance.versions import ALL, OASIS, versions


@ALL
def test_the_server_closes_after_disconnect(net, version):
    # Whether it waits for the client to close or not, it says nothing more.
    net.join(version).disconnect()


@ALL
def test_nothing_behind_disconnect_is_processed(net, version):
    topic = name("topic")
    listener = net.listen(topic, version=version)
    client = net.join(version)
    client.send(build.disconnect() + build.publish(topic, b"m", version) + PING)
    client.expect_end()
    assert listener.heard(net.join(version), 0.2) == []


@ALL
def test_what_comes_before_disconnect_is_processed(net, version):
    topic = name("topic")
    listener = net.listen(topic, version=version)
    client = net.join(version)
    client.send(build.publish(topic, b"m", version) + build.disconnect())
    client.expect_end()
    assert listener.message().payload == b"m"


@pytest.mark.parametrize("reason", [0x80, 0x81, 0x82, 0x93, 0x95, 0x99])
def test_a_reason_of_0x80_or_more_is_the_end_as_well(net, reason):
    client = net.join(V5)
    client.try_send(build.disconnect(reason)).try_send(PING)
    client.expect_end()


FORMS = {
    "no reason": (None, None),
    "a reason": (0, None),
    "a reason and no properties": (0, []),
    "a reason string": (0, [(REASON_STRING, "tired"), (USER_PROPERTY, ("k", "v"))]),
    "an expiry interval": (0, [(SESSION_EXPIRY, 0)]),
}


@pytest.mark.parametrize(("reason", "props"), [pytest.param(*r, id=k) for k, r in FORMS.items()])
def test_every_form_of_disconnect_is_understood(net, reason, props):
    net.join(V5).disconnect(reason, props)


@OASIS
@pytest.mark.parametrize("flags", [1, 2, 4, 8])
def test_reserved_flags_of_disconnect_are_malformed(net, version, flags):
    client = net.join(version)
    client.try_send(bytes([0xE0 | flags, 0])).try_send(PING)
    client.expect_end(MALFORMED)


def test_a_server_says_no_more_after_its_disconnect(net):
    who = name("who")
    first = net.join(V5, who)
    net.join(V5, who)
    # Nothing comes behind DISCONNECT, and the connection is closed.
    first.expect_end(TAKEN_OVER)


def test_a_server_that_ends_a_connection_closes_it(net):
    client = net.join(V5)
    client.try_send(build.connect(name("again"), V5))
    client.expect_end(PROTOCOL_ERROR)


@versions(V31, V311)
def test_a_server_says_nothing_before_mqtt_5(net, version):
    client = net.join(version)
    client.try_send(build.publish("#", b"m", version))
    client.expect_end()


def test_disconnect_never_comes_before_connack(net):
    client = net.open(V5)
    client.try_send(PING)
    client.expect_end()
    client = net.open(V5)
    client.try_send(build.connect(name("bad"), V5, flags=3))
    client.expect_refusal(MALFORMED, PROTOCOL_ERROR)
