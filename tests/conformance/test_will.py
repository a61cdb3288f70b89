"""Wills: published when a connection ends without DISCONNECT, and never else."""

import pytest

from conformance import build
from conformance.build import V5, V31, V311, Will
from conformance.client import QUIET_S
from conformance.net import name
from conformance.properties import (
    CONTENT_TYPE,
    CORRELATION_DATA,
    MALFORMED,
    PAYLOAD_FORMAT,
    PROTOCOL_ERROR,
    RESPONSE_TOPIC,
    TAKEN_OVER,
    USER_PROPERTY,
    WITH_WILL,
)
from conformance.versions import ALL, OASIS, cases, kept, versions


@ALL
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("retain", [False, True], ids=["plain", "retained"])
@pytest.mark.parametrize("ending", ["abort", "close"])
def test_a_will_is_published(net, version, qos, retain, ending):
    will = Will(name("will"), b"\x00 gone \xff", qos, retain)
    listener = net.listen(will.topic, version=version)
    getattr(net.join(version, will=will), ending)()
    got = listener.message()
    assert (got.topic, got.payload) == (will.topic, will.payload)
    assert (got.qos, got.retain, got.dup) == (qos, False, False)
    later = net.listen(will.topic, version=version)
    heard = [(each.payload, each.qos, each.retain) for each in later.heard(net.join(version))]
    assert heard == ([(will.payload, qos, True)] if retain else [])


@ALL
def test_a_will_may_be_empty(net, version):
    will = Will(name("will"), b"")
    listener = net.listen(will.topic, version=version)
    net.join(version, will=will).abort()
    assert listener.message().payload == b""


@ALL
def test_an_empty_retained_will_clears(net, version):
    will = Will(name("will"), b"", retain=True)
    net.join(version).publish(will.topic, b"kept", qos=1, retain=True)
    listener = net.listen(will.topic, version=version)
    assert listener.message().payload == b"kept"
    net.join(version, will=will).abort()
    assert listener.message().payload == b""
    assert net.listen(will.topic, version=version).heard(net.join(version)) == []


@ALL
def test_a_will_is_deleted_by_disconnect(net, version):
    will = Will(name("will"), retain=True)
    listener = net.listen(will.topic, version=version)
    net.join(version, will=will).disconnect()
    publisher = net.join(version)
    assert listener.heard(publisher, QUIET_S) == []
    assert net.listen(will.topic, version=version).heard(publisher) == []


def test_disconnect_can_have_the_will_published(net):
    will = Will(name("will"), qos=1)
    listener = net.listen(will.topic)
    net.join(V5, will=will).disconnect(WITH_WILL)
    assert listener.message().payload == b"gone"


def test_a_disconnect_for_an_error_has_the_will_published(net):
    listener = net.listen(topic := name("will"))
    reasons = (0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99)
    for reason in reasons:
        net.join(V5, will=Will(topic, bytes([reason]), qos=1)).disconnect(reason)
    assert sorted(got.payload[0] for got in listener.messages(len(reasons))) == list(reasons)


BREACHES = {
    "second CONNECT": (lambda version: build.connect(name("again"), version), PROTOCOL_ERROR),
    "PUBLISH with QoS 3": (lambda version: build.publish("t", b"", version, 3, 1), MALFORMED),
}


@OASIS
@pytest.mark.parametrize(("bad", "reason"), cases(BREACHES))
def test_a_client_that_breaks_the_protocol_has_its_will_published(net, version, bad, reason):
    will = Will(name("will"), qos=1)
    listener = net.listen(will.topic, version=version)
    net.join(version, will=will).breaks(bad(version), reasons=(reason,))
    assert listener.message().payload == b"gone"


@OASIS
def test_a_take_over_has_the_will_published(net, version):
    will, who = Will(name("will"), qos=1), name("who")
    listener = net.listen(will.topic, version=version)
    first = net.join(version, who, will=will)
    net.join(version, who)
    first.expect_end(TAKEN_OVER)
    assert listener.message().payload == b"gone"


@ALL
@pytest.mark.parametrize("stays", [True, False], ids=["kept", "clean"])
def test_a_will_is_published_once(net, version, stays):
    will, who = Will(name("will")), name("who")
    options = kept(version) if stays else {}
    listener = net.listen(will.topic, version=version)
    net.join(version, who, will=will, **options).abort()
    assert listener.message().payload == b"gone"
    net.join(version, who, **options).abort()
    net.join(version, who, **options).disconnect()
    assert listener.heard(net.join(version), QUIET_S) == []


@ALL
def test_a_deleted_will_does_not_come_back_with_its_session(net, version):
    will, who = Will(name("will")), name("who")
    listener = net.listen(will.topic, version=version)
    net.join(version, who, will=will, **kept(version)).disconnect()
    net.join(version, who, **kept(version)).abort()
    assert listener.heard(net.join(version), QUIET_S) == []


@ALL
def test_a_connection_has_its_own_will(net, version):
    topic, who = name("will"), name("who")
    listener = net.listen(topic, version=version)
    net.join(version, who, will=Will(topic, b"first"), **kept(version)).disconnect()
    net.join(version, who, will=Will(topic, b"second"), **kept(version)).abort()
    assert listener.message().payload == b"second"
    assert listener.heard(net.join(version)) == []


@ALL
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_a_will_is_a_message_like_others(net, version, granted):
    topic = name("will")
    listener = net.listen(f"{topic}/+", version=version, qos=granted)
    for qos in range(3):
        net.join(version, will=Will(f"{topic}/{qos}", b"m", qos)).abort()
        assert listener.message().qos == min(qos, granted)


@ALL
def test_a_will_waits_for_a_client_that_is_away(net, version):
    will, who = Will(name("will"), b"waits", qos=1), name("who")
    client = net.join(version, who, **kept(version))
    client.subscribe(will.topic, qos=1)
    client.disconnect()
    watcher = net.listen(will.topic, version=version)
    net.join(version, will=will).abort()
    watcher.message()
    assert net.join(version, who, **kept(version)).message().payload == b"waits"


def test_a_will_has_its_properties(net):
    props = (
        (USER_PROPERTY, ("b", "1")),
        (PAYLOAD_FORMAT, 1),
        (CONTENT_TYPE, "text/plain"),
        (USER_PROPERTY, ("a", "2")),
        (RESPONSE_TOPIC, "answer/here"),
        (CORRELATION_DATA, b"\x00\x01"),
        (USER_PROPERTY, ("b", "0")),
    )
    will = Will(name("will"), b"gone", props=props)
    listener = net.listen(will.topic)
    net.join(V5, will=will).abort()
    got = listener.message()
    assert got.all(USER_PROPERTY) == [("b", "1"), ("a", "2"), ("b", "0")]
    for identifier in (PAYLOAD_FORMAT, CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION_DATA):
        assert got.get(identifier) == dict(props)[identifier]


@versions(V31, V311)
def test_a_disconnect_has_nothing_in_it_before_mqtt_5(net, version):
    will = Will(name("will"))
    listener = net.listen(will.topic, version=version)
    client = net.join(version, will=will)
    client.send(build.disconnect())
    client.expect_end()
    assert listener.heard(net.join(version), QUIET_S) == []
