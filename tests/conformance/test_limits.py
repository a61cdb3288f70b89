"""What a server says that it lacks, it refuses; what it does not say, it does.

Each test runs on the broker as it is and on one with little to offer; the
CONNACK says which case is at hand.
"""

import pytest

from conformance import build
from conformance.build import V5, Will
from conformance.net import name
from conformance.properties import (
    ALIAS_INVALID,
    MAXIMUM_QOS,
    PROTOCOL_ERROR,
    QOS_NOT_SUPPORTED,
    RETAIN_AVAILABLE,
    RETAIN_NOT_SUPPORTED,
    SERVER_KEEP_ALIVE,
    SUBACK,
    TOPIC_ALIAS,
    TOPIC_ALIAS_MAXIMUM,
)

BOTH = pytest.mark.parametrize("limited", [False, True], ids=["full", "limited"])


def _maximum_qos(net, limited):
    return net.join(V5, limited=limited).connack.get(MAXIMUM_QOS, 2)


@BOTH
@pytest.mark.parametrize("qos", [1, 2])
def test_the_maximum_qos_is_said(net, limited, qos):
    client = net.join(V5, limited=limited)
    if qos <= client.connack.get(MAXIMUM_QOS, 2):
        client.publish(name("topic"), b"m", qos=qos)
    else:
        bad = build.publish(name("topic"), b"m", qos=qos, packet_id=1)
        client.breaks(bad, reasons=(QOS_NOT_SUPPORTED,))


@BOTH
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_every_qos_can_be_subscribed(net, limited, qos):
    client = net.join(V5, limited=limited)
    client.send(build.subscribe(1, (name("topic"), qos)))
    assert client.expect(SUBACK, 1).reasons[0] <= qos


@BOTH
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_will_beyond_the_maximum_qos_is_refused(net, limited, qos):
    supported = qos <= _maximum_qos(net, limited)
    client = net.open(V5, limited)
    client.send(build.connect(name("will"), V5, will=Will(name("topic"), qos=qos)))
    if supported:
        client.accepted()
    else:
        client.expect_refusal(QOS_NOT_SUPPORTED)


@BOTH
def test_a_retained_will_is_refused_without_retained_messages(net, limited):
    supported = net.join(V5, limited=limited).connack.get(RETAIN_AVAILABLE, 1)
    client = net.open(V5, limited)
    client.send(build.connect(name("will"), V5, will=Will(name("topic"), retain=True)))
    if supported:
        client.accepted()
    else:
        client.expect_refusal(RETAIN_NOT_SUPPORTED)


@BOTH
def test_retained_messages_are_refused_where_they_are_not_available(net, limited):
    client = net.join(V5, limited=limited)
    if client.connack.get(RETAIN_AVAILABLE, 1):
        client.publish(name("topic"), b"m", retain=True)
        client.ping()
    else:
        bad = build.publish(name("topic"), b"m", retain=True)
        client.breaks(bad, reasons=(RETAIN_NOT_SUPPORTED, PROTOCOL_ERROR))


@BOTH
def test_aliases_are_refused_where_there_are_none(net, limited):
    client = net.join(V5, limited=limited)
    publish = build.publish(name("topic"), b"m", props=[(TOPIC_ALIAS, 1)])
    if client.connack.get(TOPIC_ALIAS_MAXIMUM, 0):
        client.send(publish)
        client.ping()
    else:
        client.breaks(publish, reasons=(ALIAS_INVALID, PROTOCOL_ERROR))


def test_a_long_keep_alive_is_answered_with_the_servers_own(net):
    longest = net.broker.profile.longest_keep_alive_s
    connack = net.join(V5, limited=True, keep_alive=600).connack
    assert connack.get(SERVER_KEEP_ALIVE) == longest


def test_a_keep_alive_that_is_granted_is_not_answered(net):
    assert net.join(V5, keep_alive=600).connack.get(SERVER_KEEP_ALIVE) in (None, 600)
