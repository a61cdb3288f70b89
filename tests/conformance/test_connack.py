"""CONNACK: what it says of the session, of the client id and of the server."""

import string

import pytest

from conformance import build
from conformance.build import PING, V5, V31, V311
from conformance.net import name
from conformance.properties import (
    ASSIGNED_CLIENT_ID,
    AUTH_METHOD,
    BAD_AUTHENTICATION_METHOD,
    CLIENT_ID_NOT_VALID,
    CONNACK,
    MAXIMUM_PACKET_SIZE,
    MAXIMUM_QOS,
    NOT_AUTHORIZED,
    PINGRESP,
    REQUEST_RESPONSE_INFORMATION,
    RESPONSE_INFORMATION,
    RETAIN_AVAILABLE,
    SESSION_EXPIRY,
    SHARED_AVAILABLE,
    SUBSCRIPTION_ID_AVAILABLE,
    WILDCARD_AVAILABLE,
)
from conformance.versions import ALL, OASIS, kept, versions


@ALL
def test_connack_comes_first_and_once(net, version):
    client = net.open(version)
    client.send(build.connect(name("first"), version) + PING + PING)
    client.accepted()
    client.expect(PINGRESP)
    client.expect(PINGRESP)
    client.expect_quiet(0.1)


@ALL
def test_connack_comes_before_what_waited(net, version):
    topic, who = name("topic"), name("who")
    client = net.join(version, who, **kept(version))
    client.subscribe(topic, qos=1)
    client.disconnect()
    net.join(version).publish(topic, b"waited", qos=1)
    client = net.open(version)
    client.send(build.connect(who, version, **kept(version)))
    assert client.read().kind == CONNACK
    assert client.message().payload == b"waited"


@OASIS
def test_a_new_session_is_not_present(net, version):
    assert not net.join(version, **kept(version)).connack.session_present


@OASIS
def test_a_kept_session_is_present(net, version):
    who = name("kept")
    net.join(version, who, **kept(version)).disconnect()
    assert net.join(version, who, **kept(version)).connack.session_present


@OASIS
def test_a_discarded_session_is_not_present(net, version):
    who = name("clean")
    net.join(version, who, **kept(version)).disconnect()
    assert not net.join(version, who, clean=True).connack.session_present


@versions(V31)
def test_mqtt_3_1_has_no_session_present(net, version):
    # The reader fails on any bit that is set there.
    who = name("kept")
    net.join(version, who, **kept(version)).disconnect()
    assert not net.join(version, who, **kept(version)).connack.session_present


LETTERS = string.digits + string.ascii_lowercase + string.ascii_uppercase


@ALL
@pytest.mark.parametrize(
    "client_id",
    [LETTERS[at : at + 23] for at in (0, 23, 39)] + [LETTERS[-n:] for n in range(1, 23)],
)
def test_every_short_client_id_is_taken(net, version, client_id):
    assert len(client_id) <= 23
    net.join(version, client_id).ping()


@OASIS
def test_a_server_makes_up_missing_client_ids(net, version):
    clients = []
    for _ in range(2):
        client = net.open(version)
        client.send(build.connect("", version))
        got = client.read()
        assert got.kind == CONNACK
        if got.reason:  # It may decline to make them up.
            assert got.reason in (2, CLIENT_ID_NOT_VALID)
            client.expect_end()
            return
        clients.append((client, got.get(ASSIGNED_CLIENT_ID)))
    # They are two: the second did not take over from the first.
    for client, assigned in clients:
        client.ping()
        assert (assigned is not None) == (version == V5)
    assert version != V5 or clients[0][1] != clients[1][1]


def test_an_assigned_client_id_is_the_clients_own(net):
    client = net.join(V5, "", props=[(SESSION_EXPIRY, 3600)])
    assigned = client.connack.get(ASSIGNED_CLIENT_ID)
    assert assigned
    client.disconnect()
    again = net.join(V5, assigned, **kept(V5))
    assert again.connack.session_present
    assert again.connack.get(ASSIGNED_CLIENT_ID) is None


@versions(V311)
def test_a_session_without_a_client_id_is_refused(net, version):
    client = net.open(version)
    client.send(build.connect("", version, clean=False))
    client.expect_refusal(2, said=True)


@OASIS
def test_a_refused_client_has_no_session_and_is_closed(net, version):
    # Session Present is looked at by the reader.
    client = net.open(version)
    if version == V5:
        method = [(AUTH_METHOD, "no such method")]
        client.send(build.connect(name("who"), V5, props=method, clean=False))
        client.expect_refusal(BAD_AUTHENTICATION_METHOD, NOT_AUTHORIZED)
    else:
        client.send(build.connect("", version, clean=False))
        client.expect_refusal(2, said=True)


@ALL
def test_a_valid_connect_is_accepted(net, version):
    connack = net.join(version).connack
    assert (connack.reason, connack.session_present) == (0, False)


@pytest.mark.parametrize("asked", [[], [(REQUEST_RESPONSE_INFORMATION, 0)]], ids=["unasked", "no"])
def test_response_information_is_for_those_who_ask(net, asked):
    assert net.join(V5, props=asked).connack.get(RESPONSE_INFORMATION) is None


def test_response_information_may_be_asked_for(net):
    net.join(V5, props=[(REQUEST_RESPONSE_INFORMATION, 1)]).ping()


def test_connack_fits_the_maximum_packet_size(net):
    # The client looks at the size of everything.
    net.join(V5, props=[(MAXIMUM_PACKET_SIZE, 100)])


def test_a_refusal_fits_the_maximum_packet_size(net):
    props = [(MAXIMUM_PACKET_SIZE, 20), (AUTH_METHOD, "no such method")]
    client = net.open(V5)
    client.send(build.connect(name("small"), V5, props=props))
    client.note(props)
    client.expect_refusal(BAD_AUTHENTICATION_METHOD, NOT_AUTHORIZED)


def test_the_broker_under_test_has_what_the_suite_asks_for(net):
    connack = net.join(V5).connack
    assert connack.get(MAXIMUM_QOS) is None
    for available in (
        RETAIN_AVAILABLE, WILDCARD_AVAILABLE, SUBSCRIPTION_ID_AVAILABLE, SHARED_AVAILABLE
    ):  # fmt: skip
        assert connack.get(available, 1) == 1
