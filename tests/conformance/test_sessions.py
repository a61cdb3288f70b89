"""Sessions: what outlives a connection, for how long, and what does not."""

import time

import pytest

from conformance import build
from conformance.build import V5, V31, V311, Will
from conformance.net import name
from conformance.properties import PROTOCOL_ERROR, SESSION_EXPIRY
from conformance.versions import ALL, OASIS, kept, versions


@ALL
def test_subscriptions_outlive_a_connection(net, version):
    topic, who = name("topic"), name("who")
    client = net.join(version, who, **kept(version))
    client.subscribe(topic, qos=1)
    client.disconnect()
    client = net.join(version, who, **kept(version))
    net.join(version).publish(topic, b"m", qos=1)
    assert client.message().payload == b"m"


@ALL
@pytest.mark.parametrize("ending", ["disconnect", "close", "abort"])
def test_messages_wait_for_a_client_that_is_away(net, version, ending):
    topic, who = name("topic"), name("who")
    client = net.join(version, who, **kept(version))
    client.subscribe(topic, qos=2)
    getattr(client, ending)()
    # Whoever took over from it knows that its connection is gone.
    net.join(version, who, **kept(version)).disconnect()
    publisher = net.join(version)
    for index in range(6):
        publisher.publish(topic, bytes([index]), qos=1 + index % 2)
    client = net.join(version, who, **kept(version))
    got = client.messages(6)
    assert sorted(message.payload for message in got) == [bytes([index]) for index in range(6)]
    # They are sent for the first time.
    assert not any(message.dup for message in got)
    client.expect_quiet(0.1)


@ALL
def test_a_clean_session_ends_with_its_connection(net, version):
    topic, who = name("topic"), name("who")
    client = net.join(version, who)
    client.subscribe(topic, qos=1)
    client.disconnect()
    publisher = net.join(version)
    publisher.publish(topic, b"while away", qos=1)
    client = net.listen(client_id=who, version=version, **kept(version))
    assert not client.connack.session_present
    publisher.publish(topic, b"while back", qos=1)
    assert client.heard(publisher) == []


@ALL
def test_a_clean_start_discards_what_was(net, version):
    topic, who = name("topic"), name("who")
    client = net.join(version, who, **kept(version))
    client.subscribe(topic, qos=1)
    client.disconnect()
    publisher = net.join(version)
    publisher.publish(topic, b"while away", qos=1)
    client = net.listen(client_id=who, version=version, clean=True)
    publisher.publish(topic, b"while back", qos=1)
    assert client.heard(publisher) == []
    client.disconnect()
    client = net.listen(client_id=who, version=version, **kept(version))
    assert not client.connack.session_present
    publisher.publish(topic, b"later", qos=1)
    assert client.heard(publisher) == []


@ALL
def test_unacknowledged_messages_are_discarded_too(net, version):
    topic, who = name("topic"), name("who")
    client = net.join(version, who, **kept(version))
    client.subscribe(topic, qos=2)
    publisher = net.join(version)
    publisher.publish(topic, b"one", qos=1)
    publisher.publish(topic, b"two", qos=2)
    client.abort()
    client = net.listen(client_id=who, version=version, clean=True)
    assert client.heard(publisher) == []


@OASIS
def test_a_session_belongs_to_one_client_id(net, version):
    who = name("who")
    net.join(version, who, **kept(version)).disconnect()
    for other in (who + "x", who + "X", who.swapcase()):
        assert not net.join(version, other, **kept(version)).connack.session_present


@ALL
def test_client_ids_are_told_apart_letter_by_letter(net, version):
    # Were they one, the second would close the first.
    who = name("who")
    first, second = net.join(version, who), net.join(version, who.upper())
    first.ping()
    second.ping()


@ALL
def test_retained_messages_outlive_the_session(net, version):
    topic = name("topic")
    client = net.join(version)
    client.publish(topic, b"kept", qos=1, retain=True)
    client.disconnect()
    reader = net.join(version)
    reader.subscribe(topic)
    assert reader.message().payload == b"kept"


# Session expiry, MQTT 5.


def test_a_clean_start_can_begin_a_session_that_stays(net):
    topic, who = name("topic"), name("who")
    client = net.join(V5, who, clean=True, props=[(SESSION_EXPIRY, 3600)])
    client.subscribe(topic, qos=1)
    client.disconnect()
    net.join(V5).publish(topic, b"m", qos=1)
    client = net.join(V5, who, **kept(V5))
    assert client.connack.session_present
    assert client.message().payload == b"m"


@pytest.mark.parametrize("props", [[], [(SESSION_EXPIRY, 0)]], ids=["absent", "0"])
@pytest.mark.parametrize("ending", ["disconnect", "abort"])
def test_without_an_expiry_interval_a_session_ends_at_once(net, props, ending):
    who, will = name("who"), Will(name("will"))
    listener = net.listen(will.topic)
    client = net.join(V5, who, clean=False, props=props, will=will)
    if ending == "abort":
        client.abort()
        # That its will comes shows that the server has seen the end.
        listener.message()
    else:
        client.disconnect()
    assert not net.join(V5, who, clean=False).connack.session_present


def test_a_session_that_never_expires(net):
    who = name("who")
    net.join(V5, who, **kept(V5, 0xFFFFFFFF)).disconnect()
    assert net.join(V5, who, **kept(V5)).connack.session_present


@pytest.mark.ahead
def test_a_session_expires(net):
    topic, who = name("topic"), name("who")
    client = net.join(V5, who, **kept(V5, 4))
    client.subscribe(topic, qos=1)
    client.disconnect()
    client = net.join(V5, who, **kept(V5, 4))
    assert client.connack.session_present, "it had not expired yet"
    client.disconnect()
    publisher = net.join(V5)
    publisher.publish(topic, b"m", qos=1)
    time.sleep(7)
    client = net.listen(client_id=who, **kept(V5))
    assert not client.connack.session_present
    publisher.publish(topic, b"later", qos=1)
    assert client.heard(publisher) == []


@pytest.mark.ahead
def test_a_session_does_not_expire_while_its_client_is_connected(net):
    who = name("who")
    client = net.join(V5, who, **kept(V5, 4))
    time.sleep(6)
    client.ping()
    client.disconnect()
    assert net.join(V5, who, **kept(V5)).connack.session_present


@pytest.mark.ahead
def test_disconnect_can_lengthen_a_session(net):
    who = name("who")
    client = net.join(V5, who, **kept(V5, 1))
    client.disconnect(0, [(SESSION_EXPIRY, 3600)])
    time.sleep(4)
    assert net.join(V5, who, **kept(V5)).connack.session_present


def test_disconnect_can_end_a_session(net):
    who = name("who")
    client = net.join(V5, who, **kept(V5))
    client.disconnect(0, [(SESSION_EXPIRY, 0)])
    assert not net.join(V5, who, **kept(V5)).connack.session_present


def test_disconnect_cannot_begin_to_keep_a_session(net):
    who = name("who")
    client = net.join(V5, who)
    client.send(build.disconnect(0, [(SESSION_EXPIRY, 3600)]))
    client.expect_end(PROTOCOL_ERROR)
    assert not net.join(V5, who, clean=False).connack.session_present


@versions(V31, V311)
def test_a_connection_of_another_kind_discards_a_session(net, version):
    who = name("who")
    net.join(version, who, **kept(version)).disconnect()
    net.join(version, who, clean=True).disconnect()
    assert not net.join(version, who, **kept(version)).connack.session_present
