"""Enhanced authentication, MQTT 5, as far as a server without a method shows it.

No broker under test is configured with a method. What a server does that has
one, the statements' rows find in the broker's own tests.
"""

import pytest

from conformance import build
from conformance.build import V5, packet
from conformance.net import name
from conformance.properties import (
    AUTH,
    AUTH_DATA,
    AUTH_METHOD,
    BAD_AUTHENTICATION_METHOD,
    CONNACK,
    CONTINUE_AUTHENTICATION,
    MALFORMED,
    NOT_AUTHORIZED,
    PROTOCOL_ERROR,
    PUBACK,
    RE_AUTHENTICATE,
)
from conformance.versions import cases

REFUSALS = (BAD_AUTHENTICATION_METHOD, NOT_AUTHORIZED)


@pytest.mark.parametrize("data", [[], [(AUTH_DATA, b"first")]], ids=["method", "method and data"])
def test_an_unknown_method_is_refused(net, data):
    client = net.open(V5)
    props = [(AUTH_METHOD, "conformance-suite"), *data]
    client.send(build.connect(name("who"), V5, props=props))
    client.expect_refusal(*REFUSALS)


def test_an_auth_behind_a_refused_connect_brings_nothing(net):
    method = (AUTH_METHOD, "conformance-suite")
    client = net.open(V5)
    client.try_send(
        build.connect(name("who"), V5, props=[method]),
        build.auth(CONTINUE_AUTHENTICATION, [method, (AUTH_DATA, b"second")]),
    )
    client.expect_refusal(*REFUSALS)


def test_without_a_method_there_is_none_in_connack(net):
    client = net.open(V5)
    client.send(build.connect(name("who"), V5, username="user", password="word"))
    got = client.read()
    # Neither an AUTH comes before it.
    assert (got.kind, got.reason, got.get(AUTH_METHOD), got.get(AUTH_DATA)) == (
        CONNACK, 0, None, None
    )  # fmt: skip


UNASKED = {
    "again": build.auth(RE_AUTHENTICATE, [(AUTH_METHOD, "m"), (AUTH_DATA, b"d")]),
    "go on": build.auth(CONTINUE_AUTHENTICATION, [(AUTH_METHOD, "m"), (AUTH_DATA, b"d")]),
    "success": build.auth(0, [(AUTH_METHOD, "m")]),
    "no method": build.auth(RE_AUTHENTICATE, []),
    "nothing": build.auth(),
    "an unknown reason": build.auth(0x55, [(AUTH_METHOD, "m")]),
    "a method twice": build.auth(RE_AUTHENTICATE, [(AUTH_METHOD, "m"), (AUTH_METHOD, "m")]),
}


@pytest.mark.parametrize("sent", cases(UNASKED))
def test_auth_of_a_client_without_a_method_is_the_end(net, sent):
    net.join(V5).breaks(sent, reasons=(PROTOCOL_ERROR, MALFORMED, BAD_AUTHENTICATION_METHOD))


def test_auth_between_connect_and_connack_is_the_end(net):
    client = net.open(V5)
    client.try_send(build.connect(name("who"), V5), UNASKED["go on"], build.PING)
    got = client.read()
    # The CONNECT was right, so it may have been accepted before.
    if got is not None and got.kind == CONNACK and got.reason == 0:
        client.expect_end(PROTOCOL_ERROR, MALFORMED, BAD_AUTHENTICATION_METHOD)
    else:
        assert got is None or got.reason >= 0x80


def test_a_server_sends_no_auth_of_its_own(net):
    client = net.join(V5)
    client.publish(name("topic"), b"m", qos=1)
    client.ping()
    client.send_publish(name("topic"), b"m", 1, packet_id=9)
    assert client.read().kind == PUBACK
    client.expect_quiet(0.1)


def test_auth_without_properties_where_they_are_cut_off(net):
    net.join(V5).breaks(packet(AUTH, b"\x19\x09\x15\x00"), reasons=(PROTOCOL_ERROR, MALFORMED))
